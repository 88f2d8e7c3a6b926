"""What the catalog gives back besides the nouns of :mod:`babelens.types`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..types import Item, Text
from ..vectors import Floats


@dataclass(frozen=True, slots=True)
class FileState:
    """What was known of a file when it was last read.

    ``size`` in bytes, ``mtime_ns`` in nanoseconds since 1970. A skipped file has a ``reason`` and no item.
    """

    path: str
    size: int
    mtime_ns: int
    sha256: str
    status: Literal["ok", "skipped"] = "ok"
    reason: str | None = None
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a set of vectors has come: its highest sequence number, and the last entry of the removal log."""

    vectors: int
    removals: int


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose vector it is: an item's picture, or (``text_row``) one of its texts."""

    item_id: str
    text_row: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """A sequence number brought back to its item, and to the text its vector is of."""

    item: Item
    text_row: int | None


@dataclass(frozen=True, slots=True)
class WordHit:
    """An item found by words. ``score`` is BM25, higher is better; ``text_row`` None means its file name."""

    item_id: str
    text_row: int | None
    score: float


@dataclass(frozen=True, slots=True)
class StoredText:
    """A text with its row number; of a translation also the row it was made from."""

    row: int
    text: Text
    source_row: int | None


@dataclass(frozen=True, slots=True)
class CaptionRow:
    """A caption and the picture it describes; ``picture`` is the same for files with the same bytes."""

    text_row: int
    language: str
    picture: str


@dataclass(frozen=True, slots=True, eq=False)
class StoredCorrection:
    """A correction of hubness: its number, its facts as JSON, the bank, (m, dim) float32, and its owners by picture."""

    number: int
    facts: str
    owners: tuple[str, ...]
    bank: Floats
