"""What changes a collection; only where the service was started with ``--writable``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Response

from .. import schemas
from ..rendering import Renderer
from .dependencies import HandleDep, ItemIdPath, ServiceDep, SettingsDep, opened
from .uploads import Name, Picture

router = APIRouter(tags=["writing"])

Caption = Annotated[
    str | None, Form(min_length=1, max_length=2000, pattern=r"^[^\u0000]*$", description="What it shows.")
]


@router.post("/items", summary="Add a picture", status_code=201)
async def add_item(
    response: Response,
    service: ServiceDep,
    settings: SettingsDep,
    file: Picture,
    caption: Caption = None,
    language: Name = None,
    collection: Name = None,
) -> schemas.ItemDetail:
    handle = opened(service, collection)
    item = await handle.add(await file.read(), caption=caption, language=language)
    renderer = Renderer(settings, handle.name)
    response.headers["Location"] = renderer.address(item.id)
    return renderer.detail(item, await handle.texts(item.id), [])


@router.delete("/items/{item_id}", summary="Take an item out", status_code=204)
async def remove_item(item_id: ItemIdPath, handle: HandleDep) -> None:
    await handle.remove(item_id)
