"""Do the languages mean the same, and do words lie near their pictures?

Agreement of two languages is measured on *parallel* captions, those of one picture in the same place of its list, and
always against the same captions shuffled: an index that gives everyone the same ten pictures agrees perfectly and
knows nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..metrics.ranking import nearest
from ..metrics.statistics import Bootstrap, Estimate
from ..types import Progress
from ..vectors import Floats, Ids
from .corpus import CaptionSet, Corpus

_K: Final = 10


@dataclass(frozen=True, slots=True)
class Consistency:
    """Of two languages, over ``pairs`` of parallel captions.

    ``overlap`` is the mean share of the first ``k`` pictures that both find, ``same_first`` how often the first is the
    same. ``…_shuffled`` is that of captions of different pictures, ``…_above`` the difference. ``chance`` of an
    overlap is k/N.
    """

    first: str
    second: str
    pairs: int
    k: int
    overlap: Estimate
    overlap_shuffled: Estimate
    overlap_above: Estimate
    same_first: Estimate
    same_first_shuffled: Estimate
    same_first_above: Estimate


@dataclass(frozen=True, slots=True)
class Alignment:
    """How near the captions of a language lie to their pictures. ``matched`` and ``mismatched`` are mean cosines,
    ``margin`` their difference; ``auc`` is the chance that a caption is nearer to its own picture than to one drawn
    at random is another caption. ``gap`` is the distance between the centroids of pictures and captions, which two
    spaces that do not touch have in common with two that do: it says nothing about quality (Liang et al. 2022)."""

    language: str
    matched: Estimate
    mismatched: Estimate
    margin: Estimate
    auc: Estimate
    gap: Estimate


def consistency(
    corpus: Corpus, *, seed: int = 0, progress: Progress | None = None
) -> tuple[Consistency, ...]:
    """Every pair of languages that have parallel captions."""
    k = min(_K, len(corpus.items))
    found = {
        tag: nearest(captions.vectors, corpus.vectors, k, progress=progress)
        for tag, captions in corpus.captions.items()
    }
    result = []
    for first, second in combinations(corpus.captions, 2):
        pairs = _parallel(corpus.captions[first], corpus.captions[second])
        if len(pairs) < 2:
            continue
        result.append(_consistency(first, second, found, pairs, corpus, k, seed))
    return tuple(result)


def _consistency(
    first: str, second: str, found: Mapping[str, Ids], pairs: Ids, corpus: Corpus, k: int, seed: int
) -> Consistency:
    groups = corpus.captions[first].picture[pairs[:, 0]]
    bootstrap = Bootstrap(groups, seed=seed)
    ours, theirs = found[first][pairs[:, 0]], found[second][pairs[:, 1]]
    strangers = theirs[_strangers(groups, np.random.default_rng(seed))]
    overlap, shuffled = _overlap(ours, theirs), _overlap(ours, strangers)
    same = (ours[:, 0] == theirs[:, 0]).astype(np.float64)
    same_shuffled = (ours[:, 0] == strangers[:, 0]).astype(np.float64)
    n = len(corpus.items)
    return Consistency(
        first,
        second,
        pairs=len(pairs),
        k=k,
        overlap=bootstrap.estimate(overlap, chance=k / n),
        overlap_shuffled=bootstrap.estimate(shuffled, chance=k / n),
        overlap_above=bootstrap.mean(overlap - shuffled, chance=0.0),
        same_first=bootstrap.estimate(same, chance=1 / n),
        same_first_shuffled=bootstrap.estimate(same_shuffled, chance=1 / n),
        same_first_above=bootstrap.mean(same - same_shuffled, chance=0.0),
    )


def alignment(corpus: Corpus, *, seed: int = 0) -> tuple[Alignment, ...]:
    """Every language. Mismatched cosines are with all pictures that a caption is not true of; for the area one of
    them is drawn."""
    total = corpus.vectors.sum(axis=0, dtype=np.float64)
    n = len(corpus.items)
    result = []
    for tag, captions in corpus.captions.items():
        random = np.random.default_rng(seed)
        kept = np.flatnonzero([len(relevant) < n for relevant in captions.relevant])
        matched, mismatched, other = (np.empty(len(kept)) for _ in range(3))
        for place, number in enumerate(kept.tolist()):
            vector, relevant = captions.vectors[number], captions.relevant[number]
            own = corpus.vectors[relevant].astype(np.float64) @ vector
            matched[place] = own.mean()
            mismatched[place] = (total @ vector - own.sum()) / (n - len(relevant))
            stranger = int(random.integers(n))
            while stranger in relevant:
                stranger = int(random.integers(n))
            other[place] = corpus.vectors[stranger] @ vector
        bootstrap = Bootstrap(captions.picture[kept], seed=seed)
        result.append(
            Alignment(
                tag,
                matched=bootstrap.mean(matched),
                mismatched=bootstrap.mean(mismatched),
                margin=bootstrap.mean(matched - mismatched, chance=0.0),
                auc=bootstrap.auc(matched, other),
                gap=modality_gap(
                    corpus.vectors[captions.pictures], captions.vectors, captions.picture, seed=seed
                ),
            )
        )
    return tuple(result)


def modality_gap(
    pictures: Floats, captions: Floats, groups: NDArray[np.int64], *, seed: int = 0, resamples: int = 500
) -> Estimate:
    """The distance between the centroid of pictures and that of captions, from 0 to 2 (Liang et al. 2022).

    ``groups`` (n,) is the picture of each caption; ``pictures`` are in the order of their numbers. Shape: (m, dim),
    (n, dim), (n,).
    """
    _, group = np.unique(groups, return_inverse=True)
    sums = np.zeros((len(pictures), captions.shape[1]))
    np.add.at(sums, group, captions.astype(np.float64))
    counts = np.bincount(group, minlength=len(pictures)).astype(np.float64)
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        weights = np.bincount(random.integers(len(pictures), size=len(pictures)), minlength=len(pictures))
        drawn.append(np.linalg.norm(weights @ pictures / weights.sum() - weights @ sums / (weights @ counts)))
    low, high = np.percentile(drawn, [2.5, 97.5])
    value = np.linalg.norm(pictures.mean(axis=0, dtype=np.float64) - captions.mean(axis=0, dtype=np.float64))
    return Estimate(len(captions), float(value), float(low), float(high))


def _parallel(first: CaptionSet, second: CaptionSet) -> Ids:
    """Numbers of parallel captions: of each picture the first of one with the first of the other, and so on.

    Shape: (pairs, 2).
    """
    return np.array(
        [
            pair
            for ours, theirs in zip(_own(first), _own(second), strict=True)
            for pair in zip(ours, theirs, strict=False)
        ],
        dtype=np.int64,
    ).reshape(-1, 2)


def _own(captions: CaptionSet) -> list[list[int]]:
    """The numbers of each picture's own captions, in order."""
    own: list[list[int]] = [[] for _ in captions.described]
    for number, row in enumerate(captions.picture.tolist()):
        own[row].append(number)
    return own


def _strangers(groups: Ids, random: np.random.Generator) -> Ids:
    """For each pair another one, of another picture where there is one. Shape: (n,) -> (n,)."""
    n = len(groups)
    result = random.permutation(n)
    for _ in range(100):
        same = np.flatnonzero(groups[result] == groups)
        if not len(same):
            break
        result[same] = random.integers(n, size=len(same))
    return result


def _overlap(first: Ids, second: Ids) -> NDArray[np.float64]:
    """The share of each row's numbers that the other row holds too. Shape: (n, k), (n, k) -> (n,)."""
    shared: NDArray[np.bool_] = (first[:, :, None] == second[:, None, :]).any(axis=2)
    return np.asarray(shared.mean(axis=1), dtype=np.float64)
