"""A ranking: items in the order of one kind of score, with how far it can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from ..vectors import Floats, Ids
from .judging import Judge, Place

if TYPE_CHECKING:
    from ..storage.catalog import Catalog

RankingName = Literal["image", "caption", "passage", "words"]

# A ranking whose best hit does not stand out keeps this share of its weight: some of it may still be right.
_FLOOR: Final = 0.1
# Below this trust, the pictures say nothing about words.
BLIND: Final = 0.1
# From this trust on, a ranking may be as sure as its scores are. Trust is no probability: captions that fit many
# pictures halve it for an encoder that sees well, while one that is blind to a collection has hardly any.
_SEEING: Final = 0.5


@dataclass(frozen=True, slots=True)
class Ranking:
    """Items best first, each once. ``judge`` gives the probability that a place in it is a match.

    One that is no reason has a vote among the others, and nothing is said of it.
    """

    name: RankingName
    places: list[Place]
    trust: float
    judge: Judge
    is_reason: bool = True

    def confidences(self, places: Sequence[Place]) -> list[float | None]:
        """The probability that each place is a match, less where the ranking hardly knows the collection."""
        sight = min(1.0, max(0.0, self.trust - BLIND) / (_SEEING - BLIND))
        return [None if value is None else value * sight for value in self.judge(places)]

    @property
    def weight(self) -> float:
        best = self.judge(self.places[:1])[0] if self.places else None
        return self.trust * (_FLOOR + (1 - _FLOOR) * (1.0 if best is None else best))


def places_of(catalog: Catalog, scores: Floats, seqs: Ids, depth: int) -> list[Place]:
    """Up to ``depth`` items of what an index found for one query, each where its best vector stands.

    Owners are looked up in pieces, until there are enough items: how many of the best vectors belong to the same item
    is not known before. Shape: (1, n), (1, n).
    """
    found = seqs[0] >= 0
    rows = list(zip(seqs[0][found].tolist(), scores[0][found].tolist(), strict=True))
    best: dict[str, Place] = {}
    for start in range(0, len(rows), 2 * depth):
        if len(best) >= depth:
            break
        piece = rows[start : start + 2 * depth]
        owners = catalog.owners([seq for seq, _ in piece])
        for seq, score in piece:
            owner = owners.get(seq)  # not there when another process removed it this very moment
            if owner is not None and owner.item_id not in best:
                best[owner.item_id] = Place(owner.item_id, score, owner.text_row, seq)
    return list(best.values())[:depth]
