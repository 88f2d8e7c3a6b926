"""When a figure counts as found, and a caption as right."""

from __future__ import annotations

import numpy as np
import pytest

from babelens.demo.manuals import Box, load_manuals
from babelens.demo.manuals import Figure as TrueFigure
from babelens.sources.documents import Figure
from benchmarks.figures import is_caption, judged, matched, number, overlap, share


def true(page: int, box: Box, label: str | None = None, caption: str | None = None) -> TrueFigure:
    return TrueFigure(label, page, box, caption)


def reported(page: int, box: Box) -> Figure:
    return Figure(f"f{page}.{box}", page, box, None, None, (), vector=True)


def test_overlap_is_intersection_over_union() -> None:
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(50 / 150)
    assert overlap((0, 0, 10, 10), (10, 10, 20, 20)) == 0


def test_each_figure_is_used_once_and_the_best_pair_wins() -> None:
    truth = [true(1, (0, 0, 100, 100)), true(1, (0, 0, 100, 90))]
    (pair,) = matched(truth, [reported(1, (0, 0, 100, 91))])
    assert pair == (truth[1], 0)


def test_a_figure_on_another_page_or_half_as_large_is_not_found() -> None:
    truth = [true(1, (0, 0, 100, 100))]
    assert matched(truth, [reported(2, (0, 0, 100, 100)), reported(1, (0, 0, 100, 50))]) == []


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("الشكل ٣", "3"),
        ("चित्र 3", "3"),
        ("figure 4-2", "4-2"),
        ("図３", "3"),
        ("the pump", None),
        (None, None),
    ],
)
def test_numbers_of_labels_are_the_same_in_every_script(label: str | None, expected: str | None) -> None:
    assert number(label) == expected


def test_a_caption_is_all_of_it_and_nothing_else() -> None:
    figure = true(1, (0, 0, 9, 9), "Fig. 2", "The  pump")
    assert is_caption("Fig. 2 The pump", figure)
    assert not is_caption("Fig. 2 The", figure)
    assert not is_caption("Fig. 2 The pump. Then wait.", figure)
    assert not is_caption(None, figure)


def test_a_share_comes_with_its_interval() -> None:
    groups = np.array(["a", "b", "c"])
    assert share(np.array([2, 2, 2]), np.array([2, 2, 2]), groups) == "6/6 = 1.000 (0.292-1.000)"
    text = share(np.array([0, 1, 2]), np.array([2, 2, 2]), groups)
    assert text.startswith("3/6 = 0.500 (0.")


def test_every_figure_of_a_bundled_manual_is_found() -> None:
    manual = next(manual for manual in load_manuals() if manual.path.stem == "bicycle-light.hi")
    found = judged(manual)
    assert (found.truth, found.reported, found.right) == (7, 7, 7)
    assert found.captions_right == found.labels_right == 6
