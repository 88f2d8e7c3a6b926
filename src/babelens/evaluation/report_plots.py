"""The plots of a report, by name, and what each shows in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from ..metrics.retrieval import chance_hit_rate, hit_rate
from ..metrics.statistics import Bootstrap, Estimate, roc
from . import plots
from .agreement import cosines
from .evaluate import Evaluation
from .retrieval import DEPTH, DIRECTIONS, Outcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CUTS: Final = 50


def draw_plots(evaluation: Evaluation) -> Iterator[tuple[str, Figure, str]]:
    """Name, figure and description. Raises :class:`MissingExtraError` without matplotlib."""
    scores = evaluation.exact if evaluation.deployed is None else evaluation.deployed
    k = 10
    yield (
        "recall",
        plots.recall_by_language(
            {
                direction.replace("_", " "): {
                    tag: row.measures[f"hit_rate@{k}"]
                    for tag, row in scores[direction].items()
                    if tag != "all"
                }
                for direction in DIRECTIONS
            },
            k=k,
        ),
        f"hit_rate@{k} by language and direction, with intervals; the figures are in the tables.",
    )
    yield (
        "curves",
        plots.recall_curves({tag: _curve(row) for tag, row in evaluation.ranks["text_to_image"].items()}),
        f"Hit rate of words to pictures among the first 1 to {_CUTS}, by language, by exact search.",
    )
    yield (
        "cosines",
        _cosines(evaluation),
        "Cosines of captions with their own pictures, with others, and the best other.",
    )
    yield from _confidence(evaluation)
    yield from _languages(evaluation)


def _curve(outcome: Outcome) -> list[Estimate]:
    bootstrap = Bootstrap(outcome.groups)
    ranks = outcome.ranks
    return [
        bootstrap.estimate(
            hit_rate(ranks, k), chance=float(chance_hit_rate(ranks.relevant, ranks.corpus, k).mean())
        )
        for k in range(1, min(_CUTS, DEPTH, ranks.corpus) + 1)
    ]


def _cosines(evaluation: Evaluation) -> Figure:
    parts = [
        cosines(evaluation.corpus, captions, seed=evaluation.about.seed)
        for captions in evaluation.corpus.captions.values()
    ]
    groups = np.concatenate([part.groups for part in parts])
    matched = np.concatenate([part.matched for part in parts])
    others = {
        "another picture": np.concatenate([part.stranger for part in parts]),
        "best of all others": np.concatenate([part.best_other for part in parts]),
    }
    bootstrap = Bootstrap(groups, resamples=500)
    return plots.score_distributions(
        {"own picture": matched, **others},
        aucs={name: bootstrap.auc(matched, values) for name, values in others.items()},
        title="Cosines of captions with pictures",
    )


def _confidence(evaluation: Evaluation) -> Iterator[tuple[str, Figure, str]]:
    told = [part for part in evaluation.confidences if part.right.any()]
    if not told or not evaluation.no_match:
        return
    right = np.concatenate([part.present[part.right] for part in told])
    wrong = np.concatenate([part.present[~part.right] for part in told])
    absent = np.concatenate([part.absent for part in told])
    yield (
        "confidence",
        plots.score_distributions(
            {"first hit right": right, "no match": absent, "first hit wrong": wrong},
            unit="confidence",
            title="Confidence of the first hit",
        ),
        "Confidence of right first hits, of wrong ones, and of the best hit where the picture was taken out.",
    )
    yield (
        "roc",
        plots.roc_curve(
            {part.language: roc(part.present[part.right], part.absent) for part in told},
            {part.language: evaluation.no_match[part.language].auc for part in told},
        ),
        "ROC curves of the confidence: right first hits against best hits without the picture, by language.",
    )


def _languages(evaluation: Evaluation) -> Iterator[tuple[str, Figure, str]]:
    if not evaluation.consistency:
        return
    tags = list(evaluation.corpus.captions)
    matrix = np.full((len(tags), len(tags)), np.nan)
    for pair in evaluation.consistency:
        i, j = tags.index(pair.first), tags.index(pair.second)
        matrix[i, j] = matrix[j, i] = pair.overlap.value
    counts = {pair.pairs for pair in evaluation.consistency}
    k = evaluation.consistency[0].k
    yield (
        "languages",
        plots.language_confusion(
            matrix,
            tags,
            title=f"Share of the first {k} pictures that parallel captions both find",
            rows="one language",
            columns="the other",
            n=counts.pop() if len(counts) == 1 else None,
        ),
        "Overlap of what parallel captions find, for each pair of languages; the figures are in the table.",
    )
