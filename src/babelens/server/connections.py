"""Connections that do not come to the point are closed: uvicorn itself waits for a request's head without end."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS: Final = 10.0


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 with a time limit for the line and headers of each request, however slowly their bytes drip in."""

    head_seconds = HEAD_SECONDS
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._expect_head()
        super().data_received(data)
        if self._answering():
            self._head_came()

    def on_response_complete(self) -> None:
        self._head_came()  # between requests the limit for idle connections holds
        super().on_response_complete()

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_head(self) -> None:
        if self._waiting is None and not self._answering():
            self._waiting = self.loop.call_later(self.head_seconds, self._too_slow)

    def _head_came(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _too_slow(self, *_: Any) -> None:
        self._waiting = None
        if not self._answering() and not self.transport.is_closing():
            self.transport.abort()
