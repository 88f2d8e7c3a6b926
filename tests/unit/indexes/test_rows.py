from __future__ import annotations

import numpy as np
import pytest

from babelens.indexes.rows import GrowingRows, IdTable


def table(*ids: int) -> IdTable:
    return IdTable.of(np.array(ids, dtype=np.int64))


def ids(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(
    "known",
    [(10, 11, 12, 13), (10, 20, 30, 40), (40, 10, 30, 20), (13, 12, 11, 10)],
    ids=["contiguous", "gaps", "unordered", "contiguous-unordered"],
)
def test_rows_of_known_ids_ascend_once_each(known: tuple[int, ...]) -> None:
    rows = table(*known).rows_of(ids(known[3], known[1], 5, 999, known[3], -1))
    assert rows.tolist() == [1, 3]
    assert table(*known).contains(ids(known[0], 999)).tolist() == [True, False]


def test_removed_rows_do_not_pass_but_are_known() -> None:
    before = table(10, 11, 12)
    after = before.without(ids(11, 99))
    assert (len(before), len(after), after.removed) == (3, 2, 1)
    assert after.passing(ids(10, 11, 12)).tolist() == [0, 2]
    assert after.rows_of(ids(11)).tolist() == [1]
    assert after.removed_rows().tolist() == [1]
    assert before.alive is None
    assert after.without(ids(11)) is after


def test_extending_keeps_what_is_removed() -> None:
    after = table(10, 11).without(ids(10)).extended(ids(12, 5))
    assert after.ids.tolist() == [10, 11, 12, 5]
    assert after.passing(ids(5, 10, 11, 12)).tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="already"):
        after.extended(ids(10))
    with pytest.raises(ValueError, match="twice"):
        after.extended(ids(20, 21, 20))


def test_a_view_that_was_taken_never_changes() -> None:
    rows = GrowingRows(np.empty((0, 2), dtype=np.float32))
    views = []
    for value in range(200):
        rows.append(np.full((1, 2), value, dtype=np.float32))
        views.append(rows.view)
    for count, view in enumerate(views, start=1):
        assert view[:, 0].tolist() == list(range(count))


def test_growing_copies_seldom() -> None:
    rows = GrowingRows(np.empty((0, 2), dtype=np.float32))
    buffers = set()
    for _ in range(4096):
        rows.append(np.zeros((1, 2), dtype=np.float32))
        buffers.add(rows.view.ctypes.data)
    assert len(buffers) <= 8  # 64, 128, ... 4096


def test_a_read_only_matrix_is_copied_before_it_grows() -> None:
    mapped = np.zeros((3, 2), dtype=np.float32)
    mapped.setflags(write=False)
    rows = GrowingRows(mapped)
    rows.append(np.ones((1, 2), dtype=np.float32))
    assert rows.view.shape == (4, 2)
    assert not mapped.any()
