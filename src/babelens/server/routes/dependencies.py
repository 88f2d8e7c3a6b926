"""What handlers are given."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query, Request

from ..problems import ServedNameError
from ..rendering import Renderer
from ..service import Handle, Service
from ..settings import Settings

ItemIdPath = Annotated[
    str, Path(min_length=1, max_length=128, description="The id of an item, as searches give it.")
]
CollectionName = Annotated[
    str | None, Query(max_length=200, description="A collection by name; the first one served without it.")
]


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def settings_of(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


ServiceDep = Annotated[Service, Depends(service_of)]
SettingsDep = Annotated[Settings, Depends(settings_of)]


def handle_of(service: ServiceDep, collection: CollectionName = None) -> Handle:
    """The collection that a query parameter names."""
    return opened(service, collection)


def renderer_of(settings: SettingsDep, handle: HandleDep) -> Renderer:
    return Renderer(settings, handle.name)


HandleDep = Annotated[Handle, Depends(handle_of)]
RendererDep = Annotated[Renderer, Depends(renderer_of)]


def opened(service: Service, name: str | None) -> Handle:
    """A collection by name; one that is not served is told by the name that was asked for."""
    if name is not None and name not in service.collections():
        raise ServedNameError(
            f"No collection named {name[:80]!r} is served here.",
            hint=f"Served: {', '.join(service.collections())}.",
        )
    return service.open(name)
