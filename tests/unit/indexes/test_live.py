from __future__ import annotations

import threading

import numpy as np
import pytest

from babelens.indexes.exact import ExactIndex
from babelens.indexes.faiss import FaissIndex, HnswParameters
from babelens.indexes.live import LiveIndex
from babelens.vectors import normalize

DIM = 8
NONE = np.empty(0, dtype=np.int64)


@pytest.fixture
def live() -> LiveIndex:
    """Ten unit vectors in the base, of which 0 to 7 point along the axes."""
    base = ExactIndex(DIM)
    base.add(np.arange(8), np.eye(DIM, dtype=np.float32))
    return LiveIndex(base)


def test_newer_vectors_are_merged_by_score(live: LiveIndex) -> None:
    live.refresh(np.array([100, 101]), normalize(np.array([[3, 4] + [0] * 6, [4, 3] + [0] * 6])), NONE)
    scores, ids = live.search(np.eye(DIM, dtype=np.float32)[:1], 3)
    assert ids.tolist() == [[0, 101, 100]]
    np.testing.assert_allclose(scores, [[1.0, 0.8, 0.6]], atol=1e-6)
    assert (len(live), len(live.base), len(live.tail)) == (10, 8, 2)


def test_removals_reach_base_and_tail(live: LiveIndex) -> None:
    live.refresh(np.array([100]), np.eye(DIM, dtype=np.float32)[:1], NONE)
    live.refresh(NONE, np.empty((0, DIM), dtype=np.float32), np.array([0, 100, 555]))
    assert len(live) == 7
    assert not np.isin(live.search(np.eye(DIM, dtype=np.float32), 7)[1], [0, 100]).any()


def test_a_filter_reaches_base_and_tail(live: LiveIndex) -> None:
    live.refresh(np.array([100, 101]), np.eye(DIM, dtype=np.float32)[:2], NONE)
    _, ids = live.search(np.eye(DIM, dtype=np.float32)[:1], 3, np.array([3, 101]))
    assert sorted(ids[0].tolist()) == [-1, 3, 101]


def test_an_id_of_the_base_is_refused(live: LiveIndex) -> None:
    with pytest.raises(ValueError, match="already"):
        live.refresh(np.array([100, 3]), np.eye(DIM, dtype=np.float32)[:2], NONE)
    assert len(live) == 8


def test_the_name_tells_of_the_tail(live: LiveIndex) -> None:
    assert live.name == "exact"
    live.add(np.array([100]), np.eye(DIM, dtype=np.float32)[:1])
    assert live.name == "exact + 1"


def test_searches_stay_right_while_it_refreshes() -> None:
    """Each round adds one vector that is nearest to the query and then removes the one before it."""
    rng = np.random.default_rng(0)
    vectors = normalize(rng.normal(size=(1500, DIM)))
    query = normalize(rng.normal(size=(1, DIM)))
    live = LiveIndex(
        FaissIndex.build([(np.arange(1500), vectors)], DIM, parameters=HnswParameters(8, 40, 20))
    )
    live.add(np.array([2000]), query)
    done = threading.Event()
    failures: list[str] = []

    def search() -> None:
        while not done.is_set():
            scores, ids = live.search(query, 5)
            if ids[0, 0] < 2000 or abs(scores[0, 0] - 1) > 1e-5 or (ids < 0).any():
                failures.append(f"{ids} {scores}")

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for newer in range(2001, 2300):
        live.refresh(np.array([newer]), query, np.array([newer - 1, newer - 2001]))
    done.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert len(live) == 1500 - 299 + 1
