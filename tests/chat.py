"""A language model's endpoint for tests: OpenAI's chat API on 127.0.0.1, well-behaved or wicked as told."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    path: str
    headers: dict[str, str]  # names in lower case
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """What the user message says, pictures left out."""
        content = self.body["messages"][-1]["content"]
        if isinstance(content, str):
            return content
        return "\n".join(part["text"] for part in content if part["type"] == "text")


class Exchange:
    """What a behaviour answers with; one per request."""

    def __init__(
        self, handler: BaseHTTPRequestHandler, request: Request, attempt: int, stop: threading.Event
    ):
        self._handler = handler
        self.request = request
        self.attempt = attempt  # counts requests from 1
        self.stop = stop  # set when the server closes: endless behaviours end then

    def status(self, code: int, body: str = "{}", **headers: str) -> None:
        self._handler.send_response(code)
        for name, value in headers.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.send_header("Content-Length", str(len(body.encode())))
        self._handler.end_headers()
        self._handler.wfile.write(body.encode())

    def begin(self, content_type: str = "text/event-stream") -> None:
        """A stream whose end is the end of the connection."""
        self._handler.send_response(200)
        self._handler.send_header("Content-Type", content_type)
        self._handler.send_header("Connection", "close")
        self._handler.end_headers()
        self._handler.close_connection = True

    def send(self, text: str) -> None:
        self._handler.wfile.write(text.encode())
        self._handler.wfile.flush()

    def piece(self, content: str | None, finish: str | None = None) -> None:
        delta = {} if content is None else {"content": content}
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        self.send(
            f"data: {json.dumps({'id': 'x', 'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n"
        )

    def end(self, finish: str = "stop") -> None:
        self.piece(None, finish)
        self.send("data: [DONE]\n\n")


Behaviour = Callable[[Exchange], None]


def says(*pieces: str, finish: str = "stop") -> Behaviour:
    """A reply in the given pieces."""

    def behave(exchange: Exchange) -> None:
        exchange.begin()
        for piece in pieces:
            exchange.piece(piece)
        exchange.end(finish)

    return behave


def obeys(exchange: Exchange) -> None:
    """The most gullible model: does what any text in its prompt that begins with SYSTEM: tells it to say."""
    planted = re.search(r"SYSTEM:.*?[Rr]eply with:? (.+)", exchange.request.text)
    says(planted[1] if planted else "Nobody told me anything.")(exchange)


def in_turn(behaviours: Iterable[Behaviour]) -> Behaviour:
    """Another behaviour for each request; the last one stays."""
    listed = list(behaviours)

    def behave(exchange: Exchange) -> None:
        listed[min(exchange.attempt, len(listed)) - 1](exchange)

    return behave


@dataclass
class ChatServer:
    """``requests`` are those that came, in order."""

    url: str
    requests: list[Request] = field(default_factory=list)


@contextmanager
def chat_server(behave: Behaviour) -> Iterator[ChatServer]:
    stop = threading.Event()
    served = ChatServer("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length))
            served.requests.append(
                Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            )
            try:
                behave(Exchange(self, served.requests[-1], len(served.requests), stop))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client gave up, as some tests want

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
