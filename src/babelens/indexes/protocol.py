"""What a vector index must do. Ids are catalog sequence numbers (int64, positive); scores are cosines."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self, runtime_checkable

from ..vectors import Floats, Ids


@runtime_checkable
class VectorIndex(Protocol):
    """Nearest neighbours by inner product over unit vectors."""

    @property
    def name(self) -> str:
        """The kind and its parameters, such as ``"hnsw(m=16, ef_construction=200, ef_search=64)"``."""

    @property
    def dim(self) -> int: ...

    def __len__(self) -> int:
        """Vectors that can be found: added and not removed."""

    def add(self, ids: Ids, vectors: Floats) -> None:
        """Shape: (n,), (n, dim) unit rows. Raises ``ValueError`` on wrong shapes, norms, or an id already in."""

    def remove(self, ids: Ids) -> int:
        """Masks ids; unknown ones are ignored. Returns how many were removed."""

    def search(self, queries: Floats, k: int, allowed: Ids | None = None) -> tuple[Floats, Ids]:
        """The ``k`` nearest of each query, best first, among ``allowed`` (any order) if given.

        Shape: (n, dim) -> scores (n, k) float32, ids (n, k) int64; places that cannot be filled hold
        ``-inf`` and ``-1``. The filter acts inside the search: ``k`` results come back when ``k`` pass.
        """

    def save(self, path: Path) -> None:
        """Writes to ``path`` by way of a temporary file and an atomic rename."""

    @classmethod
    def open(cls, path: Path) -> Self:
        """Opens what ``save`` wrote, memory-mapped where the kind allows. Raises :class:`CorruptIndexError`."""
