"""The part of :class:`.Collection` that measures the collection itself, to be searched better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..types import Modality, Progress
from . import hubness
from .index_study import IndexStudy, StudyPlan, reset, tune
from .routing import RoutingReport, stop_routing, tune_routing

if TYPE_CHECKING:
    from ..models.protocols import Encoder
    from ..search import HubnessReport, Route
    from ..storage.catalog import Catalog
    from .space import Space


class Tuning:
    """Nothing here is on until a measurement has shown that it helps; ``babelens info`` shows what is."""

    _catalog: Catalog
    _space: Space

    def tune_routing(
        self,
        to: str | Path | Encoder | None = None,
        *,
        sample: int = 1000,
        seed: int = 0,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> RoutingReport:
        """Measures whether queries of a language find pictures better through the text tower of another model that has
        the same picture tower, and routes them there where they do: hit_rate@1 rises beyond doubt on up to ``sample``
        captions a language that people wrote, and hit_rate@10 does not fall (see :mod:`babelens.metrics.gate`).

        ``to`` is the model to try, those of the catalogue without it. A language that was measured and not found better
        loses its route. ``dry_run`` measures only. ``progress`` counts texts, and bytes with a note while a model is
        fetched. Raises :class:`CollectionError` when captions are too few or no model is known,
        :class:`EncoderMismatchError` when picture towers differ, and what loading raises.
        """
        return tune_routing(
            self._catalog,
            self._space,
            to,
            sample=sample,
            seed=seed,
            dry_run=dry_run,
            progress=progress or _silent,
        )

    def stop_routing(self) -> tuple[Route, ...]:
        """Takes all routes away: queries go through the collection's own text tower. Returns those there were."""
        return stop_routing(self._catalog, self._space)

    def tune_hubness(
        self,
        languages: str | Sequence[str] | None = None,
        *,
        bank: int = 1000,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> HubnessReport:
        """Turns on a correction of hubness where it is shown to help: see :func:`.collection.hubness.tune`."""
        return hubness.tune(
            self._catalog, self._space, languages, bank=bank, seed=seed, progress=progress or _silent
        )

    def untune_hubness(self) -> bool:
        """Turns the correction of hubness off. False when none was on."""
        return hubness.untune(self._catalog, self._space)

    def tune_index(
        self,
        plan: StudyPlan | None = None,
        *,
        apply: bool = True,
        on_rows: Callable[[IndexStudy], None] | None = None,
        progress: Progress | None = None,
    ) -> IndexStudy:
        """Measures index settings against exact search, and makes the smallest that reaches the target the collection's
        own: see :func:`babelens.collection.index_study.tune`. Without ``apply`` it only measures."""
        return tune(
            self._catalog, self._space, plan or StudyPlan(), apply=apply, on_rows=on_rows, progress=progress
        )

    def reset_index(self, *, modality: Modality = "image", progress: Progress | None = None) -> bool:
        """Forgets what :meth:`tune_index` found: size and memory choose again. True when there was a setting."""
        return reset(self._catalog, self._space, modality, progress=progress)


def _silent(done: int, total: int | None = None, note: str = "") -> None:
    pass
