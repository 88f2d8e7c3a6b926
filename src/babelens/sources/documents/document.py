"""Reads a document of any kind, and draws its pages."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...errors import UnreadableFileError
from ...types import Progress, Skip
from .assembly import assemble, with_languages
from .layout import DPI, PageLayout
from .pdf import MEMORY_MB, TIMEOUT, PdfWorker, WorkerFailure, read_layouts
from .plain import MAX_BYTES, plain_passages
from .scans import OCR_DPI, OcrPages, is_picture_file, load_scan, page_files, render_scan, scan_layouts
from .types import Box, Document, LineReader, Page

if TYPE_CHECKING:
    from PIL.Image import Image

TEXT_SUFFIXES: Final = frozenset({".txt", ".text", ".md", ".markdown", ".html", ".htm", ".xhtml"})
_HEAD: Final = 1024


def read_document(
    path: str | Path,
    *,
    ocr: LineReader | None = None,
    languages: Sequence[str] = (),
    timeout: float = TIMEOUT,
    memory_mb: int = MEMORY_MB,
    progress: Progress | None = None,
) -> Document:
    """The pages, passages and figures of a PDF, a text, Markdown or HTML file, or a folder of page scans.

    The first bytes decide whether a file is a PDF, not its name. Pages without usable text are read by ``ocr``, which
    hears ``languages`` (tags) as a hint. A PDF is parsed in a process of its own within ``memory_mb`` and ``timeout``
    (seconds for all pages, 30 for each, the time of OCR included); a page that cannot be read is a skip, the others are kept.
    Raises :class:`UnreadableFileError` when nothing of the file can be read.
    """
    name = os.fspath(path)
    reader = OcrPages(ocr, languages) if ocr is not None else None
    if os.path.isdir(name):
        files = page_files(name)
        return _read_scans(name, files, _sha256(files), reader, progress)
    digest = _sha256([name])
    if _is_pdf(name):
        return _read_pdf(name, digest, reader, timeout, memory_mb, progress)
    if is_picture_file(name):
        return _read_scans(name, [name], digest, reader, progress)
    suffix = os.path.splitext(name)[1].lower()
    if suffix not in TEXT_SUFFIXES:
        raise UnreadableFileError(name, "not a PDF, a text, Markdown or HTML file, or a picture of a page")
    return _read_plain(name, digest, suffix)


def _read_pdf(
    path: str,
    digest: str,
    reader: OcrPages | None,
    timeout: float,
    memory_mb: int,
    progress: Progress | None,
) -> Document:
    skips: list[Skip] = []
    unread: dict[str, int] = {}
    with PdfWorker(path, memory_mb=memory_mb) as worker:
        if worker.pages == 0:
            raise UnreadableFileError(path, "a PDF without pages")

        def layouts() -> Iterator[PageLayout]:
            for page in read_layouts(worker, timeout=timeout, skips=skips):
                if page.unread is not None and reader is not None:
                    try:
                        page = reader.layout(page, worker.render(page.number, dpi=OCR_DPI))
                    except WorkerFailure as error:
                        skips.append(Skip(path, f"page {page.number}: cannot be drawn for OCR: {error}"))
                if page.unread is not None:
                    unread[page.unread] = unread.get(page.unread, 0) + 1
                yield page

        result = assemble(layouts(), on_page=_reporter(progress, worker.pages))
        title = worker.title
    if not result.pages:
        raise UnreadableFileError(path, f"none of its pages can be read ({skips[0].reason})")
    return Document(
        path=path,
        sha256=digest,
        title=title or result.title,
        pages=result.pages,
        passages=result.passages,
        figures=result.figures,
        skips=tuple(skips),
        notes=_notes(result.pages, unread, reader),
    )


def _read_scans(
    path: str, files: Sequence[str], digest: str, reader: OcrPages | None, progress: Progress | None
) -> Document:
    skips: list[Skip] = []
    result = assemble(scan_layouts(files, reader, skips), on_page=_reporter(progress, len(files)))
    if not result.pages:
        raise UnreadableFileError(path, f"none of its pages can be read ({skips[0].reason})")
    unread = {"a picture": len(result.pages)} if reader is None else {}
    return Document(
        path=path,
        sha256=digest,
        title=None,
        pages=result.pages,
        passages=result.passages,
        figures=result.figures,
        skips=tuple(skips),
        notes=_notes(result.pages, unread, reader),
    )


def _read_plain(path: str, digest: str, suffix: str) -> Document:
    data = _bytes(path)
    if not data.strip():
        raise UnreadableFileError(path, "empty file")
    title, passages = plain_passages(path, data, suffix)
    if not passages:
        raise UnreadableFileError(path, "no text in it")
    return Document(
        path=path,
        sha256=digest,
        title=title,
        pages=(Page(1, 0, 0, "text"),),
        passages=tuple(with_languages(passages)),
        figures=(),
        skips=(),
        notes=(),
    )


def _reporter(progress: Progress | None, total: int):  # type: ignore[no-untyped-def]
    if progress is None:
        return None
    return lambda number: progress(number, total)


def _notes(pages: Sequence[Page], unread: dict[str, int], reader: OcrPages | None) -> tuple[str, ...]:
    notes = []
    for reason, count in sorted(unread.items()):
        notes.append(f"{count} of {len(pages)} pages were not read ({reason}); they need OCR")
    if reader is not None and reader.read:
        notes.append(f"{reader.read} of {len(pages)} pages were read by OCR")
    if reader is not None and reader.doubtful_lines:
        notes.append(f"{reader.doubtful_lines} lines that OCR was not sure of were left out")
    return tuple(notes)


def _sha256(files: Sequence[str]) -> str:
    """The digest of a file, or of the digests of several with their names."""
    if len(files) == 1:
        try:
            with open(files[0], "rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise UnreadableFileError(files[0], f"cannot be read: {error.strerror}") from error
    whole = hashlib.sha256()
    for file in files:
        whole.update(os.fsencode(os.path.basename(file)) + b"\0" + _sha256([file]).encode("ascii"))
    return whole.hexdigest()


def _is_pdf(path: str) -> bool:
    with open(path, "rb") as stream:
        return b"%PDF-" in stream.read(_HEAD)


def _bytes(path: str) -> bytes:
    with open(path, "rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UnreadableFileError(path, f"larger than {MAX_BYTES // 2**20} MB of text")
    return data


class PageRenderer:
    """Draws pages of one document; for a PDF it keeps one process, so many pages cost little more than a few.

    A context manager. Raises :class:`UnreadableFileError` on entry for a file that has no pages to look at, and from
    each method for a page that is not there or cannot be drawn.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = os.fspath(path)
        self._worker: PdfWorker | None = None
        self._files: list[str] = []

    def __enter__(self) -> PageRenderer:
        if os.path.isdir(self.path):
            self._files = page_files(self.path)
        elif not os.path.isfile(self.path):
            raise UnreadableFileError(self.path, "no such file")
        elif _is_pdf(self.path):
            self._worker = PdfWorker(self.path).__enter__()
        elif is_picture_file(self.path):
            self._files = [self.path]
        else:
            raise UnreadableFileError(self.path, "has no pages to look at")
        return self

    def __exit__(self, *_: object) -> None:
        if self._worker is not None:
            self._worker.stop()

    def page(self, number: int, *, dpi: float = DPI) -> Image:
        """A page from 1, RGB, at ``dpi``; a huge page at what 25 megapixels allow. A scan is never enlarged."""
        self._check(number)
        if self._worker is None:
            return render_scan(self._files[number - 1], dpi)
        return self._drawn(number, None, dpi, 0)

    def box(self, number: int, box: Box, *, max_side: int = 1024) -> Image:
        """The part of a page inside ``box`` (pixels at 150 dpi), RGB, drawn so that its longer side has at most
        ``max_side`` pixels (and at most 300 dpi)."""
        self._check(number)
        if self._worker is None:
            part = load_scan(self._files[number - 1]).crop(box)
            part.thumbnail((max_side, max_side))
            return part
        return self._drawn(number, box, 0, max_side)

    def _check(self, number: int) -> None:
        pages = self._worker.pages if self._worker is not None else len(self._files)
        if not 1 <= number <= pages:
            raise UnreadableFileError(self.path, f"there is no page {number}: it has {pages}")

    def _drawn(self, number: int, box: Box | None, dpi: float, max_side: int) -> Image:
        assert self._worker is not None
        if not self._worker.running:
            self._worker.start()
        try:
            if box is None:
                return self._worker.render(number, dpi=dpi)
            return self._worker.render_box(number, box, max_side=max_side)
        except WorkerFailure as error:
            raise UnreadableFileError(self.path, f"page {number} cannot be drawn: {error}") from error


def render_page(path: str | Path, number: int, *, dpi: float = DPI) -> Image:
    """A page of a document as it looks: see :meth:`PageRenderer.page`, which is quicker for several pages."""
    with PageRenderer(path) as renderer:
        return renderer.page(number, dpi=dpi)


def render_box(path: str | Path, page: int, box: Box, *, max_side: int = 1024) -> Image:
    """A part of a page, such as a figure: see :meth:`PageRenderer.box`."""
    with PageRenderer(path) as renderer:
        return renderer.box(page, box, max_side=max_side)
