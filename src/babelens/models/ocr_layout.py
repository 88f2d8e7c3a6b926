"""What OCR engines need to know of a page: whether it is empty, how its text lies, and in which order it is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

Quads = NDArray[np.float64]  # (n, 4, 2): corners, clockwise from the text's own top left, in pixels
Boxes = NDArray[np.float64]  # (n, 4): x0, y0, x1, y1
Places = NDArray[np.intp]  # rows of boxes

# Grey levels between the darkest and the lightest spot. Faded print has several times as many; paper in a scan,
# averaged over a few pixels, has fewer.
_BLANK_RANGE: Final = 12
_SPOT: Final = 3  # pixels

# In heights of a line (the median of the page). An empty strip that parts two columns is at least so wide: columns of
# print are set closer than words seem, and the boxes of lines reach a little over their ends.
_GUTTER: Final = 0.3
# On each side of it stand at least so many lines, at least so wide, which fill at least so much of their side (there
# may be two columns). What is shorter are cells of a table, which is read row by row.
_COLUMN_LINES: Final = 3
_COLUMN_WIDTH: Final = 6.0
_COLUMN_FILLED: Final = 0.4
# Boxes of lines that follow each other may touch; so much is taken off at the top and the bottom.
_OVERLAP: Final = 0.2
# Lines whose middles are no more than this below that of the highest stand beside it.
_SAME_ROW: Final = 0.5
_PLACES: Final = 400  # where a gutter is looked for, over the width of a page


def is_blank(image: Image) -> bool:
    """Whether a picture is one even colour, so that no engine needs to be asked."""
    grey = np.asarray(image.convert("L").reduce(_SPOT if min(image.size) >= 8 * _SPOT else 1))
    return int(grey.max()) - int(grey.min()) < _BLANK_RANGE


def turned(quads: Quads, angle: float) -> Quads:
    """Corners turned back by ``angle`` (radians, clockwise as seen): text that runs at this angle then lies level."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(quads @ np.array([[cos, -sin], [sin, cos]]))


def bounds(quads: Quads) -> Boxes:
    """The upright boxes around corners. Shape: (n, 4, 2) -> (n, 4)."""
    return np.concatenate([quads.min(axis=1), quads.max(axis=1)], axis=1)


def reading_order(boxes: Boxes, *, right_to_left: bool = False) -> list[int]:
    """In which order level lines are read: down each column, and in a row from its beginning.

    The page is parted at the gutter that most lines stand beside, into what lies above it, left, right and below;
    then each part in the same way (a whitespace cover in the sense of Breuel 2002, one rectangle at a time).
    Shape: (n, 4) -> n places in ``boxes``.
    """
    if not len(boxes):
        return []
    if right_to_left:
        boxes = np.stack([-boxes[:, 2], boxes[:, 1], -boxes[:, 0], boxes[:, 3]], axis=1)
    height = max(1.0, float(np.median(boxes[:, 3] - boxes[:, 1])))
    return [int(place) for place in _ordered(boxes, np.arange(len(boxes)), height)]


def _ordered(boxes: Boxes, places: Places, height: float) -> Iterator[int]:
    strips = list(_strips(boxes, places))
    found = _gutter(boxes, strips, height)
    if found is None:
        for strip in strips:
            yield from _rows(boxes, strip, height)
        return
    x, first, last = found
    beside = np.concatenate(strips[first:last])
    left = boxes[beside, 2] <= x
    for part in (
        np.concatenate([np.empty(0, np.intp), *strips[:first]]),
        beside[left],
        beside[~left],
        np.concatenate([np.empty(0, np.intp), *strips[last:]]),
    ):
        if len(part):
            yield from _ordered(boxes, part, height)


def _strips(boxes: Boxes, places: Places) -> Iterator[Places]:
    """Lines from the top, those together that overlap in height, directly or through others."""
    rest = _OVERLAP * (boxes[places, 3] - boxes[places, 1])
    top, bottom = boxes[places, 1] + rest, boxes[places, 3] - rest
    order = np.argsort(top, kind="stable")
    reached = np.maximum.accumulate(bottom[order])
    cuts = np.flatnonzero(top[order][1:] >= reached[:-1]) + 1
    for part in np.split(order, cuts):
        yield places[part]


def _gutter(boxes: Boxes, strips: list[Places], height: float) -> tuple[float, int, int] | None:
    """Where columns are parted, and the first and last + 1 of the strips beside: the one with most lines beside it."""
    everything = np.concatenate(strips)
    low, high = float(boxes[everything, 0].min()), float(boxes[everything, 2].max())
    middles = np.linspace(low, high, _PLACES + 2)[1:-1]
    half = _GUTTER * height / 2
    crossed = np.stack(
        [
            ((boxes[strip, :1] < middles[None] + half) & (boxes[strip, 2:3] > middles[None] - half)).any(
                axis=0
            )
            for strip in strips
        ]
    )  # (strips, places)
    before = np.cumsum([[0] * _PLACES, *((boxes[s, 2:3] <= middles).sum(axis=0) for s in strips)], axis=0)
    after = np.cumsum([[0] * _PLACES, *((boxes[s, :1] >= middles).sum(axis=0) for s in strips)], axis=0)
    tried: dict[tuple[int, int, int], float] = {}
    for place in range(_PLACES):
        for first, last in _free(crossed[:, place]):
            left, right = (int(c[last, place] - c[first, place]) for c in (before, after))
            if min(left, right) >= _COLUMN_LINES:
                tried.setdefault((-min(left, right), first, last), float(middles[place]))
    for (_, first, last), x in sorted(tried.items()):
        beside = np.concatenate(strips[first:last])
        left_side = boxes[beside, 2] <= x
        if _is_column(boxes[beside[left_side]], height) and _is_column(boxes[beside[~left_side]], height):
            return x, first, last
    return None


def _free(crossed: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """The runs of False. Shape: (n,) -> pairs of first and last + 1."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], crossed, [True]]).astype(np.int8)))
    yield from ((int(first), int(last)) for first, last in edges.reshape(-1, 2))


def _is_column(boxes: Boxes, height: float) -> bool:
    width = float(np.median(boxes[:, 2] - boxes[:, 0]))
    extent = float(boxes[:, 2].max() - boxes[:, 0].min())
    return width >= max(_COLUMN_WIDTH * height, _COLUMN_FILLED * extent)


def _rows(boxes: Boxes, places: Places, height: float) -> Iterator[Any]:
    """Lines from the top; of those side by side, the first first."""
    middle = (boxes[:, 1] + boxes[:, 3]) / 2
    row: list[int] = []
    for place in places[np.argsort(middle[places], kind="stable")]:
        if row and middle[place] - middle[row[0]] > _SAME_ROW * height:
            yield from sorted(row, key=lambda one: float(boxes[one, 0]))
            row = []
        row.append(int(place))
    yield from sorted(row, key=lambda one: float(boxes[one, 0]))
