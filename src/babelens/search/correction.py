"""The correction of hubness that a collection has turned on: read from the catalog, applied to the picture ranking.

It acts on queries of words alone, in the languages in which it was measured to help. Scores stay cosines; only the
order changes.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..metrics.statistics import Difference
from ..retrieval.hubness import Correction, Setting
from ..vectors import Floats, Ids

if TYPE_CHECKING:
    from ..storage.catalog import Catalog

UNSTATED: Final = "und"
"""Stands for queries that do not say their language."""

# A picture must be among so many nearest ones to rise. With 150 hubs among 10,000 pictures, 100 are too few (hit_rate@1
# 0.45 against 0.98) and 1,000 as good as all; a search pays under a millisecond for them (benchmarks/hubness.py).
_CANDIDATES = 1000
# Penalties remembered at once; a number each.
_REMEMBERED: Final = 200_000


def candidates(k: int) -> int:
    """How many pictures are read from the index to find the best ``k`` after the correction."""
    return max(k, _CANDIDATES)


@dataclass(frozen=True, slots=True)
class LanguageGain:
    """What a correction changes for queries in a language, measured on ``n`` held-out captions of ``pictures``.

    Rates are of text→image among all pictures, in [0, 1]; ``gain_1`` and ``gain_10`` have 95 % intervals over pictures.
    ``language`` is :data:`UNSTATED` for all captions together. ``on`` says whether the correction is turned on.
    """

    language: str
    n: int
    pictures: int
    hit_rate_1: float
    hit_rate_10: float
    gain_1: Difference
    gain_10: Difference
    on: bool


@dataclass(frozen=True, slots=True)
class CorrectionInfo:
    """The correction of hubness that a collection uses. ``bank`` counts the queries it was learnt from; ``gains`` are
    those of the languages that were measured, turned on or not."""

    method: str
    parameters: Mapping[str, float]
    bank: int
    seed: int
    gains: tuple[LanguageGain, ...]

    @property
    def languages(self) -> tuple[str, ...]:
        """Where it is turned on."""
        return tuple(gain.language for gain in self.gains if gain.on)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> CorrectionInfo:
        facts: dict[str, Any] = json.loads(text)
        gains = tuple(
            LanguageGain(
                **{**gain, "gain_1": Difference(**gain["gain_1"]), "gain_10": Difference(**gain["gain_10"])}
            )
            for gain in facts.pop("gains")
        )
        return cls(**facts, gains=gains)


def correction_info(catalog: Catalog, encoder: int) -> CorrectionInfo | None:
    """The correction that searches with an encoder use, if any."""
    stored = catalog.correction(encoder)
    return None if stored is None else CorrectionInfo.from_json(stored.facts)


class PictureCorrection:
    """Reorders pictures for queries of words. Notices what other processes turn on and off. Thread-safe.

    Without a correction a search pays for one look-up in an empty table.
    """

    def __init__(self, catalog: Catalog, encoder: int) -> None:
        self._catalog = catalog
        self._encoder = encoder
        self._lock = threading.Lock()
        self._active: Active | None = None

    def active(self, language: str | None) -> Active | None:
        """The correction for queries in a language, None where there is none."""
        number = self._catalog.correction_number(self._encoder)
        if number is None:
            return None
        active = self._active
        if active is None or active.number != number:
            with self._lock:
                stored = self._catalog.correction(self._encoder)
                if stored is None:
                    return None
                info = CorrectionInfo.from_json(stored.facts)
                setting = Setting(info.method, info.parameters)  # type: ignore[arg-type]
                correction = Correction(setting, stored.bank, stored.owners)
                active = self._active = Active(
                    self._catalog, stored.number, frozenset(info.languages), correction
                )
        return active if (language or UNSTATED) in active.languages else None


class Active:
    """A correction, and the penalties of the pictures that it has met: they depend on nothing else."""

    def __init__(
        self, catalog: Catalog, number: int, languages: frozenset[str], correction: Correction
    ) -> None:
        self.number = number
        self.languages = languages
        self._catalog = catalog
        self._correction = correction
        self._penalties: dict[int, float] = {}

    def reorder(self, scores: Floats, seqs: Ids, k: int) -> tuple[Floats, Ids]:
        """The best ``k`` of what an index found for one query, in the order of corrected scores. Scores stay cosines.

        Shape: (1, n), (1, n) -> (1, min(k, n)) each. Unfilled places and pictures that were removed meanwhile go.
        """
        known = self._known(seqs[0][seqs[0] >= 0].tolist())
        columns = [column for column, seq in enumerate(seqs[0].tolist()) if seq in known]
        corrected = scores[0, columns] - np.array([known[seq] for seq in seqs[0, columns].tolist()])
        best = np.array(columns, dtype=np.int64)[np.argsort(-corrected, kind="stable")[:k]]
        return scores[:, best], seqs[:, best]

    def _known(self, seqs: list[int]) -> dict[int, float]:
        """Penalties by sequence number, which is never used for another vector."""
        remembered = self._penalties
        known = {seq: remembered[seq] for seq in seqs if seq in remembered}
        missing = [seq for seq in seqs if seq not in known]
        if missing:
            with self._catalog.snapshot():
                pictures = self._catalog.pictures_by_seq(missing)
                there = list(pictures)
                vectors = self._catalog.vectors_by_seq(there)
            if there:
                values = self._correction.penalties(vectors, [pictures[seq] for seq in there])
                known.update(zip(there, values.tolist(), strict=True))
            # Other threads may be reading the old ones: they are replaced, not emptied.
            self._penalties = known if len(remembered) > _REMEMBERED else {**remembered, **known}
        return known
