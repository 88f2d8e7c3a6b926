"""A ranking: items in the order of one kind of score, with how far it can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from .judging import Judge, Place

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
