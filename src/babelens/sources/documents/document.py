"""Reads a document of any kind."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from ...errors import UnreadableFileError
from ...types import Progress, Skip
from .assembly import Assembled, assemble, with_languages
from .layout import PageLayout
from .pdf import MEMORY_MB, PdfWorker, WorkerError, is_pdf, read_layouts
from .plain import MAX_BYTES, plain_passages
from .scans import OCR_DPI, OcrPages, is_picture_file, page_files, scan_layouts
from .types import Document, LineReader, Page

TEXT_SUFFIXES: Final = frozenset({".txt", ".text", ".md", ".markdown", ".html", ".htm", ".xhtml"})


def is_document_name(path: str) -> bool:
    """Whether a file's name says that it is a document: a PDF, or a text, Markdown or HTML file."""
    suffix = os.path.splitext(path)[1].lower()
    return suffix == ".pdf" or suffix in TEXT_SUFFIXES


def read_document(
    path: str | Path,
    *,
    ocr: LineReader | None = None,
    languages: Sequence[str] = (),
    timeout: float | None = None,
    memory_mb: int = MEMORY_MB,
    progress: Progress | None = None,
) -> Document:
    """The pages, passages and figures of a PDF, a text, Markdown or HTML file, or a folder of page scans.

    The first bytes decide whether a file is a PDF, not its name. Pages without usable text are read by ``ocr``, which
    hears ``languages`` (tags) as a hint. A PDF is parsed in a process of its own within ``memory_mb`` and ``timeout``:
    seconds of parsing for all pages, OCR not counted, by default ten minutes or a second a page, whichever is more;
    each has 30. A page that cannot be read is a skip, the others are kept.
    Raises :class:`UnreadableFileError` when nothing of the file can be read.
    """
    name = os.fspath(path)
    reader = OcrPages(ocr, languages) if ocr is not None else None
    if os.path.isdir(name):
        files = page_files(name)
        return _read_scans(name, files, _sha256(files), reader, progress)
    digest = _sha256([name])
    if not os.path.getsize(name):
        raise UnreadableFileError(name, "empty file")
    if is_pdf(name):
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
    timeout: float | None,
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
                    except WorkerError as error:
                        skips.append(Skip(path, f"page {page.number}: cannot be drawn for OCR: {error}"))
                if page.unread is not None:
                    unread[page.unread] = unread.get(page.unread, 0) + 1
                yield page

        result = assemble(layouts(), on_page=_reporter(progress, worker.pages))
        title = worker.title
    return _document(path, digest, title or result.title, result, skips, unread, reader)


def _read_scans(
    path: str, files: Sequence[str], digest: str, reader: OcrPages | None, progress: Progress | None
) -> Document:
    skips: list[Skip] = []
    result = assemble(scan_layouts(files, reader, skips), on_page=_reporter(progress, len(files)))
    unread = {"a picture": len(result.pages)} if reader is None else {}
    return _document(path, digest, None, result, skips, unread, reader)


def _document(
    path: str,
    digest: str,
    title: str | None,
    result: Assembled,
    skips: Sequence[Skip],
    unread: Mapping[str, int],
    reader: OcrPages | None,
) -> Document:
    """``unread`` counts pages by the reason why they need OCR. Raises :class:`UnreadableFileError` without any page."""
    if not result.pages:
        raise UnreadableFileError(path, f"none of its pages can be read ({skips[0].reason})")
    return Document(
        path=path,
        sha256=digest,
        title=title,
        pages=result.pages,
        passages=result.passages,
        figures=result.figures,
        skips=tuple(skips),
        notes=_notes(result.pages, unread, reader),
        unread=sum(unread.values()),
        doubtful_lines=reader.doubtful_lines if reader is not None else 0,
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


def _reporter(progress: Progress | None, total: int) -> Callable[[int], None] | None:
    if progress is None:
        return None
    return lambda number: progress(number, total)


def _notes(pages: Sequence[Page], unread: Mapping[str, int], reader: OcrPages | None) -> tuple[str, ...]:
    notes = []
    for reason, count in sorted(unread.items()):
        notes.append(f"{count} of {len(pages)} pages were not read ({reason}); they need OCR")
    if reader is not None and reader.read:
        notes.append(f"{reader.read} of {len(pages)} pages were read by OCR")
    if reader is not None and reader.doubtful_lines:
        notes.append(f"{reader.doubtful_lines} lines that OCR was not sure of were left out")
    return tuple(notes)


def document_digest(path: str) -> str:
    """The SHA-256 of a file, or of a folder's pages with their names. Raises :class:`UnreadableFileError`."""
    return _sha256(page_files(path) if os.path.isdir(path) else [path])


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


def _bytes(path: str) -> bytes:
    with open(path, "rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UnreadableFileError(path, f"larger than {MAX_BYTES // 2**20} MB of text")
    return data
