"""Hit rates with what is needed to judge them: how many queries, what chance gives, and a bootstrap interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """One query: the rank of its first right hit (from 1, ``None`` if none was seen), and how many were right."""

    rank: int | None
    positives: int


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of ``n`` queries with its 95 % interval and the share that guessing would get."""

    n: int
    value: float
    low: float
    high: float
    chance: float


def hit_rate(outcomes: Sequence[Outcome], k: int, *, corpus: int, seed: int = 0) -> Rate:
    """``hit_rate@k``: the share of queries with a right hit among the first ``k`` of ``corpus`` documents."""
    hits = sum(outcome.rank is not None and outcome.rank <= k for outcome in outcomes)
    by_luck = [chance(outcome.positives, k, corpus) for outcome in outcomes]
    return share(hits, len(outcomes), chance_level=float(np.mean(by_luck)) if by_luck else 0.0, seed=seed)


def share(count: int, n: int, *, chance_level: float, seed: int = 0) -> Rate:
    """``count`` of ``n`` as a :class:`Rate`.

    Drawing ``n`` yes-or-no outcomes with replacement and counting the yeses is a binomial draw, so the bootstrap
    distribution is sampled directly.
    """
    if n == 0:
        return Rate(0, 0.0, 0.0, 0.0, chance_level)
    draws = np.random.default_rng(seed).binomial(n, count / n, _RESAMPLES) / n
    low, high = np.quantile(draws, [0.025, 0.975])
    return Rate(n, count / n, float(low), float(high), chance_level)


def chance(positives: int, k: int, corpus: int) -> float:
    """The probability that ``k`` documents drawn at random from ``corpus`` hold one of ``positives``.

    ``1 − C(corpus − positives, k) / C(corpus, k)``
    """
    k = min(k, corpus)
    return 1 - math.comb(corpus - positives, k) / math.comb(corpus, k)


def separation(higher: Sequence[float], lower: Sequence[float]) -> float:
    """The probability that a value of ``higher`` is above one of ``lower``, ties counted half (area under ROC)."""
    if not higher or not lower:
        return 0.5
    a, b = np.asarray(higher)[:, None], np.asarray(lower)[None, :]
    return float(np.mean((a > b) + 0.5 * (a == b)))
