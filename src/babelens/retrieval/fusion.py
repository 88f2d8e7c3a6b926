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


def interleave_kinds(
    fused: Sequence[str],
    kinds: Mapping[str, str],
    rankings: Sequence[Sequence[str]],
    weights: Sequence[float],
) -> list[str]:
    """Item ids in an order that is fair to kinds of items that stand in different rankings.

    Photographs and passages are hardly ever ranked together. Where rankings have no item in common, fusion by rank puts
    dozens of the heavier before the first of the lighter, though their weights differ little, and whatever can be in
    three rankings before whatever can be in one. So ``fused`` orders items among those of their kind alone. The places
    of a kind are worth what its items are worth at their best, ``max_i weight_i / rank_i(id)``, greatest first, and the
    kinds are merged by the worth of their places. Of one ranking nothing changes, nor where there is but one kind.
    """
    worth: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for rank, item_id in enumerate(ranking, start=1):
            worth[item_id] = max(worth.get(item_id, 0.0), weight / rank)
    places: dict[str, list[float]] = {}
    for item_id in fused:
        places.setdefault(kinds[item_id], []).append(worth[item_id])
    queues = {kind: iter(sorted(values, reverse=True)) for kind, values in places.items()}
    slots = [(next(queues[kinds[item_id]]), item_id) for item_id in fused]
    return [item_id for _, item_id in sorted(slots, key=lambda slot: -slot[0])]
