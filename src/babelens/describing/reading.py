"""Printed words: read in the pictures and figures of a collection that nobody has read yet.

They become texts of origin ``ocr``, which search finds by their words. They get no vectors: the encoder's texts say
what a picture shows, and a label need not.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..errors import UnreadableFileError
from ..language_detection import detect_language
from ..languages import get_language
from ..models.ocr import load_ocr, usable
from ..models.protocols import OcrEngine
from ..retrieval.filters import parse_filter
from ..sources.captions import UNKNOWN_LANGUAGE
from ..sources.images import quiet_pillow
from ..storage.catalog import Catalog
from ..types import DescribeReport, Item, Kind, Progress, Skip, Status, Text

if TYPE_CHECKING:
    from PIL.Image import Image

READ_SIDE: Final = 2500  # pixels of the longer side that engines make use of
_BATCH: Final = 16  # pictures committed at a time, at most
_SECONDS: Final = 5.0  # of work that a kill may cost
_PAGE: Final = 1000
# Tesseract takes one core for a picture, so a second picture halves the time. RapidOCR keeps all cores busy and lets
# one in at a time; decoding is 1 % of its time.
_THREADS: Final = 4


def read_items(
    catalog: Catalog,
    engine: str | OcrEngine = "auto",
    *,
    picture: Callable[[Item], Image],
    kinds: Sequence[Kind] = ("image", "figure"),
    languages: Sequence[str] = (),
    where: str | None = None,
    progress: Progress | None = None,
) -> DescribeReport:
    """Reads the printed words of the items of some ``kinds`` that pass ``where`` and were not read yet.

    An item is read once: only where one engine found nothing will another one look again. ``engine`` is a name (see
    :func:`babelens.models.ocr.load_ocr`) or an engine; ``picture`` gives what an item looks like, best with about
    :data:`READ_SIDE` pixels, and may be called by several threads. ``languages`` are those that the words may be in.
    Lines that the engine is not sure of are left out and counted. What is read is committed every few seconds: it
    stays, whatever ends the run, and the next run goes on from there. A picture that cannot be read is skipped and
    reported. Raises :class:`UnknownModelError`, :class:`UnknownLanguageError`, :class:`WeightsUnavailableError`.
    """
    condition = parse_filter(where) if where else None
    tags = tuple(dict.fromkeys(get_language(language).tag for language in languages))
    reader = load_ocr(engine) if isinstance(engine, str) else engine
    with catalog.writing(), quiet_pillow():
        allowed = None if condition is None else catalog.matching_items(condition)
        writer = _Writer(catalog, reader.name)
        total = sum(1 for _ in _unread(catalog, kinds, reader.name, allowed, writer))
        items = _unread(catalog, kinds, reader.name, allowed, None)
        with closing(_read(items, reader, picture, tags)) as readings:
            for done, reading in enumerate(readings, start=1):
                writer.take(reading)
                if progress is not None:
                    progress(done, total, f"{len(writer.skipped):,} skipped" if writer.skipped else "")
        writer.commit()
        return writer.report()


@dataclass(frozen=True, slots=True)
class _Reading:
    """What an engine read of an item: lines that it was sure of, and how many more; or why it could not."""

    item: Item
    lines: tuple[str, ...] = ()
    doubtful: int = 0
    language: str = UNKNOWN_LANGUAGE
    fault: str | None = None


@dataclass(slots=True)
class _Writer:
    """Writes readings, and keeps count."""

    catalog: Catalog
    model: str
    unchanged: int = 0
    doubtful: int = 0
    skipped: list[Skip] = field(default_factory=list)
    written: dict[str, dict[Status, int]] = field(default_factory=dict)
    _waiting: list[Text] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)
    _committed: float = field(default_factory=time.monotonic)

    def take(self, reading: _Reading) -> None:
        item = reading.item
        if reading.fault is not None:
            page = "" if item.source.page is None else f"page {item.source.page}: "
            self.skipped.append(Skip(item.source.path, page + reading.fault))
            return
        self.doubtful += reading.doubtful
        self._waiting.append(_text(reading, self.model))
        if len(self._waiting) >= _BATCH or time.monotonic() - self._committed >= _SECONDS:
            self.commit()

    def commit(self) -> None:
        with self.catalog.transaction():
            for text in self._waiting:  # another engine may have found nothing
                self.catalog.delete_texts(text.item_id, ["ocr"])
            self.catalog.put_texts(self._waiting)
        for text in self._waiting:
            counts = self.written.setdefault(text.language, {})
            counts[text.status] = counts.get(text.status, 0) + 1
        self._waiting = []
        self._committed = time.monotonic()

    def report(self) -> DescribeReport:
        notes = (f"{self.doubtful:,} lines that OCR was not sure of were left out.",) if self.doubtful else ()
        return DescribeReport(
            written=self.written,
            unchanged=self.unchanged,
            skipped=tuple(self.skipped),
            notes=notes,
            seconds=time.monotonic() - self._started,
        )


def _text(reading: _Reading, model: str) -> Text:
    if reading.lines:
        return Text(reading.item.id, reading.language, "\n".join(reading.lines), "ocr", model=model)
    reason = "OCR was not sure of any line" if reading.doubtful else "no text was found"
    return Text(reading.item.id, UNKNOWN_LANGUAGE, "", "ocr", "empty", model, reason)


def _unread(
    catalog: Catalog, kinds: Sequence[Kind], model: str, allowed: set[str] | None, writer: _Writer | None
) -> Iterator[Item]:
    """Items to be read, a page at a time; ``writer`` counts the others."""
    items = catalog.items(kinds)
    while page := list(itertools.islice(items, _PAGE)):
        texts = catalog.texts_of([item.id for item in page])
        for item in page:
            if allowed is not None and item.id not in allowed:
                continue
            known = [text for text in texts.get(item.id, ()) if text.origin == "ocr"]
            if any(text.status == "ok" or text.model == model for text in known):
                if writer is not None:
                    writer.unchanged += 1
            else:
                yield item


def _read(
    items: Iterator[Item], engine: OcrEngine, picture: Callable[[Item], Image], languages: tuple[str, ...]
) -> Generator[_Reading, None, None]:
    """One reading for each item, in order, never far ahead of who takes them."""

    def read(item: Item) -> _Reading:
        try:
            kept, low = usable(engine.read(picture(item), languages))
        except UnreadableFileError as error:
            return _Reading(item, fault=error.reason)
        lines = tuple(line for line in (" ".join(one.text.split()) for one in kept) if line)
        return _Reading(item, lines, len(low), detect_language(" ".join(lines)) or UNKNOWN_LANGUAGE)

    pool = ThreadPoolExecutor(_THREADS, "babelens-read")
    ahead: deque[Future[_Reading]] = deque()
    try:
        for item in items:
            ahead.append(pool.submit(read, item))
            if len(ahead) > _THREADS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
