"""Drops what belongs to every page and to none: running heads, page numbers, logos."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from .layout import Block, PageLayout, Region, Segment

# Pages on either side that are looked at; memory does not grow with the document.
_WINDOW: Final = 24
_ZONE: Final = 0.12
_OFTEN: Final = 3
_EDGE: Final = 8
_DIGITS: Final = re.compile(r"\d+|\b[ivxlcIVXLC]{1,7}\b")

Key = tuple[str, int]


def without_furniture(pages: Iterable[PageLayout]) -> Iterator[PageLayout]:
    """Pages without lines that stand at the same height, and figures that stand at the same place, on several of
    the pages around."""
    before: deque[tuple[set[Key], int]] = deque(maxlen=_WINDOW)
    ahead: deque[tuple[PageLayout, set[Key]]] = deque()
    counts: Counter[Key] = Counter()

    def oldest() -> PageLayout:
        page, keys = ahead.popleft()
        cleaned = _cleaned(page, counts, len(before) + 1 + len(ahead))
        if len(before) == _WINDOW:
            counts.subtract(before[0][0])
        before.append((keys, page.number))
        return cleaned

    for page in pages:
        keys = _keys(page)
        counts.update(keys)
        ahead.append((page, keys))
        if len(ahead) > _WINDOW:
            yield oldest()
    while ahead:
        yield oldest()


def _keys(page: PageLayout) -> set[Key]:
    keys = {key for line in _zone_lines(page) for key in _line_keys(line, page.number)}
    return keys | {_region_key(region) for region in page.regions}


def _zone_lines(page: PageLayout) -> Iterator[Segment]:
    for block in page.blocks:
        for line in block.lines:
            if _in_zone(line, page):
                yield line


def _in_zone(line: Segment, page: PageLayout) -> bool:
    return line.rect.y1 < _ZONE * page.height or line.rect.y0 > (1 - _ZONE) * page.height


def _line_keys(line: Segment, page: int) -> list[Key]:
    """What a running head repeats: its words, or only the page's number beside the title of the section."""
    height = round(line.baseline / _EDGE)
    keys = [(_DIGITS.sub("#", line.text), height)]
    words = line.text.split()
    for word in {words[0], words[-1]}:
        if word.isdecimal() and len(word) <= 5:
            keys.append((f"page {int(word) - page}", height))
    return keys


def _region_key(region: Region) -> Key:
    x0, y0, x1, y1 = (round(value / _EDGE) for value in region.rect)
    return f"figure {x0} {x1} {y1 - y0} {region.look}", y0


def _cleaned(page: PageLayout, counts: Counter[Key], pages: int) -> PageLayout:
    enough = _OFTEN if pages > 4 else 2
    if pages < 2:
        return page
    gone = {
        line
        for line in _zone_lines(page)
        if any(_near(counts, key) >= enough for key in _line_keys(line, page.number))
    }
    regions = tuple(
        region for region in page.regions if _near(counts, _region_key(region)) < max(enough, _OFTEN)
    )
    blocks: list[Block] = []
    for block in page.blocks:
        lines = tuple(line for line in block.lines if line not in gone)
        if lines:
            blocks.append(replace(block, lines=lines))
    return replace(page, blocks=tuple(blocks), regions=regions)


def _near(counts: Counter[Key], key: Key) -> int:
    """How many pages have the same at this height, give or take a few pixels."""
    text, height = key
    return sum(counts[(text, height + step)] for step in (-1, 0, 1))
