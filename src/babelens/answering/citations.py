"""Checking what a model wrote: every citation must exist, every quotation must stand where the answer says.

A citation is a number in square brackets: ``[1]``, ``[1, 2]``, ``[1][2]``, ``[1-3]``, with any digits (``[١]``,
``[१]``, ``［１］``, ``【1】``). It belongs to its sentence, also when it follows the full stop. A quotation must stand,
word for word as :mod:`babelens.answering.quotes` compares, in a passage that its sentence cites; words of the question
may be repeated between quotation marks. Where a quotation stands in none of them, the sentence keeps only those
citations that another of its quotations bears out. What a sentence says in words of its own is not checked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .quotes import has_words, quote_spans, stands_in
from .sentences import Span, sentence_spans
from .types import Citation, Evidence

_MARKER: Final = re.compile(
    r"[\[［【〔]\s*\^?\s*(?P<list>\d{1,4}(?:\s*[,，、،;；・–—-]\s*\d{1,4}|\s+\d{1,4})*)\s*(?:†[^\]］】〕\n]{0,80})?[\]］】〕]"
)
_SPACED_MARKER: Final = re.compile(rf"\s*(?:{_MARKER.pattern})")
_NUMBER: Final = re.compile(r"\d+")
_RANGE: Final = re.compile(r"(\d+)\s*[–—-]\s*(\d+)")
_WIDEST_RANGE: Final = 50
_SHOWN: Final = 80  # characters of a sentence in a note


@dataclass(frozen=True, slots=True)
class Marker:
    """A citation as it is written: where it stands, and the numbers it names, in order."""

    start: int
    end: int
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CheckedText:
    """``text`` without the citations that are wrong; ``grounded`` is False when none is left, or nothing else.

    ``notes`` say what was removed and why, which quotations stand nowhere, and which sentences cite nothing.
    """

    text: str
    citations: tuple[Citation, ...]
    grounded: bool
    notes: tuple[str, ...]


def find_markers(text: str) -> list[Marker]:
    """The citations in a text, in order."""
    return [Marker(match.start(), match.end(), _numbers(match["list"])) for match in _MARKER.finditer(text)]


def strip_markers(text: str) -> str:
    """The text without its citations."""
    return _MARKER.sub("", text)


def check_citations(text: str, evidence: Sequence[Evidence], *, question: str = "") -> CheckedText:
    """Checks the citations and quotations of ``text``, which answers ``question`` from ``evidence``."""
    by_number = {one.number: one for one in evidence}
    spans = quote_spans(text)
    # What a document writes in brackets is its own, where the quotation is right.
    opaque = [
        span
        for span in spans
        if find_markers(text[span[0] : span[1]]) and _holders(text[span[0] : span[1]], evidence)
    ]
    markers = [mark for mark in find_markers(text) if not any(a <= mark.start < b for a, b in opaque)]
    notes: list[str] = []
    citations: dict[tuple[int, str | None], Citation] = {}
    edits: list[tuple[int, int, str]] = []
    uncited: list[str] = []
    for start, end in _sentences(text, spans, markers):
        own = [mark for mark in markers if start <= mark.start < end]
        sentence = _plain(text[start:end])
        quotes = [_quoted(text, span, opaque) for span in spans if start <= span[0] <= end]
        cited = [number for mark in own for number in mark.numbers]
        known = [number for number in dict.fromkeys(cited) if number in by_number]
        for number in dict.fromkeys(number for number in cited if number not in by_number):
            notes.append(f"Removed the citation [{number}]: there is no passage of that number.")
        proven, failed = _judge_quotes(quotes, [by_number[number] for number in known], question)
        kept = [number for number in known if not failed or number in proven]
        for quote in failed:
            notes.append(_about(quote, known, evidence))
        for number in known:
            if number not in kept:
                notes.append(f"Removed the citation [{number}] from: {_shown(sentence)}")
        for mark in own:
            left = [number for number in mark.numbers if number in kept]
            if tuple(left) != mark.numbers:
                edits.append((mark.start, mark.end, f"[{', '.join(map(str, left))}]" if left else ""))
        for number in kept:
            one = by_number[number]
            for said in proven.get(number, [None]):
                citations.setdefault(
                    (number, said), Citation(number, one.item_id, one.document, one.page, said)
                )
        if not kept and _states(sentence):
            uncited.append(_shown(sentence))
    quoted = {number for number, said in citations if said is not None}
    found = tuple(
        one for (number, said), one in citations.items() if said is not None or number not in quoted
    )
    grounded = bool(found) and has_words(strip_markers(text))
    if not markers:
        notes.append("The answer cites nothing.")
    elif uncited:
        notes.append(f"Without a citation: {' | '.join(uncited)}")
    return CheckedText(_edited(text, edits), found, grounded, tuple(notes))


def _numbers(listed: str) -> tuple[int, ...]:
    spread = _RANGE.sub(lambda match: _spread(int(match[1]), int(match[2])), listed)
    return tuple(dict.fromkeys(int(number) for number in _NUMBER.findall(spread)))


def _spread(first: int, last: int) -> str:
    if not first <= last <= first + _WIDEST_RANGE:
        return f"{first} {last}"
    return " ".join(map(str, range(first, last + 1)))


def _sentences(text: str, quotes: Sequence[Span], markers: Sequence[Marker]) -> list[Span]:
    """Sentences that do not end inside a quotation, each with the citations that follow its full stop."""
    sentences: list[Span] = []
    for start, end in sentence_spans(text, break_lines=True):
        inside = any(a <= start <= b for a, b in quotes) or any(m.start < start < m.end for m in markers)
        same_line = bool(sentences) and "\n" not in text[sentences[-1][1] : start]
        # “Remove the cap.” [1] (manual.pdf, page 3)
        aside = same_line and _plain(text[start:end]).startswith(("(", "（"))
        if sentences and (inside or aside):
            sentences[-1] = (sentences[-1][0], end)
            continue
        leading = start
        for mark in markers:
            if mark.start >= leading and not text[leading : mark.start].strip():
                leading = mark.end
        rest = text[leading:end].strip(" \t.。।،,;:")
        bare = bool(sentences) and not any(sentences[-1][0] <= m.start < sentences[-1][1] for m in markers)
        if sentences and leading > start and (not rest or (same_line and bare)):
            sentences[-1] = (sentences[-1][0], leading if rest else end)
            start = leading
        if rest or not sentences:
            sentences.append((start, end))
    return sentences


def _quoted(text: str, span: Span, opaque: Sequence[Span]) -> str:
    quote = text[span[0] : span[1]]
    return " ".join(quote.split()) if span in opaque else _plain(quote)


def _judge_quotes(
    quotes: Sequence[str], cited: Sequence[Evidence], question: str
) -> tuple[dict[int, list[str | None]], list[str]]:
    """What each cited passage bears out, by its number, and the quotations that none of them does."""
    proven: dict[int, list[str | None]] = {}
    failed: list[str] = []
    for quote in quotes:
        if not has_words(quote):
            continue
        holders = _holders(quote, cited)
        for number in holders:
            proven.setdefault(number, []).append(quote)
        if not holders and not stands_in(quote, question):
            failed.append(quote)
    return proven, failed


def _holders(quote: str, evidence: Sequence[Evidence]) -> list[int]:
    return [
        one.number for one in evidence if any(stands_in(quote, said) for said in (one.body, *one.headings))
    ]


def _about(quote: str, cited: Sequence[int], evidence: Sequence[Evidence]) -> str:
    elsewhere = [number for number in _holders(quote, evidence) if number not in cited]
    where = f"not in {_listed(cited)}" if cited else "but no passage is cited for it"
    if elsewhere:
        return f"The quotation {_shown(quote)} stands in {_listed(elsewhere)}, {where}."
    return f"The quotation {_shown(quote)} stands in none of the passages."


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(f"[{number}]" for number in numbers)


def _plain(sentence: str) -> str:
    return " ".join(_SPACED_MARKER.sub("", sentence).split())


def _shown(text: str) -> str:
    return f'"{text}"' if len(text) <= _SHOWN else f'"{text[:_SHOWN].rstrip()} …"'


def _states(sentence: str) -> bool:
    """Whether a sentence says something that needs a citation; what introduces a list does not."""
    return (
        has_words(sentence)
        and not sentence.rstrip("*_ ").endswith((":", "："))
        and not sentence.startswith("#")
    )


def _edited(text: str, edits: Sequence[tuple[int, int, str]]) -> str:
    for start, end, replacement in reversed(edits):
        before, after = text[:start], text[end:]
        if not replacement:
            before = before.rstrip(" \t")
            if not before or before.endswith("\n"):
                after = after.lstrip(" \t")
        text = before + replacement + after
    return text.strip()
