"""``/items``: what is in a collection, what it looks like, and what is like it."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from .. import schemas
from ..rendering import caption_of
from ..service import THUMBNAIL_SIDE
from .dependencies import HandleDep, ItemIdPath, RendererDep, SettingsDep, Versioned, check_tag
from .search import page_out

router = APIRouter(tags=["items"])

_WEBP: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"image/webp": {"schema": {"type": "string", "format": "binary"}}}}
}
Filter = Annotated[str | None, Query(min_length=1, max_length=2000, description="An expression on metadata.")]


@router.get("/items/{item_id}", summary="An item with its texts", dependencies=[Versioned])
async def get_item(item_id: ItemIdPath, handle: HandleDep, renderer: RendererDep) -> schemas.ItemDetail:
    item = await handle.get(item_id)
    return renderer.detail(item, await handle.texts(item_id), await handle.related(item_id))


@router.get(
    "/items/{item_id}/image", summary="What an item looks like", response_class=Response, responses=_WEBP
)
async def image(
    request: Request,
    item_id: ItemIdPath,
    handle: HandleDep,
    max_side: Annotated[int, Query(ge=16, le=4096, description="The longer side at most, in pixels.")] = 1024,
) -> Response:
    tag = check_tag(request, await handle.tag(item_id, max_side))
    data, _ = await handle.picture(item_id, max_side)
    return _picture(data, tag)


@router.get(
    "/items/{item_id}/thumbnail",
    summary=f"A small picture, {THUMBNAIL_SIDE} pixels at most",
    response_class=Response,
    responses=_WEBP,
)
async def thumbnail(request: Request, item_id: ItemIdPath, handle: HandleDep) -> Response:
    tag = check_tag(request, await handle.tag(item_id))
    data, _ = await handle.thumbnail(item_id)
    return _picture(data, tag)


@router.get("/items/{item_id}/similar", summary="The pictures most like an item's", dependencies=[Versioned])
async def similar(
    item_id: ItemIdPath,
    handle: HandleDep,
    settings: SettingsDep,
    k: Annotated[int, Query(ge=1, le=schemas.MAX_PAGE)] = 10,
    filter: Filter = None,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
) -> schemas.SearchOut:
    return await page_out(
        handle,
        settings,
        lambda depth: handle.similar(item_id, k=depth, where=filter),
        query={"similar": item_id, "filter": filter},
        size=k,
        cursor=cursor,
    )


@router.get("/items/{item_id}/captions", summary="Captions that fit a picture", dependencies=[Versioned])
async def captions(
    item_id: ItemIdPath,
    handle: HandleDep,
    language: Annotated[str, Query(min_length=1, max_length=40, examples=["hi"])],
    k: Annotated[int, Query(ge=1, le=100)] = 5,
) -> schemas.CaptionsOut:
    found = await handle.captions(item_id, language, k)
    return schemas.CaptionsOut(captions=[caption_of(one) for one in found])


def _picture(data: bytes, tag: str) -> Response:
    headers = {"ETag": tag, "Cache-Control": "private, max-age=300"}
    return Response(data, media_type="image/webp", headers=headers)
