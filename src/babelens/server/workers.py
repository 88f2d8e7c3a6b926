"""Threads that do the blocking work, and a queue before them that has an end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from ..errors import ServiceError

T = TypeVar("T")


class OverloadedError(ServiceError):
    """Everything is busy and the queue is full; ``retry_after`` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            "The service has more to do than it can keep up with.",
            hint=f"Ask again in {retry_after} s.",
        )
        self.retry_after = retry_after


class Workers:
    """``threads`` threads and room for ``waiting`` more calls. One that is given up by its client keeps its thread
    until it ends, and is counted until then."""

    def __init__(self, name: str, *, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"babelens-{name}")
        self._room = threads + waiting
        self._lock = threading.Lock()
        self._taken = 0

    @property
    def taken(self) -> int:
        """Calls that run or wait."""
        return self._taken

    async def run(self, call: Callable[..., T], *args: Any, **keywords: Any) -> T:
        """What ``call`` gives, on a thread. Raises :class:`OverloadedError` when there is no room."""
        return await asyncio.wrap_future(self.submit(call, *args, **keywords))

    def submit(self, call: Callable[..., T], *args: Any, **keywords: Any) -> Future[T]:
        with self._lock:
            if self._taken >= self._room:
                raise OverloadedError(1)
            self._taken += 1
        try:
            future = self._pool.submit(call, *args, **keywords)
        except BaseException:
            self._release()
            raise
        future.add_done_callback(lambda _: self._release())
        return future

    def _release(self) -> None:
        with self._lock:
            self._taken -= 1

    def close(self) -> None:
        """Lets what runs come to its end, and starts nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
