"""Encodes what a catalog holds with another encoder, beside the vectors that are there.

Nothing but vectors is written: items, texts and files stay as they are known. What has a vector already is not encoded
again, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..models.protocols import Encoder
from ..sources.images import quiet_pillow
from ..sources.scan import FoundFile, is_gone
from ..storage.catalog import Catalog
from ..types import Item, Progress, Skip
from ..vectors import Floats
from .decode import SIDECAR, Decoded, Decoder, Job
from .pictures import NO_VECTOR, encode_each
from .redraw import CHANGED, GONE, Redrawing
from .texts import BodyVectors

_PAGE: Final = 1000  # items looked up at a time
_ENCODE: Final = 64  # pictures given to the encoder at a time
_TEXTS: Final = 256  # texts encoded and committed at a time
_COMMIT_SECONDS: Final = 1.0

_IMPORTED: Final = "imported as a vector, without a file"


@dataclass(frozen=True, slots=True)
class Reencoded:
    """Vectors written by this run. ``cut`` texts are longer than the encoder reads; ``skipped`` pictures have none."""

    pictures: int
    texts: int
    cut: int
    skipped: tuple[Skip, ...]


def reencode(catalog: Catalog, encoder: Encoder, number: int, *, progress: Progress) -> Reencoded:
    """Gives every picture and every caption of a catalog a vector of ``encoder``, whose number is ``number``.

    A picture whose file is gone, has changed or cannot be read is skipped. Commits about once a second. Ctrl-C commits
    what is encoded, then raises ``KeyboardInterrupt``; :class:`StorageFullError` keeps what was committed.
    """
    with catalog.writing(), quiet_pillow():
        pictures, texts = catalog.count_without(number)
        walk = _Pictures(catalog, encoder, number)
        walk.run(pictures, progress)
        redrawn = Redrawing(catalog, encoder, number, walk.skipped)
        redrawn.run(lambda done: progress(walk.written + done, pictures, "pages and figures"))
        bodies = BodyVectors(encoder)
        written = last = 0
        while page := catalog.texts_without(number, last, limit=_TEXTS):
            last = page[-1][0]
            vectors = bodies.encode([body for _, body in page])
            catalog.put_vectors(number, "text", [row for row, _ in page], vectors)
            written += len(page)
            progress(written, texts, "texts")
    return Reencoded(walk.written + redrawn.written, written, bodies.cut, tuple(walk.skipped))


class _Pictures:
    """Decodes in threads, encodes in full batches, writes when a second has passed."""

    def __init__(self, catalog: Catalog, encoder: Encoder, number: int) -> None:
        self._catalog = catalog
        self._encoder = encoder
        self._number = number
        self._decoder = Decoder(catalog, encoder, number, caption_language=None)
        self.written = 0
        self.skipped: list[Skip] = []
        self._wanted: deque[_Wanted] = deque()  # what is being decoded, in order
        self._pixels: list[tuple[_Wanted, Decoded]] = []  # to be encoded
        self._vectors: dict[str, Floats] = {}  # by item, to be written
        self._twins: list[tuple[_Wanted, Decoded]] = []  # a file of the same bytes is on its way
        self._settled: set[str] = set()  # hashes that nobody need wait for, once written
        self._written_at = time.monotonic()

    def run(self, total: int, progress: Progress) -> None:
        if total:
            progress(0, total)
        with closing(self._decoder.run(self._jobs())) as results:
            try:
                for result in results:
                    self._sort(self._wanted.popleft(), result)
                    if len(self._pixels) >= _ENCODE:
                        self._encode()
                    if time.monotonic() - self._written_at >= _COMMIT_SECONDS:
                        self._write()
                        self._sort_twins()
                    note = f"{len(self.skipped):,} skipped" if self.skipped else ""
                    progress(self.written + len(self._vectors) + len(self.skipped), total, note)
                while self._pixels or self._vectors or self._twins:
                    self._encode()
                    self._write()
                    self._sort_twins()
            except KeyboardInterrupt:
                self._write()
                raise

    def _jobs(self) -> Iterator[Job]:
        last = 0
        while page := self._catalog.items_without(self._number, last, limit=_PAGE):
            last = page[-1][0]
            known = self._catalog.files_at([item.source.path for _, item in page])
            for _, item in page:
                wanted = _Wanted(item, indexed=item.source.path in known)
                path = self._path_of(wanted)
                if path is None:
                    self._skip(wanted, GONE if wanted.indexed else _IMPORTED)
                else:
                    self._wanted.append(wanted)
                    yield Job(FoundFile(path, 0, 0))

    def _path_of(self, wanted: _Wanted) -> str | None:
        """Where the picture is: a copy of the same bytes does as well."""
        source = wanted.item.source
        if not wanted.indexed:  # what was imported is a path only if it says so
            return source.path if os.path.isabs(source.path) and not is_gone(source.path) else None
        if not is_gone(source.path):
            return source.path
        copies = self._catalog.files_with_hash(source.sha256)
        return next((copy.path for copy in copies if copy.reason != SIDECAR and not is_gone(copy.path)), None)

    def _sort(self, wanted: _Wanted, result: Decoded) -> None:
        if result.twin and result.reason is None:
            self._twins.append((wanted, result))
            return
        if result.pixels is not None and self._same(wanted, result):
            self._pixels.append((wanted, result))
            return
        if result.reason is not None:
            self._skip(wanted, result.reason)
        elif result.vector is None or not self._same(wanted, result):
            self._skip(wanted, CHANGED)
        else:
            self._vectors[wanted.item.id] = result.vector
        self._settled.add(result.state.sha256)

    def _same(self, wanted: _Wanted, result: Decoded) -> bool:
        """Whether the file still holds what the catalog says; nothing is known of the bytes of an imported picture."""
        return not wanted.indexed or result.state.sha256 == wanted.item.source.sha256

    def _sort_twins(self) -> None:
        """Looks at them again: the other's vector is written now, unless it is still on its way."""
        twins, self._twins = self._twins, []
        for wanted, result in twins:
            self._sort(wanted, self._decoder.decode(result.job))

    def _encode(self) -> None:
        batch, self._pixels = self._pixels, []
        pixels = [result.pixels for _, result in batch if result.pixels is not None]
        for (wanted, result), vector in zip(batch, encode_each(self._encoder, pixels), strict=True):
            if vector is None:
                self._skip(wanted, NO_VECTOR)
            else:
                self._vectors[wanted.item.id] = vector
            self._settled.add(result.state.sha256)

    def _write(self) -> None:
        if self._vectors:
            vectors = np.stack(list(self._vectors.values()))
            self._catalog.put_vectors(self._number, "image", list(self._vectors), vectors)
        self.written += len(self._vectors)
        self._decoder.release(self._settled)
        self._vectors, self._settled = {}, set()
        self._written_at = time.monotonic()

    def _skip(self, wanted: _Wanted, reason: str) -> None:
        self.skipped.append(Skip(wanted.item.source.path, reason))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An item whose picture needs a vector; not ``indexed`` when it was imported, so that no file is known."""

    item: Item
    indexed: bool
