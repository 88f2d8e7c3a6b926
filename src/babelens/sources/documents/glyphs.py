"""From the characters of a PDF's text layer to segments: words on a line, in the order in which they are read.

The order of a text layer is that of drawing, which says little: right-to-left text usually comes in the order in
which it is seen. So lines are built from where characters stand, and text is kept in the layer's order only inside
a word of a left-to-right script, where vowel signs may stand before the letter they follow (Devanagari).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from .layout import Rect, Segment
from .writing import is_cjk, is_rtl, logical, plain_letters

# In parts of the font size. Within a word, gaps between advance boxes are near zero.
_ASCENT: Final = 0.85
_DESCENT: Final = 0.25
_SAME_LINE: Final = 0.28
_WORD_GAP: Final = 0.15
_RTL_WORD_GAP: Final = 0.18
_SEGMENT_GAP: Final = 1.3
_GUTTER: Final = 0.6
_NARROW: Final = 0.35
_EDGE: Final = 3.0
_AROUND: Final = 8
_SAME_GAPS: Final = 5
_WIDE_GAPS: Final = 3
_SCRIPT_GAP: Final = 0.5
# Superscripts and subscripts are smaller than what they belong to.
_SMALL: Final = 0.82
_ACCENTS: Final = {
    **{"`": "\u0300", "´": "\u0301", "^": "\u0302", "ˆ": "\u0302", "~": "\u0303", "˜": "\u0303"},
    **{"¨": "\u0308", "˚": "\u030a", "ˇ": "\u030c", "¸": "\u0327"},
}


@dataclass(frozen=True, slots=True)
class Glyph:
    """A character: what it says, ``x0`` to ``x1`` of its advance, its baseline and size.

    ``strong`` is True for bold, italic and other fonts that headings have, ``space_before`` and ``space_after``
    where the layer has a space. ``origin`` is the same for the characters of a ligature. ``upright`` is False for
    text that runs up or down the page.
    """

    text: str
    x0: float
    x1: float
    baseline: float
    size: float
    strong: bool
    space_before: bool
    origin: tuple[int, float, float]
    upright: bool = True
    space_after: bool = False


@dataclass(slots=True)
class _Run:
    glyphs: list[Glyph]
    x0: float
    x1: float
    baseline: float
    size: float

    @property
    def rtl(self) -> bool:
        return any(is_rtl(glyph.text) for glyph in self.glyphs)


def segments_of(glyphs: Sequence[Glyph], *, rtl_page: bool) -> list[Segment]:
    """The segments of a page, from top to bottom and left to right; each glyph is in exactly one.

    ``rtl_page`` decides the direction of lines that have no letter.
    """
    upright = _with_accents(_without_shadows([glyph for glyph in glyphs if glyph.upright]))
    lines = _lines(_runs(upright))
    gutters = _gutters(lines)
    segments = [
        _segment(part, rtl_page)
        for line, cuts in zip(lines, gutters, strict=True)
        for part in _split(line, cuts)
    ]
    segments += _sideways([glyph for glyph in glyphs if not glyph.upright])
    return [segment for segment in segments if segment.text]


def _without_shadows(glyphs: list[Glyph]) -> list[Glyph]:
    """Each glyph once: some producers draw a letter twice, slightly moved, to make it bold."""
    seen: dict[tuple[str, int, int], list[Glyph]] = {}
    kept = []
    for glyph in glyphs:
        cell = (glyph.text, int(glyph.x0 // 8), int(glyph.baseline // 8))
        near = (
            other
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
            for other in seen.get((cell[0], cell[1] + dx, cell[2] + dy), ())
        )
        close = 0.12 * glyph.size
        if glyph.x1 > glyph.x0 and any(
            abs(other.x0 - glyph.x0) < close
            and abs(other.baseline - glyph.baseline) < close
            and other.origin != glyph.origin  # the two letters of one ligature stand in one place
            for other in near
        ):
            continue
        seen.setdefault(cell, []).append(glyph)
        kept.append(glyph)
    return kept


def _with_accents(glyphs: list[Glyph]) -> list[Glyph]:
    """Letters with the accents that older TeX draws over them as signs of their own: "pi`u" is "più"."""
    composed: list[Glyph] = []
    for glyph in glyphs:
        accent = composed[-1] if composed else None
        mark = _ACCENTS.get(accent.text) if accent is not None else None
        if accent is not None and mark is not None and glyph.text.isalpha():
            apart = abs((accent.x0 + accent.x1) - (glyph.x0 + glyph.x1)) / 2
            letter = unicodedata.normalize("NFC", glyph.text.replace("ı", "i") + mark)
            if apart < 0.2 * glyph.size and len(letter) == 1:
                space = accent.space_before or glyph.space_before
                composed[-1] = replace(glyph, text=letter, space_before=space)
                continue
        composed.append(glyph)
    return composed


def _runs(glyphs: Sequence[Glyph]) -> list[_Run]:
    """Consecutive glyphs without a gap: a word, or part of one. Marks join whatever they stand on."""
    runs: list[_Run] = []
    for glyph in glyphs:
        last = runs[-1] if runs else None
        same = last is not None and last.glyphs[-1].origin == glyph.origin
        if last is not None and (same or _is_mark(glyph) or _joins(last, glyph)):
            last.glyphs.append(glyph)
            if same or not _is_mark(glyph):
                last.x0, last.x1 = min(last.x0, glyph.x0), max(last.x1, glyph.x1)
        else:
            runs.append(_Run([glyph], glyph.x0, glyph.x1, glyph.baseline, glyph.size))
    return runs


def _is_mark(glyph: Glyph) -> bool:
    return not glyph.text.isascii() and all(unicodedata.category(letter) == "Mn" for letter in glyph.text)


def _joins(run: _Run, glyph: Glyph) -> bool:
    size = max(run.size, glyph.size)
    gap = max(glyph.x0 - run.x1, run.x0 - glyph.x1)
    return (
        not glyph.space_before
        and abs(glyph.baseline - run.baseline) < 0.1 * size
        and min(run.size, glyph.size) > _SMALL * size
        and gap < _WORD_GAP * size
    )


def _lines(runs: list[_Run]) -> list[list[_Run]]:
    """Runs by line, from the top. A small raised or lowered run joins the line that it touches."""
    lines: list[list[_Run]] = []
    for run in sorted(runs, key=lambda run: run.baseline):
        if lines and abs(run.baseline - lines[-1][0].baseline) < _SAME_LINE * max(
            run.size, lines[-1][0].size
        ):
            lines[-1].append(run)
        else:
            lines.append([run])
    merged: list[list[_Run]] = []
    for number, line in enumerate(lines):
        rest = []
        near = [*lines[max(0, number - 2) : number], *lines[number + 1 : number + 3]]
        largest = max((big.size for other in near for big in other), default=0.0)
        for run in line:
            host = None
            if run.size < _SMALL * largest:
                host = next((other for other in near if any(_carries(big, run) for big in other)), None)
            if host is None:
                rest.append(run)
            else:
                host.append(run)
        line[:] = rest
        merged.append(line)
    return [line for line in merged if line]


def _carries(big: _Run, small: _Run) -> bool:
    """Whether ``small`` is a superscript or subscript of ``big``."""
    rise = big.baseline - small.baseline
    gap = max(small.x0 - big.x1, big.x0 - small.x1)
    return (
        small.size < _SMALL * big.size
        and -0.35 * big.size < rise < 0.6 * big.size
        and gap < 0.3 * big.size
        and len(small.glyphs) <= 6
    )


def _gutters(lines: list[list[_Run]]) -> list[set[int]]:
    """For each line, before which of its runs there is a gap that many lines around have at the same place: one
    between columns, even if it is no wider than some between words."""
    for line in lines:
        line.sort(key=lambda run: (run.x0, run.x1))
    gaps: list[list[tuple[float, float, int]]] = []
    for line in lines:
        found, reach = [], line[0].x1
        for index, run in enumerate(line[1:], start=1):
            if run.x0 - reach >= _NARROW * run.size:
                found.append((reach, run.x0, index))
            reach = max(reach, run.x1)
        gaps.append(found)
    cuts: list[set[int]] = [set() for _ in lines]
    for number, found in enumerate(gaps):
        around = [gap for gap in gaps[max(0, number - _AROUND) : number + _AROUND + 1] if gap]
        for left, right, index in found:
            size = lines[number][index].size
            need = _GUTTER * size
            # The longest cell of a column may come near to the next one, which begins where those above do.
            edges = sum(
                any(
                    x1 - x0 >= _SEGMENT_GAP * size and min(abs(x1 - right), abs(x0 - left)) < _EDGE
                    for x0, x1, _ in other
                )
                for other in around
            )
            if edges >= _WIDE_GAPS:
                cuts[number].add(index)
            if right - left < need:
                continue
            same = [
                x1 - x0 for other in around for x0, x1, _ in other if min(right, x1) - max(left, x0) >= need
            ]
            if len(same) > _SAME_GAPS or sum(width >= _SEGMENT_GAP * size for width in same) >= _WIDE_GAPS:
                cuts[number].add(index)
    return cuts


def _split(line: list[_Run], cuts: set[int]) -> list[list[_Run]]:
    """The runs of a line in parts, cut where the gap is wide or in ``cuts``."""
    parts: list[list[_Run]] = []
    reach = 0.0
    for index, run in enumerate(line):
        wide = not parts or run.x0 - reach >= _SEGMENT_GAP * max(run.size, parts[-1][-1].size)
        if wide or index in cuts:
            parts.append([run])
        else:
            parts[-1].append(run)
        reach = run.x1 if index == 0 else max(reach, run.x1)
    return parts


def _segment(runs: list[_Run], rtl_page: bool) -> Segment:
    glyphs = [glyph for run in runs for glyph in run.glyphs]
    text = _visual_text(glyphs, rtl_page) if any(run.rtl for run in runs) else _forward_text(runs)
    letters = [glyph for glyph in glyphs if not _is_mark(glyph)] or glyphs
    size = _mode([glyph.size for glyph in letters])
    baseline = _mode([glyph.baseline for glyph in letters])
    rect = Rect(
        min(glyph.x0 for glyph in letters),
        baseline - _ASCENT * size,
        max(glyph.x1 for glyph in letters),
        baseline + _DESCENT * size,
    )
    strong = sum(glyph.strong for glyph in letters) > 0.85 * len(letters)
    return Segment(text, rect, size, strong, baseline)


def _mode(values: list[float]) -> float:
    counts: dict[float, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return max(counts, key=lambda value: counts[value])


def _forward_text(runs: list[_Run]) -> str:
    """Runs of a line without right-to-left letters, from left to right."""
    text, reach, after = "", 0.0, False
    for run in runs:
        word = "".join(glyph.text for glyph in run.glyphs)
        if text and (after or _is_space(text[-1], word[0], run.x0 - reach, run)):
            text += " "
        text += word
        after = run.glyphs[-1].space_after and not is_cjk(word[-1])
        reach = max(reach, run.x1)
    return plain_letters(text)


def _is_space(left: str, right: str, gap: float, run: _Run) -> bool:
    if is_cjk(left) and is_cjk(right):  # these scripts have no spaces; justified lines have gaps
        return gap > _SCRIPT_GAP * run.size
    return run.glyphs[0].space_before or gap > _WORD_GAP * run.size


def _visual_text(glyphs: list[Glyph], rtl_page: bool) -> str:
    """Glyphs as they are seen from left to right, turned into the order in which they are read."""
    clusters: dict[tuple[int, float, float], list[Glyph]] = {}
    marks = []
    for glyph in glyphs:
        if _is_mark(glyph) and glyph.origin not in clusters:
            marks.append(glyph)
        else:
            clusters.setdefault(glyph.origin, []).append(glyph)
    cells = sorted((_cell(group) for group in clusters.values()), key=lambda cell: cell.x0 + cell.x1)
    for mark in marks:  # onto the letter whose middle is nearest
        if cells:
            nearest = min(cells, key=lambda cell: abs(cell.x0 + cell.x1 - mark.x0 - mark.x1))
            nearest.text += mark.text
    visual: list[str] = []
    reach = cells[0].x1 if cells else 0.0
    for cell in cells:
        if cell.x0 - reach > _RTL_WORD_GAP * cell.size:
            visual.append(" ")
        visual.append(cell.text)
        reach = max(reach, cell.x1)
    return plain_letters(logical(visual, rtl_page=rtl_page))


@dataclass(slots=True)
class _Cell:
    """A letter or ligature with its marks."""

    text: str
    x0: float
    x1: float
    size: float


def _cell(group: list[Glyph]) -> _Cell:
    x0, x1 = min(glyph.x0 for glyph in group), max(glyph.x1 for glyph in group)
    return _Cell(_cluster_text(group), x0, x1, group[0].size)


def _cluster_text(group: list[Glyph]) -> str:
    """The letters of a ligature in reading order."""
    if len(group) == 1:
        return group[0].text
    if is_rtl("".join(glyph.text for glyph in group)):
        # Boxes may divide the ligature; where they do not, the layer's order has been turned round.
        numbered = sorted(enumerate(group), key=lambda pair: (-pair[1].x1, -pair[0]))
        group = [glyph for _, glyph in numbered]
    text = "".join(glyph.text for glyph in group)
    first = next((i for i, letter in enumerate(text) if unicodedata.category(letter) != "Mn"), 0)
    text = text[first] + text[:first] + text[first + 1 :]
    # An alef is not joined to the lam after it, and an alef maksura to nothing: this is a ligature turned round.
    return text[::-1] if len(text) == 2 and text[0] in "اأإآٱى" and text[1] not in "اأإآٱى" else text


def _sideways(glyphs: list[Glyph]) -> list[Segment]:
    """Text that runs up or down the page, in the order of the layer."""
    groups: list[list[Glyph]] = []
    for glyph in glyphs:
        near = (
            groups
            and abs(groups[-1][-1].x0 - glyph.x0) < 3 * glyph.size
            and abs(groups[-1][-1].baseline - glyph.baseline) < 3 * glyph.size
        )
        groups[-1].append(glyph) if near else groups.append([glyph])
    segments = []
    for group in groups:
        text = "".join((" " if glyph.space_before else "") + glyph.text for glyph in group)
        rect = Rect(
            min(glyph.x0 for glyph in group),
            min(glyph.baseline for glyph in group) - group[0].size,
            max(glyph.x1 for glyph in group),
            max(glyph.baseline for glyph in group),
        )
        segments.append(Segment(plain_letters(text), rect, group[0].size, group[0].strong, rect.y1))
    return segments
