"""``/search``: by words, by an item's picture, by both."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from ...types import Term
from .. import schemas
from ..paging import Page, page_of
from ..rendering import Renderer, rounded
from ..service import Handle
from .dependencies import ServiceDep, SettingsDep, opened

router = APIRouter(tags=["search"])


@router.post("/search", summary="Search by words, by the picture of an item, or by both")
async def search(body: schemas.SearchIn, service: ServiceDep, settings: SettingsDep) -> schemas.SearchOut:
    handle = opened(service, body.collection)
    query = _arguments(body)
    page = await page_of(
        lambda k: handle.search(body.query, **query, k=k),
        size=body.k,
        query=body.model_dump(exclude={"cursor", "k"}),
        version=await handle.version(),
        cursor=body.cursor,
    )
    return await rendered(page, handle, Renderer(settings, handle.name), body.language)


def _arguments(body: schemas.SearchIn) -> dict[str, Any]:
    return {
        "image": body.image_id,
        "plus": [_term(one) for one in body.plus],
        "minus": [_term(one) for one in body.minus],
        "language": body.language,
        "mode": body.mode,
        "where": body.filter,
        "kinds": body.kinds,
    }


def _term(value: str | schemas.TermIn) -> Term:
    if isinstance(value, str):
        return Term(text=value)
    return Term(text=value.text, item_id=value.image_id, weight=value.weight)


async def rendered(page: Page, handle: Handle, renderer: Renderer, language: str | None) -> schemas.SearchOut:
    """A page of hits, with a text for each."""
    texts = await handle.texts_of([hit.item.id for hit in page.hits])
    return schemas.SearchOut(
        collection=handle.name,
        hits=renderer.hits(page.hits, texts, first=page.first, language=language),
        confident=page.result.confident,
        confidence=rounded(page.result.confidence),
        next=page.next,
        notes=list(page.notes),
        milliseconds=round(page.result.timings.get("total", 0.0), 3),
    )
