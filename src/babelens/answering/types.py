"""What an answer is made from, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass

from ..types import Kind


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that retrieval found and an answer may cite.

    ``number`` is what ``[1]`` in the answer refers to; no two pieces of evidence share one. ``document`` is the name
    that readers know, ``page`` counts from 1. ``body`` is the text of a passage or page, or the caption of a figure
    or picture. ``headings`` lead from the title down to the passage. ``image`` holds an encoded picture (PNG, JPEG,
    WebP), for models that see.
    """

    number: int
    item_id: str
    document: str
    page: int | None
    kind: Kind
    body: str
    language: str | None
    headings: tuple[str, ...]
    score: float
    image: bytes | None


@dataclass(frozen=True, slots=True)
class Citation:
    """A citation that was checked. ``quote`` is what the answer quotes from there, word for word, if anything."""

    number: int
    item_id: str
    document: str
    page: int | None
    quote: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """``text`` is plain text: what stands in it came from documents or a model and must be escaped where it is shown.

    ``grounded`` is False when no citation stands, or when there was nothing to answer from. ``extractive`` is True
    where sentences are quoted and no model was asked; ``model`` names the model otherwise. ``notes`` say what was
    wrong with the answer and what was changed.
    """

    text: str
    language: str
    citations: tuple[Citation, ...]
    grounded: bool
    extractive: bool
    model: str | None
    notes: tuple[str, ...]
