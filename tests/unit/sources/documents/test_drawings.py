"""What counts as a drawing, from marks and words alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from babelens.sources.documents.drawings import Mark, find_regions
from babelens.sources.documents.layout import Rect, Segment

SIZE = (874.0, 1240.0)
# A note: a frame with round corners, which is no plain box, and a symbol.
NOTE = [Mark(Rect(88, 543, 786, 634), "path"), Mark(Rect(115, 560, 154, 600), "path")]


def line(y: float, pieces: Sequence[tuple[float, float, str]]) -> list[Segment]:
    return [Segment(text, Rect(x0, y, x1, y + 21), 19.5, baseline=y + 16) for x0, x1, text in pieces]


@pytest.mark.parametrize(
    "first",
    [
        [(180, 734, "Lower the light when it is as warm as a cup of tea.")],
        [(180, 349, "Lower the light when"), (362, 520, "it is as warm as"), (533, 734, "a cup of tea.")],
    ],
    ids=["whole", "in pieces"],
)
def test_a_note_is_no_drawing_however_its_lines_are_cut(first: list[tuple[float, float, str]]) -> None:
    segments = line(562, first) + line(594, [(180, 390, "Then wait for an hour.")])
    assert find_regions(NOTE, segments, [], SIZE) == []


def test_a_frame_with_words_far_apart_is_a_drawing() -> None:
    segments = line(562, [(180, 260, "the pump"), (400, 480, "the fan"), (600, 680, "the fuse box")])
    (region,) = find_regions(NOTE, segments, [], SIZE)
    assert region.rect == (88, 543, 786, 634)


def test_the_symbol_of_a_long_narrow_note_goes_with_it() -> None:
    frame, symbols = Rect(88, 543, 786, 590), [Mark(Rect(96, 546, 156, 588), "path") for _ in range(3)]
    below = [Mark(Rect(88, 596, 786, 640), "path"), Mark(Rect(96, 600, 156, 636), "path")]
    text = (180, 734, "Lower the light when it is as warm as a cup of tea.")
    segments = line(556, [text]) + line(608, [text])
    assert find_regions([Mark(frame, "path"), *symbols, *below], segments, [], SIZE) == []
