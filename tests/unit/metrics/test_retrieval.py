"""Measures, with the arithmetic written out; chance, against every order there is; and all of it against ranx."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from babelens.metrics import retrieval
from babelens.metrics.ranking import rank_lists, rank_scores
from babelens.metrics.retrieval import MEASURES


def test_by_hand() -> None:
    # Query 0: relevant at ranks 1, 3, 6 of 6. Query 1: at rank 4.
    scores = np.array([[6.0, 5, 4, 3, 2, 1], [6, 5, 4, 3, 2, 1]])
    ranks = rank_scores(scores, [[0, 2, 5], [3]])
    assert retrieval.hit_rate(ranks, 1).tolist() == [1, 0]
    assert retrieval.hit_rate(ranks, 5).tolist() == [1, 1]
    assert retrieval.recall(ranks, 1).tolist() == pytest.approx([1 / 3, 0])
    assert retrieval.recall(ranks, 5).tolist() == pytest.approx([2 / 3, 1])
    assert retrieval.reciprocal_rank(ranks).tolist() == [1, 0.25]
    assert retrieval.average_precision(ranks).tolist() == pytest.approx([(1 / 1 + 2 / 3 + 3 / 6) / 3, 1 / 4])
    dcg = 1 / math.log2(2) + 1 / math.log2(4) + 1 / math.log2(7)
    ideal = 1 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    assert retrieval.ndcg(ranks, 10).tolist() == pytest.approx([dcg / ideal, 1 / math.log2(5)])
    # At a cut below the number of relevant documents a perfect ranking is still worth 1.
    assert retrieval.ndcg(rank_scores(np.array([[3.0, 2, 1]]), [[0, 1, 2]]), 2).tolist() == [1]


def test_what_a_search_did_not_find_is_worth_nothing() -> None:
    ranks = rank_lists(np.array([[8, 9]]), [[1, 2]], corpus=10)
    for measure in MEASURES.values():
        assert measure.values(ranks).tolist() == [0]


@pytest.mark.parametrize("relevant", [1, 2, 3, 6])
def test_chance_is_the_mean_over_every_order(relevant: int) -> None:
    corpus = 6
    places = list(itertools.combinations(range(corpus), relevant))
    scores = np.tile(np.arange(corpus, 0, -1, dtype=float), (len(places), 1))
    ranks = rank_scores(scores, places)
    for name, measure in MEASURES.items():
        expected = measure.values(ranks).mean()
        assert measure.chance(np.array([relevant]), corpus)[0] == pytest.approx(expected, abs=1e-9), name
    median = retrieval.chance_first_rank(np.array([relevant]), corpus)[0]
    assert np.mean(ranks.first <= median) >= 0.5 > np.mean(ranks.first <= median - 1)


def test_chance_at_more_than_there_is() -> None:
    assert retrieval.chance_hit_rate(np.array([1]), 3, 10).tolist() == [1]
    assert retrieval.chance_recall(np.array([1]), 3, 10).tolist() == [1]
    assert retrieval.chance_average_precision(np.array([1]), 1).tolist() == [1]


def test_an_independent_implementation_agrees() -> None:
    """Straight from the definitions, by sorting lists; no shared code."""
    random = np.random.default_rng(7)
    for n, m in ((30, 12), (10, 300)):
        scores = random.normal(size=(n, m))
        relevant = [sorted(random.choice(m, random.integers(1, 7), replace=False).tolist()) for _ in range(n)]
        ranks = rank_scores(scores, relevant)
        for row in range(n):
            order = sorted(range(m), key=lambda column, row=row: -scores[row, column])
            right = [column in relevant[row] for column in order]
            precisions = [sum(right[: i + 1]) / (i + 1) for i in range(m) if right[i]]
            gains = [1 / math.log2(i + 2) for i in range(10) if right[i : i + 1] == [True]]
            ideal = sum(1 / math.log2(i + 2) for i in range(min(10, len(relevant[row]))))
            expected = {
                "mrr": 1 / (right.index(True) + 1),
                "map": sum(precisions) / len(relevant[row]),
                "ndcg@10": sum(gains) / ideal,
            }
            for k in (1, 5, 10):
                expected[f"hit_rate@{k}"] = float(any(right[:k]))
                expected[f"recall@{k}"] = sum(right[:k]) / len(relevant[row])
            for name, value in expected.items():
                assert abs(MEASURES[name].values(ranks)[row] - value) < 1e-9


@pytest.mark.filterwarnings("ignore")  # numba's, about ranx
def test_ranx_agrees() -> None:
    ranx = pytest.importorskip("ranx", reason="needs pip install 'babelens[reference]'")
    random = np.random.default_rng(1)
    n, m = 25, 60
    scores = random.permuted(np.tile(np.linspace(0, 1, m), (n, 1)), axis=1)
    relevant = [sorted(random.choice(m, random.integers(1, 6), replace=False).tolist()) for _ in range(n)]
    ranks = rank_scores(scores, relevant)
    # Names sort as numbers do, so that ranx keeps the order of queries.
    qrels = ranx.Qrels({f"q{i:02}": {f"d{j}": 1 for j in wanted} for i, wanted in enumerate(relevant)})
    run = ranx.Run({f"q{i:02}": {f"d{j}": float(scores[i, j]) for j in range(m)} for i in range(n)})
    for name, measure in MEASURES.items():
        expected = ranx.evaluate(qrels, run, name, return_mean=False)
        assert np.abs(measure.values(ranks) - expected).max() < 1e-9, name
