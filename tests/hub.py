"""A model hub in miniature: the few requests that `huggingface_hub` makes to find and fetch files."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """Repositories by name, each a folder; ``commits`` where it is not :data:`COMMIT`.

    ``requests`` are ``"GET path"`` in order.
    """

    repositories: dict[str, Path] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    wrong_hash: set[str] = field(default_factory=set)
    stop_after: int | None = (
        None  # bytes of a large file, then the connection drops and the hub is out of order
    )
    broken: bool = False
    elsewhere: bool = False  # files lie on another host, which refuses requests that bring a token
    requests: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    url: str = ""

    def fetched(self) -> list[str]:
        return [
            line.rsplit("/", 1)[-1]
            for line in self.requests
            if line.startswith("GET") and "/resolve/" in line
        ]


@contextmanager
def running_hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.requests.append(f"{self.command} {path}")
            parts = path.strip("/").split("/")
            if parts[0] == "datasets":  # kept beside the models here
                parts = parts[1:]
            if parts[0] == "elsewhere":
                if "Authorization" in self.headers:
                    self._say(400, {"error": "Only one way to authenticate is allowed"})
                    return
                parts = parts[1:]
            elif hub.elsewhere and "resolve" in parts:
                self._send_on(path, hub.repositories["/".join(parts[:2])] / "/".join(parts[4:]))
                return
            repo = "/".join(parts[2:4]) if parts[0] == "api" else "/".join(parts[:2])
            if repo not in hub.repositories:
                self._say(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
            elif repo in hub.gated:
                self._say(403, {"error": "gated"}, {"X-Error-Code": "GatedRepo"})
            elif hub.broken:
                self._say(503, {"error": "out of order"})
            elif parts[0] == "api":
                self._api(repo, tree="tree" in parts)
            elif parts[3] not in ("main", hub.commits.get(repo, COMMIT)):
                self._say(404, {"error": "Revision not found"}, {"X-Error-Code": "RevisionNotFound"})
            else:
                self._file(repo, "/".join(parts[4:]), body=body)

        def _send_on(self, path: str, file: Path) -> None:
            self.send_response(302)
            self.send_header("Location", f"{hub.url.replace('127.0.0.1', 'localhost')}/elsewhere{path}")
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(file.read_bytes()).hexdigest()}"')
            self.send_header("X-Linked-Size", str(file.stat().st_size))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _api(self, repo: str, *, tree: bool) -> None:
            folder = hub.repositories[repo]
            names = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
            if tree:
                rows = [
                    {"type": "file", "path": name, "size": (folder / name).stat().st_size, "oid": "0" * 40}
                    for name in names
                ]
                self._say(200, rows)
            else:
                siblings = [{"rfilename": name} for name in names]
                self._say(
                    200,
                    {"id": repo, "modelId": repo, "sha": hub.commits.get(repo, COMMIT), "siblings": siblings},
                )

        def _file(self, repo: str, name: str, *, body: bool) -> None:
            file = hub.repositories[repo] / name
            if not file.is_file():
                self._say(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
                return
            content = file.read_bytes()
            etag = hashlib.sha256(content).hexdigest()
            if file.name in hub.wrong_hash:
                etag = hashlib.sha256(b"another").hexdigest()
            start = 0
            if wanted := self.headers.get("Range"):
                hub.ranges.append(wanted)
                start = int(wanted.removeprefix("bytes=").split("-")[0])
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("ETag", f'"{etag}"')
            self.send_header("X-Linked-Etag", f'"{etag}"')
            self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("X-Repo-Commit", hub.commits.get(repo, COMMIT))
            self.end_headers()
            if not body:
                return
            if hub.stop_after is not None and len(content) > hub.stop_after:
                self.wfile.write(content[start : start + hub.stop_after])
                self.wfile.flush()
                self.close_connection = hub.broken = True
                self.connection.close()
                return
            self.wfile.write(content[start:])

        def _say(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
            content = json.dumps(value).encode()
            self.send_response(status)
            for name, text in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
