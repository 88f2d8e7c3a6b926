"""``/search/image``: a picture from the client, searched with and not kept."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile

from ...types import Kind
from .. import schemas
from .dependencies import ServiceDep, SettingsDep, opened
from .search import page_out

router = APIRouter(tags=["search"])

Picture = Annotated[
    UploadFile, File(description="JPEG, PNG, WebP, HEIC, AVIF or any other that Pillow reads.")
]
Words = Annotated[str | None, Form(min_length=1, max_length=2000, pattern=r"^[^\u0000]*$")]
Name = Annotated[str | None, Form(min_length=1, max_length=200, pattern=r"^[^\u0000]*$")]


@router.post("/search/image", summary="Search with a picture, and words beside it")
async def search_image(
    service: ServiceDep,
    settings: SettingsDep,
    file: Picture,
    query: Words = None,
    k: Annotated[int, Form(ge=1, le=schemas.MAX_PAGE)] = 10,
    language: Name = None,
    kinds: Annotated[list[Kind] | None, Form(max_length=4)] = None,
    filter: Words = None,
    collection: Name = None,
    cursor: Annotated[str | None, Form(max_length=400)] = None,
) -> schemas.SearchOut:
    handle = opened(service, collection)
    data = await file.read()
    image = await service.decode(data)
    name = hashlib.sha256(data).hexdigest()
    asked = {"language": language, "where": filter, "kinds": kinds or None}
    return await page_out(
        handle,
        settings,
        lambda depth: handle.search(query, image=image, named=name, k=depth, **asked),
        query={**asked, "query": query, "picture": name},
        size=k,
        cursor=cursor,
        language=language,
    )
