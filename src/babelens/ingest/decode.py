"""The decoding threads: from a path to pixels ready for the tower, in order and never too far ahead.

What may go wrong with one file ends here, as a reason to skip it.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableFileError
from ..models.protocols import ImageEncoder
from ..sources.captions import WrittenCaption, read_sidecar
from ..sources.images import EXTENSIONS, image_metadata, load_picture, looks_like_picture, path_metadata
from ..sources.scan import FoundFile
from ..storage.catalog import Catalog
from ..storage.rows import FileState
from ..types import Skip
from ..vectors import Floats

NOT_A_PICTURE: Final = "not a picture"
# Reasons in the state of a file that is no picture and yet of use: it holds a picture's captions, or it is a document
# (one of those has pages that only OCR could read, and nobody did).
SIDECAR: Final = "captions"
DOCUMENT: Final = "document"
UNREAD: Final = "document with unread pages"

# Results ahead of the consumer: two batches of the encoder, so that it never waits while it has not all it needs.
_WINDOW: Final = 136

# Larger files are read by the decoder itself, which may not need all of them.
_IN_MEMORY_BYTES: Final = 128 << 20


def is_document(state: FileState | None) -> bool:
    """Whether a known file was read as a document."""
    return state is not None and state.status == "ok" and state.reason in (DOCUMENT, UNREAD)


@dataclass(frozen=True, slots=True)
class Job:
    """A file to look at. ``known`` is what the catalog holds of it; ``captions_only`` when the picture is unchanged."""

    file: FoundFile
    known: FileState | None = None
    captions_only: bool = False


@dataclass(slots=True)
class Decoded:
    """What became of a job: pixels, or a vector known for the same bytes, or a reason why there is neither.

    ``twin`` means that another file with the same bytes is on its way: its vector will do for both.
    """

    job: Job
    state: FileState
    metadata: dict[str, Any] = field(default_factory=dict)
    pixels: NDArray[np.uint8] | None = None
    vector: Floats | None = None
    twin: bool = False
    # False for what may change without the file changing, such as a permission: it is tried again next time.
    remember: bool = True
    captions: tuple[WrittenCaption, ...] = ()
    sidecars: list[FileState] = field(default_factory=list)
    sidecar_skips: list[Skip] = field(default_factory=list)

    @property
    def reason(self) -> str | None:
        return self.state.reason if self.state.status == "skipped" else None

    @property
    def untouched(self) -> bool:
        """Whether the picture is what the catalog knows it to be, whatever its time says."""
        known = self.job.known
        return known is not None and known.item_id is not None and known.sha256 == self.state.sha256

    def fail(self, reason: str) -> None:
        state = self.state
        self.state = FileState(state.path, state.size, state.mtime_ns, state.sha256, "skipped", reason)
        self.pixels = self.vector = None
        self.twin = False


class Decoder:
    """Runs jobs in threads, one for each core, and never far ahead of the consumer."""

    def __init__(
        self,
        catalog: Catalog,
        encoder: ImageEncoder,
        encoder_row: int,
        *,
        caption_language: str | None,
    ) -> None:
        self._catalog = catalog
        self._encoder = encoder
        self._encoder_row = encoder_row
        self._caption_language = caption_language
        self._lock = threading.Lock()
        self._claims: set[str] = set()

    def run(self, jobs: Iterator[Job]) -> Generator[Decoded, None, None]:
        """One result for each job, in the order of the jobs."""
        pool = ThreadPoolExecutor(_cores(), thread_name_prefix="babelens-decode")
        ahead: deque[Future[Decoded]] = deque()
        try:
            for job in jobs:
                ahead.append(pool.submit(self.decode, job))
                if len(ahead) >= _WINDOW:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def claimed(self, sha256: str) -> bool:
        """Whether a file with these bytes is on its way."""
        with self._lock:
            return sha256 in self._claims

    def release(self, hashes: set[str]) -> None:
        """Their files have come to rest in the catalog."""
        with self._lock:
            self._claims -= hashes

    def decode(self, job: Job) -> Decoded:
        """The work of one thread. Errors of the file itself become a reason; others are raised."""
        file = job.file
        result = Decoded(job, FileState(file.path, file.size, file.mtime_ns, "", "skipped"))
        if job.captions_only:
            assert job.known is not None
            result.state = job.known
        else:
            try:
                self._read(job, result)
            except UnreadableFileError as error:
                result.fail(error.reason)
            except OSError as error:
                result.fail(f"cannot be read: {error.strerror}")
                result.remember = False
        if result.reason is None:
            self._read_sidecars(result)
        return result

    def _read(self, job: Job, result: Decoded) -> None:
        path, known = job.file.path, job.known
        with open(path, "rb") as stream:
            info = os.fstat(stream.fileno())
            head = stream.read(32)
            named_picture = os.path.splitext(path)[1][1:].lower() in EXTENSIONS
            content: bytes | None = None
            if not named_picture and not looks_like_picture(head):
                digest = ""
            elif info.st_size <= _IN_MEMORY_BYTES:
                content = head + stream.read()
                digest = hashlib.sha256(content).hexdigest()
            else:
                stream.seek(0)
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        result.state = FileState(path, info.st_size, info.st_mtime_ns, digest)
        if not digest:
            raise UnreadableFileError(path, NOT_A_PICTURE)
        if not info.st_size:
            raise UnreadableFileError(path, "empty file")
        if known is not None and known.sha256 == digest:  # touched, not changed
            result.state = FileState(
                path, info.st_size, info.st_mtime_ns, digest, known.status, known.reason, known.item_id
            )
            return
        source = path if content is None else content
        with self._lock:
            result.twin = digest in self._claims
            self._claims.add(digest)
        if not result.twin:
            result.vector = self._catalog.vector_by_hash(self._encoder_row, digest)
        if result.twin or result.vector is not None:
            result.metadata = image_metadata(source, name=path)
        else:
            picture = load_picture(source, target=self._encoder.image_size, name=path)
            result.metadata = picture.metadata
            try:
                result.pixels = self._encoder.prepare(picture.image)
            except ValueError as error:
                raise UnreadableFileError(path, f"the encoder cannot take it: {error}") from error
        result.metadata |= path_metadata(path)

    def _read_sidecars(self, result: Decoded) -> None:
        captions: list[WrittenCaption] = []
        for sidecar in result.job.file.sidecars:
            try:
                captions += read_sidecar(
                    sidecar.path, language=sidecar.language, default=self._caption_language
                )
            except UnreadableFileError as error:  # not remembered: it is tried, and reported, each time
                result.sidecar_skips.append(Skip(sidecar.path, error.reason))
                continue
            result.sidecars.append(FileState(sidecar.path, sidecar.size, sidecar.mtime_ns, "", "ok", SIDECAR))
        result.captions = tuple(dict.fromkeys(captions))


def _cores() -> int:
    """Cores this process may use; a container or ``taskset`` may allow fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
