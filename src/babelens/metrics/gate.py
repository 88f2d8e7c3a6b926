"""Whether something that changes results has earned its place: measured against what is there, on the same queries.

A change is earned when the measure it is for gets better beyond doubt, and nothing that matters gets worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from numpy.typing import NDArray

from .ranking import Ranks
from .retrieval import MEASURES
from .statistics import Bootstrap, Difference, Estimate

_DOUBT: Final = 0.05


@dataclass(frozen=True, slots=True)
class Trial:
    """Two systems on the same ``queries``, which belong to ``groups`` pictures, among ``corpus`` documents.

    ``before``, ``after`` and ``gain`` are by measure (see :data:`.retrieval.MEASURES`). ``earned`` is the verdict.
    """

    queries: int
    groups: int
    corpus: int
    before: Mapping[str, Estimate]
    after: Mapping[str, Estimate]
    gain: Mapping[str, Difference]
    earned: bool


def compare(
    before: Ranks,
    after: Ranks,
    groups: NDArray[Any],
    *,
    target: str = "hit_rate@1",
    guards: Sequence[str] = ("hit_rate@10",),
    trials: int = 1,
    seed: int = 0,
) -> Trial:
    """Compares two systems by paired bootstrap over ``groups`` (n,), the picture that each query belongs to.

    Earned is: the 95 % interval of the gain in ``target`` lies above zero, its p-value is at most 0.05 / ``trials``
    (Bonferroni: who tries eight languages finds one that got better by luck), and no guard is worse by its interval.
    """
    bootstrap = Bootstrap(groups, seed=seed)
    estimates: list[dict[str, Estimate]] = [{}, {}]
    gain = {}
    for name in (target, *guards):
        measure = MEASURES[name]
        for ranks, found in zip((before, after), estimates, strict=True):
            chance = float(measure.chance(ranks.relevant, ranks.corpus).mean()) if len(ranks) else None
            found[name] = bootstrap.estimate(measure.values(ranks), chance=chance)
        gain[name] = bootstrap.difference(measure.values(before), measure.values(after))
    return Trial(
        queries=len(before),
        groups=bootstrap.groups,
        corpus=before.corpus,
        before=estimates[0],
        after=estimates[1],
        gain=gain,
        earned=gain[target].better
        and gain[target].p <= _DOUBT / trials
        and not any(gain[name].worse for name in guards),
    )
