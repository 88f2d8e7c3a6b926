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

    A language, of the validation split or of another domain, is harmed when it loses more than ``tolerance``. Leaves
    ``tunable`` with the last weights measured.
    """
    points: list[Point] = []
    for number, alpha in enumerate(alphas):
        if progress is not None:
            progress(number, len(alphas), f"share {alpha:g}")
        tunable.set_weights(blend(base, tuned, alpha))
        found = measure(tunable, data.validation)
        kept = {domain.name: _by_language(measure(tunable, domain)) for domain in data.kept}
        languages = _by_language(found)
        harmed: tuple[str, ...] = ()
        if points:
            harmed = (
                *_harmed("", points[0].languages, languages, tolerance),
                *(
                    name
                    for domain, row in kept.items()
                    for name in _harmed(f"{domain} ", points[0].kept[domain], row, tolerance)
                ),
            )
        points.append(Point(alpha, found.mean(), languages, kept, harmed))
    return tuple(points)


def choose(points: Sequence[Point]) -> Point:
    """The point of the best validation mean among those that harm nothing; the base itself where there is none."""
    return max((point for point in points if not point.harmed), key=lambda point: point.validation)


def _by_language(found: Outcome) -> dict[str, float]:
    return {tag: found.mean(language=tag) for tag in found.languages}


def _harmed(
    prefix: str, before: Mapping[str, float], after: Mapping[str, float], tolerance: float
) -> list[str]:
    # Shares are sums of fractions: a loss of exactly the tolerance must not depend on how they round.
    return [f"{prefix}{tag}" for tag, value in before.items() if value - after[tag] > tolerance + 1e-9]
