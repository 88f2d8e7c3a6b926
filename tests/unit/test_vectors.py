from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from babelens.vectors import is_unit, normalize, top_k


def test_normalize_by_hand() -> None:
    np.testing.assert_allclose(normalize(np.array([[3.0, 4.0], [0.0, -2.0]])), [[0.6, 0.8], [0.0, -1.0]])


def test_normalize_leaves_its_argument_alone() -> None:
    rows = np.array([[3.0, 4.0]], dtype=np.float32)
    normalize(rows)
    assert rows.tolist() == [[3.0, 4.0]]


@pytest.mark.parametrize("bad", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_a_row_without_direction_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="vector"):
        normalize(np.array([[1.0, 0.0], bad]))


def test_is_unit() -> None:
    assert is_unit(np.eye(3))
    assert is_unit(normalize(np.random.default_rng(0).normal(size=(50, 512))).astype(np.float16))
    assert not is_unit(np.array([[0.9, 0.0]]))
    assert not is_unit(np.array([[np.nan, 0.0]]))


# Few distinct values, so that ties are common.
TIES = arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 9)),
    elements=st.sampled_from([-1.0, 0.0, 0.5, 1.0]),
)


@given(TIES, st.integers(0, 12))
def test_top_k_equals_a_stable_sort(scores: np.ndarray, k: int) -> None:
    expected = [sorted(range(scores.shape[1]), key=lambda c: (-row[c], c))[:k] for row in scores]
    assert top_k(scores, k).tolist() == expected
