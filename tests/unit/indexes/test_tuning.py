from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from babelens.indexes import tuning
from babelens.indexes.exact import ExactIndex
from babelens.indexes.faiss import FaissIndex, HnswParameters
from babelens.indexes.setting import Setting, Tuned
from babelens.vectors import Floats, Ids, normalize

MIB = 1 << 20


@pytest.mark.parametrize(
    ("n", "budget", "kind"),
    [
        (0, None, "exact"),
        (50_000, 1, "exact"),
        (50_001, 1000 * MIB, "hnsw"),
        (1_000_000, 3000 * MIB, "hnsw"),
        (1_000_000, 1500 * MIB, "hnsw-fp16"),
        (1_000_000, 700 * MIB, "hnsw-sq8"),
        (1_000_000, 1, "hnsw-sq8"),
    ],
)
def test_size_and_memory_decide(n: int, budget: int | None, kind: str) -> None:
    chosen, why = tuning.choose(n, 512, memory_budget=budget)
    assert chosen == kind
    assert str(n) in why


def test_memory_worked_out_by_hand() -> None:
    assert tuning.memory_of("exact", 10, 512) == 10 * (512 * 4 + 8)
    assert tuning.memory_of("hnsw-sq8", 10, 512, m=16) == 10 * (512 + 4 * 34 + 12 + 8)


def test_truth_is_the_best_ten_over_all_batches() -> None:
    rng = np.random.default_rng(0)
    vectors, queries = normalize(rng.normal(size=(100, 6))), normalize(rng.normal(size=(4, 6)))
    truth = tuning.Truth(queries)
    for start in range(0, 100, 7):
        truth.see(np.arange(100)[start : start + 7], vectors[start : start + 7])
    np.testing.assert_array_equal(truth.ids, np.argsort(-(queries @ vectors.T), axis=1)[:, :10])


def test_recall_worked_out_by_hand() -> None:
    truth = tuning.Truth(np.array([[1.0, 0.0]], dtype=np.float32))
    angles = np.arange(20) * 0.05
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    vectors[10] = vectors[9]  # as near as the tenth
    truth.see(np.arange(20), vectors)
    scores = (vectors @ truth.queries[0])[None]

    def recall(*ids: int) -> float:
        return truth.recall(scores[:, ids], np.array([ids]))

    assert recall(0, 1, 2, 3, 4, 5, 6, 7, 8, 9) == 1.0
    assert recall(0, 1, 2, 3, 4, 5, 6, 7, 8, 10) == 1.0
    assert recall(0, 1, 2, 3, 4, 5, 6, 7, 8, 11) == pytest.approx(0.9)
    assert recall(11, 12, 13, 14, 15, 16, 17, 18, 19, 0) == pytest.approx(0.1)


def test_a_small_collection_has_a_small_truth() -> None:
    truth = tuning.Truth(np.array([[1.0, 0.0]], dtype=np.float32))
    assert truth.recall(np.empty((1, 10), dtype=np.float32), np.empty((1, 10), dtype=np.int64)) == 1.0
    truth.see(np.array([3]), np.array([[1.0, 0.0]], dtype=np.float32))
    assert truth.recall(np.array([[1.0, -np.inf]]), np.array([[3, -1]])) == 1.0


@pytest.mark.parametrize("kind", ["exact", "hnsw", "hnsw-fp16", "hnsw-sq8"])
def test_what_is_built_reaches_the_target(kind: tuning.Kind) -> None:
    rng = np.random.default_rng(1)
    vectors, queries = normalize(rng.normal(size=(4000, 24))), normalize(rng.normal(size=(60, 24)))
    heard: list[int] = []

    def batches() -> Iterator[tuple[Ids, Floats]]:
        for start in range(0, 4000, 1000):
            yield np.arange(start, start + 1000), vectors[start : start + 1000]

    narrow = HnswParameters(m=6, ef_construction=30)
    built = tuning.build(batches(), 4000, queries, kind=kind, parameters=narrow, progress=heard.append)
    assert heard == [1000, 2000, 3000, 4000]
    assert built.choice.kind == kind
    assert built.choice.name == built.index.name
    assert built.choice.recall_at_10 >= 0.99
    assert built.choice.ms_per_query > 0
    true = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    found = built.index.search(queries, 10)[1]
    assert (found[:, :, None] == true[:, None, :]).any(axis=2).mean() >= 0.985
    assert built.choice.facts()["recall_at_10"] == built.choice.recall_at_10


def test_small_collections_need_no_asking() -> None:
    vectors = normalize(np.eye(4))
    built = tuning.build([(np.arange(4), vectors)], 4, vectors)
    assert isinstance(built.index, ExactIndex)
    assert built.choice.recall_at_10 == 1.0


def test_an_index_over_nothing_can_be_built() -> None:
    built = tuning.build([], 0, np.empty((0, 4), dtype=np.float32))
    assert len(built.index) == 0
    assert built.choice.ms_per_query == 0.0


def test_when_to_build_again() -> None:
    base = ExactIndex(4)
    rows = normalize(np.random.default_rng(0).normal(size=(1000, 4)))
    base.add(np.arange(1000), rows)
    assert tuning.due(base, 0) == "nothing"
    assert tuning.due(base, 5_000) == "nothing"
    assert tuning.due(base, 5_001) == "extend"
    assert tuning.due(base, 49_001) == "rebuild"  # it outgrows exact search
    base.remove(np.arange(200))
    assert tuning.due(base, 0) == "nothing"
    base.remove(np.array([200]))
    assert tuning.due(base, 0) == "rebuild"


def tuned(vectors: int = 4000, **changes: int) -> Tuned:
    numbers = {"m": 6, "ef_construction": 30, "ef_search": 40, **changes}
    setting = Setting("hnsw", *numbers.values(), None, None, 0.1, 0.2, 1.0, 1.0, 1)
    return Tuned(setting, 0.5, vectors, "2026-01-01T00:00:00+00:00")


def test_a_setting_is_built_and_its_target_kept() -> None:
    rng = np.random.default_rng(1)
    vectors, queries = normalize(rng.normal(size=(4000, 24))), normalize(rng.normal(size=(60, 24)))
    batches = [(np.arange(4000), vectors)]
    built = tuning.build(batches, 4000, queries, tuned=tuned())
    assert isinstance(built.index, FaissIndex)
    assert built.index.parameters == HnswParameters(6, 30, 40)
    assert built.choice.recall_at_10 < 0.99
    strict = tuning.build(batches, 4000, queries, tuned=replace(tuned(ef_search=1), target=0.99))
    assert isinstance(strict.index, FaissIndex)
    assert strict.index.parameters.ef_search > 40
    assert strict.choice.recall_at_10 >= 0.99


def test_a_setting_does_not_serve_what_it_was_not_measured_for() -> None:
    assert tuning.suits(tuned(4000), 2000, 24) is None
    assert "4000" in str(tuning.suits(tuned(4000), 1999, 24))
    assert "budget" in str(tuning.suits(tuned(4000), 4000, 24, memory_budget=1000))
    vectors = normalize(np.random.default_rng(0).normal(size=(100, 4)))
    built = tuning.build([(np.arange(100), vectors)], 100, vectors[:5], tuned=tuned(4000))
    assert built.choice.kind == "exact"
    assert "4000" in built.choice.why
