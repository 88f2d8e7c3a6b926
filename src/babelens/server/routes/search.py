"""``/search``: by words, by an item's picture, by both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter

from ...types import SearchResult, Term
from .. import schemas
from ..paging import page_of
from ..rendering import Renderer, has_text, rounded
from ..service import Handle
from ..settings import Settings
from .dependencies import ServiceDep, SettingsDep, opened

router = APIRouter(tags=["search"])


@router.post("/search", summary="Search by words, by the picture of an item, or by both")
async def search(body: schemas.SearchIn, service: ServiceDep, settings: SettingsDep) -> schemas.SearchOut:
    handle = opened(service, body.collection)
    return await page_out(
        handle,
        settings,
        lambda k: handle.search(body.query, **_arguments(body), k=k),
        query=body.model_dump(exclude={"cursor", "k"}),
        size=body.k,
        cursor=body.cursor,
        language=body.language,
    )


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


async def page_out(
    handle: Handle,
    settings: Settings,
    search: Callable[[int], Awaitable[SearchResult]],
    *,
    query: dict[str, Any],
    size: int,
    cursor: str | None = None,
    language: str | None = None,
) -> schemas.SearchOut:
    """A page of what ``search(k)`` finds, with a text for each hit; ``query`` is what its cursor belongs to."""
    version = await handle.version()
    page = await page_of(search, size=size, query=query, version=version, cursor=cursor)
    lacking = [hit.item.id for hit in page.hits if not has_text(hit, language)]
    texts = await handle.texts_of(lacking) if lacking else {}
    renderer = Renderer(settings, handle.name)
    return schemas.SearchOut(
        collection=handle.name,
        hits=renderer.hits(page.hits, texts, first=page.first, language=language),
        confident=page.result.confident,
        confidence=rounded(page.result.confidence),
        next=page.next,
        notes=list(page.notes),
        milliseconds=round(page.result.timings.get("total", 0.0), 3),
    )
