"""The piece of a text that shows best what a query found in it, with the words to mark."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ..storage.fulltext import fold, words_of
from ..storage.likeness import akin
from .function_words import subject_words

Span = tuple[int, int]

_CUT: Final = "…"
_LOOSE: Final = 24  # characters to look for a blank in, before a word is cut (Japanese has none)
_LONGEST_WORD: Final = 8  # letters beyond which a word says no more than another
_SENTENCE_END: Final = re.compile(r"(?:[.!?؟۔।:;]\s+|[。！？]\s*|\s\s+)")
_KANA: Final = "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_IDEOGRAPHS: Final = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HIRAGANA: Final = re.compile("[\u3041-\u309f]")
_IDEOGRAPH: Final = re.compile(f"[{_IDEOGRAPHS}]")
_KATAKANA: Final = re.compile("[\u30a1-\u30ff\u31f0-\u31ff\uff66-\uff9f]+")
# Written words as they stand, with their accents and vowel signs, or a run of kana and ideographs.
_RUNS: Final = re.compile(
    f"(?P<cjk>[{_KANA}{_IDEOGRAPHS}]+)|"
    f"(?:(?![{_KANA}{_IDEOGRAPHS}])[^\\W_]|[\u00ad\u0300-\u036f\u0640\u064b-\u065f\u0670\u06d6-\u06ed"
    "\u0900-\u0963\u0966-\u0dff\u200c\u200d])+"
)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A piece of a text; ``spans`` are the (start, end) in ``text`` of the words of the query, in order, apart."""

    text: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class _Mark:
    start: int
    end: int
    word: str  # of the query


def excerpt(body: str, query: str, language: str | None = None, *, width: int = 160) -> Excerpt:
    """The ``width`` characters of ``body`` that hold most of the words of ``query``, rare and long ones before others.

    Words count and are marked in any form, function words not at all. Where nothing is found the excerpt is the
    beginning. Line breaks become blanks; what is cut off is shown as ``…``, which comes on top of ``width``.
    Raises ``ValueError`` for a width below 1.
    """
    if width < 1:
        raise ValueError(f"an excerpt of {width} characters")
    body = re.sub(r"\s", " ", body).strip()
    marks = _marks(body, query, language)
    start, end = _window(body, marks, width)
    before = _CUT if start else ""
    after = _CUT if end < len(body) else ""
    shift = len(before) - start
    inside = [mark for mark in marks if start <= mark.start and mark.end <= end]
    return Excerpt(f"{before}{body[start:end]}{after}", tuple(_merged(inside, shift)))


def _marks(body: str, query: str, language: str | None) -> list[_Mark]:
    """Where words of the query stand, in order; pairs of Japanese characters may overlap."""
    forms = [word.form for word in subject_words(query, language)]
    letters = _CharacterPairs(forms)
    marks: list[_Mark] = []
    for run in _RUNS.finditer(body):
        if run["cjk"]:
            marks.extend(letters.marks(run[0], run.start()))
            continue
        there = [word.form for word in words_of(run[0])]
        exact = next((form for form in forms if form in there), None)
        form = exact or next((form for form in forms if any(akin(form, other) for other in there)), None)
        if form is not None:
            marks.append(_Mark(*run.span(), form))
    return marks


class _CharacterPairs:
    """Finds the pairs of neighbours and lone ideographs of a Japanese or Chinese query."""

    def __init__(self, forms: list[str]) -> None:
        written = [form for form in forms if re.match(f"[{_KANA}{_IDEOGRAPHS}]", form)]
        self._pairs = {form for form in written if len(form) == 2 and not _HIRAGANA.match(form)}
        compounds = {pair for pair in self._pairs if all(map(_IDEOGRAPH.match, pair))}
        # 電 alone says little where 電源 was asked for; 犬 of 白い犬 says all.
        self._singles = {
            form for form in written if len(form) == 1 and not any(form in compound for compound in compounds)
        }

    def marks(self, run: str, offset: int) -> Iterator[_Mark]:
        for place in range(len(run)):
            pair, single = run[place : place + 2], run[place]
            if len(pair) == 2 and fold(pair) in self._pairs and not self._is_accident(run, place):
                yield _Mark(offset + place, offset + place + 2, fold(pair))
            elif fold(single) in self._singles:
                yield _Mark(offset + place, offset + place + 1, fold(single))

    def _is_accident(self, run: str, place: int) -> bool:
        """A pair of katakana inside a longer word counts only beside another: コード and カード share ード."""
        if not _KATAKANA.fullmatch(run[place : place + 2]):
            return False
        beside = [run[max(place - 1, 0) : place + 1], run[place + 1 : place + 3]]
        katakana = [pair for pair in beside if len(pair) == 2 and _KATAKANA.fullmatch(pair)]
        return bool(katakana) and not any(fold(pair) in self._pairs for pair in katakana)


def _window(body: str, marks: list[_Mark], width: int) -> Span:
    """Where to cut: around the marks that are worth most, from the beginning of their sentence if it is near."""
    if len(body) <= width:
        return 0, len(body)
    first, last = _best_marks(marks, width)
    if first is None or last is None:
        return 0, _shrunk_end(body, 0, width, 0)
    room = width - (last.end - first.start)
    if room < 0:  # one word longer than the width
        return first.start, first.start + width
    earliest = max(0, first.start - room)
    sentences = [match.end() for match in _SENTENCE_END.finditer(body, earliest, first.start)]
    if earliest == 0:
        start = 0
    elif sentences:
        start = sentences[-1]
    else:
        start = max(0, first.start - room // 2)
        start = _grown_start(body, start, first.start)
    if start + width >= len(body):  # the rest of the text fits: show more of what comes before
        start = _grown_start(body, len(body) - width, min(first.start, start)) if not sentences else start
        return start, len(body)
    return start, _shrunk_end(body, start, start + width, last.end)


def _best_marks(marks: list[_Mark], width: int) -> tuple[_Mark | None, _Mark | None]:
    """The first and the last mark of the window in which the words of the query are worth most; the earliest such."""
    best = 0.0
    chosen: tuple[_Mark | None, _Mark | None] = None, None
    for place, first in enumerate(marks):
        seen: set[str] = set()
        worth, last = 0.0, first
        for mark in marks[place:]:
            if mark.end > first.start + width and mark is not first:
                break
            last = mark
            worth += 0.1 if mark.word in seen else min(len(mark.word), _LONGEST_WORD)
            seen.add(mark.word)
        if worth > best:
            best, chosen = worth, (first, last)
    return chosen


def _grown_start(body: str, start: int, until: int) -> int:
    """The next beginning of a word at or after ``start``, if one is near; never amid a letter and its signs."""
    if start == 0:
        return 0
    blank = body.find(" ", start - 1, min(until, start + _LOOSE))
    if blank >= 0:
        return blank + 1
    while start < until and _joins(body[start]):
        start += 1
    return start


def _shrunk_end(body: str, start: int, end: int, at_least: int) -> int:
    """The last end of a word at or before ``end``, if one is near."""
    if end >= len(body):
        return len(body)
    blank = body.rfind(" ", max(at_least, start + 1, end - _LOOSE), end + 1)
    if blank >= 0:
        return len(body[:blank].rstrip())
    while end > max(at_least, start + 1) and _joins(body[end]):
        end -= 1
    return end


def _joins(character: str) -> bool:
    return unicodedata.category(character).startswith("M") or character in "\u200c\u200d"


def _merged(marks: list[_Mark], shift: int) -> Iterator[Span]:
    """Spans that touch become one."""
    current: Span | None = None
    for mark in marks:
        if current is not None and mark.start <= current[1] - shift:
            current = (current[0], max(current[1], mark.end + shift))
            continue
        if current is not None:
            yield current
        current = (mark.start + shift, mark.end + shift)
    if current is not None:
        yield current
