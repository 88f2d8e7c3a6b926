from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from babelens.models.ocr_layout import bounds, is_blank, reading_order, turned

HEIGHT = 20


def box(x: float, y: float, width: float) -> list[float]:
    return [x, y, x + width, y + HEIGHT]


def order(*boxes: list[float], right_to_left: bool = False) -> list[int]:
    return reading_order(np.array(boxes, dtype=np.float64), right_to_left=right_to_left)


def test_nothing_has_no_order() -> None:
    assert reading_order(np.empty((0, 4))) == []


def test_lines_are_read_from_the_top() -> None:
    assert order(box(0, 90, 300), box(0, 0, 300), box(0, 45, 200)) == [1, 2, 0]


def test_two_columns_are_read_one_after_the_other_below_their_title() -> None:
    title, foot = box(200, 0, 400), box(0, 300, 800)
    left = [box(0, 60 + 25 * row, 380) for row in range(5)]
    right = [box(420, 72 + 25 * row, 380) for row in range(5)]
    mixed = [foot, *(line for pair in zip(right, left, strict=True) for line in pair), title]
    assert order(*mixed) == [11, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 0]


def test_three_columns() -> None:
    columns = [[box(300 * column, 30 * row, 250) for row in range(4)] for column in range(3)]
    rows = [columns[column][row] for row in range(4) for column in range(3)]
    assert order(*rows) == [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]


def test_the_gap_between_paragraphs_does_not_break_columns() -> None:
    heights = [0, 25, 50, 110, 135, 160]  # both columns pause at the same height
    left, right = [box(0, y, 380) for y in heights], [box(420, y, 380) for y in heights]
    assert order(*left, *right) == list(range(12))
    mixed = [line for pair in zip(left, right, strict=True) for line in pair]
    assert order(*mixed) == [*range(0, 12, 2), *range(1, 12, 2)]


def test_the_cells_of_a_table_are_read_row_by_row() -> None:
    cells = [box(200 * column, 30 * row + column % 2, 60) for row in range(4) for column in range(3)]
    shuffled = np.random.default_rng(3).permutation(len(cells))
    found = order(*(cells[place] for place in shuffled))
    assert [int(shuffled[place]) for place in found] == list(range(12))


def test_columns_and_rows_of_arabic_begin_at_the_right() -> None:
    left = [box(0, 25 * row, 380) for row in range(4)]
    right = [box(420, 25 * row, 380) for row in range(4)]
    assert order(*left, *right, right_to_left=True) == [4, 5, 6, 7, 0, 1, 2, 3]
    assert order(box(0, 0, 50), box(300, 2, 50), right_to_left=True) == [1, 0]


def test_a_slope_within_a_row_does_not_chain_rows_together() -> None:
    lines = [box(100 * step, 8 * step, 60) for step in range(8)]
    assert order(*lines) == list(range(8))
    below = [box(0, 12 * step, 60) for step in range(6)]
    assert order(*below) == list(range(6))


@given(
    st.lists(
        st.tuples(st.integers(0, 900), st.integers(0, 900), st.integers(1, 400), st.integers(1, 60)),
        max_size=40,
    ),
    st.booleans(),
)
def test_every_line_is_read_once(rows: list[tuple[int, int, int, int]], right_to_left: bool) -> None:
    boxes = np.array([[x, y, x + w, y + h] for x, y, w, h in rows], dtype=np.float64).reshape(-1, 4)
    assert sorted(reading_order(boxes, right_to_left=right_to_left)) == list(range(len(rows)))


def test_turned_corners_lie_level() -> None:
    level = np.array([[[0.0, 0.0], [100.0, 0.0], [100.0, 10.0], [0.0, 10.0]]])
    for degrees in (3.0, 90.0, 180.0, -90.0):
        angle = np.radians(degrees)
        askew = level @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        assert np.degrees(np.arctan2(askew[0, 1, 1], askew[0, 1, 0])) == pytest.approx(degrees)
        assert bounds(turned(askew, angle))[0] == pytest.approx([0, 0, 100, 10])


def test_paper_is_blank_and_a_faint_letter_is_not() -> None:
    grain = np.random.default_rng(0).normal(245, 4, (300, 300)).clip(0, 255).astype(np.uint8)
    assert is_blank(Image.new("RGB", (300, 300), "white"))
    assert is_blank(Image.new("1", (5, 5), 0))
    assert is_blank(Image.fromarray(grain))
    faint = Image.new("L", (300, 300), 250)
    ImageDraw.Draw(faint).line((100, 100, 100, 140), fill=170, width=4)
    assert not is_blank(faint)
