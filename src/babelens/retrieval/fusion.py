"""Rankings into one: weighted reciprocal rank fusion, and what comes of it when items are of several kinds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

RANK_OFFSET: Final = 60.0


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[str]], weights: Sequence[float] | None = None, *, offset: float = RANK_OFFSET
) -> list[tuple[str, float]]:
    """Item ids with their fused scores, best first.

    ``score(id) = Σ weight_i / (offset + rank_i(id))`` over the rankings that hold the id, ranks from 1 (Cormack,
    Clarke and Büttcher, SIGIR 2009). Only ranks enter, never scores, so rankings whose scores cannot be compared
    can be mixed. A ranking of weight 0 adds nothing, not even ids. Ties go to the better single rank, then to the
    ranking named first. Raises ``ValueError`` on weights that do not fit, are negative or
    are not finite, and on an id that stands twice in one ranking.
    """
    weights = [1.0] * len(rankings) if weights is None else weights
    if len(weights) != len(rankings):
        raise ValueError(f"{len(rankings)} rankings but {len(weights)} weights")
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights):
        raise ValueError("weights must be finite and not negative")
    scores: dict[str, float] = {}
    best: dict[str, tuple[int, int]] = {}
    for place, (ranking, weight) in enumerate(zip(rankings, weights, strict=True)):
        if len(set(ranking)) != len(ranking):
            raise ValueError("an id stands twice in one ranking")
        if weight == 0:
            continue
        for rank, id in enumerate(ranking, start=1):
            scores[id] = scores.get(id, 0.0) + weight / (offset + rank)
            best[id] = min(best.get(id, (rank, place)), (rank, place))
    return sorted(scores.items(), key=lambda entry: (-entry[1], best[entry[0]]))


def interleave(fused: Sequence[tuple[str, float]], groups: Mapping[str, int]) -> list[tuple[str, float]]:
    """Fused items in a new order, with new scores: the best of each group early, whatever the groups weigh.

    ``score(id) = first(group) / rank_in_group(id)``, where ``first`` is the fused score of the group's best item.
    Photographs and passages are hardly ever in a ranking together, and of rankings without a common item fusion by rank
    puts dozens of the heavier before the first of the lighter, though their weights differ little. Here each group gets
    places in proportion to what its best item is worth. Items of one group keep their order; ties go to the group whose
    best item comes first.
    """
    first: dict[int, float] = {}
    ranks: dict[int, int] = {}
    scored = []
    for item_id, score in fused:
        group = groups[item_id]
        first.setdefault(group, score)
        ranks[group] = ranks.get(group, 0) + 1
        scored.append((item_id, first[group] / ranks[group]))
    return sorted(scored, key=lambda entry: -entry[1])


def principal_rankings(
    rankings: Sequence[Sequence[str]], weights: Sequence[float], *, offset: float = RANK_OFFSET
) -> dict[str, int]:
    """For each item the ranking, by place, that gives it most in :func:`reciprocal_rank_fusion`; the first of such."""
    best: dict[str, tuple[float, int]] = {}
    for place, (ranking, weight) in enumerate(zip(rankings, weights, strict=True)):
        for rank, item_id in enumerate(ranking, start=1):
            given = weight / (offset + rank)
            if item_id not in best or given > best[item_id][0]:
                best[item_id] = given, place
    return {item_id: place for item_id, (_, place) in best.items()}
