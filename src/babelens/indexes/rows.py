"""The bookkeeping that all indexes share: which id stands at which row, which rows are removed, room to grow.

Rows are only ever appended and masked, so a reader that took a snapshot stays right while a writer goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..vectors import Floats, Ids, is_unit

Mask = NDArray[np.bool_]


def check_vectors(ids: Ids, vectors: Floats, dim: int) -> tuple[Ids, Floats]:
    """The batch as contiguous int64 and float32. Raises ``ValueError`` on wrong shapes, norms or ids."""
    ids = np.ascontiguousarray(ids, dtype=np.int64)
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if ids.ndim != 1 or vectors.shape != (len(ids), dim):
        raise ValueError(f"expected ids (n,) and vectors (n, {dim}), got {ids.shape} and {vectors.shape}")
    if len(ids) and ids.min() < 0:
        raise ValueError("ids must not be negative")
    if not is_unit(vectors):
        raise ValueError("vectors must have unit length")
    return ids, vectors


def check_queries(queries: Floats, k: int, dim: int) -> Floats:
    """The queries as contiguous float32. Raises ``ValueError`` on a wrong shape or a negative ``k``."""
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    if queries.ndim != 2 or queries.shape[1] != dim:
        raise ValueError(f"expected queries (n, {dim}), got {queries.shape}")
    if k < 0:
        raise ValueError("k must not be negative")
    return queries


def blank(n: int, k: int) -> tuple[Floats, Ids]:
    """Results with nothing found. Shape: scores (n, k) of -inf, ids (n, k) of -1."""
    return np.full((n, k), -np.inf, dtype=np.float32), np.full((n, k), -1, dtype=np.int64)


@dataclass(frozen=True)
class IdTable:
    """Ids by row, as an immutable snapshot; ``alive`` is None as long as nothing was removed."""

    ids: Ids
    alive: Mask | None = None
    removed: int = 0

    @classmethod
    def of(cls, ids: Ids, removed_rows: Ids | None = None) -> IdTable:
        table = cls(np.asarray(ids, dtype=np.int64))
        return table._masked(removed_rows) if removed_rows is not None and len(removed_rows) else table

    def __len__(self) -> int:
        """Rows that are not removed."""
        return len(self.ids) - self.removed

    @cached_property
    def _sorted(self) -> tuple[Ids, Ids | None]:
        """Ids in ascending order and the rows they stand at; None when they ascend already, as they mostly do."""
        if len(self.ids) < 2 or bool((self.ids[1:] > self.ids[:-1]).all()):
            return self.ids, None
        order = np.argsort(self.ids, kind="stable")
        return self.ids[order], order

    def extended(self, ids: Ids) -> IdTable:
        """With ``ids`` at new rows. Raises ``ValueError`` on an id that is or was in, or comes twice."""
        ordered = np.sort(ids)
        if len(ids) > 1 and bool((ordered[1:] == ordered[:-1]).any()):
            raise ValueError("an id comes twice")
        if len(self.rows_of(ids)):
            raise ValueError("an id is in the index already")
        alive = (
            None if self.alive is None else np.concatenate([self.alive, np.ones(len(ids), dtype=np.bool_)])
        )
        return IdTable(np.concatenate([self.ids, ids]), alive, self.removed)

    def without(self, ids: Ids) -> IdTable:
        """With ``ids`` masked; unknown ones are ignored."""
        rows = self.passing(ids)
        return self._masked(rows) if len(rows) else self

    def _masked(self, rows: Ids) -> IdTable:
        alive = np.ones(len(self.ids), dtype=np.bool_) if self.alive is None else self.alive.copy()
        alive[rows] = False
        return replace(self, alive=alive, removed=int(len(alive) - np.count_nonzero(alive)))

    def rows_of(self, ids: Ids) -> Ids:
        """Rows of those ``ids`` that are known, removed or not, ascending and each once."""
        ids = np.asarray(ids, dtype=np.int64)
        n = len(self.ids)
        if not n or not len(ids):
            return np.empty(0, dtype=np.int64)
        if len(ids) > 1 and not bool((ids[1:] > ids[:-1]).all()):
            ids = np.unique(ids)
        ordered, order = self._sorted
        first, last = int(ordered[0]), int(ordered[-1])
        if last - first + 1 == n:  # no gaps: arithmetic instead of a binary search for each
            at = ids[np.searchsorted(ids, first) : np.searchsorted(ids, last, side="right")] - first
        else:
            at = np.searchsorted(ordered, ids)
            at = at[ordered[np.minimum(at, n - 1)] == ids]
        return at if order is None else np.sort(order[at])

    def contains(self, ids: Ids) -> Mask:
        """Which of ``ids`` are or were in. Shape: (n,) -> (n,)."""
        return np.isin(ids, self.ids[self.rows_of(ids)])

    def passing(self, allowed: Ids) -> Ids:
        """Rows that are allowed and not removed, ascending and each once."""
        rows = self.rows_of(allowed)
        return rows if self.alive is None else rows[self.alive[rows]]

    def removed_rows(self) -> Ids:
        return np.empty(0, dtype=np.int64) if self.alive is None else np.flatnonzero(~self.alive)


class GrowingRows:
    """A matrix that grows by doubling, so that adding one row at a time costs one row at a time.

    ``view`` is what was published last; its rows never change, so readers may keep it while more are added.
    """

    def __init__(self, initial: NDArray[Any]) -> None:
        self.view = initial
        self._buffer = initial

    def append(self, rows: NDArray[Any]) -> None:
        n, dim = self.view.shape
        end = n + len(rows)
        if end > len(self._buffer) or not self._buffer.flags.writeable:
            buffer = np.empty((max(end, min(2 * n, n + 1_000_000), 64), dim), dtype=self.view.dtype)
            buffer[:n] = self.view
            self._buffer = buffer
        self._buffer[n:end] = rows
        self.view = self._buffer[:end]
