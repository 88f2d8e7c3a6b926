"""Exact search in NumPy: the reference that the other indexes are measured by, and the fastest below about 50 k."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from ..vectors import Floats, Ids, top_k
from . import container
from .rows import GrowingRows, IdTable, Mask, blank, check_queries, check_vectors

# Scores held at once, in floats: a batch of queries is worked off in pieces of this size.
_SCORES = 1 << 24
# Rows copied together at once when only some are allowed.
_GATHERED = 1 << 14


@dataclass(frozen=True, slots=True)
class _Snapshot:
    table: IdTable
    vectors: Floats  # (n, dim)


class ExactIndex:
    """All cosines, then the best. Searching is safe while another thread adds or removes."""

    kind = "exact"

    def __init__(self, dim: int) -> None:
        self._lock = threading.Lock()
        self._take(IdTable.of(np.empty(0, dtype=np.int64)), np.empty((0, dim), dtype=np.float32))

    def _take(self, table: IdTable, vectors: Floats) -> None:
        self._rows = GrowingRows(vectors)
        self._now = _Snapshot(table, vectors)

    @property
    def name(self) -> str:
        return "exact"

    @property
    def dim(self) -> int:
        return int(self._now.vectors.shape[1])

    @property
    def removed(self) -> int:
        return self._now.table.removed

    def __len__(self) -> int:
        return len(self._now.table)

    def add(self, ids: Ids, vectors: Floats) -> None:
        ids, vectors = check_vectors(ids, vectors, self.dim)
        with self._lock:
            table = self._now.table.extended(ids)
            self._rows.append(vectors)
            self._now = _Snapshot(table, self._rows.view)

    def remove(self, ids: Ids) -> int:
        with self._lock:
            before = self._now
            table = before.table.without(ids)
            self._now = _Snapshot(table, before.vectors)
            return len(before.table) - len(table)

    def live(self) -> tuple[Ids, Floats]:
        """Everything that can be found, in the order it was added. Shape: (n,), (n, dim)."""
        now = self._now
        if now.table.alive is None:
            return now.table.ids, now.vectors
        return now.table.ids[now.table.alive], now.vectors[now.table.alive]

    def contains(self, ids: Ids) -> Mask:
        return self._now.table.contains(ids)

    def search(self, queries: Floats, k: int, allowed: Ids | None = None) -> tuple[Floats, Ids]:
        now = self._now
        queries = check_queries(queries, k, now.vectors.shape[1])
        rows = None if allowed is None else now.table.passing(allowed)
        found = min(k, len(now.table) if rows is None else len(rows))
        scores, places = blank(len(queries), k)
        if not found or not len(queries):
            return scores, places
        step = max(1, _SCORES // len(now.vectors))
        for start in range(0, len(queries), step):
            some = slice(start, start + step)
            every, candidates = _scores(now, queries[some], rows)
            best = top_k(every, found)
            scores[some, :found] = np.take_along_axis(every, best, axis=1)
            places[some, :found] = now.table.ids[best if candidates is None else candidates[best]]
        return scores, places

    def save(self, path: Path) -> None:
        now = self._now
        container.write(
            path,
            {"kind": self.kind},
            arrays={"vectors": now.vectors, "ids": now.table.ids, "removed": now.table.removed_rows()},
        )

    @classmethod
    def open(cls, path: Path) -> Self:
        opened = container.read(path)
        if opened.header.get("kind") != cls.kind:
            raise container.damaged(path, f"it is of kind {opened.header.get('kind')!r}, not {cls.kind!r}")
        try:
            vectors = opened.arrays["vectors"]
            table = IdTable.of(opened.arrays["ids"], opened.arrays["removed"])
        except KeyError as error:
            raise container.damaged(path, f"it holds no {error}") from error
        index = cls(int(vectors.shape[1]))
        index._take(table, vectors)
        return index


def _scores(now: _Snapshot, queries: Floats, rows: Ids | None) -> tuple[Floats, Ids | None]:
    """Cosines with all rows (removed ones at -inf), or with the given ones and which those are."""
    if rows is None or len(rows) > len(now.vectors) // 2:  # a straight run over memory beats picking
        # One query as a matrix-vector product: BLAS reads the matrix once, and with all cores.
        scores = (now.vectors @ queries[0])[None] if len(queries) == 1 else queries @ now.vectors.T
        if rows is not None:
            return scores[:, rows], rows
        if now.table.alive is not None:
            scores[:, ~now.table.alive] = -np.inf
        return scores, None
    picked = np.empty((len(queries), len(rows)), dtype=np.float32)
    for start in range(0, len(rows), _GATHERED):
        some = slice(start, start + _GATHERED)
        picked[:, some] = queries @ now.vectors[rows[some]].T
    return picked, rows
