"""Puts the service together: settings in, an ASGI application out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from . import problems
from .metrics import Metrics
from .routes import items, search
from .service import Service
from .settings import Settings

_ABOUT = """Finds pictures and pages by meaning, in eight languages.

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
    )
    app.state.settings, app.state.service, app.state.metrics = settings, service, metrics
    problems.install(app, show_paths=settings.show_paths)
    for part in (search, items):
        app.include_router(part.router)
    return app
