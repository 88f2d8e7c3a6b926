"""Directions and kinds of writing: what is read right to left, and text as seen turned into text as read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

# Ligatures, Arabic presentation forms, radicals that look like characters, mathematical letters.
_VARIANTS: Final = (
    *(("\ufb00", "\ufdff"), ("\ufe70", "\ufefc")),
    *(("\u2e80", "\u2fdf"), ("\U0001d400", "\U0001d7ff")),
)
_BRACKETS: Final = str.maketrans("()[]{}<>«»", ")(][}{><»«")


@lru_cache(maxsize=4096)
def _direction(letter: str) -> str:
    return unicodedata.bidirectional(letter)


def is_rtl(text: str) -> bool:
    """Whether any letter is read from right to left."""
    return not text.isascii() and any(_direction(letter) in ("R", "AL") for letter in text)


def is_cjk(letter: str) -> bool:
    """Whether a letter belongs to a script without spaces between words, its punctuation included."""
    return "\u2e80" <= letter <= "\u9fff" or "\uf900" <= letter <= "\ufaff" or "\uff00" <= letter <= "\uff9f"


def plain_letters(text: str) -> str:
    """Letters in place of the forms that fonts give them, in NFC, one space between words."""
    if not text.isascii():
        text = "".join(
            unicodedata.normalize("NFKC", letter) if _is_variant(letter) else letter for letter in text
        )
        text = unicodedata.normalize("NFC", text)
    return " ".join(text.split())


def _is_variant(letter: str) -> bool:
    return any(first <= letter <= last for first, last in _VARIANTS)


def mainly_rtl(text: str) -> bool | None:
    """Whether most letters are read from right to left; ``None`` without letters."""
    right = sum(_direction(letter) in ("R", "AL") for letter in text)
    left = sum(_direction(letter) == "L" for letter in text)
    return None if right + left == 0 else right > left


def logical(cells: Sequence[str], *, rtl_page: bool = False) -> str:
    """Text in the order of reading, from ``cells`` (a letter and its marks each) in the order of sight, left to right.

    The inverse of what the Unicode bidirectional algorithm does to a line, as far as there is one: a line is taken
    to run as most of its letters do, numbers and words of the other direction keep theirs.
    """
    text = "".join(cells)
    # In a table of a right-to-left page, a line such as "M3 برغي" has letters of both kinds.
    rtl = mainly_rtl(text)
    if rtl_page and is_rtl(text):
        rtl = True
    if rtl:
        return _mirrored(_reverse(cells, _forward_spans(cells)))
    result: list[str] = []
    start = 0
    while start < len(cells):
        end = start
        if is_rtl(cells[start]):
            end = _span_end(cells, start)
            part = list(cells[start:end])
            result.append(_mirrored(_reverse(part, _forward_spans(part))))
        else:
            end = start + 1
            result.append(cells[start])
        start = end
    return "".join(result)


def _span_end(cells: Sequence[str], start: int) -> int:
    """Where a stretch of right-to-left words ends: after its last letter before one of the other direction."""
    last = start
    for index in range(start, len(cells)):
        if is_rtl(cells[index]):
            last = index
        elif mainly_rtl(cells[index]) is False:
            break
    return last + 1


def _forward_spans(cells: Sequence[str]) -> list[tuple[int, int]]:
    """Cells, from and to, that are read from left to right inside right-to-left text."""
    spans = []
    index = 0
    while index < len(cells):
        if mainly_rtl(cells[index]) is False or cells[index].isdecimal():
            end = _forward_end(cells, index)
            spans.append((index, end))
            index = end
        else:
            index += 1
    return spans


# After a number in right-to-left text they are seen on its left, where a name such as "USB 3" is seen as well.
_UNITS: Final = frozenset(
    {"mm", "cm", "m", "km", "in", "ft", "mg", "g", "kg", "t", "lb", "oz", "ml", "mL", "cl", "l", "L"}
    | {
        "ms",
        "s",
        "min",
        "h",
        "Hz",
        "kHz",
        "MHz",
        "GHz",
        "rpm",
        "RPM",
        "C",
        "F",
        "K",
        "Pa",
        "kPa",
        "MPa",
        "bar",
        "psi",
    }
    | {
        "mA",
        "A",
        "mV",
        "V",
        "kV",
        "VA",
        "kVA",
        "VAC",
        "VDC",
        "W",
        "kW",
        "MW",
        "Wh",
        "kWh",
        "mAh",
        "Ah",
        "Ω",
        "kΩ",
        "MΩ",
    }
    | {
        "dB",
        "lm",
        "lx",
        "cd",
        "N",
        "Nm",
        "J",
        "kJ",
        "kcal",
        "B",
        "KB",
        "kB",
        "MB",
        "GB",
        "TB",
        "Mbps",
        "px",
        "dpi",
    }
)


def _forward_end(cells: Sequence[str], start: int) -> int:
    """Where a stretch that begins at ``start`` ends. Words hold together over any sign, numbers over those of
    numbers alone."""
    latin = mainly_rtl(cells[start]) is False
    last = start
    for index in range(start + 1, len(cells)):
        cell = cells[index]
        if is_rtl(cell):
            break
        if mainly_rtl(cell) is False:
            if not latin and any(c == " " for c in cells[last + 1 : index]):
                break
            latin, last = True, index
        elif cell.isdecimal():
            between = "".join(cells[last + 1 : index])
            if not latin and not re.fullmatch(r"[.,:/٫٬]?", between):
                break
            if latin and " " in between and "".join(cells[start : last + 1]) in _UNITS:
                break
            last = index
    end = last + 1
    while latin is False and end < len(cells) and cells[end] in "%٪°":
        end += 1
    return end


def _reverse(cells: Sequence[str], forward: Sequence[tuple[int, int]]) -> str:
    parts: list[str] = []
    position = len(cells)
    for start, end in reversed(forward):
        parts.extend(reversed(cells[end:position]))
        parts.extend(f"\x00{cell}" if _is_bracket(cell) else cell for cell in cells[start:end])
        position = start
    parts.extend(reversed(cells[:position]))
    return "".join(parts)


def _is_bracket(cell: str) -> bool:
    return len(cell) == 1 and cell in "()[]{}<>«»"


def _mirrored(text: str) -> str:
    """Brackets opened before they are closed: whether a layer holds them as seen or as meant differs by producer."""
    outside = re.sub("\x00.", "", text)
    depth = 0
    for letter in outside:
        depth += (letter in "([{«<") - (letter in ")]}»>")
        if depth < 0:
            text = re.sub("(?<!\x00)[()\\[\\]{}<>«»]", lambda match: match[0].translate(_BRACKETS), text)
            break
    return text.replace("\x00", "")
