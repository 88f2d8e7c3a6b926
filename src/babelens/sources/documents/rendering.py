"""Draws pages of documents, and parts of them such as figures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UnreadableFileError
from .pdf import PdfWorker, WorkerError, is_pdf
from .scans import is_picture_file, load_scan, page_files, render_scan
from .types import DPI, Box

if TYPE_CHECKING:
    from PIL.Image import Image


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
        elif is_pdf(self.path):
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
        except WorkerError as error:
            raise UnreadableFileError(self.path, f"page {number} cannot be drawn: {error}") from error


def render_page(path: str | Path, number: int, *, dpi: float = DPI) -> Image:
    """A page of a document as it looks: see :meth:`PageRenderer.page`, which is quicker for several pages."""
    with PageRenderer(path) as renderer:
        return renderer.page(number, dpi=dpi)


def render_box(path: str | Path, page: int, box: Box, *, max_side: int = 1024) -> Image:
    """A part of a page, such as a figure: see :meth:`PageRenderer.box`."""
    with PageRenderer(path) as renderer:
        return renderer.box(page, box, max_side=max_side)
