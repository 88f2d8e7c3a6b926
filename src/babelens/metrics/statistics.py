"""How sure a figure is. Every figure comes with n, an interval and, where there is one, the level of chance.

Queries are not independent when they belong together: five captions of one picture are right or wrong together, and so
are its captions in eight languages. So whole *groups* (pictures) are drawn with replacement, not queries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

RESAMPLES: Final = 2_000
_PERMUTATIONS: Final = 10_000
_TAIL: Final = 2.5  # percent on each side: 95 % intervals
_BLOCK: Final = 4_000_000  # numbers in memory at once


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure over ``n`` queries with its 95 % interval and what chance would give (None where that means nothing)."""

    n: int
    value: float
    low: float
    high: float
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher the mean of the second system is, with its 95 % interval; ``p`` is two-sided."""

    n: int
    value: float
    low: float
    high: float
    p: float

    @property
    def better(self) -> bool:
        """The interval lies above zero."""
        return self.low > 0

    @property
    def worse(self) -> bool:
        return self.high < 0


class Bootstrap:
    """Draws groups of queries with replacement (percentile bootstrap; Efron and Tibshirani 1993, chapter 13).

    ``groups`` (n,) says which picture each query belongs to. The same draws serve every figure, so those of two
    systems, or of two directions, can be subtracted and added.
    """

    def __init__(self, groups: NDArray[Any], *, resamples: int = RESAMPLES, seed: int = 0) -> None:
        self._names, self._group = np.unique(np.asarray(groups), return_inverse=True)
        self._resamples = resamples
        self._seed = seed
        self._kept: Values | None = None

    def __len__(self) -> int:
        """How many queries there are."""
        return len(self._group)

    @property
    def groups(self) -> int:
        return len(self._names)

    def draws(self, values: NDArray[Any]) -> Values:
        """The mean of ``values`` in each resample. Shape: (n,) -> (resamples,)."""
        sums = np.bincount(self._group, weights=self._checked(values), minlength=self.groups)
        counts = np.bincount(self._group, minlength=self.groups).astype(np.float64)
        parts = [(weights @ sums) / (weights @ counts) for weights in self._weights()]
        return np.concatenate(parts) if parts else np.empty(0)

    def estimate(self, values: NDArray[Any], *, chance: float | None = None) -> Estimate:
        """The mean of values in [0, 1]. Shape: (n,).

        Where all are 0, or all 1, every resample is the same and says nothing; the interval then reaches as far as
        the true share could be without showing in so many groups (Clopper and Pearson 1934).
        """
        values = self._checked(values)
        if not len(values):
            return Estimate(0, float("nan"), float("nan"), float("nan"), chance)
        low, high = _interval(self.draws(values))
        unseen = 1 - (_TAIL / 100) ** (1 / self.groups)
        if values.max() <= 0:
            high = unseen
        elif values.min() >= 1:
            low = 1 - unseen
        return Estimate(len(values), float(values.mean()), low, high, chance)

    def mean(self, values: NDArray[Any], *, chance: float | None = None) -> Estimate:
        """The mean of values of any size. Shape: (n,)."""
        values = self._checked(values)
        low, high = _interval(self.draws(values))
        return Estimate(len(values), float(values.mean()) if len(values) else float("nan"), low, high, chance)

    def median(self, values: NDArray[Any], *, chance: float | None = None) -> Estimate:
        """The median. Shape: (n,)."""
        values = self._checked(values)
        order = np.argsort(values, kind="stable")

        def of(weights: Values) -> Values:
            total = np.cumsum(weights[:, order], axis=1)
            return np.asarray(values[order][(total < total[:, -1:] / 2).sum(axis=1)])

        low, high = _interval(self.each(of))
        return Estimate(
            len(values), float(np.median(values)) if len(values) else float("nan"), low, high, chance
        )

    def auc(
        self, higher: NDArray[Any], lower: NDArray[Any], *, among: NDArray[np.bool_] | None = None
    ) -> Estimate:
        """The area under the ROC curve of two scores of each query. Shape: (n,), (n,).

        ``among`` (n,) says whose ``higher`` counts; all by default.
        """
        higher, lower = self._checked(higher), self._checked(lower)
        counted = np.ones(len(higher)) if among is None else among.astype(np.float64)
        _, place = np.unique(np.concatenate([higher, lower]), return_inverse=True)
        above, below = place[: len(higher)], place[len(higher) :]
        size = int(place.max()) + 1 if len(place) else 0

        def of(weights: Values) -> Values:
            pairs = zip(weights * counted, weights, strict=True)
            return np.array(
                [
                    _area(
                        np.bincount(above, weights=high, minlength=size),
                        np.bincount(below, weights=low, minlength=size),
                    )
                    for high, low in pairs
                ]
            )

        low, high = _interval(self.each(of))
        return Estimate(len(higher), auc(higher[counted > 0], lower), low, high, 0.5)

    def difference(self, before: NDArray[Any], after: NDArray[Any]) -> Difference:
        """How much higher ``after`` is, query by query. Shape: (n,), (n,).

        ``p`` comes from flipping the signs of whole groups (paired permutation test; Smucker et al. 2007).
        """
        change = self._checked(after) - self._checked(before)
        if not len(change):
            return Difference(0, float("nan"), float("nan"), float("nan"), 1.0)
        low, high = _interval(self.draws(change))
        return Difference(len(change), float(change.mean()), low, high, self._p(change))

    def each(self, of: Callable[[Values], Values]) -> Values:
        """A figure of each resample: ``of`` gets the weights of queries, (some resamples, n). Shape: (resamples,)."""
        parts = [np.empty(0)]
        for weights in self._weights():
            start = 0
            for rows in _rows(len(weights), len(self)):
                parts.append(of(weights[start : start + rows, self._group]))
                start += rows
        return np.concatenate(parts)

    def _p(self, change: Values) -> float:
        sums = np.bincount(self._group, weights=change, minlength=self.groups)
        observed = abs(float(sums.sum())) * (1 - 1e-12)
        random = np.random.default_rng(self._seed + 1)
        reached = 0
        for rows in _rows(_PERMUTATIONS, self.groups):
            signs = random.integers(0, 2, size=(rows, self.groups), dtype=np.int8) * 2.0 - 1.0
            reached += int(np.count_nonzero(np.abs(signs @ sums) >= observed))
        return (1 + reached) / (1 + _PERMUTATIONS)

    def _weights(self) -> Iterator[Values]:
        """How often each group is drawn, some resamples at a time. Shape: parts of (resamples, groups)."""
        if not self.groups:
            return
        if self._kept is not None:
            yield self._kept
            return
        random = np.random.default_rng(self._seed)
        for rows in _rows(self._resamples, self.groups):
            drawn = random.integers(0, self.groups, size=(rows, self.groups))
            drawn += np.arange(rows)[:, None] * self.groups
            counts = np.bincount(drawn.ravel(), minlength=rows * self.groups)
            weights = counts.reshape(rows, self.groups).astype(np.float64)
            if rows == self._resamples:  # all of them in one block: small enough to keep
                self._kept = weights
            yield weights

    def _checked(self, values: NDArray[Any]) -> Values:
        result = np.asarray(values, dtype=np.float64)
        if result.shape != self._group.shape:
            raise ValueError(f"{result.shape} values for {self._group.shape} queries")
        return result


def auc(higher: NDArray[Any], lower: NDArray[Any]) -> float:
    """The probability that a value of ``higher`` is above one of ``lower``, ties counted half.

    That is the area under the ROC curve (Hanley and McNeil 1982). Shape: (n,), (m,). 0.5 when one of them is empty.
    """
    if not len(higher) or not len(lower):
        return 0.5
    _, place = np.unique(np.concatenate([higher, lower]), return_inverse=True)
    size = int(place.max()) + 1
    return _area(
        np.bincount(place[: len(higher)], minlength=size), np.bincount(place[len(higher) :], minlength=size)
    )


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """A ROC curve: of all thresholds from high to low, the shares at or above them. Shape: (t,) each."""

    thresholds: Values
    true_positives: Values
    false_positives: Values

    def false_at(self, true: NDArray[Any]) -> Values:
        """The lowest share of false positives with at least such shares of true ones. Shape: (m,) -> (m,)."""
        return np.asarray(self.false_positives[np.searchsorted(self.true_positives, true - 1e-12)])


def roc(higher: NDArray[Any], lower: NDArray[Any]) -> Roc:
    """The ROC curve of a score that should be high on ``higher`` and low on ``lower``. Shape: (n,), (m,)."""
    values, place = np.unique(np.concatenate([higher, lower]).astype(np.float64), return_inverse=True)
    above = np.bincount(place[: len(higher)], minlength=len(values))[::-1].cumsum() / max(1, len(higher))
    below = np.bincount(place[len(higher) :], minlength=len(values))[::-1].cumsum() / max(1, len(lower))
    zero = np.zeros(1)
    return Roc(
        np.concatenate([[np.inf], values[::-1]]),
        np.concatenate([zero, above]),
        np.concatenate([zero, below]),
    )


def _area(above: NDArray[Any], below: NDArray[Any]) -> float:
    """Of counts at the same ascending values: Σ above · (below under it + half of below at it)."""
    under = np.cumsum(below) - below
    total = float(above.sum()) * float(below.sum())
    return float((above * (under + below / 2)).sum() / total) if total else 0.5


def _interval(draws: Values) -> tuple[float, float]:
    if not len(draws):
        return float("nan"), float("nan")
    # An observed value, never one between two: ranks can be infinite.
    low, high = np.percentile(draws, [_TAIL, 100 - _TAIL], method="inverted_cdf")
    return float(low), float(high)


def _rows(total: int, width: int) -> Iterator[int]:
    """Parts of ``total`` so that part × width numbers fit in a block."""
    part = max(1, _BLOCK // max(1, width))
    for start in range(0, total, part):
        yield min(part, total - start)
