"""A real server on a free port, in a thread of the test's process."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from babelens.demo.bundled import load_gallery
from babelens.server import Service, Settings, create_app
from babelens.server.connections import ImpatientProtocol
from babelens.server.running import listening


@dataclass(frozen=True)
class Served:
    """A running service, a client of it, and its insides."""

    port: int
    client: httpx.Client
    service: Service

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(
    collections: dict[str, Path],
    *,
    head_seconds: float = 5.0,
    headers: dict[str, str] | None = None,
    **settings: Any,
) -> Iterator[Served]:
    """Serves collections until the block ends; ``settings`` are those of :class:`Settings`."""
    given = {"port": 0, "rate": 0.0, **settings}
    thumbnails = next(iter(collections.values())).parent / "thumbnails"
    chosen = Settings(collections, **{"thumbnails": thumbnails, **given})
    app = create_app(chosen)
    protocol = type("QuickProtocol", (ImpatientProtocol,), {"head_seconds": head_seconds})
    config = uvicorn.Config(
        app, http=protocol, ws="none", log_config=None, access_log=False, server_header=False
    )
    server = uvicorn.Server(config)
    listener = listening(chosen)
    port = listener.getsockname()[1]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.005)
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30, trust_env=False
        ) as client:
            yield Served(port, client, app.state.service)
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
        assert not thread.is_alive(), "the server did not stop"


def copy_gallery(folder: Path, count: int) -> tuple[Path, Path]:
    """``pictures`` with so many of the bundled gallery, and their ``captions.jsonl``."""
    bundled = load_gallery()
    pictures, captions = folder / "pictures", folder / "captions.jsonl"
    pictures.mkdir()
    names = {Path(shutil.copy(picture.path, pictures)).name for picture in bundled.pictures[:count]}
    lines = bundled.captions_file.read_text("utf-8").splitlines(keepends=True)
    captions.write_text(
        "".join(line for line in lines if Path(json.loads(line)["image"]).name in names), "utf-8"
    )
    return pictures, captions
