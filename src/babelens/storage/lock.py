"""One writer at a time: a lock file beside the catalog, freed by the operating system when its holder dies."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from ..errors import CollectionLockedError
from .database import os_errors


class WriterLock:
    """Held by one process at a time; within that process it may be entered again, from any thread."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "writer.lock"
        self._owner = folder / "writer.json"
        self._lock = filelock.FileLock(self._path, timeout=0, thread_local=False)
        self._guard = threading.Lock()
        self._depth = 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._guard:
            if self._depth == 0:
                self._acquire()
            self._depth += 1
        try:
            yield
        finally:
            with self._guard:
                self._depth -= 1
                if self._depth == 0:
                    self._lock.release()

    def _acquire(self) -> None:
        with os_errors(self._path):
            try:
                self._lock.acquire()
            except filelock.Timeout:
                raise CollectionLockedError(
                    f"Another process is writing to {self._path.parent}{self._holder()}.",
                    hint="Wait until it has finished, or stop it. Searching works meanwhile.",
                ) from None
            try:
                record = {"pid": os.getpid(), "host": socket.gethostname()}
                self._owner.write_text(json.dumps(record), encoding="utf-8")
            except BaseException:
                self._lock.release()
                raise

    def _holder(self) -> str:
        try:
            record = json.loads(self._owner.read_text(encoding="utf-8"))
            return f" (process {record['pid']} on {record['host']})"
        except (OSError, ValueError, KeyError, TypeError):
            return ""  # the holder is between taking the lock and signing it
