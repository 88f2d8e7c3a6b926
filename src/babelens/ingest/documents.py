"""Documents to the catalog: pages, figures and passages as items of their own, one transaction a document.

What is read of a document before it is written is one document long, so a stop loses one document's work at most.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..errors import UnreadableFileError
from ..models.protocols import ImageEncoder
from ..passages import passage_text
from ..sources.captions import UNKNOWN_LANGUAGE, is_captions_file, is_prose
from ..sources.documents import (
    DPI,
    Document,
    LineReader,
    PageRenderer,
    document_digest,
    page_files,
    read_document,
)
from ..sources.images import path_metadata
from ..sources.scan import FoundFile, is_gone
from ..storage.catalog import Catalog
from ..storage.rows import FileState
from ..types import Item, Progress, Skip, Source, Text
from ..vectors import Floats
from .decode import DOCUMENT, UNREAD, is_document
from .pictures import encode_each
from .report import Tally

if TYPE_CHECKING:
    from PIL.Image import Image

_ENCODE: Final = 64  # pictures given to the encoder at a time


@dataclass(frozen=True, slots=True)
class DocumentJob:
    """A document to read. ``known`` is what the catalog holds of its file."""

    file: FoundFile
    known: FileState | None


def page_folder(path: str) -> FoundFile:
    """A folder of page scans as if it were a file. Raises :class:`UnreadableFileError` when it holds no pictures."""
    infos = [os.stat(file) for file in page_files(path)]
    return FoundFile(path, sum(info.st_size for info in infos), max(info.st_mtime_ns for info in infos))


class DocumentWriter:
    """Reads one document after the other and writes what is in it. ``ocr`` reads pages without a text layer."""

    def __init__(
        self, catalog: Catalog, encoder: ImageEncoder, encoder_row: int, *, ocr: LineReader | None
    ) -> None:
        self._catalog = catalog
        self._encoder = encoder
        self._encoder_row = encoder_row
        self._ocr = ocr
        self.tally = Tally()

    def take(self, job: DocumentJob, progress: Progress) -> None:
        """Reads a document and commits it. ``progress`` counts its pages. One that cannot be read is a skip."""
        file = job.file
        state = FileState(file.path, file.size, file.mtime_ns, "", "skipped")
        if is_captions_file(file.path) and not is_prose(file.path):
            self.tally.others += 1
            return
        try:
            state = replace(state, sha256=document_digest(file.path))
            if self._is_settled(job, state):
                return
            document = read_document(file.path, ocr=self._ocr, progress=progress)
        except UnreadableFileError as error:
            state = replace(state, reason=error.reason)
            self.tally.skip(state)
            with self._catalog.transaction():
                self._catalog.remove_files([file.path])
                self._catalog.put_file(state)
            return
        unread = document.unread and self._ocr is None
        items = _Items(document)
        self._write(document, items, replace(state, status="ok", reason=UNREAD if unread else DOCUMENT))
        self.tally.updated += is_document(job.known)
        self.tally.added += not is_document(job.known)
        self._count(document, sum(item.kind == "passage" for item in items.all))

    def _is_settled(self, job: DocumentJob, state: FileState) -> bool:
        """Whether these bytes are known: in this place, where only the file's time has changed, or where it was
        moved from."""
        known = job.known
        if (
            known is not None
            and known.sha256 == state.sha256
            and is_document(known)
            and not self._reads_more(known)
        ):
            self._catalog.put_file(replace(state, status="ok", reason=known.reason))
            self.tally.unchanged += 1
            return True
        for old in self._catalog.files_with_hash(state.sha256):
            if is_document(old) and is_gone(old.path) and not self._reads_more(old):
                moved = replace(state, status="ok", reason=old.reason)
                self._catalog.move_file(old.path, moved, path_metadata(state.path))
                self.tally.moved += 1
                return True
        return False

    def _reads_more(self, known: FileState) -> bool:
        return known.reason == UNREAD and self._ocr is not None

    def _write(self, document: Document, items: _Items, state: FileState) -> None:
        vectors = self._picture_vectors(document, items)
        with self._catalog.transaction():
            inside = [known.path for known in self._catalog.files_below(document.path)]
            self._catalog.remove_files([document.path, *inside])
            self._catalog.put_items(items.all)
            self._catalog.put_texts(items.texts)
            self._catalog.put_file(state)
            if vectors:
                rows = np.stack(list(vectors.values()))
                self._catalog.put_vectors(self._encoder_row, "image", list(vectors), rows)

    def _picture_vectors(self, document: Document, items: _Items) -> dict[str, Floats]:
        """The vectors of pages and figures, by item. One that cannot be drawn is a skip."""
        pictured = [item for item in items.all if item.kind != "passage"]
        vectors: dict[str, Floats] = {}
        with Drawing(document.path, self._encoder.image_size) as drawing:
            for start in range(0, len(pictured), _ENCODE):
                batch = pictured[start : start + _ENCODE]
                vectors |= encode_drawn(batch, drawing, self._encoder, self.tally.skipped)
        return vectors

    def _count(self, document: Document, passages: int) -> None:
        tally = self.tally
        tally.pages += len(document.pages)
        tally.passages += passages
        tally.figures += len(document.figures)
        tally.pages_by_ocr += sum(page.source == "ocr" for page in document.pages)
        tally.pages_unread += document.unread
        tally.doubtful_lines += document.doubtful_lines
        tally.skipped += document.skips


class Drawing:
    """Draws pages and figures of one document large enough for an encoder; opens the document when first needed."""

    def __init__(self, path: str, size: int) -> None:
        self._path = path
        self._size = 2 * size  # of the shorter side: the encoder's own resampling does the rest
        self._renderer: PageRenderer | None = None

    def __enter__(self) -> Drawing:
        return self

    def __exit__(self, *error: object) -> None:
        if self._renderer is not None:
            self._renderer.__exit__(*error)

    def of(self, item: Item) -> Image:
        """The picture of a page or figure, RGB. Raises :class:`UnreadableFileError`."""
        if self._renderer is None:
            self._renderer = PageRenderer(self._path).__enter__()
        page, box = item.source.page, item.source.box
        assert page is not None
        if box is not None:
            shorter = max(1, min(box[2] - box[0], box[3] - box[1]))
            longer = max(box[2] - box[0], box[3] - box[1])
            return self._renderer.box(page, box, max_side=min(1024, self._size * longer // shorter))
        shorter = max(1, min(item.metadata["width"], item.metadata["height"]))
        return self._renderer.page(page, dpi=min(DPI, DPI * self._size / shorter))


def encode_drawn(
    items: Sequence[Item], drawing: Drawing, encoder: ImageEncoder, skipped: list[Skip]
) -> dict[str, Floats]:
    """The vectors of pages and figures of one document, by item. One that cannot be drawn is added to ``skipped``."""
    drawn = []
    for item in items:
        try:
            drawn.append((item.id, encoder.prepare(drawing.of(item))))
        except (UnreadableFileError, ValueError) as error:
            reason = error.reason if isinstance(error, UnreadableFileError) else str(error)
            skipped.append(Skip(item.source.path, f"page {item.source.page}: {reason}"))
    vectors = encode_each(encoder, [pixels for _, pixels in drawn])
    return {
        item_id: vector for (item_id, _), vector in zip(drawn, vectors, strict=True) if vector is not None
    }


class _Items:
    """The items and texts that a document becomes. Ids are made from its bytes, its path and the place in it."""

    def __init__(self, document: Document) -> None:
        self._document = document
        # The numbers in a drawing say nothing, and would be found by the headings above them.
        self._told = [one for one in document.passages if one.table or any(map(str.isalpha, one.body))]
        languages = Counter(passage.language for passage in document.passages if passage.language)
        self._usual_language = languages.most_common(1)[0][0] if languages else UNKNOWN_LANGUAGE
        named = path_metadata(document.path)
        self._common: dict[str, Any] = {"document": document.title or named["name"], **named}
        self.texts: list[Text] = []
        self.all = [*self._pages(), *self._figures(), *self._passages()]

    def _pages(self) -> Iterator[Item]:
        pages = self._document.pages
        for page in pages:
            if page.width:  # else there is nothing to look at
                facts = {"pages": len(pages), "width": page.width, "height": page.height, "read": page.source}
                yield self._item("page", f"page {page.number}", page.number, None, facts)

    def _figures(self) -> Iterator[Item]:
        languages = {passage.key: passage.language for passage in self._told}
        for figure in self._document.figures:
            item = self._item(
                "figure",
                figure.key,
                figure.page,
                figure.box,
                {
                    "label": figure.label,
                    "vector": figure.vector,
                    "passages": [self._id(key) for key in figure.passages if key in languages],
                },
            )
            if figure.caption:
                near = (languages[key] for key in figure.passages if key in languages)
                self._say(item, figure.caption, next(near, None))
            yield item

    def _passages(self) -> Iterator[Item]:
        figures: dict[str, list[str]] = defaultdict(list)
        for figure in self._document.figures:
            if figure.label:
                figures[figure.label].append(self._id(figure.key))
        on_paper = self._document.pages[0].width > 0
        for passage in self._told:
            item = self._item(
                "passage",
                passage.key,
                passage.page if on_paper else None,
                passage.box if on_paper else None,
                {
                    "headings": list(passage.headings),
                    "table": passage.table,
                    "figures": [one for label in passage.mentions for one in figures.get(label, ())],
                },
            )
            self._say(item, passage_text(passage.headings, passage.body), passage.language)
            yield item

    def _item(
        self,
        kind: Any,
        key: str,
        page: int | None,
        box: tuple[int, int, int, int] | None,
        facts: dict[str, Any],
    ) -> Item:
        source = Source(self._document.path, self._document.sha256, page, box)
        return Item(self._id(key), kind, source, {**self._common, **facts})

    def _id(self, key: str) -> str:
        parts = (self._document.sha256.encode(), os.fsencode(self._document.path), key.encode())
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:20]

    def _say(self, item: Item, body: str, language: str | None) -> None:
        self.texts.append(Text(item.id, language or self._usual_language, body, "document"))


def page_notes(tally: Tally, *, ocr: bool) -> list[str]:
    """What the user should know of the pages that were read, or not."""
    notes = []
    if tally.pages_by_ocr:
        share = 100 * tally.pages_by_ocr / tally.pages
        notes.append(f"{tally.pages_by_ocr:,} of {tally.pages:,} pages ({share:.0f} %) were read by OCR.")
    if tally.doubtful_lines:
        notes.append(f"{tally.doubtful_lines:,} lines that OCR was not sure of were left out.")
    if tally.pages_unread:
        why = "they cannot be drawn" if ocr else "only OCR could read them, and it was turned off"
        notes.append(f"{tally.pages_unread:,} of {tally.pages:,} pages were not read: {why}.")
    return notes
