"""``serve``: the HTTP service and the web page."""

from __future__ import annotations

from pathlib import Path

import click

from .options import command


@command("serve")
@click.option(
    "-c",
    "--collection",
    "collections",
    metavar="NAME|PATH",
    multiple=True,
    default=("default",),
    show_default=True,
    envvar="BABELENS_COLLECTION",
    show_envvar=True,
    help="A collection to serve. Repeatable; the first one is meant where a request names none.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one."
)
@click.option(
    "--api-key",
    envvar="BABELENS_API_KEY",
    show_envvar=True,
    metavar="KEY",
    help="What clients must send. Needed on an address that other machines reach.",
)
def serve(collections: tuple[str, ...], host: str, port: int, api_key: str | None) -> None:
    """Serve the web page and the HTTP API.

    \b
    babelens serve
    curl -X POST localhost:8000/search -H 'Content-Type: application/json' -d '{"query": "ein roter Apfel", "k": 3}'
    """
    from ..collection import resolve_collection_path
    from ..server import Settings, create_app
    from .models import fetch_for

    for name in collections:
        fetch_for(name, None)
    served: dict[str, Path] = {}
    for name in collections:
        path = resolve_collection_path(name)
        served[path.name] = path
    settings = Settings(served, host=host, port=port, api_key=api_key)
    import uvicorn

    uvicorn.run(create_app(settings), host=host, port=port, log_level="warning")
