"""Finds words that stand in rows and columns and keeps them so: one line a row, cells in order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from .labels import LEADERS
from .layout import Rect, Segment, union

SEPARATOR: Final = " | "
_ROW: Final = 0.35
_RULE: Final = 6.0
_EDGE: Final = 6.0
_BREAK: Final = 3.2
_MARKER: Final = re.compile(r"[•‣▪▫■□●○◦◆◇★※·⁃–-]|[\uf000-\uf0ff]|\(?(?:\d{1,2}|[a-zA-Z])[.)]|[①-⑳]")
_PROSE_LENGTH: Final = 25
_WRAP: Final = 1.8
_HEADER_RULES: Final = 3


@dataclass(frozen=True, slots=True)
class Table:
    """One segment per row, its cells separated by :data:`SEPARATOR`."""

    rows: tuple[Segment, ...]


Row = list[Segment]


def find_tables(
    segments: Sequence[Segment], rules: Sequence[Rect], *, rtl: bool
) -> list[Table | list[Segment]]:
    """Tables and, between them, the segments of no table, from the top down."""
    rows = _rows(segments)
    pieces: list[Table | list[Segment]] = []
    start = 0
    while start < len(rows):
        end = _end_of_ruled(rows, start, rules)
        if end is None:
            end = _end_of_aligned(rows, start)
        if end is None:
            if not pieces or isinstance(pieces[-1], Table):
                pieces.append([])
            tail = pieces[-1]
            assert isinstance(tail, list)
            tail.extend(rows[start])
            start += 1
        else:
            pieces.append(_table(rows[start:end], rules, rtl))
            start = end
    return pieces


def _rows(segments: Sequence[Segment]) -> list[Row]:
    rows: list[Row] = []
    for segment in sorted(segments, key=lambda segment: segment.baseline):
        last = rows[-1][0] if rows else None
        if last is not None and segment.baseline - last.baseline < _ROW * max(segment.size, last.size):
            rows[-1].append(segment)
        else:
            rows.append([segment])
    for row in rows:
        row.sort(key=lambda segment: segment.rect.x0)
    return rows


def _frame(rules: Sequence[Rect], around: Rect) -> Rect | None:
    """The frame of ruled lines or cells that a row stands in: what touches it, and what touches that."""
    frame: Rect | None = None
    left = [rule for rule in rules if rule.width > 12 or rule.height > 12]
    reach = around.grown(_EDGE)
    changed = True
    while changed:
        changed = False
        rest = []
        for rule in left:
            if rule.meets(reach):
                frame = rule if frame is None else union((frame, rule))
                reach = union((reach, rule.grown(_EDGE)))
                changed = True
            else:
                rest.append(rule)
        left = rest
    return frame


def _end_of_ruled(rows: Sequence[Row], start: int, rules: Sequence[Rect]) -> int | None:
    """Where a table that is drawn with lines, and begins at row ``start``, ends."""
    first = union(segment.rect for segment in rows[start])
    frame = _frame(rules, first)
    if frame is None or first.inside(frame.grown(_EDGE)) < 0.9:
        return None
    inner = [rule for rule in rules if rule.inside(frame.grown(2)) > 0.9 or rule.meets(frame)]
    heights = _levels([edge for rule in inner for edge in ((rule.y0, rule.y1) if rule.width > 12 else ())])
    widths = _levels([edge for rule in inner for edge in ((rule.x0, rule.x1) if rule.height > 12 else ())])
    end = start
    while end < len(rows) and union(segment.rect for segment in rows[end]).inside(frame.grown(_EDGE)) > 0.7:
        end += 1
    inside = rows[start:end]
    several = sum(len(row) > 1 for row in inside)
    if len(heights) < 3 or len(inside) < 2 or several < 1:
        return None
    if len(widths) < 3 and several < max(2, len(inside) // 3):
        return None
    return end


def _levels(values: Sequence[float]) -> list[float]:
    """Values with those that are near each other taken as one."""
    levels: list[float] = []
    for value in sorted(values):
        if not levels or value - levels[-1] > _RULE:
            levels.append(value)
    return levels


def _end_of_aligned(rows: Sequence[Row], start: int) -> int | None:
    """Where a table without lines, and begins at row ``start``, ends: rows of several cells that stand in line."""
    if len(rows[start]) < 2 or _has_leaders(rows[start]):
        return None
    end = start + 1
    lone = 0
    while end < len(rows):
        above, row = rows[end - 1], rows[end]
        size = max(segment.size for segment in row)
        if (
            row[0].baseline - above[0].baseline > _BREAK * size
            or not _aligned(rows[start:end], row)
            or _has_leaders(row)
        ):
            break
        lone = lone + 1 if len(row) == 1 else 0
        if lone > 2:
            break
        end += 1
    last = next(i for i in range(end - 1, start - 1, -1) if len(rows[i]) > 1)
    # A last cell may go on below, in another column than the first.
    while end > last + 1 and not (
        rows[end - 1][0].rect.x0 > rows[last][0].rect.x1
        and rows[end - 1][0].baseline - rows[end - 2][0].baseline < _WRAP * rows[end - 1][0].size
    ):
        end -= 1
    if _is_list(rows[start:end]):
        return None
    several = sum(len(row) > 1 for row in rows[start:end])
    return end if several >= 3 and 2 * several > end - start else None


def _is_list(rows: Sequence[Row]) -> bool:
    """Whether the first cells are only the signs or numbers of a list."""
    several = [row for row in rows if len(row) > 1]
    for first, rest in ((0, 1), (-1, 0)):
        marks = [row[first].text for row in several]
        if all(_MARKER.fullmatch(mark) for mark in marks):
            return True
        prose = all(len(row) == 2 and len(row[rest].text) >= _PROSE_LENGTH for row in several)
        if prose and all(mark.isdecimal() for mark in marks):
            return True
    return False


def _has_leaders(row: Row) -> bool:
    """Whether dots lead from the words to a page number, as in a list of contents."""
    return any(LEADERS.search(segment.text) for segment in row)


def _aligned(above: Sequence[Row], row: Row) -> bool:
    """Whether every cell of ``row`` begins, ends or is centred where one above does."""
    cells = [segment.rect for other in above[-4:] for segment in other]
    return all(
        any(
            min(
                abs(cell.x0 - rect.x0), abs(cell.x1 - rect.x1), abs(cell.x0 + cell.x1 - rect.x0 - rect.x1) / 2
            )
            < _EDGE
            for cell in cells
        )
        for rect in (segment.rect for segment in row)
    )


def _table(rows: Sequence[Row], rules: Sequence[Rect], rtl: bool) -> Table:
    segments = [segment for row in rows for segment in row]
    around = union(segment.rect for segment in segments)
    inner = [rule for rule in rules if rule.meets(around.grown(_EDGE))]
    across = _levels(
        [
            edge
            for rule in inner
            if rule.width > 0.5 * around.width or rule.height > _RULE
            for edge in (rule.y0, rule.y1)
            if rule.width > 12
        ]
    )
    down = _levels([edge for rule in inner if rule.height > 12 for edge in (rule.x0, rule.x1)])
    columns = down if len(down) >= 3 else _column_edges(rows)
    bands = _bands(segments, across, vertical=True) if len(across) > _HEADER_RULES else []
    if len(bands) <= _HEADER_RULES - 1:  # lines only around the table and under its head
        bands = _wrapped_rows(rows, columns, rtl)
    lines = []
    for band in bands:
        cells = _bands(band, columns, vertical=False)
        texts = [_cell_text(cell, rtl) for cell in (reversed(cells) if rtl else cells)]
        longest = max(band, key=lambda segment: len(segment.text))
        rect = union(segment.rect for segment in band)
        lines.append(
            replace(longest, text=SEPARATOR.join(texts), rect=rect, strong=all(s.strong for s in band))
        )
    return Table(tuple(lines))


def _cell_text(cell: Sequence[Segment], rtl: bool) -> str:
    """The words of a cell, line by line, each line in reading order."""
    ordered = sorted(
        cell, key=lambda part: (round(part.baseline / 4), -part.rect.x0 if rtl else part.rect.x0)
    )
    return " ".join(part.text for part in ordered)


def _wrapped_rows(rows: Sequence[Row], columns: Sequence[float], rtl: bool) -> list[Row]:
    """Rows with the lines below that go on with their cells: those with nothing in the first column."""
    first = len(columns) if rtl else 1
    whole: list[Row] = []
    for row in rows:
        filled = {min(max(_strip(segment, columns), 1), len(columns)) for segment in row}
        below = whole and row[0].baseline - max(s.baseline for s in whole[-1]) < _WRAP * row[0].size
        if below and first not in filled and len(columns) > 1:
            whole[-1] = [*whole[-1], *row]
        else:
            whole.append(list(row))
    return whole


def _strip(segment: Segment, edges: Sequence[float]) -> int:
    """How many of ``edges`` lie before the middle of a segment."""
    return sum(edge < (segment.rect.x0 + segment.rect.x1) / 2 for edge in edges)


def _bands(segments: Sequence[Segment], edges: Sequence[float], *, vertical: bool) -> list[list[Segment]]:
    """Segments by the strip between ``edges`` in which their middle lies; empty strips are left out."""
    strips: dict[int, list[Segment]] = {}
    for segment in segments:
        rect = segment.rect
        middle = (rect.y0 + rect.y1) / 2 if vertical else (rect.x0 + rect.x1) / 2
        strips.setdefault(sum(edge < middle for edge in edges), []).append(segment)
    return [strips[number] for number in sorted(strips)]


def _column_edges(rows: Sequence[Row]) -> list[float]:
    """The left edges of columns, from the rows that have most cells."""
    most = max(len(row) for row in rows)
    spans: list[tuple[float, float]] = []
    for row in rows:
        if len(row) == most:
            spans.extend((segment.rect.x0, segment.rect.x1) for segment in row)
    edges: list[float] = []
    reach = float("-inf")
    for x0, x1 in sorted(spans):
        if x0 > reach:
            edges.append(x0 - 2)
        reach = max(reach, x1)
    return edges
