"""How sure a search is of its hits: scores against the background of the collection, by the card of the encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..retrieval.calibration import Pair, confidence, knows_rivals, measure_background
from ..types import Query
from ..vectors import Floats
from .rivals import Rivals

if TYPE_CHECKING:
    from ..models.protocols import Encoder
    from ..storage.catalog import Catalog
    from .kinds import PictureKind
    from .upkeep import FreshIndex


@dataclass(frozen=True, slots=True)
class Place:
    """An item in a ranking. ``text_row`` is the text that brought it there, ``seq`` the number of its vector, -1 where
    words were found."""

    item_id: str
    score: float
    text_row: int | None = None
    seq: int = -1


Judge = Callable[[Sequence[Place]], list[float | None]]
"""The probability of each place that it is a match; None where nothing can tell."""


class Judging:
    """Makes the judges of one query after another. ``load`` gives the collection's encoder."""

    def __init__(
        self, catalog: Catalog, images: FreshIndex, texts: FreshIndex, load: Callable[[], Encoder]
    ) -> None:
        self._images = images
        self._texts = texts
        self._load = load
        self._rivals = Rivals(catalog)

    def pictures(
        self,
        query: Query,
        target: Floats,
        encoder: Encoder | None = None,
        *,
        kind: PictureKind | None = None,
    ) -> Judge:
        """Judges pictures found with ``target``, the vector of ``query``; ``encoder`` is the one whose text tower made
        it, where that is not the collection's own. Those of a ``kind`` are judged against others of it."""
        pair = pair_of(query)
        if kind is None:
            sample, size = self._images.background(), self._images.searched
        else:
            sample, size = kind.sample, len(kind.seqs)
        if pair != "text_image":
            return self._judge(sample, size, target, "image_image", {})
        encoder = encoder or self._load()
        return self._judge(sample, size, target, pair, encoder.calibration, encoder)

    def captions(self, meaning: Floats) -> Judge:
        texts = self._texts
        return self._judge(texts.background(), texts.searched, meaning, "text_text", self._load().calibration)

    def _judge(
        self,
        sample: Floats,
        size: int,
        vector: Floats,
        pair: Pair,
        card: Mapping[str, float],
        encoder: Encoder | None = None,
    ) -> Judge:
        # Not through BLAS: its threads cost more than they save on so few rows, and stall on a busy machine.
        background = measure_background(np.einsum("ij,j->i", sample, vector), size)

        def judge(places: Sequence[Place]) -> list[float | None]:
            rivals: Mapping[int, float] = {}
            if encoder is not None and knows_rivals(card, pair):
                rivals = self._rivals.of([place.seq for place in places], encoder)
            return [
                confidence(place.score, background, pair=pair, card=card, rivals=rivals.get(place.seq))
                for place in places
            ]

        return judge


def pair_of(query: Query) -> Pair | None:
    """What a query of one modality compares pictures with; None for mixtures, which no card measured."""
    texts = [term.text is not None for term in query.terms if term.weight > 0]
    if any(term.weight < 0 for term in query.terms) or not texts:
        return None
    return "text_image" if all(texts) else None if any(texts) else "image_image"
