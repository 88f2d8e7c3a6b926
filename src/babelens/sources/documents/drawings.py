"""Finds the regions of a page that hold a picture or a drawing, among everything that it draws.

Manuals draw with hundreds of lines and curves. Those that are near each other are one drawing; those that only frame,
underline or shade text are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
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
_CAPTION: Final = 90.0
_BOXES: Final = 3
_MOST_BOXES: Final = 300
_HELD: Final = 0.6
_PROSE_LENGTH: Final = 25
_PROSE: Final = 0.18
_LITTLE_PROSE: Final = 0.06
_SYMBOL: Final = 0.12
_NOTE: Final = 0.5
_SPACE: Final = 1.0  # of the size, between the pieces of a line


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
    """The regions of a page of ``size`` pixels. ``tables`` are where words stand in rows and columns."""
    page = Rect(0.0, 0.0, *size)
    kept = [mark for mark in marks if mark.rect.inside(page) > 0 or mark.is_rule]
    kept = [mark for mark in kept if mark.rect.area < _WHOLE_PAGE * page.area and not _is_of_page(mark, page)]
    prose = _lines_of_prose(segments)
    kept = _without_notes(kept, prose)
    regions = []
    for group in _cluster(kept, size):
        drawn = [mark for mark in group if mark.kind != "straight"]
        # The rules of a table tie the pictures in its cells together, though each is one of its own.
        parts = _apart(drawn, size) if _is_held_by_rules(group, drawn) else [group]
        for part in parts:
            region = _judge(part, segments, tables, page)
            if region is not None:
                regions.append(region)
    boxes = [mark.rect for mark in marks if mark.kind == "straight" and not mark.is_rule]
    return merge([_with_notes(region, boxes) for region in merge(regions)])


def _with_notes(region: Region, boxes: Sequence[Rect]) -> Region:
    """A region with the boxes that lie mostly in it, notes in a drawing; one that holds it is a cell or a frame."""
    notes = [box for box in boxes if box.inside(region.rect) > _NOTE and box.area < _NOTE * region.rect.area]
    return replace(region, rect=union([region.rect, *notes]))


def _apart(drawn: Sequence[Mark], size: tuple[float, float]) -> list[list[Mark]]:
    """Groups of marks without the rules that held them together; pictures that do not touch are not one."""
    if any(mark.kind != "picture" for mark in drawn) or len(drawn) > _MOST_BOXES:
        return _cluster(drawn, size)
    groups: list[list[Mark]] = []
    for mark in drawn:
        touching = [group for group in groups if any(other.rect.grown(2).meets(mark.rect) for other in group)]
        groups = [group for group in groups if group not in touching]
        groups.append([mark, *(other for group in touching for other in group)])
    return groups


def _without_notes(marks: Sequence[Mark], prose: Sequence[Rect]) -> list[Mark]:
    """Marks without the frames and grounds of warnings and notes, and without the symbols in them."""
    symbols: set[int] = set()
    frames: set[int] = set()
    judged: dict[Rect, tuple[bool, list[int]]] = {}  # a frame is often drawn several times
    for index, mark in enumerate(marks):
        if mark.kind == "picture" or min(mark.rect.width, mark.rect.height) < _SMALLEST:
            continue
        if mark.rect not in judged:
            judged[mark.rect] = _note(mark.rect, marks, prose)
        is_note, inner = judged[mark.rect]
        if is_note:
            frames.add(index)
            symbols.update(inner)
    return [mark for index, mark in enumerate(marks) if index not in frames and index not in symbols]


def _note(rect: Rect, marks: Sequence[Mark], prose: Sequence[Rect]) -> tuple[bool, list[int]]:
    """Whether a mark frames lines of text, and the symbols beside them. It may be roomy if it holds hardly anything
    else."""
    share = sum(line.shared(rect) for line in prose) / rect.area
    if share < _LITTLE_PROSE:
        return False, []
    inner = [
        index
        for index, mark in enumerate(marks)
        if mark.rect.area < 0.9 * rect.area and mark.rect.shared(rect) > 0
    ]
    few = sum(marks[index].rect.shared(rect) for index in inner) < _SYMBOL * rect.area
    return share > _PROSE or few, [i for i in inner if few and marks[i].rect.inside(rect) > 0.9]


def _lines_of_prose(segments: Sequence[Segment]) -> list[Rect]:
    """Long lines. Where the places of letters are not exact, as in Hindi, a line is in pieces."""
    lines: list[list[Segment]] = []
    for segment in sorted(segments, key=lambda segment: (round(segment.baseline), segment.rect.x0)):
        last = lines[-1][-1] if lines else None
        joined = (
            last is not None
            and abs(last.baseline - segment.baseline) <= 1
            and abs(last.size - segment.size) <= 1
            and segment.rect.x0 - last.rect.x1 < _SPACE * segment.size
        )
        if joined:
            lines[-1].append(segment)
        else:
            lines.append([segment])
    return [
        union(part.rect for part in line)
        for line in lines
        if sum(len(part.text) for part in line) >= _PROSE_LENGTH
    ]


def _is_held_by_rules(group: Sequence[Mark], drawn: Sequence[Mark]) -> bool:
    whole = union(mark.rect for mark in group)
    if not drawn or len(drawn) == len(group) or _boxes_apart(group) >= _BOXES:
        return False
    return union(mark.rect for mark in drawn).area < _HELD * whole.area or all(
        mark.kind == "picture" for mark in drawn
    )


def _boxes_apart(group: Sequence[Mark]) -> int:
    """How many rectangles do not touch another: the boxes of a block diagram, not the cells of a table."""
    boxes = [mark.rect for mark in group if mark.kind == "straight" and not mark.is_rule][:_MOST_BOXES]
    return sum(
        not any(i != j and other.grown(3).meets(box) for j, other in enumerate(boxes))
        for i, box in enumerate(boxes)
    )


def _is_of_page(mark: Mark, page: Rect) -> bool:
    """A line across the page or down its side belongs to the page, not to a drawing; so does a band from edge to
    edge."""
    if mark.kind != "straight":
        return False
    if mark.rect.x0 <= 1 and mark.rect.x1 >= page.x1 - 1:
        return True
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
        rect = union(mark.rect for mark in (*pictures, *shapes))
    if not _is_large_enough(rect) or rect.area > 0.95 * page.area:
        return None
    if not vector:
        return Region(rect, False)
    words = sum(segment.rect.shared(rect) for segment in segments)
    share = words / rect.area
    in_table = any(rect.inside(table.grown(20)) > 0.8 for table in tables)
    if not shapes and not pictures:
        apart = _boxes_apart(group)
        if in_table or apart < _BOXES or share > 0.3:
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


def merge(regions: Sequence[Region]) -> list[Region]:
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


class Ink:
    """Where a page is not blank, apart from its words: ``seen`` is (height, width), of the page at ``scale``."""

    def __init__(
        self, seen: np.ndarray[Any, np.dtype[np.bool_]], scale: float, segments: Sequence[Segment]
    ) -> None:
        self._scale = scale
        self._seen = seen.copy()
        for segment in segments:
            x0, y0, x1, y1 = self._cells(segment.rect)
            self._seen[y0:y1, x0:x1] = False

    def _cells(self, rect: Rect) -> tuple[int, int, int, int]:
        x0, y0, x1, y1 = (value * self._scale for value in rect)
        return max(int(x0), 0), max(int(y0), 0), int(x1) + 1, int(y1) + 1

    def trimmed(self, rect: Rect) -> Rect | None:
        """The part of ``rect`` that holds all it shows; ``None`` when it shows nothing but specks."""
        x0, y0, x1, y1 = self._cells(rect)
        part = self._seen[y0:y1, x0:x1]
        if not part.size or part.mean() < 0.004:
            return None
        rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
        inner = Rect(x0 + columns[0], y0 + rows[0], x0 + columns[-1] + 1, y0 + rows[-1] + 1)
        scaled = Rect(*(float(value) / self._scale for value in inner))
        return Rect(
            max(rect.x0, scaled.x0), max(rect.y0, scaled.y0), min(rect.x1, scaled.x1), min(rect.y1, scaled.y1)
        )

    def look(self, rect: Rect) -> str:
        """A digest of what is seen in ``rect``, coarse enough to be the same wherever it stands on a page."""
        x0, y0, x1, y1 = self._cells(rect)
        part = self._seen[y0:y1, x0:x1]
        rows, columns = (np.arange(9) * length // 8 for length in part.shape)
        tiles = [
            part[top:bottom, left:right].mean() if bottom > top and right > left else 0.0
            for top, bottom in pairwise(rows.tolist())
            for left, right in pairwise(columns.tolist())
        ]
        return "".join(f"{min(int(tile * 8), 7)}" for tile in tiles)

    def gap(self, rect: Rect, left: float, right: float) -> float | None:
        """The middle of the widest blank strip that divides ``rect`` between ``left`` and ``right``."""
        x0, y0, x1, y1 = self._cells(rect)
        blank = np.logical_not(self._seen[y0:y1, x0:x1].max(axis=0, initial=False))
        best, start = (0, 0), None
        for index in range(len(blank) + 1):
            here = (x0 + index) / self._scale
            if index < len(blank) and blank[index] and left <= here <= right:
                start = index if start is None else start
            elif start is not None:
                best = max(best, (index - start, start))
                start = None
        width, first = best
        return (x0 + first + width / 2) / self._scale if width >= 2 else None


def divided(regions: Sequence[Region], captions: Sequence[Rect], ink: Ink) -> list[Region]:
    """Regions trimmed to what they show; one above or below two captions side by side becomes two."""
    result: list[Region] = []
    for region in regions:
        rect = ink.trimmed(region.rect)
        if rect is None or not _is_large_enough(rect):
            continue
        parts = [rect]
        below = sorted(
            c for c in captions if abs(c.y0 - rect.y1) < _CAPTION or abs(rect.y0 - c.y1) < _CAPTION
        )
        for first, second in pairwise(below):
            whole = parts[-1]
            if second.x0 <= first.x1 or not whole.x0 <= first.x1 or not second.x0 <= whole.x1:
                continue
            x = ink.gap(whole, first.x0 + 20, second.x0 + 20)
            if x is not None:
                parts[-1:] = [Rect(whole.x0, whole.y0, x, whole.y1), Rect(x, whole.y0, whole.x1, whole.y1)]
        trimmed = [ink.trimmed(part) for part in parts] if len(parts) > 1 else parts
        result.extend(Region(part, region.vector) for part in trimmed if part and _is_large_enough(part))
    return result
