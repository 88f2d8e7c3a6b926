"""What clients send and get. Apart from the domain types, so that either can change without the other."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ..types import Kind, Mode, Origin, Status

MAX_PAGE = 200
MAX_TERMS = 16

# SQLite ends texts at NUL, and no word holds it.
Words = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\u0000]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\u0000]*$")]
ItemId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\u0000]*$")]


class _Body(BaseModel):
    """What is sent: a misspelt name is an error, not a default."""

    model_config = ConfigDict(extra="forbid", strict=True)


class TermIn(_Body):
    """Words or the id of an item whose picture is meant, with a weight."""

    text: Words | None = None
    image_id: ItemId | None = None
    weight: float = Field(1.0, gt=0, le=100, allow_inf_nan=False)


class SearchIn(_Body):
    """A search. Either ``query`` or ``image_id`` or ``plus`` is needed."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {"query": "a futuristic cityscape", "k": 3},
                {
                    "query": "un perro en la playa",
                    "language": "es",
                    "filter": "year >= 2020",
                    "minus": ["people"],
                },
            ]
        },
    )

    query: Words | None = Field(None, description="Words in any of the eight languages.")
    image_id: ItemId | None = Field(None, description="An item whose picture is searched with.")
    k: int = Field(10, ge=1, le=MAX_PAGE, description="How many hits a page has.")
    language: Name | None = Field(
        None, description="The language of the words; in it texts are searched word by word."
    )
    mode: Mode = "hybrid"
    kinds: list[Kind] | None = Field(None, min_length=1, max_length=4)
    filter: Words | None = Field(None, description="An expression on metadata, as `babelens search --where`.")
    plus: list[Words | TermIn] = Field(default_factory=list, max_length=MAX_TERMS)
    minus: list[Words | TermIn] = Field(default_factory=list, max_length=MAX_TERMS)
    collection: Name | None = None
    cursor: Annotated[str, StringConstraints(max_length=400)] | None = Field(
        None, description="`next` of the page before, with everything else as it was."
    )


class AskIn(_Body):
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"question": "Which fuse feeds the pump?"}]},
    )

    question: Words
    language: Name | None = Field(None, description="The answer's language; the question's without it.")
    k: int = Field(8, ge=1, le=50, description="How many passages are read at most.")
    filter: Words | None = None
    collection: Name | None = None


class TextOut(BaseModel):
    """A text of an item. Only ``status`` ``ok`` is searched by meaning."""

    body: str
    language: str
    origin: Origin
    status: Status
    model: str | None


class ReasonOut(BaseModel):
    """By which ranking a hit was found, at which rank there, and through which text."""

    ranking: Literal["image", "caption", "passage", "words"]
    rank: int
    score: float
    confidence: float | None
    text: TextOut | None


class ItemOut(BaseModel):
    """One thing that can be found. ``image`` and ``thumbnail`` are addresses, null for what has no looks."""

    id: str
    kind: Kind
    document: str | None = Field(description="The name of the document or file.")
    page: int | None = Field(description="From 1.")
    box: tuple[int, int, int, int] | None = Field(
        description="x0, y0, x1, y1 in pixels of the page at 150 dpi."
    )
    metadata: dict[str, Any]
    path: str | None = Field(description="The file, where the service was started with --show-paths.")
    image: str | None
    thumbnail: str | None


class ItemDetail(ItemOut):
    """An item with its texts and the items that belong to it."""

    texts: list[TextOut]
    related: list[ItemOut]


class HitOut(BaseModel):
    """``score`` is a cosine, comparable within one search only; null in mode "text"."""

    rank: int
    score: float | None
    confidence: float | None = Field(
        description="The probability that this is a match, of its surest ranking."
    )
    item: ItemOut
    text: TextOut | None = Field(description="The text it was found by, or its best one.")
    why: list[ReasonOut]


class SearchOut(BaseModel):
    """A page of hits. ``confident`` is false when the best hit does not stand out: nothing here matches well."""

    collection: str
    hits: list[HitOut]
    confident: bool
    confidence: float | None
    next: str | None = Field(description="The cursor of the next page.")
    notes: list[str]
    milliseconds: float


class CaptionOut(BaseModel):
    rank: int
    score: float
    text: TextOut
    item_id: str


class CaptionsOut(BaseModel):
    captions: list[CaptionOut]


class CitationOut(BaseModel):
    number: int
    item: ItemOut
    document: str
    page: int | None
    quote: str | None


class AnswerOut(BaseModel):
    """An answer whose citations were checked."""

    text: str
    language: str
    grounded: bool
    extractive: bool
    model: str | None
    citations: list[CitationOut]
    notes: list[str]


class IndexOut(BaseModel):
    """How one modality is searched."""

    name: str
    vectors: int
    recall_at_10: float | None
    ms_per_query: float | None
    why: str | None


class CollectionOut(BaseModel):
    """What a collection holds: counts by kind, language and origin, and how it is searched."""

    name: str
    items: int
    kinds: dict[str, int]
    texts: dict[str, int]
    origins: dict[str, int]
    model: str
    indexes: dict[str, IndexOut]
    bytes: int
    version: str


class CollectionsOut(BaseModel):
    collections: list[CollectionOut]


class MapPoint(BaseModel):
    """A picture or one of its captions on the map. ``x`` and ``y`` lie in [0, 1], ``y`` upwards."""

    kind: Literal["picture", "text"]
    item_id: str
    x: float
    y: float
    folder: str | None
    language: str | None
    text: str | None
    thumbnail: str


class MapOut(BaseModel):
    points: list[MapPoint]


class HealthOut(BaseModel):
    status: Literal["ok", "ready", "not ready"]
    problems: list[str] = Field(default_factory=list)


class FieldProblem(BaseModel):
    field: str
    message: str


class Problem(BaseModel):
    """What went wrong (RFC 9457), as ``application/problem+json``."""

    type: str
    title: str
    status: int
    detail: str
    hint: str | None = None
    errors: list[FieldProblem] | None = None
    request_id: str | None = None
