"""What the worker process answers: opening a document, the layout of a page, a page or part of one as a picture."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from .layout import to_plain
from .pdfium import MAX_RENDERED_PIXELS, OpenPage
from .reading import read_layout
from .types import DPI

if TYPE_CHECKING:
    from PIL.Image import Image

Reply = tuple[dict[str, Any], bytes]

# PDFium keeps what it parsed as long as a document is open: some 70 kB a page where pages share no fonts.
_KEPT_PAGES: Final = 100

_REASONS: Final = {
    raw.FPDF_ERR_FILE: "cannot be read",
    raw.FPDF_ERR_FORMAT: "damaged, or not a PDF",
    raw.FPDF_ERR_PASSWORD: "encrypted: it needs a password",
    raw.FPDF_ERR_SECURITY: "encrypted in a way that is not supported",
}


class Server:
    """Answers the requests of one parent about one document."""

    def __init__(self) -> None:
        self._document: pdfium.PdfDocument | None = None
        self._served = 0

    def answer(self, request: dict[str, Any]) -> Reply:
        if request["do"] == "open":
            return self._open(os.fsencode(request["path"])), b""
        assert self._document is not None
        if self._served == _KEPT_PAGES:
            self._document.close()
            self._document = pdfium.PdfDocument(self._stream)
            self._served = 0
        self._served += 1
        page = OpenPage(self._document, request["page"])
        try:
            if request["do"] == "layout":
                return {"layout": to_plain(read_layout(page, request["page"]))}, b""
            return _picture(page, request)
        finally:
            page.close()

    def _open(self, path: bytes) -> dict[str, Any]:
        try:
            with open(path, "rb") as stream:
                # PDFium reads through the open file: names that are not UTF-8 are no trouble.
                self._stream = stream = open(os.dup(stream.fileno()), "rb")  # noqa: SIM115
            self._document = pdfium.PdfDocument(self._stream)
            pages = len(self._document)
        except OSError as error:
            return {"refused": f"cannot be read: {error.strerror}"}
        except pdfium.PdfiumError as error:
            return {"refused": _REASONS.get(getattr(error, "err_code", None), "damaged, or not a PDF")}
        return {"pages": pages, "title": self._document.get_metadata_value("Title").strip() or None}


def _picture(page: OpenPage, request: dict[str, Any]) -> Reply:
    """A page at ``dpi``, or the part in ``box`` such that its longer side has ``max_side`` pixels at the most."""
    box = request.get("box")
    if box is None:
        return _pixels(page.render(request["dpi"]))
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0, 1)
    # Twice the usual resolution is the most that small print asks for.
    dpi = min(DPI * request["max_side"] / side, 2 * DPI)
    image = page.render(dpi, MAX_RENDERED_PIXELS)
    scale = image.width / page.width
    left, top = min(int(x0 * scale), image.width - 1), min(int(y0 * scale), image.height - 1)
    right, bottom = max(round(x1 * scale), left + 1), max(round(y1 * scale), top + 1)
    part = image.crop((left, top, min(right, image.width), min(bottom, image.height)))
    if max(part.size) > request["max_side"]:
        part.thumbnail((request["max_side"], request["max_side"]))
    return _pixels(part)


def _pixels(image: Image) -> Reply:
    return {"width": image.width, "height": image.height}, image.tobytes()
