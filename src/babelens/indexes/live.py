"""An index that keeps up with the catalog: a built base, the newer vectors searched exactly, removals masked."""

from __future__ import annotations

import threading

import numpy as np

from ..vectors import Floats, Ids, top_k
from .exact import ExactIndex
from .protocol import StoredIndex
from .rows import Mask, check_vectors


class LiveIndex:
    """``base`` plus a tail. Searching is safe while another thread refreshes.

    With no tail a search is the base's own. To swap in a new base, make a new ``LiveIndex`` over it.
    """

    def __init__(self, base: StoredIndex) -> None:
        self.base = base
        self.tail = ExactIndex(base.dim)
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return f"{self.base.name} + {len(self.tail)}" if len(self.tail) else self.base.name

    @property
    def dim(self) -> int:
        return self.base.dim

    def __len__(self) -> int:
        return len(self.base) + len(self.tail)

    def refresh(self, ids: Ids, vectors: Floats, removed: Ids) -> None:
        """What the catalog gained and lost since. New vectors come in before old ones go: none is ever missing.

        Shape: (n,), (n, dim), (m,). Raises ``ValueError`` as ``add`` does.
        """
        if len(ids):
            self.add(ids, vectors)
        if len(removed):
            self.remove(removed)

    def add(self, ids: Ids, vectors: Floats) -> None:
        ids, vectors = check_vectors(ids, vectors, self.dim)
        with self._lock:
            if self.base.contains(ids).any():
                raise ValueError("an id is in the index already")
            self.tail.add(ids, vectors)

    def remove(self, ids: Ids) -> int:
        with self._lock:
            return self.base.remove(ids) + self.tail.remove(ids)

    def contains(self, ids: Ids) -> Mask:
        return self.base.contains(ids) | self.tail.contains(ids)

    def search(self, queries: Floats, k: int, allowed: Ids | None = None) -> tuple[Floats, Ids]:
        if not len(self.tail):
            return self.base.search(queries, k, allowed)
        base_scores, base_ids = self.base.search(queries, k, allowed)
        tail_scores, tail_ids = self.tail.search(queries, k, allowed)
        scores = np.concatenate([base_scores, tail_scores], axis=1)
        ids = np.concatenate([base_ids, tail_ids], axis=1)
        best = top_k(scores, k)
        return np.take_along_axis(scores, best, axis=1), np.take_along_axis(ids, best, axis=1)
