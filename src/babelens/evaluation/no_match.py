"""Does it know when it does not know? Every caption is judged twice: with its picture in the collection, and without.

Of the hits that the collection gave, the first is what a user sees; with the caption's pictures taken out, the best of
the others is what a user would have seen. “Confident” should be said of the first where it is right, and never of the
second. A first hit that is wrong counts in neither: there, doubt is the right answer too.

Other pictures may fit a caption as well as its own, so some of the false ones are none; the figures are bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..metrics.statistics import Bootstrap, Estimate, roc
from ..retrieval.calibration import CONFIDENT
from ..vectors import Ids

ALL: Final = "all"
_TRUE: Final = 0.95
_CURVE: Final = 101

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Confidences:
    """What one language's captions were told: the confidence of the first hit, and of the best once their pictures are
    taken out. ``right`` says whether the first hit is. Shape: (n,) each; ``groups`` are the captions' pictures."""

    language: str
    groups: Ids
    right: NDArray[np.bool_]
    present: Values
    absent: Values


@dataclass(frozen=True, slots=True)
class AtTruePositives:
    """Where 95 % of the right first hits are confident: the threshold, found on one half of the pictures, and the
    shares at or above it on the other half."""

    threshold: float
    confident_right: Estimate
    confident_absent: Estimate


@dataclass(frozen=True, slots=True)
class NoMatch:
    """One language. ``right`` counts captions whose first hit is right, of ``queries``.

    ``auc`` is the chance that a right hit gets more confidence than the best hit of a caption without its picture.
    ``confident_right``, ``confident_wrong`` and ``confident_absent`` are the shares at or above the shipped
    ``threshold``: of right first hits, of wrong ones, and of best hits without the picture. ``curve`` are 101 points of
    the ROC curve: the share of absent at shares of right from 0 to 1.
    """

    queries: int
    right: int
    auc: Estimate
    threshold: float
    confident_right: Estimate
    confident_wrong: Estimate
    confident_absent: Estimate
    at_95: AtTruePositives
    curve: tuple[float, ...]


def judge(answers: Sequence[Confidences], *, seed: int = 0) -> dict[str, NoMatch]:
    """The figures by language, with all languages together last where there are several."""
    parts: Mapping[str, list[Confidences]] = {
        answer.language: [answer] for answer in answers if answer.right.any()
    }
    if len(parts) > 1:
        parts = {**parts, ALL: [answer for answer in answers if answer.right.any()]}
    return {tag: _judged(chosen, seed) for tag, chosen in parts.items()}


def _judged(parts: list[Confidences], seed: int) -> NoMatch:
    groups = np.concatenate([part.groups for part in parts])
    right = np.concatenate([part.right for part in parts])
    present = np.concatenate([part.present for part in parts])
    absent = np.concatenate([part.absent for part in parts])
    curve = roc(present[right], absent)
    return NoMatch(
        queries=len(present),
        right=int(right.sum()),
        auc=Bootstrap(groups, seed=seed).auc(present, absent, among=right),
        threshold=CONFIDENT,
        confident_right=_share(groups[right], present[right] >= CONFIDENT, seed),
        confident_wrong=_share(groups[~right], present[~right] >= CONFIDENT, seed),
        confident_absent=_share(groups, absent >= CONFIDENT, seed),
        at_95=_at_95(groups, right, present, absent, seed),
        curve=tuple(round(float(value), 4) for value in curve.false_at(np.linspace(0, 1, _CURVE))),
    )


def _at_95(
    groups: Ids, right: NDArray[np.bool_], present: Values, absent: Values, seed: int
) -> AtTruePositives:
    """Pictures, not captions, are cut in halves: captions of one picture would tell each other's answer."""
    names = np.unique(groups[right])
    first = np.isin(groups, np.random.default_rng(seed + 1).permutation(names)[: (len(names) + 1) // 2])
    second = ~first
    threshold = float(np.quantile(present[first & right], 1 - _TRUE, method="lower"))
    tested = second & right
    return AtTruePositives(
        threshold,
        confident_right=_share(groups[tested], present[tested] >= threshold, seed),
        confident_absent=_share(groups[second], absent[second] >= threshold, seed),
    )


def _share(groups: Ids, yes: NDArray[np.bool_], seed: int) -> Estimate:
    return Bootstrap(groups, seed=seed).estimate(yes.astype(np.float64))
