"""From a thread that makes pieces to the event loop that sends them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from .workers import Workers

T = TypeVar("T")


class _GaveUpError(Exception):
    """Nobody listens any more."""


async def taken(workers: Workers, make: Callable[[Callable[[T], None]], None]) -> AsyncIterator[T]:
    """What ``make`` hands over, as it comes. Raises what ``make`` raises.

    ``make`` runs on a thread and is given a function to hand pieces over; once nobody listens, that function ends it.
    """
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[T | None] = asyncio.Queue()
    left = threading.Event()

    def give(piece: T) -> None:
        if left.is_set():
            raise _GaveUpError
        loop.call_soon_threadsafe(pieces.put_nowait, piece)

    def run() -> None:
        try:
            make(give)
        except _GaveUpError:
            return
        finally:
            if not loop.is_closed():
                loop.call_soon_threadsafe(pieces.put_nowait, None)

    future = workers.submit(run)
    try:
        while (piece := await pieces.get()) is not None:
            yield piece
        await asyncio.wrap_future(future)
    finally:
        left.set()
