"""``/items``: what is in a collection, what it looks like, and what is like it."""

from __future__ import annotations

from fastapi import APIRouter

from .. import schemas
from .dependencies import HandleDep, ItemIdPath, RendererDep

router = APIRouter(tags=["items"])


@router.get("/items/{item_id}", summary="An item with its texts")
async def get_item(item_id: ItemIdPath, handle: HandleDep, renderer: RendererDep) -> schemas.ItemDetail:
    item = await handle.get(item_id)
    return renderer.detail(item, await handle.texts(item_id), await handle.related(item_id))
