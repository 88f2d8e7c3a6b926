"""Which index setting a collection should take: measured on its own vectors, with texts and with pictures as queries.

The study reads the vectors once and then holds no lock: searches and writes go on. What was measured is kept, graph by
graph, beside the indexes; a study that was stopped goes on from there as long as the vectors are the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..errors import CollectionError, InvalidQueryError
from ..indexes.files import FOLDER
from ..indexes.setting import Grid, Setting, Tuned, choose_setting
from ..search import upkeep
from ..search.tuned import forget_tuned, read_tuned, write_tuned
from ..types import Modality, Progress
from ..vectors import Floats, Ids

if TYPE_CHECKING:
    from ..models.protocols import Encoder
    from ..search import Searcher
    from ..storage.catalog import Catalog
    from .space import Space

_SHARE: Final = 10  # at most one vector in so many is held out as a query
_PARTIAL: Final = ".partial"


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What to measure. ``modality`` is whose index: that of the pictures or that of the texts.

    Up to ``queries`` texts and as many pictures of the collection are asked, drawn by ``seed``; ``texts``, such as
    queries that people sent, are asked in place of its own. The target is of recall@10 against exact search.
    ``grid`` is :class:`babelens.indexes.setting.Grid`'s default where it is None.
    """

    modality: Modality = "image"
    grid: Grid | None = None
    target: float = 0.99
    queries: int = 500
    texts: Sequence[str] | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class IndexStudy:
    """What a study measured, and what follows from it.

    ``vectors`` are those in the measured indexes; ``queries`` counts what was asked by kind, ``held_out`` of them are
    vectors of the collection that were kept out. Of ``planned`` graphs ``built`` are done, ``resumed`` of them by a run
    before. ``rows`` begin with exact search. ``chosen`` is the setting to take by the rule of
    :func:`babelens.indexes.setting.choose_setting`, ``why`` its reason, or why there is none; ``applied`` says whether
    it became the collection's.
    """

    path: str
    encoder: str
    modality: Modality
    metric: str
    vectors: int
    dim: int
    queries: Mapping[str, int]
    held_out: int
    target: float
    seed: int
    planned: int
    built: int
    resumed: int
    rows: tuple[Setting, ...]
    chosen: Setting | None
    why: str
    applied: bool
    notes: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Sample:
    """The vectors of one moment without those held out, and the queries; ``key`` tells one sample from another."""

    batches: Sequence[tuple[Ids, Floats]]
    queries: Mapping[Modality, Floats]
    held_out: int
    key: Mapping[str, Any]
    notes: tuple[str, ...]

    @property
    def vectors(self) -> int:
        return sum(len(ids) for ids, _ in self.batches)


def tune(
    catalog: Catalog,
    space: Space,
    plan: StudyPlan,
    *,
    apply: bool,
    on_rows: Callable[[IndexStudy], None] | None,
    progress: Progress | None,
) -> IndexStudy:
    """Measures the plan's grid; with ``apply`` keeps what was chosen, and builds the index with it at once.

    Queries that are vectors of the index's own kind are kept out of the measured indexes: a picture that is in finds
    itself. The setting then serves every later build with this encoder, where the beam is measured again and widened
    if need be. When exact search wins, nothing is set. ``on_rows`` hears the study after every graph; a study that was
    stopped goes on where it was.

    Raises :class:`CollectionError` when there is nothing to measure, :class:`InvalidQueryError` for a plan that makes
    no sense, what loading the encoder raises (with ``texts`` only), and with ``apply``
    :class:`CollectionLockedError` and :class:`StorageFullError`.
    """
    if not 0 < plan.target <= 1:
        raise InvalidQueryError(f"A target of {plan.target:g} is no recall.", hint="Above 0, at most 1.")
    if plan.queries < 1:
        raise InvalidQueryError("A study needs queries.", hint="Ask for 1 or more.")
    started = time.monotonic()
    searcher = space.searcher()
    if searcher is None or not len(searcher.indexes[plan.modality]):
        raise CollectionError(
            f"There is nothing to tune: {catalog.folder} holds no {plan.modality} vectors.",
            hint="Add pictures first: babelens index FOLDER",
        )
    asked = None if plan.texts is None else _encoded(plan.texts, plan, space.encoder())
    study = _measure(catalog, searcher, plan, asked, on_rows or (lambda _: None), progress)
    if apply and study.chosen is not None:
        when = datetime.now(UTC).isoformat(timespec="seconds")
        with catalog.writing():
            tuned = Tuned(study.chosen, study.target, study.vectors, when)
            write_tuned(catalog, searcher.encoder_number, plan.modality, tuned)
            searcher.maintain(progress=progress)
        study = replace(study, applied=True)
    return replace(study, seconds=round(time.monotonic() - started, 2))


def reset(catalog: Catalog, space: Space, modality: Modality, *, progress: Progress | None = None) -> bool:
    """Forgets the setting and what was measured, and builds the index again where that changes it."""
    with catalog.writing():
        _Journal.path(catalog.folder, modality).unlink(missing_ok=True)
        searcher = space.searcher()
        if searcher is None or read_tuned(catalog, searcher.encoder_number, modality) is None:
            return False
        forget_tuned(catalog, searcher.encoder_number, modality)
        searcher.maintain(progress=progress)
    return True


def _measure(
    catalog: Catalog,
    searcher: Searcher,
    plan: StudyPlan,
    asked: Floats | None,
    on_rows: Callable[[IndexStudy], None],
    progress: Progress | None,
) -> IndexStudy:
    from ..indexes.study import study

    grid = plan.grid or Grid()
    sample = _sample(catalog, searcher, plan, asked)
    journal = _Journal(catalog.folder, plan.modality, sample.key)
    known = tuple(journal.rows)
    result = IndexStudy(
        path=str(catalog.folder),
        encoder=catalog.encoders()[searcher.encoder_number].name,
        modality=plan.modality,
        metric=searcher.metric,
        vectors=sample.vectors,
        dim=searcher.indexes[plan.modality].dim,
        queries={name: len(vectors) for name, vectors in sample.queries.items()},
        held_out=sample.held_out,
        target=plan.target,
        seed=plan.seed,
        planned=len(grid.graphs()),
        built=0,
        resumed=0,
        rows=(),
        chosen=None,
        why="",
        applied=False,
        notes=sample.notes,
        seconds=0.0,
    )
    for rows in study(
        sample.batches,
        sample.queries,
        grid,
        metric=searcher.metric,
        known=known,
        progress=progress,
        seed=plan.seed,
    ):
        result = replace(result, rows=(*result.rows, *rows))
        if rows[0].graph is not None:
            again = rows[0] in known
            problem = None if again else journal.keep(rows)
            result = replace(
                result,
                built=result.built + 1,
                resumed=result.resumed + again,
                notes=(*result.notes, problem) if problem and problem not in result.notes else result.notes,
            )
        result = _judged(result)
        on_rows(result)
    return result


def _judged(study: IndexStudy) -> IndexStudy:
    if study.vectors <= upkeep.FILE_LIMIT:
        why = f"Exact search wins: up to {upkeep.FILE_LIMIT:,} vectors are searched from memory, without an index."
        return replace(study, chosen=None, why=why)
    verdict = choose_setting(study.rows, study.target)
    return replace(study, chosen=verdict.setting, why=verdict.why)


def _encoded(texts: Sequence[str], plan: StudyPlan, encoder: Encoder) -> Floats:
    """Vectors of the texts given as queries, each once and no more than planned. Shape: (n, dim)."""
    bodies = list(dict.fromkeys(text.strip() for text in texts if text.strip()))
    if not bodies:
        raise InvalidQueryError("There are no queries in what was given.", hint="Write one to a line.")
    if len(bodies) > plan.queries:
        chosen = np.random.default_rng(plan.seed).choice(len(bodies), size=plan.queries, replace=False)
        bodies = [bodies[row] for row in np.sort(chosen)]
    return encoder.encode_texts(bodies)


def _sample(catalog: Catalog, searcher: Searcher, plan: StudyPlan, asked: Floats | None) -> _Sample:
    from ..indexes.study import held_out

    encoder, modality = searcher.encoder_number, plan.modality
    notes = []
    with catalog.snapshot():
        mark = catalog.watermark(encoder, modality)
        n = catalog.count_vectors(encoder, modality)
        drawn: dict[Modality, Floats] = {} if asked is None else {"text": asked}
        kept_out = np.empty(0, dtype=np.int64)
        kinds: tuple[Modality, ...] = ("text", "image")
        for kind in kinds:
            if kind in drawn:
                continue
            most = min(plan.queries, n // _SHARE) if kind == modality else plan.queries
            ids, vectors = catalog.sample_vectors(encoder, kind, most, seed=plan.seed)
            if kind == modality:
                kept_out = ids
            if len(vectors):
                drawn[kind] = vectors
        if not drawn:
            raise CollectionError(
                f"There is nothing to ask: {catalog.folder} holds {n} {modality} vectors, and none of another kind.",
                hint=f"A study needs {_SHARE} or more, or a file of queries.",
            )
        batches = list(held_out(catalog.iter_vectors(encoder, modality), kept_out))
    if "text" not in drawn:
        notes.append(
            "There are no texts with vectors: recall was measured with pictures as queries only, which flatters an "
            "index that words are searched with. A file of queries (--query-file) mends that."
        )
    elif "image" not in drawn:
        notes.append("There were no pictures to ask with: recall was measured with text queries only.")
    digest = hashlib.sha256()
    for kind in sorted(drawn):
        digest.update(kind.encode() + np.ascontiguousarray(drawn[kind]).tobytes())
    key = {
        "encoder": encoder,
        "vectors": mark.vectors,
        "removals": mark.removals,
        "metric": searcher.metric,
        "queries": digest.hexdigest(),
    }
    return _Sample(batches, drawn, len(kept_out), key, tuple(notes))


class _Journal:
    """The rows of finished graphs, in a file beside the indexes. Those of other vectors or queries are of no use."""

    def __init__(self, folder: Path, modality: Modality, key: Mapping[str, Any]) -> None:
        self._file = self.path(folder, modality)
        self._key = dict(key)
        self.rows: list[Setting] = []
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            if kept["of"] == self._key:
                self.rows = [Setting.of(row) for row in kept["rows"]]
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError):  # not worth more than measuring again
            self.rows = []

    @staticmethod
    def path(folder: Path, modality: Modality) -> Path:
        return folder / FOLDER / f"study-{modality}.json"

    def keep(self, rows: Sequence[Setting]) -> str | None:
        """Adds rows to the file. Returns why that failed, in words, where it did: the study itself can go on."""
        graph = rows[0].graph
        beams = {row.ef_search for row in rows}
        self.rows = [r for r in self.rows if r.graph != graph or r.ef_search not in beams] + list(rows)
        text = json.dumps({"of": self._key, "rows": [asdict(row) for row in self.rows]}, indent=1)
        partial = self._file.with_name(self._file.name + _PARTIAL)
        try:
            self._file.parent.mkdir(exist_ok=True)
            partial.write_text(text + "\n", encoding="utf-8")
            os.replace(partial, self._file)
        except OSError as error:
            return (
                f"What was measured is not kept, so a stopped study begins anew: {error.strerror}: {partial}"
            )
        return None
