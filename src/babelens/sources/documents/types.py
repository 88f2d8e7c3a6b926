"""What reading a document gives: pages, passages and figures, as frozen dataclasses.

Boxes are ``(x0, y0, x1, y1)`` in pixels from the top left of the page as it is rendered at :data:`DPI`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

from ...types import Skip

if TYPE_CHECKING:
    from PIL.Image import Image

DPI: Final = 150

Box = tuple[int, int, int, int]
PageSource = Literal["text", "ocr", "empty"]


@dataclass(frozen=True, slots=True)
class Page:
    """``number`` counts from 1; the size is in pixels at :data:`DPI`, 0 × 0 where a file has no pages to look at.

    ``source`` tells where the words came from: the file itself, OCR, or nowhere.
    """

    number: int
    width: int
    height: int
    source: PageSource


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of text that follows its headings. ``key`` is unique within the document.

    ``headings`` is the path from the outermost to the nearest. ``mentions`` are the figures that the body refers to,
    as normalised labels such as ``"figure 3-2"``. In a table the cells of a row are separated by ``" | "``.
    """

    key: str
    page: int
    box: Box
    headings: tuple[str, ...]
    body: str
    language: str | None
    table: bool
    mentions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture or drawing on a page. ``key`` is unique within the document; ``label`` is its normalised number.

    ``passages`` are the keys of the passages that mention it, then of those around it and of the words inside it.
    """

    key: str
    page: int
    box: Box
    label: str | None
    caption: str | None
    passages: tuple[str, ...]
    vector: bool


@dataclass(frozen=True, slots=True)
class Document:
    """A document that was read. ``skips`` are pages or files left out, ``notes`` what the user should know once.

    ``unread`` counts the pages that only OCR could read and that nobody read, ``doubtful_lines`` the lines that OCR was
    not sure of, which are left out.
    """

    path: str
    sha256: str
    title: str | None
    pages: tuple[Page, ...]
    passages: tuple[Passage, ...]
    figures: tuple[Figure, ...]
    skips: tuple[Skip, ...]
    notes: tuple[str, ...]
    unread: int = 0
    doubtful_lines: int = 0


class RecognisedLine(Protocol):
    """A line that OCR read: its box is in pixels of the picture that was read, confidence in [0, 1]."""

    @property
    def text(self) -> str: ...
    @property
    def box(self) -> Box: ...
    @property
    def confidence(self) -> float: ...


class LineReader(Protocol):
    """What OCR has to offer to read scanned pages."""

    def read(self, image: Image, languages: Sequence[str] = ()) -> Sequence[RecognisedLine]: ...
