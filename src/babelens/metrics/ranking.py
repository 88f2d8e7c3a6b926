"""Where the relevant documents of each query stand. Several may be relevant; ties count against them.

The j-th best relevant document of a query has rank

    j + (number of documents that are not relevant and score at least as high)

so a system that gives everything the same score comes last, not first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..types import Progress
from ..vectors import Floats, Ids, top_k

Ragged = Sequence[Sequence[int]] | Sequence[NDArray[np.int64]]

# The same two vectors give products that differ by about this much, depending on where a matrix product puts them.
COSINE_TIE: Final = 1e-6
_BLOCK_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Ranks:
    """The ranks of the relevant documents of ``n`` queries among ``corpus`` documents.

    ``ranks`` (total,) float64 counts from 1, ascending within a query, infinite for a document that a search cut at
    some depth did not give; query ``i`` has ``ranks[offsets[i]:offsets[i + 1]]``, at least one. ``ties`` (n,) counts
    the documents that are not relevant and score the same as the best relevant one.
    """

    ranks: NDArray[np.float64]
    offsets: Ids
    corpus: int
    ties: Ids

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def relevant(self) -> Ids:
        """How many documents are relevant. Shape: (n,)."""
        return np.diff(self.offsets)

    @property
    def first(self) -> NDArray[np.float64]:
        """The rank of the best relevant document. Shape: (n,)."""
        return self.ranks[self.offsets[:-1]]

    @classmethod
    def of_first(cls, first: NDArray[Any], *, corpus: int) -> Ranks:
        """Of queries with one relevant document each, or of which only the best is known. Shape: (n,)."""
        n = len(first)
        return cls(first.astype(np.float64), np.arange(n + 1), corpus, np.zeros(n, dtype=np.int64))

    def __getitem__(self, queries: NDArray[Any] | slice) -> Ranks:
        """The ranks of some queries: a slice, a mask or their numbers."""
        chosen = np.arange(len(self))[queries]
        parts = [self.ranks[self.offsets[i] : self.offsets[i + 1]] for i in chosen]
        offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
        ranks = np.concatenate(parts) if parts else np.empty(0)
        return Ranks(ranks, offsets, self.corpus, self.ties[chosen])


def rank_scores(scores: NDArray[Any], relevant: Ragged, *, tolerance: float = 0.0) -> Ranks:
    """Ranks from a matrix of scores, higher is better.

    ``relevant`` holds the columns of each row's relevant documents. Scores within ``tolerance`` of each other count
    as equal. Shape: (n, m), n lists. Raises ``ValueError`` on NaN, on a row without a relevant document, and on a
    column that is not there.
    """
    scores = np.asarray(scores)
    if scores.ndim != 2 or len(scores) != len(relevant):
        raise ValueError(
            f"scores of shape {scores.shape} do not fit {len(relevant)} lists of relevant documents"
        )
    offsets = _offsets(relevant, scores.shape[1])
    return _ranked([scores], relevant, offsets, scores.shape[1], tolerance)


def rank_vectors(
    queries: Floats,
    documents: Floats,
    relevant: Ragged,
    *,
    tolerance: float = COSINE_TIE,
    progress: Progress | None = None,
) -> Ranks:
    """Ranks of documents by inner product with each query, exactly, in blocks of at most 256 MiB of scores.

    Shape: (n, dim), (m, dim), n lists of rows of ``documents``. ``progress(done, total)`` counts queries. Raises as
    :func:`rank_scores` does.
    """
    offsets = _offsets(relevant, len(documents))
    blocks = score_blocks(queries, documents, progress=progress)
    return _ranked(blocks, relevant, offsets, len(documents), tolerance)


def rank_lists(found: Ids, relevant: Ragged, *, corpus: int) -> Ranks:
    """Ranks from the lists that a search gave, best first, cut at some depth and filled up with -1.

    Shape: (n, depth), n lists of ids. What was not found has an infinite rank; a search gives no ties.
    """
    offsets = _offsets(relevant, None)
    ranks = np.full(offsets[-1], np.inf)
    for row, (wanted, start) in enumerate(zip(relevant, offsets[:-1], strict=True)):
        places = np.flatnonzero(np.isin(found[row], np.asarray(wanted)) & (found[row] >= 0)) + 1
        ranks[start : start + len(places)] = places
    return Ranks(ranks, offsets, corpus, np.zeros(len(relevant), dtype=np.int64))


def nearest(queries: Floats, documents: Floats, k: int, *, progress: Progress | None = None) -> Ids:
    """The rows of the ``k`` documents with the highest inner products, best first.

    Shape: (n, dim), (m, dim) -> (n, min(k, m)).
    """
    parts = [top_k(block, k) for block in score_blocks(queries, documents, progress=progress)]
    return np.concatenate(parts) if parts else np.empty((0, min(k, len(documents))), dtype=np.int64)


def score_blocks(
    queries: Floats, documents: Floats, *, progress: Progress | None = None
) -> Iterator[NDArray[np.float32]]:
    """Inner products of some queries at a time with all documents. Shape: (n, dim), (m, dim) -> parts of (n, m)."""
    rows = max(1, _BLOCK_BYTES // (4 * max(1, len(documents))))
    for start in range(0, len(queries), rows):
        yield queries[start : start + rows] @ documents.T
        if progress is not None:
            progress(min(start + rows, len(queries)), len(queries))


def _ranked(
    blocks: Iterator[NDArray[Any]] | list[NDArray[Any]],
    relevant: Ragged,
    offsets: Ids,
    corpus: int,
    tolerance: float,
) -> Ranks:
    ranks = np.empty(offsets[-1])
    ties = np.zeros(len(relevant), dtype=np.int64)
    row = 0
    for block in blocks:
        if np.isnan(block).any():
            raise ValueError(
                f"{int(np.isnan(block).any(axis=1).sum())} queries have scores that are not numbers"
            )
        for scores in block:
            own = np.sort(scores[np.asarray(relevant[row])])[::-1]
            places = np.arange(1, len(own) + 1)
            for j, score in enumerate(own):
                at_least = np.count_nonzero(scores >= score - tolerance)
                others = at_least - np.count_nonzero(own >= score - tolerance)
                if j == 0:
                    ties[row] = others - np.count_nonzero(scores > score + tolerance)
                places[j] += others
            ranks[offsets[row] : offsets[row + 1]] = places
            row += 1
    return Ranks(ranks, offsets, corpus, ties)


def _offsets(relevant: Ragged, corpus: int | None) -> Ids:
    counts = np.array([len(wanted) for wanted in relevant], dtype=np.int64)
    if (counts == 0).any():
        raise ValueError(f"query {int(np.argmin(counts))} has no relevant document")
    for row, wanted in enumerate(relevant):
        values = np.asarray(wanted)
        if values.min() < 0 or (corpus is not None and values.max() >= corpus):
            raise ValueError(f"query {row} names a document that is not there")
        if len(np.unique(values)) != len(values):
            raise ValueError(f"query {row} names a relevant document twice")
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
