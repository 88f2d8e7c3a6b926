"""``serve`` and ``mcp``: the HTTP service with the web page, and tools for assistants."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import command

if TYPE_CHECKING:
    from ..server import Settings

_MEGABYTE = 1_000_000


@command("serve")
@click.option(
    "-c",
    "--collection",
    "collections",
    metavar="NAME|PATH",
    multiple=True,
    help="A collection to serve. Repeatable; the first one is meant where a request names none.  "
    "[default: BABELENS_COLLECTION, else default]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one."
)
@click.option(
    "--api-key",
    metavar="KEY",
    envvar="BABELENS_API_KEY",
    show_envvar=True,
    help="What clients must send; needed on an address that other machines reach. The environment is the better "
    "place for it: other users of this machine can read command lines.",
)
@click.option(
    "--api-key-file",
    metavar="FILE",
    envvar="BABELENS_API_KEY_FILE",
    show_envvar=True,
    help="A file that holds the key, such as a secret of a container or of a systemd unit.",
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    metavar="NAME",
    multiple=True,
    help="A further name that the service is reached by, such as that of a proxy before it. Repeatable.",
)
@click.option(
    "--proxy",
    "proxies",
    metavar="ADDRESS",
    multiple=True,
    help="A reverse proxy whose X-Forwarded-For is believed. Repeatable.",
)
@click.option("--writable", is_flag=True, help="Let clients add pictures and take items out.")
@click.option("--show-paths", is_flag=True, help="Put the paths of files into answers.")
@click.option("--log-queries", is_flag=True, help="Write what is searched for to the log.")
@click.option(
    "--rate",
    metavar="N",
    type=click.FloatRange(min=0),
    default=50.0,
    show_default=True,
    help="Requests a second for each client; 0 is no limit.",
)
@click.option(
    "--upload-limit",
    metavar="MB",
    type=click.FloatRange(min=0.001, max=1000),
    default=20.0,
    show_default=True,
    help="How large an uploaded picture may be.",
)
@click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(1, 512),
    default=32,
    show_default=True,
    help="How many searches run at once.",
)
@click.option(
    "--queue",
    "waiting",
    metavar="N",
    type=click.IntRange(0, 100_000),
    default=128,
    show_default=True,
    help="How many more may wait; beyond that the answer is 503.",
)
@click.option(
    "--batch-ms",
    metavar="MS",
    type=click.FloatRange(min=0, max=1000),
    default=4.0,
    show_default=True,
    help="How long a query waits for others to be encoded with; alone it does not wait.",
)
@click.option(
    "--batch-size",
    metavar="N",
    type=click.IntRange(1, 1024),
    default=64,
    show_default=True,
    help="How many queries are encoded together at most; 1 encodes each by itself.",
)
@click.option(
    "--idle",
    "idle_seconds",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=900.0,
    show_default=True,
    help="After this long without a request, models leave the memory until the next one; 0 is never.",
)
def serve(
    collections: tuple[str, ...],
    api_key: str | None,
    api_key_file: str | None,
    upload_limit: float,
    **options: Any,
) -> None:
    """Serve the web page and the HTTP API.

    \b
    babelens serve
    babelens serve -c photos -c manuals --port 8080
    curl localhost:8000/search -H 'Content-Type: application/json' -d '{"query": "ein roter Apfel", "k": 3}'

    Only this machine is answered unless --host says otherwise. What other commands write to a collection is
    seen at once. Ctrl-C lets running requests end.
    """
    _one_thread_for_each_product()
    from ..server import Settings
    from ..server.settings import read_key
    from .models import fetch_for

    if api_key_file:
        if api_key:
            raise click.UsageError("The API key is given twice: by itself, and in a file.")
        api_key = read_key(Path(api_key_file).expanduser())
    served = _served(collections)
    size = int(upload_limit * _MEGABYTE)
    settings = Settings(served, api_key=api_key, upload_bytes=size, **options).checked()
    for path in served.values():
        fetch_for(str(path), None)
    _run(settings)


@command("mcp")
@click.option(
    "-c",
    "--collection",
    "collections",
    metavar="NAME|PATH",
    multiple=True,
    help="A collection to look into. Repeatable; the first one is meant where a call names none.  "
    "[default: BABELENS_COLLECTION, else default]",
)
@click.option(
    "--http", is_flag=True, help="Speak streamable HTTP on this machine, in place of stdin and stdout."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8001,
    show_default=True,
    help="The port for --http; 0 takes a free one.",
)
@click.option("--show-paths", is_flag=True, help="Put the paths of files into answers.")
def mcp(collections: tuple[str, ...], http: bool, port: int, show_paths: bool) -> None:
    """Offer search to assistants (Model Context Protocol).

    \b
    babelens mcp -c photos

    The tools are search, similar, captions, ask and get_item; none changes anything. An assistant starts the
    command itself and speaks with it on stdin and stdout; with --http it listens on 127.0.0.1, at /mcp.
    """
    _one_thread_for_each_product()
    from ..server import Settings
    from ..server.mcp import create_mcp
    from .models import fetch_for

    served = _served(collections)
    for path in served.values():
        fetch_for(str(path), None)
    server = create_mcp(Settings(served, show_paths=show_paths))
    if http:
        server.run("streamable-http", host="127.0.0.1", port=port)
    else:
        server.run("stdio")


def _one_thread_for_each_product() -> None:
    """Keeps numpy from splitting the products of one query among threads, which then wait for those of the others.

    There are as many queries at a time as there is work for cores: 32 clients get more than twice the answers so. It
    has to be said before numpy is imported, and leaves the encoders alone.
    """
    import os

    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ.setdefault(name, "1")


def _served(names: tuple[str, ...]) -> dict[str, Path]:
    """Folders by the name that clients use, which is the folder's. All of them have to be there."""
    import os

    from ..collection import Collection, resolve_collection_path

    served: dict[str, Path] = {}
    for name in names or (os.environ.get("BABELENS_COLLECTION") or "default",):
        path = resolve_collection_path(name)
        with Collection.open(path, create=False, read_only=True):
            pass
        if served.setdefault(path.name, path) != path:
            raise click.UsageError(
                f"Two collections are called {path.name!r}: {served[path.name]} and {path}."
            )
    return served


def _run(settings: Settings) -> None:
    """Serves until it is told to stop by Ctrl-C or SIGTERM."""
    import signal

    from ..server.running import listening, server_of
    from .render import message

    listener = listening(settings)
    address = _address(settings.host, listener)
    settings = dataclasses.replace(settings, port=listener.getsockname()[1])
    server = server_of(settings)
    message(f"Serving {', '.join(settings.collections)} at {address}  (Ctrl-C stops)")
    # uvicorn raises the signal again once it has stopped; to stop when asked to is no failure.
    before = {kind: signal.signal(kind, _ignore) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listener])
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
    message("Stopped.")


def _ignore(*_: object) -> None:
    pass


def _address(host: str, listener: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"
