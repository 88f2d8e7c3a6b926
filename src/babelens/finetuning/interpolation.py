"""Between the base model and what training made of it (WiSE-FT, Wortsman et al. 2022, arXiv 2109.01903).

Weights on the straight line between both often keep most of the gain and lose little of what the base could do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch

from ..types import Progress
from .data import Data
from .measure import Outcome, measure
from .tunable import Tunable, Weights

_KNOWN: Final = 1.5
"""Times chance: what is found in a language that an encoder knows."""
SWEEP: Final = tuple(round(0.1 * step, 1) for step in range(11))


@dataclass(frozen=True, slots=True)
class Point:
    """Means of hit rates at a share ``alpha`` of the fine-tuned weights. ``kept`` and ``languages`` are by other domain
    and language, and by language of the validation split; ``harmed`` names those that lose more than is allowed."""

    alpha: float
    validation: float
    languages: Mapping[str, float]
    kept: Mapping[str, Mapping[str, float]]
    harmed: tuple[str, ...]


@torch.no_grad()
def blend(base: Weights, tuned: Weights, alpha: float) -> Weights:
    """(1 − α) base + α tuned, weight by weight; exactly the one or the other at the ends."""
    if alpha in (0.0, 1.0):
        return tuned if alpha else base
    return {name: torch.lerp(value, tuned[name], alpha) for name, value in base.items()}


def sweep(
    tunable: Tunable,
    data: Data,
    base: Weights,
    tuned: Weights,
    *,
    tolerance: float,
    alphas: Sequence[float] = SWEEP,
    progress: Progress | None = None,
) -> tuple[Point, ...]:
    """Measures the line on the validation split and in every other domain, from ``alphas``, the first of which is 0.

    A language, of the validation split or of another domain, is harmed when it loses more than ``tolerance``; one that
    the base does not know has nothing to lose. Leaves ``tunable`` with the last weights measured.
    """
    points: list[Point] = []
    known: dict[str, frozenset[str]] = {}
    for number, alpha in enumerate(alphas):
        if progress is not None:
            progress(number, len(alphas), f"share {alpha:g}")
        tunable.set_weights(blend(base, tuned, alpha))
        found = measure(tunable, data.validation)
        others = {domain.name: measure(tunable, domain) for domain in data.kept}
        kept = {name: _by_language(outcome) for name, outcome in others.items()}
        languages = _by_language(found)
        if not points:
            known = {name: _known(outcome) for name, outcome in (("", found), *others.items())}
        before = points[0] if points else Point(alpha, found.mean(), languages, kept, ())
        harmed = _harmed("", before.languages, languages, known[""], tolerance)
        for name, row in kept.items():
            harmed += _harmed(f"{name} ", before.kept[name], row, known[name], tolerance)
        points.append(Point(alpha, found.mean(), languages, kept, tuple(harmed)))
    return tuple(points)


def choose(points: Sequence[Point]) -> Point:
    """The point of the best validation mean among those that harm nothing; the base itself where there is none."""
    return max((point for point in points if not point.harmed), key=lambda point: point.validation)


def _by_language(found: Outcome) -> dict[str, float]:
    return {tag: found.mean(language=tag) for tag in found.languages}


def _known(found: Outcome) -> frozenset[str]:
    """The languages in which more is found than by chance."""
    return frozenset(tag for tag in found.languages if found.mean(language=tag) > _KNOWN * found.chance)


def _harmed(
    prefix: str,
    before: Mapping[str, float],
    after: Mapping[str, float],
    known: frozenset[str],
    tolerance: float,
) -> list[str]:
    # Shares are sums of fractions: a loss of exactly the tolerance must not depend on how they round.
    return [
        f"{prefix}{tag}" for tag in before if tag in known and before[tag] - after[tag] > tolerance + 1e-9
    ]
