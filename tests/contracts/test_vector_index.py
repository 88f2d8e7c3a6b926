"""One suite over every vector index: exact, all FAISS kinds and metrics, and live ones with and without a tail."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from babelens.indexes.exact import ExactIndex
from babelens.indexes.faiss import KINDS, FaissIndex, HnswParameters, Metric
from babelens.indexes.live import LiveIndex
from babelens.indexes.protocol import StoredIndex, VectorIndex
from babelens.vectors import Floats, Ids, normalize

DIM = 16
N = 2400  # two thirds are a live index's base; with a beam of 40 a graph is walked from 1280 vectors on
ROUNDING = 1e-3  # of float16
PARAMETERS = HnswParameters(m=16, ef_construction=60, ef_search=40)
Factory = Callable[[], VectorIndex]


def faiss_factory(kind: str, metric: Metric) -> Factory:
    return lambda: FaissIndex(DIM, kind, parameters=PARAMETERS, metric=metric)  # type: ignore[arg-type]


STORED: dict[str, Factory] = {
    "exact": lambda: ExactIndex(DIM),
    **{f"{kind}-{metric}": faiss_factory(kind, metric) for kind in KINDS for metric in ("ip", "l2")},
}
FACTORIES: dict[str, Factory] = {
    **STORED,
    "live-exact": lambda: LiveIndex(ExactIndex(DIM)),
    "live-hnsw": lambda: LiveIndex(FaissIndex(DIM, "hnsw", parameters=PARAMETERS)),
}


@pytest.fixture(params=FACTORIES)
def index(request: pytest.FixtureRequest) -> VectorIndex:
    return FACTORIES[request.param]()


@pytest.fixture(params=STORED)
def stored(request: pytest.FixtureRequest) -> StoredIndex:
    made = STORED[request.param]()
    assert isinstance(made, StoredIndex)
    return made


@pytest.fixture(scope="module")
def data() -> tuple[Ids, Floats, Floats]:
    """Ids with gaps and out of order, clustered vectors, and queries near them. (N,), (N, DIM), (50, DIM)"""
    rng = np.random.default_rng(7)
    centres = normalize(rng.normal(size=(40, DIM)))
    vectors = normalize(centres[rng.integers(0, 40, N)] + 0.2 * rng.normal(size=(N, DIM)))
    queries = normalize(vectors[rng.choice(N, 50, replace=False)] + 0.1 * rng.normal(size=(50, DIM)))
    ids = np.sort(rng.choice(10 * N, N, replace=False)).astype(np.int64)
    ids[:100] = ids[:100][::-1]
    return ids, vectors, queries


def fill(index: VectorIndex, ids: Ids, vectors: Floats) -> None:
    """A live index gets two thirds as its base."""
    if isinstance(index, LiveIndex):
        cut = len(ids) * 2 // 3
        index.base.add(ids[:cut], vectors[:cut])
        index.refresh(ids[cut:], vectors[cut:], np.empty(0, dtype=np.int64))
    else:
        for start in range(0, len(ids), 1000):
            index.add(ids[start : start + 1000], vectors[start : start + 1000])


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture
def full(index: VectorIndex, data: tuple[Ids, Floats, Floats], shelf: Path, request: Any) -> VectorIndex:
    """The index with all the data in: built once, opened from its file by every other test."""
    ids, vectors, _ = data
    path = shelf / f"{request.node.callspec.params['index']}.index"
    stored = index.base if isinstance(index, LiveIndex) else index
    assert isinstance(stored, StoredIndex)
    if not path.exists():
        fill(index, ids, vectors)
        stored.save(path)
        return index
    opened = type(stored).open(path)
    if not isinstance(index, LiveIndex):
        return opened
    live = LiveIndex(opened)
    cut = N * 2 // 3
    live.add(ids[cut:], vectors[cut:])
    return live


def truth(ids: Ids, vectors: Floats, queries: Floats, k: int, passing: Ids) -> tuple[Floats, Ids]:
    """The definition, written out."""
    kept = np.isin(ids, passing)
    scores = queries @ vectors[kept].T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, axis=1), ids[kept][order]


def agree(index: VectorIndex, found: tuple[Floats, Ids], expected: tuple[Floats, Ids]) -> None:
    """Equal ids; a graph may miss one in a hundred, and its compressed vectors are rounded."""
    if "hnsw" not in index.name:
        np.testing.assert_array_equal(found[1], expected[1])
        np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
        return
    hits = (found[1][:, :, None] == expected[1][:, None, :]).any(axis=2)
    recall = (hits | (found[0] >= expected[0][:, -1:] - ROUNDING)).mean()
    assert recall >= 0.99
    assert np.mean(np.abs(found[0] - expected[0]) < ROUNDING) >= 0.95


def test_keeps_the_protocol(index: VectorIndex) -> None:
    assert isinstance(index, VectorIndex)
    assert index.dim == DIM


def test_an_empty_index_finds_nothing(index: VectorIndex, data: tuple[Ids, Floats, Floats]) -> None:
    scores, ids = index.search(data[2][:2], 3)
    assert len(index) == 0
    assert np.isneginf(scores).all()
    assert (ids == -1).all()
    assert scores.shape == ids.shape == (2, 3)
    assert scores.dtype == np.float32
    assert ids.dtype == np.int64


def test_finds_the_true_neighbours(full: VectorIndex, data: tuple[Ids, Floats, Floats]) -> None:
    ids, vectors, queries = data
    assert len(full) == N
    agree(full, full.search(queries, 10), truth(ids, vectors, queries, 10, ids))


def test_one_query_at_a_time_is_the_same_as_a_batch(
    full: VectorIndex, data: tuple[Ids, Floats, Floats]
) -> None:
    _, _, queries = data
    _, together = full.search(queries[:10], 5)
    alone = np.concatenate([full.search(query[None], 5)[1] for query in queries[:10]])
    np.testing.assert_array_equal(alone, together)


def test_scores_are_cosines_best_first(full: VectorIndex, data: tuple[Ids, Floats, Floats]) -> None:
    ids, vectors, _ = data
    scores, found = full.search(vectors[:20], 10)
    np.testing.assert_array_equal(found[:, 0], ids[:20])
    np.testing.assert_allclose(scores[:, 0], 1.0, atol=1e-3)
    assert (np.diff(scores, axis=1) <= 0).all()
    row = {int(key): vector for key, vector in zip(ids, vectors, strict=True)}
    for query, cosines, hits in zip(vectors, scores, found, strict=False):
        np.testing.assert_allclose(cosines, [query @ row[int(hit)] for hit in hits], atol=1e-3)


@pytest.mark.parametrize("share", [0.002, 0.02, 0.3, 0.9])
def test_a_filter_costs_no_recall(full: VectorIndex, data: tuple[Ids, Floats, Floats], share: float) -> None:
    ids, vectors, queries = data
    allowed = np.random.default_rng(1).choice(ids, int(N * share), replace=False)
    k = min(10, len(allowed))
    scores, found = full.search(queries, 10, allowed)
    assert np.isin(found[:, :k], allowed).all()
    assert (found[:, k:] == -1).all()
    agree(full, (scores[:, :k], found[:, :k]), truth(ids, vectors, queries, k, allowed))


def test_a_filter_that_only_passes_what_is_far_still_fills_k(
    full: VectorIndex, data: tuple[Ids, Floats, Floats]
) -> None:
    ids, vectors, queries = data
    for query in queries[:5]:
        allowed = ids[np.argsort(vectors @ query)[: int(N * 0.8)]]
        agree(full, full.search(query[None], 10, allowed), truth(ids, vectors, query[None], 10, allowed))


def test_the_allowed_may_be_unknown_repeated_and_unordered(
    full: VectorIndex, data: tuple[Ids, Floats, Floats]
) -> None:
    ids, _, queries = data
    allowed = np.array([ids[5], 10**9, ids[3], ids[5], -7, ids[2300]])
    _, found = full.search(queries[:3], 4, allowed)
    for row in found:
        assert sorted(row[:3]) == sorted([ids[5], ids[3], ids[2300]])
        assert row[3] == -1
    nothing = np.empty(0, dtype=np.int64)
    assert (full.search(queries[:3], 4, nothing)[1] == -1).all()


def test_removed_ids_never_appear(full: VectorIndex, data: tuple[Ids, Floats, Floats]) -> None:
    ids, vectors, queries = data
    gone, left = ids[::3], np.setdiff1d(ids, ids[::3])
    assert full.remove(gone) == len(gone)
    assert full.remove(gone) == 0
    assert full.remove(np.array([10**9, -1])) == 0
    assert len(full) == len(left)
    agree(full, full.search(queries, 10), truth(ids, vectors, queries, 10, left))
    scores, found = full.search(queries, 10, ids)
    assert not np.isin(found, gone).any()
    agree(full, (scores, found), truth(ids, vectors, queries, 10, left))
    assert (full.search(queries, 10, gone)[1] == -1).all()


def test_everything_can_be_removed(full: VectorIndex, data: tuple[Ids, Floats, Floats]) -> None:
    ids, _, queries = data
    assert full.remove(ids) == N
    assert len(full) == 0
    assert (full.search(queries, 10)[1] == -1).all()


def test_k_beyond_the_collection_returns_it_all(index: VectorIndex, data: tuple[Ids, Floats, Floats]) -> None:
    ids, vectors, queries = data
    fill(index, ids[:50], vectors[:50])
    scores, found = index.search(queries[:4], 1000)
    assert scores.shape == found.shape == (4, 1000)
    for row in found:
        assert sorted(row[:50]) == sorted(ids[:50])
    assert (found[:, 50:] == -1).all()
    assert np.isneginf(scores[:, 50:]).all()


def test_every_vector_can_be_asked_for(full: VectorIndex, data: tuple[Ids, Floats, Floats]) -> None:
    ids, _, queries = data
    _, found = full.search(queries[:1], N)
    np.testing.assert_array_equal(np.sort(found[0]), np.sort(ids))


def test_k_of_zero_and_no_queries(index: VectorIndex, data: tuple[Ids, Floats, Floats]) -> None:
    ids, vectors, queries = data
    fill(index, ids[:50], vectors[:50])
    assert index.search(queries[:4], 0)[1].shape == (4, 0)
    assert index.search(queries[:0], 5)[1].shape == (0, 5)


def test_equal_vectors_are_all_found(index: VectorIndex) -> None:
    vectors = np.repeat(normalize(np.random.default_rng(3).normal(size=(3, DIM))), 700, axis=0)
    ids = np.arange(1, 2101)
    fill(index, ids, vectors)
    scores, found = index.search(vectors[:1], 10)
    assert len(set(found[0])) == 10
    assert (found[0] <= 700).all()
    np.testing.assert_allclose(scores[0], 1.0, atol=1e-3)


@pytest.mark.parametrize(
    ("ids", "change"),
    [
        ([7, 8, 9], lambda rows: rows[:2]),
        ([7, 8, 9], lambda rows: rows[:, :5]),
        ([7, 8, 9], lambda rows: rows * 1.1),
        ([7, 8, 9], lambda rows: rows * np.float32("nan")),
        ([7, 8, -9], lambda rows: rows),
        ([7, 8, 7], lambda rows: rows),
        ([7, 8, 1], lambda rows: rows),
        ([7, 8, 2], lambda rows: rows),
        ([[7, 8, 9]], lambda rows: rows),
    ],
    ids=["few", "narrow", "long", "nan", "negative", "twice", "present", "removed", "shape"],
)
def test_a_bad_batch_is_refused_whole(
    index: VectorIndex, ids: list[int], change: Callable[[Floats], Floats]
) -> None:
    rows = normalize(np.random.default_rng(4).normal(size=(3, DIM)))
    fill(index, np.array([1, 2, 3]), rows)
    index.remove(np.array([2]))
    with pytest.raises(ValueError, match=r"ids|vectors|id "):
        index.add(np.array(ids), change(rows))
    assert len(index) == 2
    assert sorted(index.search(rows[:1], 3)[1][0]) == [-1, 1, 3]


def test_bad_queries_are_refused(index: VectorIndex, data: tuple[Ids, Floats, Floats]) -> None:
    _, _, queries = data
    with pytest.raises(ValueError, match="queries"):
        index.search(queries[0], 3)
    with pytest.raises(ValueError, match="queries"):
        index.search(queries[:, :5], 3)
    with pytest.raises(ValueError, match="k must"):
        index.search(queries, -1)


def test_arguments_are_not_changed(index: VectorIndex, data: tuple[Ids, Floats, Floats]) -> None:
    arrays = [array.copy() for array in data]
    for array in arrays:
        array.setflags(write=False)
    ids, vectors, queries = arrays
    fill(index, ids, vectors)
    index.search(queries, 5, ids[:2500])
    index.remove(ids[:5])
    for array, original in zip(arrays, data, strict=True):
        np.testing.assert_array_equal(array, original)


def test_contains_what_is_or_was_in(full: VectorIndex, data: tuple[Ids, Floats, Floats]) -> None:
    ids, _, _ = data
    full.remove(ids[:1])
    asked = np.array([ids[0], 10**9, ids[-1]])
    assert full.contains(asked).tolist() == [True, False, True]


def test_large_ids_are_kept(index: VectorIndex, data: tuple[Ids, Floats, Floats]) -> None:
    _, vectors, _ = data
    ids = np.array([2**62, 5, 2**40])
    fill(index, ids, vectors[:3])
    assert index.search(vectors[:1], 1)[1][0, 0] == 2**62
    assert index.search(vectors[:1], 1, np.array([2**40]))[1][0, 0] == 2**40


def test_searches_from_many_threads_while_removing(
    full: VectorIndex, data: tuple[Ids, Floats, Floats]
) -> None:
    ids, _, queries = data
    keep = ids[:500]
    failures: list[str] = []
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            scores, found = full.search(queries[:4], 10)
            if (found < 0).any() or not np.isfinite(scores).all():
                failures.append(f"places left empty: {found}")
            gone = ids[500 : 500 + removed]
            later = full.search(queries[:4], 10)[1]
            if np.isin(later, gone).any():
                failures.append("a removed id came back")

    removed = 0
    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for start in range(500, N, 250):
        full.remove(ids[start : start + 250])
        removed = start + 250 - 500
    done.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert len(full) == len(keep)


def test_comes_back_from_its_file(
    stored: StoredIndex, data: tuple[Ids, Floats, Floats], tmp_path: Path
) -> None:
    ids, vectors, queries = data
    fill(stored, ids[:2300], vectors[:2300])
    stored.remove(ids[:2300:7])
    stored.save(tmp_path / "one.index")
    opened = type(stored).open(tmp_path / "one.index")
    assert (opened.name, opened.kind, opened.dim) == (stored.name, stored.kind, stored.dim)
    assert (len(opened), opened.removed) == (len(stored), stored.removed)
    for allowed in (None, ids[:1500]):
        before, after = stored.search(queries, 10, allowed), opened.search(queries, 10, allowed)
        np.testing.assert_array_equal(after[1], before[1])
        np.testing.assert_array_equal(after[0], before[0])
    assert [path.name for path in tmp_path.iterdir()] == ["one.index"]


def test_an_opened_index_goes_on_growing(
    stored: StoredIndex, data: tuple[Ids, Floats, Floats], tmp_path: Path
) -> None:
    ids, vectors, queries = data
    fill(stored, ids[:2000], vectors[:2000])
    stored.save(tmp_path / "one.index")
    opened = type(stored).open(tmp_path / "one.index")
    opened.remove(ids[:10])
    opened.add(ids[2000:], vectors[2000:])
    agree(opened, opened.search(queries, 10), truth(ids, vectors, queries, 10, ids[10:]))
    opened.save(tmp_path / "one.index")  # over the file it came from
    again = type(stored).open(tmp_path / "one.index")
    assert len(again) == N - 10
    agree(again, again.search(queries, 10), truth(ids, vectors, queries, 10, ids[10:]))


def test_an_empty_index_comes_back(stored: StoredIndex, tmp_path: Path) -> None:
    stored.save(tmp_path / "one.index")
    opened = type(stored).open(tmp_path / "one.index")
    assert (len(opened), opened.dim) == (0, DIM)
    row = normalize(np.ones((1, DIM)))
    opened.add(np.array([4]), row)
    assert opened.search(row, 1)[1].tolist() == [[4]]
