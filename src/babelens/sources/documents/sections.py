"""From the layouts of pages to passages: which blocks are headings, how lines join into paragraphs."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Final

from .figures import is_legend
from .labels import LEADERS, caption_label
from .layout import Block, PageLayout, Segment
from .outline import Outline, Rank
from .writing import is_cjk

_LARGER: Final = 1.12
_HEADING_LINES: Final = 3
_HEADING_LENGTH: Final = 160
_BOLD_LENGTH: Final = 90
_CHAPTER: Final = re.compile(r"^(?:\d{1,2}(?:\.\d{1,2})*)\.?\s")
_ENDS: Final = re.compile(r"[,;、，]$|[^.]\.$|。$|।$")
_BULLET: Final = re.compile(r"[•‣▪▫■□●○◦◆◇※·⁃\uf0b7\uf0a7-]")
_FORMULA: Final = re.compile(r"[=∑∏∫∈≤≥{}|;]")
_CODE_END: Final = re.compile(r"[;{}]\s*$|^\s*(?://|#\w)")
_USUAL: Final = 0.4
_HYPHENS: Final = "-\u00ad\u2010"
# "Ein- und Ausgabe": the hyphen stands for a word that comes later.
_AND: Final = frozenset(
    {"und", "oder", "bzw", "sowie", "bis", "and", "or", "to", "et", "ou", "y", "o", "u", "e", "ed"}
)
_WORD: Final = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)+")


class Sections:
    """Feeds pages to an :class:`Outline`. Takes the size of running text from the pages seen so far."""

    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self._sizes: Counter[float] = Counter()
        self._compounds: set[str] = set()
        self._strong_letters = 0
        self.first_heading: tuple[float, str] | None = None

    def learn(self, page: PageLayout) -> None:
        """Counts sizes and hyphenated words; to be called some pages ahead of :meth:`add`."""
        for block in page.blocks:
            if block.kind == "text":
                for line in block.lines:
                    self._sizes[line.size] += len(line.text)
                    self._strong_letters += line.strong * len(line.text)
                    self._compounds.update(word.lower() for word in _WORD.findall(line.text))

    @property
    def body_size(self) -> float:
        return max(self._sizes, key=lambda size: self._sizes[size]) if self._sizes else 0.0

    @property
    def strong_tells(self) -> bool:
        """Whether a strong font is the exception here, so that it can mark a heading."""
        return self._strong_letters < _USUAL * self._sizes.total()

    def add(self, page: PageLayout) -> list[str]:
        """Adds a page's blocks; gives the keys of the passages made of figures' own words, in their order."""
        asides = []
        body = self.body_size
        for block in page.blocks:
            if block.kind == "table":
                text = "\n".join(line.text for line in block.lines)
                self.outline.table(text, page.number, block.rect)
            elif block.kind == "label":
                text = "\n".join(line.text for line in block.lines)
                asides.append(self.outline.aside(text, page.number, block.rect))
            elif (
                page.source == "text"
                and not any(is_legend(block, region) for region in page.regions)
                and is_heading(block, body, strong_tells=self.strong_tells)
            ):
                text = " ".join(self.joined(block.lines).split("\n"))
                self.outline.heading(text, _rank(block, text), page.number, block.rect)
                if page.number <= 2 and (self.first_heading is None or block.size > self.first_heading[0]):
                    self.first_heading = (block.size, text)
            else:
                self.outline.paragraph(self.joined(block.lines), page.number, block.rect)
        self.outline.flush()
        return asides

    def joined(self, lines: Sequence[Segment]) -> str:
        """Lines as one text, words that were divided at a line's end made whole. A line that ends although the next
        word had room on it, as in code and addresses, stays a line."""
        text = ""
        room = max((line.rect.width for line in lines), default=0.0)
        if len(lines) > 1 and 2 * sum(bool(_CODE_END.search(line.text)) for line in lines) >= len(lines):
            return "\n".join(line.text for line in lines)
        for last, line in zip((None, *lines), lines, strict=False):
            if last is None:
                text = line.text
            elif text[-1] in _HYPHENS and len(text) > 1 and text[-2].isalnum() and line.text[0].isalpha():
                text = self._across_hyphen(text, line.text)
            elif LEADERS.search(last.text) or _ends_early(last, line, room):
                text += "\n" + line.text
            elif is_cjk(text[-1]) and is_cjk(line.text[0]):
                text += line.text
            else:
                text += " " + line.text
        return LEADERS.sub(" … ", text.replace("\u00ad", ""))

    def _across_hyphen(self, text: str, rest: str) -> str:
        head = text.rsplit(None, 1)[-1][:-1]
        tail = re.match(r"[^\W\d_]+", rest)
        follower = tail[0] if tail else ""
        if text[-1] != "\u00ad":
            if follower.lower() in _AND:
                return f"{text} {rest}"
            compound = f"{head.lower().lstrip('([«„')}-{follower.lower()}"
            # A capital, a single letter ("e-mail"), a number or another hyphen tell of a compound; so does the word
            # elsewhere.
            telling = not rest[0].islower() or len(head) < 2 or head[-1].isdigit() or "-" in head
            if telling or compound in self._compounds:
                return text + rest
        return text[:-1] + rest


def _ends_early(last: Segment, line: Segment, room: float) -> bool:
    """Whether the first word of ``line`` would have fitted after ``last``, where lines are ``room`` wide."""
    word = 1 if is_cjk(line.text[0]) else len(line.text.split(None, 1)[0])
    letter = line.rect.width / max(len(line.text), 1)
    return last.rect.width + (word + 1.5) * letter < 0.97 * room - line.size


def is_heading(block: Block, body: float, *, strong_tells: bool = True) -> bool:
    """Whether a block is a heading, where running text has the size ``body``. ``strong_tells`` is False where strong
    fonts are usual."""
    text = " ".join(line.text for line in block.lines)
    letters = sum(unicodedata.category(letter)[0] in "LM" for letter in text)
    if not body or letters < 2 or letters < 0.4 * len(text.replace(" ", "")) or LEADERS.search(text):
        return False
    if (
        _FORMULA.search(text)
        or len(block.lines) > _HEADING_LINES
        or len(text) > _HEADING_LENGTH
        or caption_label(text)
    ):
        return False
    if block.size >= _LARGER * body:
        return not _ENDS.search(text) or block.size >= 1.3 * body
    if not (strong_tells and block.strong) or _BULLET.match(text):
        return False
    return block.size > 0.93 * body and len(text) <= _BOLD_LENGTH and not _ENDS.search(text)


def _rank(block: Block, text: str) -> Rank:
    number = _CHAPTER.match(text)
    depth = number[0].rstrip(". ").count(".") if number else 0
    return (-round(block.size / 1.5), 0 if block.strong else 1, depth)
