"""Reads pictures of pages, alone or a folder of them, as one document; and any page that OCR has to read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ...errors import UnreadableFileError
from ...types import Skip
from ..images import EXTENSIONS, load_image, looks_like_picture, quiet_pillow
from .layout import PageLayout, Rect, Region, Segment
from .reading import place
from .types import DPI, LineReader
from .writing import mainly_rtl

if TYPE_CHECKING:
    from PIL.Image import Image

OCR_DPI: Final = 200
# As measured for the engines (models/ocr.py, which this wing does not import); lines below are counted instead.
MIN_CONFIDENCE: Final = 0.7
# A line's box is as high as its letters reach; the size of its font is about this part of that.
_SIZE: Final = 0.8


def page_files(folder: str) -> list[str]:
    """The pictures of a folder in the order of their names, numbers counted as numbers. Raises
    :class:`UnreadableFileError` when there are none."""
    try:
        names = sorted(os.listdir(folder), key=_natural)
    except OSError as error:
        raise UnreadableFileError(folder, f"cannot be read: {error.strerror}") from error
    files = [
        os.path.join(folder, name)
        for name in names
        if not name.startswith(".") and os.path.splitext(name)[1].lower().removeprefix(".") in EXTENSIONS
    ]
    if not files:
        raise UnreadableFileError(folder, "no pictures of pages in this folder")
    return files


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part
    ]


def is_picture_file(path: str) -> bool:
    with open(path, "rb") as stream:
        return looks_like_picture(stream.read(32))


def load_scan(path: str) -> Image:
    """A page's picture, upright, RGB. Its pixels count as those at 150 dpi, whatever its resolution."""
    with quiet_pillow():
        return load_image(path)


class OcrPages:
    """Reads pages with OCR and keeps count: of pages read, of lines left out."""

    def __init__(self, ocr: LineReader, languages: Sequence[str]) -> None:
        self._ocr = ocr
        self._languages = tuple(languages)
        self.read = 0
        self.doubtful_lines = 0

    def layout(self, page: PageLayout, image: Image) -> PageLayout:
        """The page with what OCR reads in its picture, which may have any resolution."""
        scale = page.width / image.width
        segments = []
        for line in self._ocr.read(image, self._languages):
            text = " ".join(line.text.split())
            if line.confidence < MIN_CONFIDENCE:
                self.doubtful_lines += 1
            elif text:
                rect = Rect(*(value * scale for value in line.box))
                size = max(round(rect.height * _SIZE), 1)
                segments.append(Segment(text, rect, size, baseline=rect.y1 - 0.2 * rect.height))
        self.read += 1
        rtl = mainly_rtl("".join(segment.text for segment in segments)) is True
        regions = _without_text(page.regions, segments)
        blocks = place(segments, (), regions, rtl=rtl)
        return replace(
            page,
            source="ocr" if blocks else "empty",
            blocks=tuple(blocks),
            regions=regions,
            unread=None,
            rtl=rtl,
        )


def _without_text(regions: Sequence[Region], segments: Sequence[Segment]) -> tuple[Region, ...]:
    """Regions that are not themselves a piece of scanned text."""
    return tuple(
        region
        for region in regions
        if sum(segment.rect.shared(region.rect) for segment in segments) < 0.3 * region.rect.area
    )


def scan_layouts(files: Sequence[str], reader: OcrPages | None, skips: list[Skip]) -> Iterator[PageLayout]:
    """The layouts of pictures as pages; one that cannot be read is added to ``skips``."""
    for number, path in enumerate(files, start=1):
        try:
            image = load_scan(path)
        except UnreadableFileError as error:
            skips.append(Skip(str(error.path), f"page {number}: {error.reason}"))
            continue
        page = PageLayout(number, image.width, image.height, "empty", unread="a picture")
        yield reader.layout(page, image) if reader is not None else page


def render_scan(path: str, dpi: float) -> Image:
    """A page's picture scaled as if it had 150 dpi; never enlarged."""
    image = load_scan(path)
    if dpi < DPI:
        image.thumbnail((max(round(image.width * dpi / DPI), 1), max(round(image.height * dpi / DPI), 1)))
    return image
