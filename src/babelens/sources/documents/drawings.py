"""Finds the regions of a page that hold a picture or a drawing, among everything that it draws.

Manuals draw with hundreds of lines and curves. Those that are near each other are one drawing; those that only frame,
underline or shade text are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from .layout import Rect, Region, Segment, union

# In pixels at 150 dpi: 8 are 1.4 mm.
_CELL: Final = 8
_REACH: Final = 1
_SMALLEST: Final = 40.0
_SMALLEST_AREA: Final = 4200.0
_SLIVER: Final = 14.0
_RULE: Final = 5.0
_WHOLE_PAGE: Final = 0.8
_MANY_WORDS: Final = 0.42
_NEAR_LABEL: Final = 14.0
_LABEL_LENGTH: Final = 40


@dataclass(frozen=True, slots=True)
class Mark:
    """Something drawn. ``straight`` marks have only horizontal and vertical lines: rules and rectangles."""

    rect: Rect
    kind: Literal["picture", "path", "straight"]

    @property
    def is_rule(self) -> bool:
        return self.kind == "straight" and min(self.rect.width, self.rect.height) < _RULE


def find_regions(
    marks: Sequence[Mark], segments: Sequence[Segment], tables: Sequence[Rect], size: tuple[float, float]
) -> list[Region]:
    """The regions of a page of ``size`` pixels, from the top. ``tables`` are where words stand in rows and columns."""
    page = Rect(0.0, 0.0, *size)
    kept = [mark for mark in marks if mark.rect.inside(page) > 0 or mark.is_rule]
    kept = [mark for mark in kept if mark.rect.area < _WHOLE_PAGE * page.area and not _is_page_rule(mark, page)]
    groups = _cluster(kept, size)
    regions = []
    for group in groups:
        region = _judge(group, segments, tables, page)
        if region is not None:
            regions.append(region)
    merged = _merge(regions)
    grown = [Region(_with_labels(region.rect, segments).clipped(*size), region.vector) for region in merged]
    return sorted(_merge(grown), key=lambda region: (region.rect.y0, region.rect.x0))


def _is_page_rule(mark: Mark, page: Rect) -> bool:
    """A line across the page or down its side belongs to the page, not to a drawing."""
    return mark.is_rule and (mark.rect.width > 0.7 * page.width or mark.rect.height > 0.7 * page.height)


def _cluster(marks: Sequence[Mark], size: tuple[float, float]) -> list[list[Mark]]:
    """Marks in groups that are nearer to each other than a few millimetres."""
    cell = max(_CELL, max(size) / 400)
    grid = np.full((int(size[1] // cell) + 3, int(size[0] // cell) + 3), -1, dtype=np.int64)
    parents = list(range(len(marks)))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    for index, mark in enumerate(marks):
        x0, y0, x1, y1 = (int(value // cell) for value in mark.rect)
        part = grid[max(y0 - _REACH, 0) : y1 + _REACH + 1, max(x0 - _REACH, 0) : x1 + _REACH + 1]
        for other in np.unique(part).tolist():
            if other >= 0:
                parents[root(other)] = root(index)
        part[...] = index
    groups: dict[int, list[Mark]] = {}
    for index, mark in enumerate(marks):
        groups.setdefault(root(index), []).append(mark)
    return list(groups.values())


def _judge(
    group: Sequence[Mark], segments: Sequence[Segment], tables: Sequence[Rect], page: Rect
) -> Region | None:
    """The region of a group of marks; ``None`` for what is only a frame, a rule, a table or too small."""
    rect = union(mark.rect for mark in group)
    pictures = [mark for mark in group if mark.kind == "picture"]
    shapes = [mark for mark in group if mark.kind == "path"]
    vector = sum(mark.rect.area for mark in pictures) < 0.5 * rect.area
    if not vector:
        rect = union(mark.rect for mark in pictures)
    if not _is_large_enough(rect) or rect.area > 0.95 * page.area:
        return None
    if not vector:
        return Region(rect, False)
    words = sum(segment.rect.shared(rect) for segment in segments)
    share = words / rect.area
    in_table = any(rect.inside(table.grown(20)) > 0.8 for table in tables)
    if not shapes and not pictures:
        # Rectangles and rules: a block diagram has several boxes apart, a table or a frame does not.
        boxes = [mark for mark in group if not mark.is_rule]
        apart = sum(
            not any(other is not box and other.rect.grown(3).meets(box.rect) for other in boxes) for box in boxes
        )
        if in_table or apart < 3 or share > 0.3:
            return None
        return Region(rect, True)
    # Round corners and bullets in a table or a frame full of text are no drawing.
    drawn = sum(mark.rect.area for mark in (*shapes, *pictures)) / rect.area
    if in_table and len(shapes) < 12 and drawn < 0.6:
        return None
    if share > _MANY_WORDS and not pictures and len(shapes) < 25:
        return None
    return Region(rect, True)


def _is_large_enough(rect: Rect) -> bool:
    long, short = max(rect.width, rect.height), min(rect.width, rect.height)
    return short >= _SMALLEST and rect.area >= _SMALLEST_AREA and long / short < _SLIVER


def _merge(regions: Sequence[Region]) -> list[Region]:
    """Regions that lie on each other as one, until none do."""
    merged = list(regions)
    changed = True
    while changed:
        changed = False
        for index, region in enumerate(merged):
            for other in merged[index + 1 :]:
                shared = region.rect.shared(other.rect)
                if shared > 0.08 * min(region.rect.area, other.rect.area):
                    both = union((region.rect, other.rect))
                    larger = region if region.rect.area >= other.rect.area else other
                    merged = [item for item in merged if item is not region and item is not other]
                    merged.append(Region(both, larger.vector))
                    changed = True
                    break
            if changed:
                break
    return merged


def _with_labels(rect: Rect, segments: Sequence[Segment]) -> Rect:
    """A region with the words that stand partly inside it, and short ones at its edge."""
    inside = [segment.rect for segment in segments if 0.3 < segment.rect.inside(rect) < 1.0]
    wide = union([rect, *inside])
    lines = [segment for segment in segments if segment.rect.inside(wide) < 0.3]
    near = [
        segment.rect
        for segment in lines
        if len(segment.text) < _LABEL_LENGTH / 2
        and segment.rect.meets(wide.grown(_NEAR_LABEL))
        and not _has_neighbour(segment, lines)
    ]
    return union([wide, *near])


def _has_neighbour(segment: Segment, lines: Sequence[Segment]) -> bool:
    """Whether a line stands in running text: a long one is right above or below it."""
    around = segment.rect.grown(segment.size * 0.8)
    return any(
        other is not segment and len(other.text) >= _LABEL_LENGTH / 2 and other.rect.meets(around) for other in lines
    )


def has_ink(region: Rect, ink: np.ndarray[Any, np.dtype[np.bool_]], scale: float) -> bool:
    """Whether anything is to be seen in a region; ``ink`` is the page at ``scale`` of the usual resolution."""
    x0, y0, x1, y1 = (int(value * scale) for value in region)
    part = ink[y0 : y1 + 1, x0 : x1 + 1]
    return bool(part.size and part.mean() > 0.004)
