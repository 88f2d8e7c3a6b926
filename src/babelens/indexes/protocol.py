"""What a vector index must do. Ids are catalog sequence numbers (int64, never reused); scores are cosines."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self, runtime_checkable

from ..vectors import Floats, Ids
from .rows import Mask


@runtime_checkable
class VectorIndex(Protocol):
    """Nearest neighbours by cosine over unit vectors. Searching is safe from several threads at once."""

    @property
    def name(self) -> str:
        """The kind and its parameters, such as ``"hnsw(m=16, ef_construction=200, ef_search=64)"``."""

    @property
    def dim(self) -> int: ...

    def __len__(self) -> int:
        """Vectors that can be found: added and not removed."""

    def add(self, ids: Ids, vectors: Floats) -> None:
        """Shape: (n,), (n, dim) unit rows.

        Raises ``ValueError`` on wrong shapes, norms, or negative ids, and on an id that is or was in.
        """

    def remove(self, ids: Ids) -> int:
        """Masks ids; unknown ones are ignored. Returns how many were removed."""

    def contains(self, ids: Ids) -> Mask:
        """Which of ``ids`` are or were in. Shape: (n,) -> (n,)."""

    def search(self, queries: Floats, k: int, allowed: Ids | None = None) -> tuple[Floats, Ids]:
        """The ``k`` nearest of each query, best first, among ``allowed`` (any order) if given.

        Shape: (n, dim) -> scores (n, k) float32, ids (n, k) int64; places that cannot be filled hold
        ``-inf`` and ``-1``. The filter acts inside the search: ``k`` results come back when ``k`` pass.
        Scores are cosines when the queries have unit length.
        """


@runtime_checkable
class StoredIndex(VectorIndex, Protocol):
    """An index that can be written to a file and opened again."""

    @property
    def kind(self) -> str:
        """What :mod:`babelens.indexes.files` finds the class by, such as ``"exact"`` or ``"hnsw"``."""

    @property
    def removed(self) -> int:
        """Vectors that are masked but still take up room."""

    def save(self, path: Path) -> None:
        """Writes to ``path`` by way of a temporary file and an atomic rename.

        Raises :class:`StorageFullError` when there is no room; what was at ``path`` is then as before.
        """

    @classmethod
    def open(cls, path: Path) -> Self:
        """Opens what ``save`` wrote, memory-mapped.

        Raises :class:`CorruptIndexError` when the file is missing, cut short or damaged.
        """
