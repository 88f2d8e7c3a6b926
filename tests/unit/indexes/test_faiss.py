from __future__ import annotations

import faiss
import numpy as np
import pytest

from babelens.indexes.exact import ExactIndex
from babelens.indexes.faiss import KINDS, FaissIndex, FaissKind, HnswParameters, Metric
from babelens.vectors import Floats, normalize

DIM = 12
NARROW = HnswParameters(m=8, ef_construction=40, ef_search=20)


def clustered(n: int, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    centres = normalize(rng.normal(size=(10, DIM)))
    return normalize(centres[rng.integers(0, 10, n)] + 0.3 * rng.normal(size=(n, DIM)))


def walks(index: FaissIndex, queries: Floats, k: int, allowed: np.ndarray | None = None) -> int:
    """How many graph walks a search took."""
    faiss.cvar.hnsw_stats.reset()
    index.search(queries, k, allowed)
    return int(faiss.cvar.hnsw_stats.n1)


@pytest.fixture(scope="module")
def graph() -> FaissIndex:
    return FaissIndex.build([(np.arange(2000), clustered(2000))], DIM, parameters=NARROW)


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="hnsw-sq8"):
        FaissIndex(DIM, "ivf")  # type: ignore[arg-type]


def test_names_say_kind_and_parameters() -> None:
    assert FaissIndex(DIM, "flat").name == "flat"
    assert FaissIndex(DIM, "hnsw").name == "hnsw(m=16, ef_construction=200, ef_search=64)"
    index = FaissIndex(DIM, "hnsw-sq8", parameters=NARROW)
    index.set_ef_search(99)
    assert index.name == "hnsw-sq8(m=8, ef_construction=40, ef_search=99)"
    assert index.parameters.ef_search == 99


def test_build_reports_how_far_it_is() -> None:
    vectors = clustered(30)
    heard: list[int] = []
    batches = [(np.arange(start, start + 10), vectors[start : start + 10]) for start in (0, 10, 20)]
    index = FaissIndex.build(batches, DIM, kind="flat", progress=heard.append)
    assert heard == [10, 20, 30]
    assert len(index) == 30


def test_the_graph_is_walked_when_that_is_cheaper(graph: FaissIndex) -> None:
    queries = clustered(5, seed=1)
    assert walks(graph, queries, 10) == 5
    assert walks(graph, queries, 10, np.arange(1900)) == 5
    assert walks(graph, queries, 10, np.arange(100)) == 0
    assert walks(graph, queries, 1500) == 0


def test_a_walk_that_yields_too_few_is_followed_by_an_exact_search(graph: FaissIndex) -> None:
    vectors = clustered(2000)
    exact = ExactIndex(DIM)
    exact.add(np.arange(2000), vectors)
    query = vectors[:1]
    far = np.argsort(vectors @ query[0])[:1800]  # nothing that is near passes
    assert walks(graph, query, 10, far) == 1
    np.testing.assert_array_equal(graph.search(query, 10, far)[1], exact.search(query, 10, far)[1])


def test_a_wider_beam_finds_more() -> None:
    rng = np.random.default_rng(5)
    vectors, queries = normalize(rng.normal(size=(4000, 64))), normalize(rng.normal(size=(50, 64)))
    exact = ExactIndex(64)
    exact.add(np.arange(4000), vectors)
    index = FaissIndex.build(
        [(np.arange(4000), vectors)], 64, parameters=HnswParameters(m=4, ef_construction=20)
    )
    true = exact.search(queries, 10)[1]

    def recall(beam: int) -> float:
        index.set_ef_search(beam)
        return float((index.search(queries, 10)[1][:, :, None] == true[:, None, :]).any(axis=2).mean())

    assert recall(20) < recall(100)
    assert recall(200) == 1.0  # by now comparing with all is cheaper, and exact


@pytest.mark.parametrize("metric", ["ip", "l2"])
@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_cosines_whatever_the_metric(kind: FaissKind, metric: Metric) -> None:
    vectors, queries = clustered(1500), clustered(20, seed=2)
    index = FaissIndex.build([(np.arange(1500), vectors)], DIM, kind=kind, metric=metric, parameters=NARROW)
    assert index.metric == metric
    for allowed in (None, np.arange(50)):  # by way of the graph, and exact
        scores, ids = index.search(queries, 10, allowed)
        np.testing.assert_allclose(scores, np.einsum("qd,qkd->qk", queries, vectors[ids]), atol=1e-3)


def test_eight_bit_vectors_are_scored_again_from_float16() -> None:
    vectors, queries = clustered(1500), clustered(20, seed=3)
    index = FaissIndex.build([(np.arange(1500), vectors)], DIM, kind="hnsw-sq8", parameters=NARROW)
    scores, ids = index.search(queries, 10)
    true = np.einsum("qd,qkd->qk", queries, vectors.astype(np.float16).astype(np.float32)[ids])
    np.testing.assert_allclose(scores, true, atol=1e-6)


def test_an_empty_batch_is_nothing(graph: FaissIndex) -> None:
    before = len(graph)
    graph.add(np.empty(0, dtype=np.int64), np.empty((0, DIM), dtype=np.float32))
    assert len(graph) == before
