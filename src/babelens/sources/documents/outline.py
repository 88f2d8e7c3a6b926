"""Cuts text into passages that follow headings and never cross them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from .labels import find_labels
from .layout import Rect, union
from .types import Passage
from .writing import is_cjk

# In tokens: words, or two characters where words are not divided.
_GOOD: Final = 200
_FULL: Final = 300
_MOST: Final = 400
_SENTENCE: Final = re.compile(r"(?<=[.!?؟।])\s+|(?<=[。！？])|\n")

Rank = tuple[float, ...]


def count_tokens(text: str) -> int:
    """About how many tokens a text has: words, or half the characters of Japanese."""
    cjk = sum(map(is_cjk, text))
    rest = "".join(" " if is_cjk(letter) else letter for letter in text) if cjk else text
    return len(rest.split()) + (cjk + 1) // 2


@dataclass(slots=True)
class _Heading:
    text: str
    rank: Rank
    page: int
    rect: Rect
    used: bool = False


@dataclass(slots=True)
class Outline:
    """Takes headings, paragraphs and tables in reading order and gives passages.

    A smaller ``rank`` is a higher heading. A heading without any text below it becomes a passage itself.
    """

    passages: list[Passage] = field(default_factory=list)
    _headings: list[_Heading] = field(default_factory=list)
    _pending: list[tuple[str, Rect]] = field(default_factory=list)
    _tokens: int = 0
    _page: int = 1
    _count: int = 0

    def heading(self, text: str, rank: Rank, page: int, rect: Rect) -> None:
        self.flush()
        while self._headings and self._headings[-1].rank >= rank:
            self._leave()
        self._headings.append(_Heading(text, rank, page, rect))

    def paragraph(self, text: str, page: int, rect: Rect) -> None:
        if page != self._page:
            self.flush()
            self._page = page
        for part in _parts(text):
            tokens = count_tokens(part)
            if self._tokens + tokens > _MOST or (self._tokens >= _GOOD and self._tokens + tokens > _FULL):
                self.flush()
            self._pending.append((part, rect))
            self._tokens += tokens

    def table(self, text: str, page: int, rect: Rect) -> None:
        """A table is a passage of its own; a long one is several, cut between rows."""
        self.flush()
        rows: list[str] = []
        for row in text.split("\n"):
            if rows and count_tokens("\n".join(rows)) + count_tokens(row) > _MOST:
                self._emit("\n".join(rows), page, rect, table=True)
                rows = []
            rows.append(row)
        self._emit("\n".join(rows), page, rect, table=True)

    def aside(self, text: str, page: int, rect: Rect) -> str:
        """Words beside the running text, as those inside a figure; gives the passage's key."""
        self.flush()
        self._emit(text, page, rect)
        return self.passages[-1].key

    def flush(self) -> None:
        """Ends the passage that is being filled."""
        if self._pending:
            texts, rects = zip(*self._pending, strict=True)
            self._pending, self._tokens = [], 0
            self._emit("\n".join(texts), self._page, union(rects))

    def close(self) -> None:
        """Ends the document."""
        self.flush()
        while self._headings:
            self._leave()

    def _leave(self) -> None:
        heading = self._headings.pop()
        if not heading.used:
            self._emit(heading.text, heading.page, heading.rect)

    def _emit(self, body: str, page: int, rect: Rect, *, table: bool = False) -> None:
        for heading in self._headings:
            heading.used = True
        self._count += 1
        self.passages.append(
            Passage(
                key=f"p{page}.{self._count}",
                page=page,
                box=rect.pixels(),
                headings=tuple(heading.text for heading in self._headings),
                body=body,
                language=None,
                table=table,
                mentions=find_labels(body),
            )
        )


def _parts(text: str) -> Iterator[str]:
    """A paragraph whole, or at its sentences when it is longer than a passage may be."""
    if count_tokens(text) <= _MOST:
        yield text
        return
    part, tokens = "", 0
    for sentence in filter(None, (piece.strip() for piece in _SENTENCE.split(text))):
        for piece in _cut(sentence):
            more = count_tokens(piece)
            if part and tokens + more > _FULL:
                yield part
                part, tokens = "", 0
            joint = "" if not part or is_cjk(part[-1]) else " "
            part, tokens = part + joint + piece, tokens + more
    if part:
        yield part


def _cut(sentence: str) -> Iterator[str]:
    """A sentence, or what had better be several, in pieces that fit."""
    if count_tokens(sentence) <= _MOST:
        yield sentence
        return
    words = sentence.split(" ")
    if len(words) < 2:
        for start in range(0, len(sentence), 2 * _FULL):
            yield sentence[start : start + 2 * _FULL]
        return
    part: list[str] = []
    tokens = 0
    for word in words:
        for piece in _cut(word):
            more = count_tokens(piece)
            if part and tokens + more > _FULL:
                yield " ".join(part)
                part, tokens = [], 0
            part.append(piece)
            tokens += more
    yield " ".join(part)
