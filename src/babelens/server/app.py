"""Puts the service together: settings in, an ASGI application out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI, Request
from starlette.responses import Response

from . import pages, problems, schemas
from .metrics import Metrics
from .routes import answers, collections, health, items, search, uploads, writing
from .routes.dependencies import NotModifiedError
from .security import Guard
from .service import Service
from .settings import Settings

_PROBLEM: Final[dict[str, Any]] = {
    "description": "What went wrong",
    "content": {problems.MEDIA_TYPE: {"schema": schemas.Problem.model_json_schema()}},
}
_ABOUT: Final = """Finds pictures and pages by meaning, in eight languages.

Items have opaque ids. Errors are `application/problem+json`. Where `GET` answers carry an `ETag`, `If-None-Match` saves
sending them again; they change with the collection."""


def create_app(settings: Settings) -> FastAPI:
    """The application for some collections. Raises :class:`ServiceError` where settings are not safe."""
    settings = settings.checked()
    metrics = Metrics()
    service = Service(settings, metrics)
    metrics.watch(service)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.close()

    app = FastAPI(
        title="Babelens",
        version=version("babelens"),
        description=_ABOUT,
        lifespan=lifespan,
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        responses={"4XX": _PROBLEM, "5XX": _PROBLEM},
    )
    app.state.settings, app.state.service, app.state.metrics = settings, service, metrics
    problems.install(app)
    app.add_exception_handler(NotModifiedError, _not_modified)
    app.add_middleware(Guard, settings=settings, metrics=metrics)
    parts = [search, uploads, items, answers, collections, health]
    for part in [*parts, *([writing] if settings.writable else [])]:
        app.include_router(part.router)
    pages.install(app)
    return app


async def _not_modified(_: Request, error: Exception) -> Response:
    assert isinstance(error, NotModifiedError)
    return Response(status_code=304, headers={"ETag": error.tag, "Cache-Control": "private, no-cache"})
