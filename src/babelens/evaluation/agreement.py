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

from ..metrics.ranking import nearest, score_blocks
from ..metrics.statistics import Bootstrap, Estimate
from ..types import Progress
from ..vectors import Ids
from .corpus import CaptionSet, Corpus
from .modality_gap import centroid_distance

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


def nearest_pictures(corpus: Corpus, *, progress: Progress | None = None) -> dict[str, Ids]:
    """The first pictures of every caption, exactly, by language. Shape: (n, min(10, pictures)) each."""
    return {
        tag: nearest(captions.vectors, corpus.vectors, _K, progress=progress)
        for tag, captions in corpus.captions.items()
    }


def consistency(corpus: Corpus, found: Mapping[str, Ids], *, seed: int = 0) -> tuple[Consistency, ...]:
    """Every pair of languages that have parallel captions; ``found`` is as of :func:`nearest_pictures`."""
    k = min(_K, len(corpus.items))
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


@dataclass(frozen=True, slots=True, eq=False)
class Cosines:
    """Of each caption: with its own pictures and with all others (means), with one other drawn by lot, and the best of
    all others. Shape: (n,) each; ``groups`` are the captions' pictures."""

    groups: Ids
    matched: NDArray[np.float64]
    mismatched: NDArray[np.float64]
    stranger: NDArray[np.float64]
    best_other: NDArray[np.float64]


def cosines(corpus: Corpus, captions: CaptionSet, *, seed: int = 0) -> Cosines:
    """The cosines of one language's captions, those left out that are true of every picture."""
    random = np.random.default_rng(seed)
    n = len(corpus.items)
    rows: list[tuple[int, float, float, float, float]] = []
    number = 0
    for block in score_blocks(captions.vectors, corpus.vectors):
        for scores in block:
            other = np.ones(n, dtype=bool)
            other[captions.relevant[number]] = False
            if other.any():
                wrong = scores[other]
                stranger = float(wrong[random.integers(len(wrong))])
                own = float(scores[~other].mean(dtype=np.float64))
                mean = float(wrong.mean(dtype=np.float64))
                rows.append((int(captions.picture[number]), own, mean, stranger, float(wrong.max())))
            number += 1
    groups, *columns = np.array(rows, dtype=np.float64).reshape(-1, 5).T
    return Cosines(groups.astype(np.int64), *columns)


def alignment(corpus: Corpus, *, seed: int = 0) -> tuple[Alignment, ...]:
    """Every language."""
    result = []
    for tag, captions in corpus.captions.items():
        found = cosines(corpus, captions, seed=seed)
        matched, mismatched = found.matched, found.mismatched
        bootstrap = Bootstrap(found.groups, seed=seed)
        result.append(
            Alignment(
                tag,
                matched=bootstrap.mean(matched),
                mismatched=bootstrap.mean(mismatched),
                margin=bootstrap.mean(matched - mismatched, chance=0.0),
                auc=bootstrap.auc(matched, found.stranger),
                gap=centroid_distance(
                    corpus.vectors[captions.pictures],
                    captions.vectors,
                    np.unique(captions.picture, return_inverse=True)[1],
                    seed=seed,
                ),
            )
        )
    return tuple(result)


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
