"""Quotations: where they stand in an answer, and whether a passage says so word for word.

A passage says so when the letters, digits and signs of the quotation stand in it in the same order, beginning and
ending where words do. Left out of the comparison, on both sides: case, width, white space, punctuation and kinds of
quotation marks, Arabic vowel signs and tatweel, the Devanagari nukta, joiners, soft hyphens. Because text comes from
PDF files and OCR, a hyphen inside a word and a lost or added space between words do not count either ("hyphen- ation",
"Pressthebutton"). Nothing else is forgiven: one letter can turn "sulphite" into "sulphate", so there is no edit
distance, and numbers match whole ("5" is not in "2.5", in "-5" or in "15").
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from .sentences import Span

_CLOSED_BY: Final = {
    "“": "”",
    "„": "“”",
    "«": "»",
    "»": "«",
    "「": "」",
    "『": "』",
    '"': '"',
    "＂": "＂",
    "〝": "〟",
}
_PARAGRAPH: Final = re.compile(r"\n\s*\n")
_OMISSION: Final = re.compile(r"[\[(]?\s*(?:…+|\.{3,})\s*[\])]?")
_SHORTEST_PART: Final = 4  # letters; "a … b" would stand anywhere

# Arabic vowel signs and tatweel, the Devanagari nukta, the soft hyphen, joiners and marks of direction.
_DROPPED: Final = re.compile(
    "[\u0640\u064b-\u0652\u0670\u06d6-\u06ed\u093c\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
)
_DASHES: Final = str.maketrans(dict.fromkeys("‐‑‒–−﹣－", "-") | dict.fromkeys("’‘ʼ＇`´", "'"))
# 10² is not 102. Unicode's compatibility forms would make it so.
_POWER: Final = re.compile("(?<=\\d)(?=[\u00b2\u00b3\u00b9\u2070\u2074-\u2079])")

_CJK: Final = (
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_MARKS: Final = "\u0300-\u036f\u0653-\u065f\u0900-\u0903\u093a\u093b\u093e-\u094f\u0951-\u0957\u0962\u0963"
_LETTER: Final = f"(?![{_CJK}])[^\\W\\d_]"
_TOKENS: Final = re.compile(
    f"(?P<number>(?:(?<![\\w{_MARKS}])[-+±])?\\d+(?:[.,:/^]\\d+)*)"
    f"|(?P<cjk>[{_CJK}])"
    f"|(?P<word>(?:{_LETTER}|[{_MARKS}])(?:{_LETTER}|[{_MARKS}]|\\d|(?<=\\d)[.,](?=\\d))*)"
    "|(?P<sign>[%‰&@+=<>±×÷≤≥≠≈°$€£¥^])"
)
_HYPHEN_AFTER: Final = re.compile(r"['-](?=\w)")


def quote_spans(text: str) -> list[Span]:
    """Start and end of what stands between quotation marks, without the marks; none reaches over a blank line.

    The marks of all eight languages count: “…”, „…“, «…», »…«, 「…」, 『…』 and the straight ". A straight mark after a
    digit opens nothing: it means inches.
    """
    spans: list[Span] = []
    position = 0
    while position < len(text):
        closing = _CLOSED_BY.get(text[position])
        inches = text[position] == '"' and position > 0 and text[position - 1].isdigit()
        if closing is None or inches:
            position += 1
            continue
        limit = _PARAGRAPH.search(text, position)
        ends = [
            end
            for mark in closing
            if (end := text.find(mark, position + 1, limit.start() if limit else len(text))) >= 0
        ]
        if not ends:
            position += 1
            continue
        spans.append((position + 1, min(ends)))
        position = min(ends) + 1
    return spans


def has_words(quote: str) -> bool:
    """Whether there is anything in a quotation that could be compared."""
    return bool(_fold(quote).text)


def stands_in(quote: str, passage: str) -> bool:
    """Whether ``passage`` says ``quote`` word for word, in the sense of this module.

    A quotation may leave something out ("Press ON … and wait"): its parts must then follow each other in the passage,
    and each have four letters or more.
    """
    if not has_words(quote):
        return False
    folded = _fold(passage)
    if _find(_fold(quote).text, folded, 0) is not None:
        return True
    parts = [part for part in map(_fold, _OMISSION.split(quote)) if part.text]
    if len(parts) < 2 or any(len(part.text) < _SHORTEST_PART for part in parts):
        return False
    end: int | None = 0
    for part in parts:
        end = _find(part.text, folded, end or 0)
        if end is None:
            return False
    return True


@dataclass(frozen=True, slots=True)
class _Folded:
    """What is compared of a text, and at which of its positions a quotation may begin and end."""

    text: str
    starts: frozenset[int]
    ends: frozenset[int]


def _find(quote: str, passage: _Folded, start: int) -> int | None:
    position = passage.text.find(quote, start)
    while position >= 0:
        if position in passage.starts and position + len(quote) in passage.ends:
            return position + len(quote)
        position = passage.text.find(quote, position + 1)
    return None


@lru_cache(maxsize=256)
def _fold(text: str) -> _Folded:
    text = unicodedata.normalize("NFKC", _POWER.sub("^", text)).casefold()
    text = _DROPPED.sub("", unicodedata.normalize("NFD", text))
    text = unicodedata.normalize("NFKC", text).translate(_DASHES)
    text = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
    parts: list[str] = []
    starts: set[int] = set()
    ends: set[int] = set()
    length = 0
    for match in _TOKENS.finditer(text):
        if match.start() == 0 or match["number"] or not _joined(text, match.start()):
            starts.add(length)
        # Fences around numbers: else "2 5" would stand in "25".
        parts.append(f"\x1f{match[0]}\x1f" if match["number"] else match[0])
        length += len(parts[-1])
        if match["number"] or not _HYPHEN_AFTER.match(text, match.end()):
            ends.add(length)
    return _Folded("".join(parts), frozenset(starts), frozenset(ends))


def _joined(text: str, position: int) -> bool:
    """Whether a hyphen ties what begins here to a word before: ``non-return``."""
    return text[position - 1] == "-" and position > 1 and text[position - 2].isalnum()
