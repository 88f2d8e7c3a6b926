"""Arithmetic on vectors: unit length, cosine, exact nearest neighbours. Every score in Babelens is a cosine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]

# Rows this close to zero have no direction to keep.
_ZERO = 1e-12


def normalize(vectors: NDArray[Any]) -> Floats:
    """Rows of ``vectors`` scaled to unit length, as a new array.

    Shape: (n, dim) or (dim,), any float dtype; the result is float32 of the same shape.
    Raises ``ValueError`` on NaN, infinity, or a row of length zero, since none of them has a direction.
    """
    result = np.array(vectors, dtype=np.float32, order="C")
    norms = np.linalg.norm(result, axis=-1, keepdims=True)
    if not np.isfinite(norms).all():
        raise ValueError("a vector holds NaN or infinity")
    if (norms < _ZERO).any():
        raise ValueError("a vector has length zero")
    result /= norms
    return result


def is_unit(vectors: NDArray[Any], tolerance: float = 1e-3) -> bool:
    """Whether every row has unit length within ``tolerance`` (float16 storage costs about 5e-4)."""
    norms = np.linalg.norm(np.asarray(vectors, dtype=np.float32), axis=-1)
    return bool(np.isfinite(norms).all() and (np.abs(norms - 1.0) <= tolerance).all())


def top_k(scores: NDArray[Any], k: int) -> Ids:
    """Columns of the ``k`` highest scores of each row, best first; equal scores keep column order.

    Shape: (n, m) -> (n, min(k, m)).
    """
    m = scores.shape[1]
    k = min(k, m)
    if k <= 0:
        return np.empty((scores.shape[0], 0), dtype=np.int64)
    if k < m:
        # A partition alone would break ties at random: keep all columns at or above the k-th score.
        kth = np.partition(scores, m - k, axis=1)[:, m - k]
        result = np.empty((scores.shape[0], k), dtype=np.int64)
        for row, threshold in enumerate(kth):
            candidates = np.flatnonzero(scores[row] >= threshold)
            order = np.argsort(-scores[row, candidates], kind="stable")[:k]
            result[row] = candidates[order]
        return result
    return np.argsort(-scores, axis=1, kind="stable").astype(np.int64)
