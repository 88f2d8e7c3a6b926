"""``/collections`` and ``/map``: what there is, as a whole."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query

from .. import schemas
from ..rendering import collection_of
from .dependencies import HandleDep, RendererDep, ServiceDep, Versioned, opened

router = APIRouter(tags=["collections"])

# Each size is another layout, and a layout takes seconds: few sizes are made once for all.
_STEPS: Final = (100, 200, 500, 1000, 2000, 5000)
_LIMIT: Final = f"How many points at most, taken down to one of {', '.join(map(str, _STEPS))}."


@router.get("/collections", summary="What is served")
async def collections(service: ServiceDep) -> schemas.CollectionsOut:
    handles = [opened(service, name) for name in service.collections()]
    shown = [collection_of(one.name, await one.info(), await one.version()) for one in handles]
    return schemas.CollectionsOut(collections=shown)


@router.get("/map", summary="Pictures and captions laid out in the plane", dependencies=[Versioned])
async def embedding_map(
    handle: HandleDep,
    renderer: RendererDep,
    limit: Annotated[int, Query(ge=100, le=5000, description=_LIMIT)] = 2000,
    method: Literal["auto", "tsne", "pca"] = "auto",
) -> schemas.MapOut:
    size = max(step for step in _STEPS if step <= limit)
    return schemas.MapOut(points=renderer.points(await handle.map(limit=size, method=method)))
