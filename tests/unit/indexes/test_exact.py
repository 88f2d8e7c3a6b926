from __future__ import annotations

import numpy as np
import pytest

from babelens.indexes import exact
from babelens.indexes.exact import ExactIndex
from babelens.vectors import normalize


def test_scores_worked_out_by_hand() -> None:
    index = ExactIndex(2)
    index.add(np.array([7, 8, 9]), np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32))
    scores, ids = index.search(np.array([[0.8, 0.6]], dtype=np.float32), 3)
    assert ids.tolist() == [[9, 7, 8]]
    np.testing.assert_allclose(scores, [[0.96, 0.8, 0.6]], atol=1e-6)


def test_equal_scores_keep_the_order_of_adding() -> None:
    index = ExactIndex(2)
    index.add(np.arange(100), np.tile(np.array([[1, 0]], dtype=np.float32), (100, 1)))
    assert index.search(np.array([[1, 0]], dtype=np.float32), 5)[1].tolist() == [[0, 1, 2, 3, 4]]


def test_pieces_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors = normalize(rng.normal(size=(300, 8)))
    index = ExactIndex(8)
    index.add(np.arange(300), vectors)
    index.remove(np.arange(0, 300, 4))
    allowed = np.arange(0, 300, 3)
    whole = index.search(vectors[:50], 7)[1], index.search(vectors[:50], 7, allowed)[1]
    monkeypatch.setattr(exact, "_SCORES", 900)
    monkeypatch.setattr(exact, "_GATHERED", 16)
    pieces = index.search(vectors[:50], 7)[1], index.search(vectors[:50], 7, allowed)[1]
    np.testing.assert_array_equal(pieces[0], whole[0])
    np.testing.assert_array_equal(pieces[1], whole[1])


def test_live_rows_are_those_left() -> None:
    index = ExactIndex(3)
    rows = normalize(np.eye(3))
    index.add(np.array([4, 5, 6]), rows)
    assert index.live()[0].tolist() == [4, 5, 6]
    index.remove(np.array([5]))
    ids, vectors = index.live()
    assert ids.tolist() == [4, 6]
    np.testing.assert_array_equal(vectors, rows[[0, 2]])
