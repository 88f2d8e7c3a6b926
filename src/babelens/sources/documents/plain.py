"""Reads plain text, Markdown and HTML as passages under their headings."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final, Literal

from ...errors import UnreadableFileError
from .layout import Rect
from .outline import Outline
from .tables import SEPARATOR
from .types import Passage

if TYPE_CHECKING:
    from markdown_it.token import Token

MAX_BYTES: Final = 64 * 1024 * 1024

_NOWHERE: Final = Rect(0, 0, 0, 0)
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSET: Final = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_UNDERLINE: Final = re.compile(r"^(?:={3,}|-{3,}|~{3,}|\*{3,})\s*$")

Kind = Literal["heading", "text", "table"]


@dataclass(frozen=True, slots=True)
class Element:
    """A heading of ``level`` (1 is the highest), a paragraph or a table."""

    kind: Kind
    text: str
    level: int = 0


def plain_passages(path: str, data: bytes, suffix: str) -> tuple[str | None, list[Passage]]:
    """The title and the passages of a file by its lower-case ``suffix``: ``.md``, ``.html``, ``.htm``, else text.

    Raises :class:`UnreadableFileError` for what is no text.
    """
    text = _decode(path, data, html=suffix in (".html", ".htm", ".xhtml"))
    read = _READERS.get(suffix, _text_elements)
    outline = Outline()
    title: str | None = None
    for element in read(text):
        if element.kind == "heading":
            title = title or element.text
            outline.heading(element.text, (float(element.level),), 1, _NOWHERE)
        elif element.kind == "table":
            outline.table(element.text, 1, _NOWHERE)
        else:
            outline.paragraph(element.text, 1, _NOWHERE)
    outline.close()
    return title, outline.passages


def _decode(path: str, data: bytes, *, html: bool) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    if b"\0" in data[:8192]:
        raise UnreadableFileError(path, "not text, whatever its name says")
    declared = _CHARSET.search(data[:4096]) if html else None
    names = [declared[1].decode("ascii", "ignore")] if declared else []
    for encoding in (*names, "utf-8"):
        try:
            return data.decode(encoding)
        except (LookupError, UnicodeDecodeError):
            continue
    # Every byte means something in it, so this cannot fail; older Western files are written so.
    return data.decode("cp1252", errors="replace")


def _text_elements(text: str) -> Iterator[Element]:
    """Paragraphs between empty lines. A line underlined with signs, as in many plain files, is a heading."""
    levels: dict[str, int] = {}
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n")):
        lines = [line.strip() for line in block.strip("\n").split("\n")]
        if len(lines) >= 2 and _UNDERLINE.match(lines[1]) and len(lines[0]) < 100 and lines[0]:
            level = levels.setdefault(lines[1][0], len(levels) + 1)
            yield Element("heading", lines[0], level)
            lines = lines[2:]
        body = "\n".join(line for line in lines if line)
        if body:
            yield Element("text", body)


def _markdown_elements(text: str) -> Iterator[Element]:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    tokens = parser.parse(re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL))
    kind: Kind = "text"
    level = 0
    rows: list[list[str]] | None = None
    for token in tokens:
        if token.type == "heading_open":
            kind, level = "heading", int(token.tag[1])
        elif token.type == "heading_close":
            kind = "text"
        elif token.type == "table_open":
            rows = []
        elif token.type == "tr_open" and rows is not None:
            rows.append([])
        elif token.type == "table_close" and rows is not None:
            yield Element("table", "\n".join(SEPARATOR.join(row) for row in rows))
            rows = None
        elif token.type == "inline":
            words = _inline_text(token.children or [])
            if rows is not None:
                rows[-1].append(words)
            elif words:
                yield Element(kind, words, level)
        elif token.type in ("fence", "code_block"):
            yield Element("text", token.content.rstrip("\n"))
        elif token.type == "html_block":
            yield from _html_elements(token.content)


def _inline_text(tokens: Sequence[Token]) -> str:
    parts = []
    for token in tokens:
        if token.type in ("text", "code_inline", "image"):
            parts.append(token.content)
        elif token.type in ("softbreak", "hardbreak"):
            parts.append(" ")
    return " ".join("".join(parts).split())


_SILENT: Final = frozenset({"script", "style", "template", "noscript", "svg", "head", "iframe", "object"})
_BLOCKS: Final = frozenset(
    {
        "p",
        "div",
        "section",
        "article",
        "li",
        "ul",
        "ol",
        "dl",
        "dt",
        "dd",
        "blockquote",
        "pre",
        "figure",
        "figcaption",
    }
    | {"header", "footer", "main", "nav", "aside", "address", "form", "fieldset", "hr", "br", "body", "html"}
    | {"table", "caption"}
)
_VOID: Final = frozenset({"br", "hr", "img", "input", "link", "meta", "wbr"})


class _HtmlElements(HTMLParser):
    """Collects elements; what is not shown as text is left out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._text: list[str] = []
        self._silent: list[str] = []
        self._rows: list[list[str]] = []
        self._tables = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._silent:
            if tag in _SILENT and tag not in _VOID:
                self._silent.append(tag)
            return
        if tag in _SILENT:
            self._silent.append(tag)
        elif tag == "table":
            self._flush()
            self._tables += 1
        elif tag == "tr" and self._tables:
            self._cell()
            self._rows.append([])
        elif tag in ("td", "th") and self._tables:
            self._cell()
        elif tag == "img":
            self._text.append(" " + (dict(attrs).get("alt") or "") + " ")
        elif tag in _BLOCKS or _level(tag):
            self._flush()

    def handle_endtag(self, tag: str) -> None:
        if self._silent:
            # A page that forgets to close its head still has a body.
            if tag in self._silent:
                del self._silent[self._silent.index(tag) :]
            return
        if tag in ("td", "th", "tr") and self._tables:
            self._cell()
        elif tag == "table" and self._tables:
            self._cell()
            self._tables -= 1
            if self._tables == 0:
                body = "\n".join(SEPARATOR.join(row) for row in self._rows if any(row))
                self._rows = []
                if body:
                    self.elements.append(Element("table", body))
        elif _level(tag):
            self._flush("heading", _level(tag))
        elif tag in _BLOCKS:
            self._flush()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._text.append(data)

    def close(self) -> None:
        super().close()
        self._cell()
        for row in self._rows:  # of a table that never ends
            self._text.append(SEPARATOR.join(row))
            self._flush()
        self._flush()

    def _cell(self) -> None:
        words = self._take()
        if words and self._tables:
            if not self._rows:
                self._rows.append([])
            self._rows[-1].append(words)
        elif words:
            self.elements.append(Element("text", words))

    def _flush(self, kind: Kind = "text", level: int = 0) -> None:
        if self._tables:  # a paragraph inside a cell
            self._text.append(" ")
            return
        words = self._take()
        if words:
            self.elements.append(Element(kind, words, level))

    def _take(self) -> str:
        words = " ".join("".join(self._text).split())
        self._text = []
        return words


def _level(tag: str) -> int:
    return int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456" else 0


def _html_elements(text: str) -> Iterator[Element]:
    parser = _HtmlElements()
    parser.feed(text)
    parser.close()
    yield from parser.elements


_READERS: Final[dict[str, Callable[[str], Iterator[Element]]]] = {
    ".md": _markdown_elements,
    ".markdown": _markdown_elements,
    ".html": _html_elements,
    ".htm": _html_elements,
    ".xhtml": _html_elements,
}
