"""Are some pictures found for everything? Hubness of what words find, language by language."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..metrics.hubness import measure_hubness, skewness
from ..metrics.statistics import Bootstrap, Estimate
from ..vectors import Ids
from .corpus import Corpus

ALL: Final = "all"
K: Final = 10
_RESAMPLES: Final = 200


@dataclass(frozen=True, slots=True)
class Hubs:
    """``skewness`` is that of the ``k``-occurrence, its ``chance`` the highest of 100 shuffles. ``top_share`` is the
    share of queries that have one same picture first, ``top_picture``. ``alarm`` says what is wrong, None if nothing
    is."""

    queries: int
    k: int
    skewness: Estimate
    top_share: Estimate
    top_picture: str
    alarm: str | None


def find_hubs(corpus: Corpus, found: Mapping[str, Ids], *, seed: int = 0) -> dict[str, Hubs]:
    """By language, and over all of them where there are several. Shape: found (n, depth) rows of pictures or -1."""
    parts = {tag: (lists, corpus.captions[tag].picture) for tag, lists in found.items()}
    if len(parts) > 1:
        parts[ALL] = (
            np.concatenate([lists for lists, _ in parts.values()]),
            np.concatenate([groups for _, groups in parts.values()]),
        )
    return {tag: _hubs(corpus, lists[:, :K], groups, seed) for tag, (lists, groups) in parts.items()}


def _hubs(corpus: Corpus, found: Ids, groups: Ids, seed: int) -> Hubs:
    n = len(corpus.items)
    measured = measure_hubness(found, n, k=K, seed=seed)
    first = (found[:, 0] == measured.top_item).astype(np.float64)
    by_picture = Bootstrap(groups, resamples=_RESAMPLES, seed=seed)
    flat = np.where(found < 0, n, found).ravel()

    def skewed(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        each = np.repeat(weights, found.shape[1], axis=1)
        return np.array([skewness(np.bincount(flat, weights=row, minlength=n + 1)[:n]) for row in each])

    # Drawing with replacement makes counts more even or less; their spread is right, their middle is not.
    error = 1.96 * float(np.std(by_picture.each(skewed)))
    return Hubs(
        queries=len(found),
        k=K,
        skewness=Estimate(
            len(found),
            measured.skewness,
            measured.skewness - error,
            measured.skewness + error,
            measured.shuffled_skewness,
        ),
        top_share=by_picture.estimate(first, chance=1 / n),
        top_picture=_shown(corpus, measured.top_item),
        alarm=measured.alarm,
    )


def _shown(corpus: Corpus, row: int) -> str:
    return os.fsencode(corpus.items[row].source.path).decode("utf-8", "backslashreplace") if row >= 0 else ""
