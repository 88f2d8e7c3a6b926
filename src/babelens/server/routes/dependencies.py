"""What handlers are given.

All are coroutines: what is not, FastAPI runs on a thread of its own pool, which costs more than looking a thing up.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import Depends, Path, Query, Request, Response

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


async def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def settings_of(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


ServiceDep = Annotated[Service, Depends(service_of)]
SettingsDep = Annotated[Settings, Depends(settings_of)]


async def handle_of(service: ServiceDep, collection: CollectionName = None) -> Handle:
    """The collection that a query parameter names."""
    return opened(service, collection)


async def renderer_of(settings: SettingsDep, handle: HandleDep) -> Renderer:
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


class NotModifiedError(Exception):
    """The client has the answer already."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.tag = tag


def check_tag(request: Request, tag: str) -> str:
    """The ``ETag`` for a tag. Raises :class:`NotModifiedError` when the client has that answer."""
    quoted = f'"{tag}"'
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or quoted in (part.strip().removeprefix("W/") for part in known.split(",")):
        raise NotModifiedError(quoted)
    return quoted


async def tag_by_version(request: Request, response: Response, handle: HandleDep) -> None:
    """Marks an answer with the state of the collection that it comes from."""
    seen = f"{handle.name}\0{await handle.version()}\0{request.url.path}?{request.url.query}"
    tag = hashlib.blake2b(seen.encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()
    response.headers["ETag"] = check_tag(request, tag)
    response.headers["Cache-Control"] = "private, no-cache"


Versioned = Depends(tag_by_version)
