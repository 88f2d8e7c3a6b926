"""Reads a PDF in a process of its own, so that a file which crashes, hangs or fills the memory costs one page.

The worker is killed when a page takes too long; a new one goes on after the page that did it.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, ClassVar, Final

from ...errors import UnreadableFileError
from ...types import Skip
from .layout import PageLayout, from_plain
from .types import DPI, Box
from .worker import HEADER

if TYPE_CHECKING:
    from PIL.Image import Image

TIMEOUT: Final = 600.0
PAGE_SECONDS: Final = 1.0
PAGE_TIMEOUT: Final = 30.0
MEMORY_MB: Final = 2048
_HEAD: Final = 1024
_START_TIMEOUT: Final = 30.0
# A file in which so many pages in a row bring the parser down has nothing left to give.
_MAX_FAILURES: Final = 25


def is_pdf(path: str) -> bool:
    """Whether a file begins as a PDF does, whatever its name."""
    with open(path, "rb") as stream:
        return b"%PDF-" in stream.read(_HEAD)


class WorkerError(Exception):
    """The worker died, hung or could not do what it was asked; the message says which."""


class PdfWorker:
    """One worker process with one open PDF. A context manager; ``pages`` and ``title`` are known once it is entered.

    Raises :class:`UnreadableFileError` on entry when the file cannot be opened.
    """

    program: ClassVar[str] = f"{__package__}.worker"

    def __init__(self, path: str, *, memory_mb: int = MEMORY_MB, page_timeout: float = PAGE_TIMEOUT) -> None:
        self.path = path
        self.pages = 0
        self.title: str | None = None
        self._memory_mb = memory_mb
        self._page_timeout = page_timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._replies: queue.Queue[tuple[dict[str, Any], bytes] | None] = queue.Queue()

    def __enter__(self) -> PdfWorker:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts a process and opens the file, which is also how to go on after a failure."""
        self.stop()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        # Threads of a numerical library reserve memory for nothing here.
        environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", self.program, str(self._memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self._replies = queue.Queue()
        assert self._process.stdout is not None
        threading.Thread(target=_receive, args=(self._process.stdout, self._replies), daemon=True).start()
        try:
            reply, _ = self._ask({"do": "open", "path": self.path}, max(_START_TIMEOUT, self._page_timeout))
        except WorkerError as error:
            raise UnreadableFileError(self.path, f"cannot be opened: {error}") from error
        if "refused" in reply:
            hint = (
                "Save a copy without a password and read that." if "encrypted" in reply["refused"] else None
            )
            raise UnreadableFileError(self.path, reply["refused"], hint=hint)
        self.pages, self.title = reply["pages"], reply["title"]

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            # Closing flushes what a dead process never read.
            with suppress(OSError):
                assert stream is not None
                stream.close()

    def layout(self, number: int, timeout: float | None = None) -> PageLayout:
        """The layout of a page, from 1. Raises :class:`WorkerError`; :meth:`start` again after that."""
        limit = self._page_timeout if timeout is None else min(timeout, self._page_timeout)
        reply, _ = self._ask({"do": "layout", "page": number}, limit)
        return from_plain(reply["layout"])

    def render(self, number: int, *, dpi: float = DPI) -> Image:
        """A page as RGB, at ``dpi`` or at as much as 25 megapixels allow. Raises :class:`WorkerError`."""
        return self._image({"do": "render", "page": number, "dpi": dpi})

    def render_box(self, number: int, box: Box, *, max_side: int = 1024) -> Image:
        """The part of a page in ``box`` (pixels at 150 dpi) as RGB, its longer side at most ``max_side`` pixels."""
        return self._image({"do": "render", "page": number, "box": list(box), "max_side": max_side})

    def _image(self, request: dict[str, Any]) -> Image:
        from PIL import Image as PILImage

        reply, payload = self._ask(request, self._page_timeout)
        return PILImage.frombytes("RGB", (reply["width"], reply["height"]), payload)

    def _ask(self, request: dict[str, Any], timeout: float) -> tuple[dict[str, Any], bytes]:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode("ascii") + b"\n")
            self._process.stdin.flush()
            answer = self._replies.get(timeout=max(timeout, 0.01))
        except queue.Empty:
            self.stop()
            raise WorkerError(f"took longer than {timeout:.0f} s") from None
        except OSError:
            answer = None
        if answer is None:
            reason = _cause_of_death(self._process)
            self.stop()
            raise WorkerError(reason)
        if "error" in answer[0]:
            raise WorkerError(answer[0]["error"])
        return answer

    @property
    def running(self) -> bool:
        return self._process is not None


def _receive(stream: IO[bytes], replies: queue.Queue[tuple[dict[str, Any], bytes] | None]) -> None:
    """Frames into a queue until the stream ends; then ``None``."""
    with suppress(OSError, ValueError):  # closed from the other side, or from this one
        while len(head := stream.read(HEADER.size)) == HEADER.size:
            body = json.loads(stream.read(HEADER.unpack(head)[0]))
            payload = stream.read(body["payload"])
            if len(payload) < body["payload"]:
                break
            replies.put((body, payload))
    replies.put(None)


def _cause_of_death(process: subprocess.Popen[bytes]) -> str:
    code = process.wait()
    if code >= 0:
        return f"the parser ended with status {code}"
    name = signal.Signals(-code).name if -code in signal.valid_signals() else str(-code)
    memory = " (often for want of memory)" if name in ("SIGABRT", "SIGKILL") else ""
    return f"the parser crashed with {name}{memory}"


def read_layouts(worker: PdfWorker, *, timeout: float | None, skips: list[Skip]) -> Iterator[PageLayout]:
    """The layouts of all pages that can be read, one at a time; what cannot is added to ``skips``.

    ``timeout`` is for the parsing of the whole document, in seconds; what is done with a page in between does not
    count. ``None`` gives ten minutes, and more to a document of more than 600 pages.
    """
    limit = max(TIMEOUT, worker.pages * PAGE_SECONDS) if timeout is None else timeout
    spent = 0.0
    failures = 0
    for number in range(1, worker.pages + 1):
        if spent >= limit:
            skips.append(_skip(worker, number, f"the document took longer than {limit:.0f} s", rest=True))
            return
        start = time.monotonic()
        try:
            if not worker.running:
                worker.start()
            page = worker.layout(number, limit - spent)
        except (WorkerError, UnreadableFileError) as error:
            spent += time.monotonic() - start
            failures += 1
            skips.append(_skip(worker, number, getattr(error, "reason", str(error))))
            if failures >= _MAX_FAILURES and number < worker.pages:
                skips.append(_skip(worker, number + 1, f"{failures} pages in a row failed", rest=True))
                return
        else:
            spent += time.monotonic() - start
            failures = 0
            yield page


def _skip(worker: PdfWorker, number: int, reason: str, *, rest: bool = False) -> Skip:
    pages = f"pages {number} to {worker.pages}" if rest and number < worker.pages else f"page {number}"
    return Skip(worker.path, f"{pages}: {reason}")
