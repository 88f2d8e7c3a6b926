"""What ranks are worth: one function for a measure, per query, and one for what chance would give.

``hit_rate@k`` is what papers on CLIP print as R@K: is any relevant document among the first k. ``recall@k`` is the
share of all relevant documents that are. With one relevant document for each query they are the same.

P is the number of relevant documents of a query, N that of all documents, r_1 < r_2 < … are the ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..vectors import Ids
from .ranking import Ranks

Values = NDArray[np.float64]


def hit_rate(ranks: Ranks, k: int) -> Values:
    """1 where r_1 ≤ k, else 0. Shape: (n,)."""
    return (ranks.first <= k).astype(np.float64)


def recall(ranks: Ranks, k: int) -> Values:
    """|{j: r_j ≤ k}| / P. Shape: (n,)."""
    return _sums(ranks, ranks.ranks <= k) / ranks.relevant


def reciprocal_rank(ranks: Ranks) -> Values:
    """1 / r_1; its mean is MRR (Voorhees 1999). Shape: (n,)."""
    return 1 / ranks.first


def ndcg(ranks: Ranks, k: int) -> Values:
    """Σ_{r_j ≤ k} 1/log2(r_j + 1), over the same sum for a perfect ranking. Shape: (n,).

    Järvelin and Kekäläinen 2002, with gains of 0 and 1.
    """
    gains = np.where(ranks.ranks <= k, 1 / np.log2(ranks.ranks + 1), 0.0)
    return _sums(ranks, gains) / _ideal(ranks.relevant, k)


def average_precision(ranks: Ranks) -> Values:
    """(1/P) Σ_j j / r_j; its mean is MAP. Shape: (n,)."""
    place = np.arange(len(ranks.ranks)) - np.repeat(ranks.offsets[:-1], ranks.relevant) + 1
    return _sums(ranks, place / ranks.ranks) / ranks.relevant


# -- chance: the mean over all orders of the documents --------------------------------------------------------


def chance_hit_rate(relevant: Ids, corpus: int, k: int) -> Values:
    """1 − C(N − P, k) / C(N, k). Shape: (n,) -> (n,)."""
    return _by_count(relevant, lambda p: 1 - _survival(p, corpus)[min(k, corpus)])


def chance_recall(relevant: Ids, corpus: int, k: int) -> Values:
    """k / N. Shape: (n,) -> (n,)."""
    return np.full(len(relevant), min(1.0, k / corpus))


def chance_reciprocal_rank(relevant: Ids, corpus: int) -> Values:
    """Σ_r (1/r) · P(r_1 = r). Shape: (n,) -> (n,)."""

    def of(p: int) -> float:
        first = -np.diff(_survival(p, corpus))
        return float(first @ (1 / np.arange(1, corpus + 1)))

    return _by_count(relevant, of)


def chance_ndcg(relevant: Ids, corpus: int, k: int) -> Values:
    """(P/N) Σ_{r ≤ min(k, N)} 1/log2(r + 1), over the sum of a perfect ranking. Shape: (n,) -> (n,)."""
    discounts = float((1 / np.log2(np.arange(2, min(k, corpus) + 2))).sum())
    return np.asarray(relevant / corpus * discounts / _ideal(relevant, k))


def chance_average_precision(relevant: Ids, corpus: int) -> Values:
    """(1/N) (H_N + (P − 1)/(N − 1) · (N − H_N)), H_N the harmonic number. Shape: (n,) -> (n,)."""
    harmonic = float((1 / np.arange(1, corpus + 1)).sum())
    share = (relevant - 1) / max(1, corpus - 1)
    return np.asarray((harmonic + share * (corpus - harmonic)) / corpus)


def chance_first_rank(relevant: Ids, corpus: int) -> Values:
    """The median of r_1: the lowest r with P(r_1 > r) ≤ 1/2. Shape: (n,) -> (n,)."""
    return _by_count(relevant, lambda p: float(np.argmax(_survival(p, corpus) <= 0.5)))


# -- by name --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Measure:
    """``values(ranks)`` and ``chance(relevant, corpus)`` are (n,), one number in [0, 1] for each query."""

    values: Callable[[Ranks], Values]
    chance: Callable[[Ids, int], Values]


def _at(k: int, values: Callable[..., Values], chance: Callable[..., Values]) -> Measure:
    return Measure(partial(values, k=k), partial(chance, k=k))


CUTS: Final = (1, 5, 10)
MEASURES: Final[Mapping[str, Measure]] = {
    **{f"hit_rate@{k}": _at(k, hit_rate, chance_hit_rate) for k in CUTS},
    **{f"recall@{k}": _at(k, recall, chance_recall) for k in CUTS},
    "mrr": Measure(reciprocal_rank, chance_reciprocal_rank),
    "ndcg@10": _at(10, ndcg, chance_ndcg),
    "map": Measure(average_precision, chance_average_precision),
}


# -- parts ----------------------------------------------------------------------------------------------------


def _sums(ranks: Ranks, values: NDArray[Any]) -> Values:
    """Sums of each query's values. Shape: (total,) -> (n,)."""
    if not len(ranks):
        return np.empty(0)
    return np.add.reduceat(values.astype(np.float64), ranks.offsets[:-1])


def _ideal(relevant: Ids, k: int) -> Values:
    """Σ_{r ≤ min(P, k)} 1/log2(r + 1). Shape: (n,) -> (n,)."""
    sums = np.cumsum(1 / np.log2(np.arange(2, k + 2)))
    return np.asarray(sums[np.minimum(relevant, k) - 1])


def _survival(relevant: int, corpus: int) -> Values:
    """P(r_1 > r) for r = 0 … N. Shape: (N + 1,)."""
    left = np.arange(corpus, 0, -1, dtype=np.float64)
    return np.concatenate([[1.0], np.cumprod(np.maximum(left - relevant, 0) / left)])


def _by_count(relevant: Ids, of: Callable[[int], float]) -> Values:
    """``of`` for each query's P, computed once for each different one."""
    different, inverse = np.unique(relevant, return_inverse=True)
    return np.array([of(int(p)) for p in different])[inverse] if len(different) else np.empty(0)
