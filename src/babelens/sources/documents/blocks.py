"""Puts the segments of a page into blocks, in reading order: columns first, then tables, then paragraphs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median
from typing import Final

from .labels import is_certain_caption
from .layout import Block, Rect, Segment, union
from .tables import Table, find_tables

# In parts of the font size.
_GUTTER: Final = 0.4
_PROSE: Final = 9.0
_LEADING: Final = 1.35
_WIDEST_LEADING: Final = 2.4
_PARAGRAPH: Final = 1.3
_SIZE_STEP: Final = 0.12
_ROW: Final = 0.35
_COLUMN_LINES: Final = 3
_BULLET: Final = re.compile(r"(?:[•‣▪▫■□●○◦◆◇★☆※·⁃\uf0b7\uf0a7-]|\(?(?:\d{1,2}|[a-zA-Z])[.)]|[①-⑳])\s?(?=\S)")


def arrange(
    segments: Sequence[Segment], rules: Sequence[Rect], *, rtl: bool
) -> tuple[list[Block], list[Rect]]:
    """Blocks in reading order, and where tables are. ``rules`` are the straight lines and cells drawn on the page;
    columns of an ``rtl`` page are read from the right."""
    pieces = [
        piece if isinstance(piece, Table) else _joined(piece, rtl)
        for part in _columns(list(segments), rules, rtl, 0)
        for piece in find_tables(part, rules, rtl=rtl)
    ]
    leading = _leading([piece for piece in pieces if not isinstance(piece, Table)])
    blocks: list[Block] = []
    for piece in pieces:
        if isinstance(piece, Table):
            blocks.append(Block("table", piece.rows))
        else:
            blocks.extend(_paragraphs(piece, leading))
    return blocks, [block.rect for block in blocks if block.kind == "table"]


def _columns(segments: list[Segment], rules: Sequence[Rect], rtl: bool, depth: int) -> list[list[Segment]]:
    """Segments in parts that are read one after the other; within a part, from the top down."""
    segments = sorted(segments, key=lambda segment: (segment.baseline, segment.rect.x0))
    best: tuple[int, int, int, float] | None = None  # how many lines, from, to, gutter
    if len(segments) >= 2 * _COLUMN_LINES and depth < 8:
        for x in _gutters(segments):
            found = _longest(segments, x, rules)
            if found is not None and (best is None or found[0] > best[0]):
                best = (*found, x)
    if best is None:
        return [segments] if segments else []
    _, start, end, x = best
    inner = segments[start:end]
    left = [segment for segment in inner if segment.rect.x1 <= x]
    right = [segment for segment in inner if segment.rect.x1 > x]
    ordered = (right, left) if rtl else (left, right)
    return [
        part
        for piece in (segments[:start], *ordered, segments[end:])
        for part in _columns(piece, rules, rtl, depth + 1)
    ]


def _gutters(segments: Sequence[Segment]) -> list[float]:
    """Where a gutter between columns may stand: the most frequent left ends of lines, less half a letter."""
    counts: dict[int, int] = {}
    for segment in segments:
        key = round(segment.rect.x0 / 6)
        counts[key] = counts.get(key, 0) + 1
    often = sorted(counts, key=lambda key: -counts[key])[:8]
    size = median(segment.size for segment in segments)
    return [key * 6 - 0.3 * size - 3 for key in often]


def _longest(segments: Sequence[Segment], x: float, rules: Sequence[Rect]) -> tuple[int, int, int] | None:
    """The longest stretch of ``segments`` (from, to) that a gutter at ``x`` divides into two columns of prose."""
    best: tuple[int, int, int] | None = None
    start = 0
    for index in range(len(segments) + 1):
        crossed = index == len(segments) or _crosses(segments[index], x)
        if not crossed:
            continue
        inner = segments[start:index]
        if _is_prose(inner, x, rules) and (best is None or len(inner) > best[0]):
            best = (len(inner), start, index)
        start = index + 1
    return best


def _crosses(segment: Segment, x: float) -> bool:
    half = _GUTTER * segment.size / 2
    return (segment.rect.x0 < x - half + 0.5 and segment.rect.x1 > x - half + 0.5) or (
        segment.rect.x0 < x + half - 0.5 and segment.rect.x1 > x + half - 0.5
    )


def _is_prose(segments: Sequence[Segment], x: float, rules: Sequence[Rect]) -> bool:
    """Whether what stands on either side of ``x`` are lines of text that go on below, not the cells of a table."""
    left = [segment for segment in segments if segment.rect.x1 <= x]
    right = [segment for segment in segments if segment.rect.x1 > x]
    if min(len(left), len(right)) < _COLUMN_LINES:
        return False
    for side in (left, right):
        widths = sorted(segment.rect.width / segment.size for segment in side)
        # Two thirds of the lines are long: a list beside a text is no column of it.
        if widths[len(widths) // 3] < _PROSE:
            return False
    around = union(segment.rect for segment in segments)
    across = [
        rule
        for rule in rules
        if rule.x0 < x - 10 and rule.x1 > x + 10 and rule.height < 6 and rule.meets(around)
    ]
    return len({round(rule.y0 / 4) for rule in across}) < 3


def _paragraphs(lines: Sequence[Segment], leading: float) -> list[Block]:
    blocks: list[list[Segment]] = []
    for line in lines:
        if blocks and _continues(blocks[-1], line, leading):
            blocks[-1].append(line)
        else:
            blocks.append([line])
    return [Block("text", tuple(lines)) for lines in blocks]


def _leading(parts: Sequence[Sequence[Segment]]) -> float:
    """From one line to the next, in parts of the font size, as most lines of a page have it."""
    counts: dict[int, int] = {}
    for last, line in (pair for lines in parts for pair in pairwise(lines)):
        pitch = (line.baseline - last.baseline) / max(line.size, 1.0)
        if abs(last.size - line.size) < 1 and 0.9 < pitch < _WIDEST_LEADING:
            counts[round(pitch * 20)] = counts.get(round(pitch * 20), 0) + 1
    # A few lines tell less than what is usual.
    return max(counts, key=lambda key: counts[key]) / 20 if sum(counts.values()) >= 4 else _LEADING


def _joined(segments: Sequence[Segment], rtl: bool) -> list[Segment]:
    """One segment per line: what stands on one baseline, with a space between, in reading order."""
    lines: list[list[Segment]] = []
    for segment in sorted(segments, key=lambda segment: segment.baseline):
        same = lines and abs(segment.baseline - lines[-1][0].baseline) < _ROW * max(
            segment.size, lines[-1][0].size
        )
        if same and not is_certain_caption(segment.text):
            lines[-1].append(segment)
        else:
            lines.append([segment])
    return [join_line(line, rtl=rtl) for line in lines]


def join_line(segments: Sequence[Segment], *, rtl: bool, separator: str = " ") -> Segment:
    """The segments of one line as one."""
    ordered = sorted(segments, key=lambda segment: segment.rect.x0, reverse=rtl)
    longest = max(ordered, key=lambda segment: len(segment.text))
    return replace(
        longest,
        text=separator.join(segment.text for segment in ordered),
        rect=union(segment.rect for segment in ordered),
        strong=all(segment.strong for segment in ordered),
    )


def _continues(block: Sequence[Segment], line: Segment, leading: float) -> bool:
    """Whether ``line`` goes on with the paragraph above it."""
    last = block[-1]
    size = max(last.size, line.size)
    pitch = line.baseline - last.baseline
    if abs(last.size - line.size) > _SIZE_STEP * size or pitch > _PARAGRAPH * leading * size:
        return False
    if len(block) > 1 and pitch > 1.35 * max(block[-1].baseline - block[-2].baseline, size):
        return False
    if last.strong != line.strong and _is_set_off(last, line, pitch > 1.15 * leading * line.size):
        return False
    if _BULLET.match(line.text) and (not line.text[0].isdigit() or line.rect.x0 <= block[0].rect.x0 + 3):
        return False
    if is_certain_caption(line.text):
        return False
    overlap = min(last.rect.x1, line.rect.x1) - max(last.rect.x0, line.rect.x0)
    return overlap > 0 or abs(last.rect.x0 - line.rect.x0) < size


def _is_set_off(last: Segment, line: Segment, apart: bool) -> bool:
    """Whether a change of font is that between a heading and its text, and not a line that happens to be emphasised
    from end to end."""
    strong, plain = (last, line) if last.strong else (line, last)
    return len(strong.text) > 1 and (strong.rect.width < plain.rect.width - 2 * plain.size or apart)
