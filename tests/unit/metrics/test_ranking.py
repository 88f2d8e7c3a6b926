"""Ranks of relevant documents: by hand, against a slow count, in blocks, with ties and with bad input."""

from __future__ import annotations

import numpy as np
import pytest

from babelens.metrics import ranking
from babelens.metrics.ranking import nearest, rank_lists, rank_scores, rank_vectors
from babelens.vectors import normalize


def test_ranks_by_hand() -> None:
    scores = np.array([[0.9, 0.1, 0.5, 0.4], [0.2, 0.3, 0.1, 0.0]])
    ranks = rank_scores(scores, [[2, 3], [1]])
    assert ranks.ranks.tolist() == [2, 3, 1]
    assert ranks.first.tolist() == [2, 1]
    assert ranks.relevant.tolist() == [2, 1]
    assert ranks.ties.tolist() == [0, 0]


def test_equal_scores_put_the_relevant_document_last() -> None:
    ranks = rank_scores(np.zeros((1, 10)), [[0, 5]])
    assert ranks.ranks.tolist() == [9, 10]
    assert ranks.ties.tolist() == [8]


def test_scores_within_the_tolerance_are_ties() -> None:
    scores = np.array([[0.5, 0.5 - 5e-7, 0.5 + 5e-7, 0.7]])
    assert rank_scores(scores, [[0]]).ranks.tolist() == [3]
    ranks = rank_scores(scores, [[0]], tolerance=1e-6)
    assert ranks.ranks.tolist() == [4]
    assert ranks.ties.tolist() == [2]


def test_the_same_picture_twice_is_a_tie_wherever_its_rows_lie() -> None:
    random = np.random.default_rng(3)
    pictures = normalize(random.normal(size=(4097, 512)))
    pictures[4096] = pictures[7]
    texts = normalize(pictures[[7]] + 0.3 * normalize(random.normal(size=(1, 512))))
    ranks = rank_vectors(texts, pictures, [[7]])
    assert ranks.first.tolist() == [2]
    assert ranks.ties.tolist() == [1]


def test_vectors_and_scores_agree_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    queries, documents = normalize(random.normal(size=(40, 16))), normalize(random.normal(size=(30, 16)))
    relevant = [sorted(random.choice(30, size=1 + i % 4, replace=False).tolist()) for i in range(40)]
    whole = rank_scores(queries @ documents.T, relevant)
    seen: list[tuple[int, int | None]] = []
    monkeypatch.setattr(ranking, "_BLOCK_BYTES", 4 * 30 * 7)
    ranks = rank_vectors(
        queries, documents, relevant, progress=lambda done, total=None, note="": seen.append((done, total))
    )
    assert ranks.ranks.tolist() == whole.ranks.tolist()
    assert seen[0] == (7, 40)
    assert seen[-1] == (40, 40)
    assert np.array_equal(nearest(queries, documents, 5), np.argsort(-(queries @ documents.T), axis=1)[:, :5])


def test_lists_of_a_search_leave_out_what_was_not_found() -> None:
    found = np.array([[4, 2, 9], [1, -1, -1]])
    ranks = rank_lists(found, [[2, 7], [3]], corpus=10)
    assert ranks.ranks.tolist() == [2, np.inf, np.inf]


def test_some_of_the_queries() -> None:
    ranks = rank_scores(np.array([[3.0, 2, 1], [1, 2, 3], [2, 3, 1]]), [[0, 2], [0], [1]])
    part = ranks[np.array([True, False, True])]
    assert part.ranks.tolist() == [1, 3, 1]
    assert part.offsets.tolist() == [0, 2, 3]
    assert len(ranks[:0]) == 0


@pytest.mark.parametrize(
    ("scores", "relevant", "message"),
    [
        ([[0.1, np.nan]], [[0]], "not numbers"),
        ([[0.1, 0.2]], [[]], "no relevant"),
        ([[0.1, 0.2]], [[2]], "not there"),
        ([[0.1, 0.2]], [[1, 1]], "twice"),
        ([[0.1, 0.2]], [[0], [1]], "do not fit"),
    ],
)
def test_bad_input(scores: list[list[float]], relevant: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rank_scores(np.array(scores), relevant)
