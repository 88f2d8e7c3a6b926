"""How far apart pictures and texts lie in the space they share.

Encoders of two towers put pictures into one cone and texts into another (Liang et al. 2022, arXiv 2203.02053). That is
why cosines of pictures and of texts do not rank together, and why a map of both shows two islands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..metrics.statistics import RESAMPLES, Bootstrap, Estimate
from ..vectors import Floats

_TAIL: Final = 2.5  # percent on each side
_BLOCK: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class ModalityGap:
    """``distance`` is that of the centroids of unit vectors, from 0 to 2; its ``n`` counts texts.

    ``matched`` is the mean cosine of texts with their own picture, ``mismatched`` with all other pictures.
    """

    pictures: int
    distance: Estimate
    matched: Estimate
    mismatched: Estimate


def modality_gap(pictures: Floats, texts: Floats, owners: NDArray[Any], *, seed: int = 0) -> ModalityGap:
    """The gap between pictures and their texts; ``owners`` (n,) are the rows of the pictures that texts belong to.

    Shape: (m, dim), (n, dim), (n,). Raises ``ValueError`` when there are fewer than two pictures or no texts.
    """
    if len(pictures) < 2 or not len(texts):
        raise ValueError("a gap needs two pictures and a text")
    own = np.einsum("ij,ij->i", texts, pictures[owners], dtype=np.float64)
    everything = texts.astype(np.float64) @ pictures.sum(axis=0, dtype=np.float64)
    bootstrap = Bootstrap(owners, seed=seed)
    return ModalityGap(
        len(pictures),
        centroid_distance(pictures, texts, owners, seed=seed),
        bootstrap.mean(own),
        bootstrap.mean((everything - own) / (len(pictures) - 1)),
    )


def centroid_distance(pictures: Floats, texts: Floats, owners: NDArray[Any], *, seed: int = 0) -> Estimate:
    """The distance of the centroids of unit vectors, from 0 to 2; arguments as of :func:`modality_gap`.

    That of few vectors comes out too large, by chance alone: as much as the square of it grows from the vectors to
    their resamples on average is taken off, from the interval too (basic bootstrap; Efron and Tibshirani 1993, chapter
    10). Pictures are resampled together with their texts.
    """
    owners = np.asarray(owners, dtype=np.int64)
    sums = np.zeros(pictures.shape)
    np.add.at(sums, owners, texts.astype(np.float64))
    counts = np.bincount(owners, minlength=len(pictures)).astype(np.float64)

    def squares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Squared distances of the centroids. Shape: (resamples, m) -> (resamples,)."""
        total = weights @ counts
        usable = total > 0  # a resample may hold no picture that has a text
        kept = weights[usable]
        between = (kept @ pictures) / kept.sum(axis=1, keepdims=True) - (kept @ sums) / total[usable, None]
        return np.asarray((between**2).sum(axis=1))

    (plain,) = squares(np.ones((1, len(pictures))))
    random = np.random.default_rng(seed)
    part = max(1, _BLOCK // len(pictures))
    alike = np.full(len(pictures), 1 / len(pictures))
    drawn = np.concatenate(
        [
            squares(
                random.multinomial(len(pictures), alike, size=min(part, RESAMPLES - start)).astype(np.float64)
            )
            for start in range(0, RESAMPLES, part)
        ]
    )
    low, high = np.percentile(drawn, [_TAIL, 100 - _TAIL])
    value, below, above = (float(np.sqrt(max(0.0, 2 * plain - other))) for other in (drawn.mean(), high, low))
    return Estimate(len(texts), value, below, above)
