"""Reads one page of a PDF into a layout: words, order, tables, figures, and whether the words can be trusted."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from ...languages import script_of
from .blocks import arrange
from .callouts import with_callouts
from .drawings import Ink, Mark, divided, find_regions
from .glyphs import Glyph, segments_of
from .labels import is_certain_caption
from .layout import Block, PageLayout, Rect, Region, Segment
from .pdfium import OpenPage
from .writing import mainly_rtl

_FEW_LETTERS: Final = 16
_STAMP_LETTERS: Final = 100
_SCAN_SHARE: Final = 0.8
_BAD_WORDS: Final = 0.15
_VOWELS: Final = frozenset("aeiouyàâäáãåæèéêëìíîïòóôöõøœùúûüýÿ")
_MIN_LATIN: Final = 200
_LONG_WORD: Final = 12


def read_layout(page: OpenPage, number: int) -> PageLayout:
    """The layout of an open page."""
    layer, marks = page.text(), page.marks()
    letters = "".join(glyph.text for glyph in layer.glyphs)
    size = (page.width, page.height)
    reason = _why_unread(page, layer.glyphs, letters, marks)
    if reason is not None:
        return PageLayout(number, *size, "empty", (), _figures(page, marks, (), ()), reason)
    rtl = mainly_rtl(letters) is True
    segments = segments_of(layer.glyphs, rtl_page=rtl)
    return lay_out(number, size, segments, marks, rtl=rtl, page=page)


def lay_out(
    number: int,
    size: tuple[float, float],
    segments: Sequence[Segment],
    marks: Sequence[Mark],
    *,
    rtl: bool,
    page: OpenPage | None = None,
) -> PageLayout:
    """Blocks in reading order and figures, from the words and drawings of a page."""
    rules = [
        mark.rect for mark in marks if mark.kind == "straight" and mark.rect.area < 0.8 * size[0] * size[1]
    ]
    _, tables = arrange(segments, rules, rtl=rtl)
    regions = _figures(page, marks, segments, tables)
    blocks = place(segments, rules, regions, rtl=rtl)
    return PageLayout(number, *size, "text" if segments else "empty", tuple(blocks), regions, None, rtl)


def place(
    segments: Sequence[Segment], rules: Sequence[Rect], regions: Sequence[Region], *, rtl: bool
) -> list[Block]:
    """Blocks of the running text in reading order, each figure's own words after them as one block."""
    owner = [
        next((index for index, region in enumerate(regions) if segment.rect.inside(region.rect) > 0.6), None)
        for segment in segments
    ]
    free = [segment for segment, region in zip(segments, owner, strict=True) if region is None]
    blocks, _ = arrange(free, rules, rtl=rtl)
    for index in range(len(regions)):
        own = [segment for segment, region in zip(segments, owner, strict=True) if region == index]
        if own:
            inner, _ = arrange(own, (), rtl=rtl)
            blocks.append(Block("label", tuple(line for block in inner for line in block.lines)))
    return blocks


def _figures(
    page: OpenPage | None, marks: Sequence[Mark], segments: Sequence[Segment], tables: Sequence[Rect]
) -> tuple[Region, ...]:
    if page is None:
        return ()
    size = (page.width, page.height)
    regions = find_regions(marks, segments, tables, size)
    if not regions:
        return ()
    seen = page.ink()
    ink = Ink(seen, seen.shape[1] / page.width, segments)
    captions = [segment.rect for segment in segments if is_certain_caption(segment.text)]
    rules = [mark.rect for mark in marks if mark.is_rule]
    found = with_callouts(divided(regions, captions, ink), segments, rules, size)
    return tuple(replace(region, look=ink.look(region.rect)) for region in found)


def _why_unread(page: OpenPage, glyphs: Sequence[Glyph], letters: str, marks: Sequence[Mark]) -> str | None:
    """Why the text layer is of no use although the page has something to read; ``None`` when it is, or when the
    page is blank."""
    whole = page.width * page.height
    scanned = any(mark.kind == "picture" and mark.rect.area > _SCAN_SHARE * whole for mark in marks)
    if len(letters) < (_STAMP_LETTERS if scanned else _FEW_LETTERS):
        if scanned or (not letters and page.ink().mean() > 0.002):
            return "no text layer"
        return None
    return "unusable text layer" if is_mojibake(_words(glyphs)) else None


def _words(glyphs: Sequence[Glyph]) -> list[str]:
    words: list[str] = []
    baseline = 0.0
    for glyph in glyphs:
        if not words or glyph.space_before or abs(glyph.baseline - baseline) > glyph.size / 2:
            words.append("")
        words[-1] += glyph.text
        baseline = glyph.baseline
    return words


def is_mojibake(words: Sequence[str]) -> bool:
    """Whether a text layer says something else than what is seen: letters without meaning, scripts mixed within
    words, or Latin text with the wrong share of vowels."""
    total = sum(map(len, words))
    if total == 0:
        return False
    # A "word" of Japanese is a line: one odd sign does not spoil it all.
    bad = sum(min(len(word), _LONG_WORD) for word in words if _is_bad(word))
    if bad > _BAD_WORDS * total:
        return True
    counts = Counter(letter for word in words for letter in word.lower())
    latin = {letter: count for letter, count in counts.items() if script_of(letter) == "Latn"}
    letters = sum(latin.values())
    if letters < max(_MIN_LATIN, total // 2):
        return False
    vowels = sum(count for letter, count in latin.items() if letter in _VOWELS) / letters
    return not 0.16 < vowels < 0.68


def _is_bad(word: str) -> bool:
    if len(word) == 1 and "\ue000" <= word <= "\uf8ff":  # a bullet of a symbol font
        return False
    if word.isascii():
        return any(letter < " " for letter in word)
    scripts = {script_of(letter) for letter in word} - {None}
    if len(scripts) > 1 and scripts & {"Arab", "Deva"} and "Latn" in scripts:
        return True
    return any(
        unicodedata.category(letter) in ("Co", "Cn", "Cc")
        or letter == "\ufffd"
        or "\u0250" <= letter <= "\u02af"
        for letter in word
    )
