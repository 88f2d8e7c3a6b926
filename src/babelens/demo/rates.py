"""Rates over the demo's trials, each with n, an interval and what chance gives.

Trials of one picture belong together (its captions in eight languages are right or wrong together), so pictures are
drawn with replacement, not trials.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..metrics.retrieval import chance_hit_rate
from ..metrics.statistics import Bootstrap, Estimate
from .trials import Trial


def hit_rate(trials: Sequence[Trial], k: int, *, corpus: int) -> Estimate:
    """``hit_rate@k``: the share of trials with a right hit among the first ``k`` of ``corpus`` documents."""
    relevant = np.array([trial.positives for trial in trials], dtype=np.int64)
    by_luck = chance_hit_rate(relevant, corpus, k)
    return share(trials, lambda trial: any(trial.right[:k]), chance=float(by_luck.mean()) if trials else None)


def share(trials: Sequence[Trial], yes: Callable[[Trial], bool], *, chance: float | None = None) -> Estimate:
    """The share of trials of which ``yes`` holds."""
    bootstrap = Bootstrap(np.array([trial.about for trial in trials]))
    return bootstrap.estimate(np.array([float(yes(trial)) for trial in trials]), chance=chance)
