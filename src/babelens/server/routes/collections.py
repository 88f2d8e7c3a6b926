"""``/collections`` and ``/map``: what there is, as a whole."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from .. import schemas
from ..rendering import collection_of
from .dependencies import HandleDep, RendererDep, ServiceDep, Versioned, opened

router = APIRouter(tags=["collections"])


@router.get("/collections", summary="What is served")
async def collections(service: ServiceDep) -> schemas.CollectionsOut:
    handles = [opened(service, name) for name in service.collections()]
    shown = [collection_of(one.name, await one.info(), await one.version()) for one in handles]
    return schemas.CollectionsOut(collections=shown)


@router.get("/map", summary="Pictures and captions laid out in the plane", dependencies=[Versioned])
async def embedding_map(
    handle: HandleDep,
    renderer: RendererDep,
    limit: Annotated[int, Query(ge=1, le=5000, description="How many points at most.")] = 2000,
    method: Literal["auto", "tsne", "umap", "pca"] = "auto",
    seed: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> schemas.MapOut:
    return schemas.MapOut(points=renderer.points(await handle.map(limit=limit, method=method, seed=seed)))
