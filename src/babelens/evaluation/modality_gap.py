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

    The distance of two centroids of few vectors is too large, by chance alone. The square of it is too large by the
    same amount on average in every resample, which is taken off, from the interval too (basic bootstrap; Efron and
    Tibshirani 1993, chapter 10). Pictures are resampled together with their texts.
    Shape: (m, dim), (n, dim), (n,). Raises ``ValueError`` when there are fewer than two pictures or no texts.
    """
    if len(pictures) < 2 or not len(texts):
        raise ValueError("a gap needs two pictures and a text")
    images = pictures.astype(np.float64)
    owners = np.asarray(owners, dtype=np.int64)
    sums = np.zeros_like(images)
    np.add.at(sums, owners, texts.astype(np.float64))
    counts = np.bincount(owners, minlength=len(images)).astype(np.float64)

    def squares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Squared distances of the centroids. Shape: (resamples, m) -> (resamples,)."""
        total = weights @ counts
        usable = total > 0  # a resample may hold no picture that has a text
        kept = weights[usable]
        between = (kept @ images) / kept.sum(axis=1, keepdims=True) - (kept @ sums) / total[usable, None]
        return np.asarray((between**2).sum(axis=1))

    (plain,) = squares(np.ones((1, len(images))))
    random = np.random.default_rng(seed)
    part = max(1, _BLOCK // len(images))
    drawn = np.concatenate(
        [
            squares(random.multinomial(len(images), np.full(len(images), 1 / len(images)), size=rows) * 1.0)
            for rows in (min(part, RESAMPLES - start) for start in range(0, RESAMPLES, part))
        ]
    )
    low, high = np.percentile(drawn, [_TAIL, 100 - _TAIL])
    value, below, above = (
        float(np.sqrt(max(0.0, 2 * plain - minus))) for minus in (drawn.mean(), high, low)
    )
    vectors = texts.astype(np.float64)
    own = np.einsum("ij,ij->i", vectors, images[owners])
    others = (vectors @ images.sum(axis=0) - own) / (len(images) - 1)
    bootstrap = Bootstrap(owners, seed=seed)
    return ModalityGap(
        len(images),
        Estimate(len(texts), value, below, above),
        bootstrap.mean(own),
        bootstrap.mean(others),
    )
