"""The nouns of Babelens, as frozen dataclasses. They carry data and say nothing about how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image

Kind = Literal["image", "page", "figure", "passage"]
Origin = Literal["human", "caption-model", "translation", "ocr", "filename", "alt", "document"]
Status = Literal["ok", "fallback", "empty", "wrong-script", "failed"]
Mode = Literal["vector", "image", "text", "hybrid"]
Modality = Literal["image", "text"]


class Progress(Protocol):
    """Called often, from the main thread: how much is done, of how much if that is known, and a remark."""

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class Source:
    """Where an item comes from.

    ``path`` may hold surrogate escapes when a file name is not UTF-8; ``page`` counts from 1;
    ``box`` is ``(x0, y0, x1, y1)`` in pixels from the top left.
    """

    path: str
    sha256: str
    page: int | None = None
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that can be found. ``id`` is stable and opaque: a moved file keeps it."""

    id: str
    kind: Kind
    source: Source
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Text:
    """A text that belongs to an item; only ``status == "ok"`` counts in metrics and is searched by meaning."""

    item_id: str
    language: str
    body: str
    origin: Origin
    status: Status = "ok"
    model: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Translation:
    """What a model made of a text. It is a translation only when ``status`` is ``ok``; else ``reason`` says why not,
    and ``body`` is what the model gave. ``source`` and ``target`` are language tags."""

    body: str
    status: Status
    reason: str | None
    model: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class EncoderFingerprint:
    """What must be equal for two vectors to be comparable; written with every vector."""

    name: str
    revision: str
    preprocess: str
    dim: int


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a query, with a weight; a negative weight pushes results away.

    Exactly one of the three is given: words, a picture, or the id of an item whose picture is meant.
    """

    text: str | None = None
    image: Image | None = None
    weight: float = 1.0
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query. ``terms`` holds at least one term of positive weight; ``where`` is a filter expression."""

    terms: tuple[Term, ...]
    language: str | None = None
    mode: Mode = "hybrid"
    where: str | None = None
    kinds: tuple[Kind, ...] | None = None
    k: int = 10


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a hit was found: by which ranking, at which rank there, and through which text if any.

    ``ranking`` is ``"image"`` (its picture), ``"caption"`` (the meaning of a caption), ``"passage"`` (the meaning of a
    text in a document) or ``"words"`` (BM25).
    ``score`` is that ranking's own: a cosine for vectors, BM25 for words. Higher is better. ``confidence`` is the
    probability, in [0, 1], that this ranking alone makes the item a match; ``None`` when nothing can tell.
    """

    ranking: Literal["image", "caption", "passage", "words"]
    rank: int
    score: float
    text: Text | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One result. ``score`` is the cosine of the query with the item's vector; ``None`` in ``mode="text"``."""

    item: Item
    rank: int
    score: float | None
    why: tuple[Reason, ...] = ()


class Note(str):
    """A remark in English that others can say, too: ``code`` tells what it is about, ``values`` what stands in it."""

    code: str
    values: Mapping[str, Any]

    def __new__(cls, text: str, code: str = "", /, **values: Any) -> Note:
        note = super().__new__(cls, text)
        note.code, note.values = code, values
        return note


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits, best first.

    ``confident`` is False when the best hit does not stand out from the collection's background scores;
    ``confidence`` is the probability behind it, in [0, 1]. ``timings`` are milliseconds by step.
    ``notes`` are things the user should know once, such as a text that was cut; most are a :class:`Note`.
    """

    query: Query
    hits: tuple[Hit, ...]
    confident: bool
    confidence: float | None
    timings: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption found for a picture, with the item it was written for."""

    text: Text
    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Skip:
    """A file or line that was left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What a run did. Counts are files, except ``texts`` (captions written) and what was found in documents: ``pages``,
    ``passages`` and ``figures``."""

    added: int = 0
    updated: int = 0
    moved: int = 0
    removed: int = 0
    unchanged: int = 0
    texts: int = 0
    pages: int = 0
    passages: int = 0
    figures: int = 0
    skipped: tuple[Skip, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class DescribeReport:
    """What captioning or translating a collection did.

    ``written`` counts texts by language and status; ``unchanged`` counts captions or translations that were there.
    """

    written: Mapping[str, Mapping[Status, int]] = field(default_factory=dict)
    unchanged: int = 0
    skipped: tuple[Skip, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


Scalar = str | int | float | bool | None
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "contains", "startswith"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """``field op value``; the value is a tuple for ``in``. Types never coerce: 2020 is not "2020"."""

    field: str
    op: Operator
    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Filter


# A parsed filter: written by retrieval, compiled to SQL by storage.
Filter = Comparison | And | Or | Not
