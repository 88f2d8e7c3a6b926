"""What PDFium knows of a page: its glyphs, its pictures and paths, its looks. Runs only inside the worker process.

JavaScript, forms and attachments are never opened. Coordinates become pixels at 150 dpi from the top left of the page
as it is shown, so rotation and crop are dealt with here.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from .drawings import Mark
from .glyphs import Glyph
from .layout import PIXELS_PER_POINT, Rect
from .types import DPI

if TYPE_CHECKING:
    from PIL.Image import Image

# A rendered page has no more pixels than this, whatever size and resolution are asked for.
MAX_RENDERED_PIXELS: Final = 25_000_000
MAX_GLYPHS: Final = 200_000
_MAX_OBJECTS: Final = 200_000
_MAX_DEPTH: Final = 12
_PRECISION: Final = 64
_FORCE_BOLD: Final = 1 << 18
_ITALIC: Final = 1 << 6
# Fonts in which headings are set, against text of another. A Gothic is bold beside a Mincho.
_STRONG_NAMES: Final = ("bold", "black", "heavy", "demi", "italic", "oblique", "gothic", "kaku")
_STROKED: Final = 2

Matrix = tuple[float, float, float, float, float, float]
_IDENTITY: Final[Matrix] = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class TextLayer:
    """The glyphs of a page, without spaces and line ends, and how many of its characters had no meaning."""

    glyphs: list[Glyph]
    truncated: bool


class OpenPage:
    """A page of an open document. ``width`` and ``height`` are in pixels at 150 dpi."""

    def __init__(self, document: pdfium.PdfDocument, number: int) -> None:
        self._page = document[number - 1]
        width, height = self._page.get_size()
        if not (math.isfinite(width) and math.isfinite(height) and width > 0 and height > 0):
            raise ValueError("the page has no size")
        self.width, self.height = width * PIXELS_PER_POINT, height * PIXELS_PER_POINT
        self._to_pixels = self._transform()

    def close(self) -> None:
        self._page.close()

    def _transform(self) -> Matrix:
        """From the page's own coordinates to pixels."""

        def device(x: float, y: float) -> tuple[float, float]:
            dx, dy = ctypes.c_int(), ctypes.c_int()
            size = (round(self.width * _PRECISION), round(self.height * _PRECISION))
            raw.FPDF_PageToDevice(self._page, 0, 0, *size, 0, x, y, dx, dy)
            return dx.value / _PRECISION, dy.value / _PRECISION

        (ex, ey), (ax, ay), (cx, cy) = device(0, 0), device(1000, 0), device(0, 1000)
        return ((ax - ex) / 1000, (ay - ey) / 1000, (cx - ex) / 1000, (cy - ey) / 1000, ex, ey)

    def text(self) -> TextLayer:
        """The text layer, in the order in which PDFium gives it."""
        layer = self._page.get_textpage()
        count = min(layer.count_chars(), MAX_GLYPHS)
        truncated = layer.count_chars() > count
        fonts: dict[int, tuple[float, bool, bool]] = {}
        a, b, c, d, e, f = self._to_pixels
        glyphs: list[Glyph] = []
        space, high = False, 0
        box, x, y = raw.FS_RECTF(), ctypes.c_double(), ctypes.c_double()
        for index in range(count):
            code = raw.FPDFText_GetUnicode(layer, index)
            if 0xD800 <= code < 0xDC00:
                high = code
                continue
            if 0xDC00 <= code < 0xE000 and high:
                code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00)
            high = 0
            letter = "-" if code == 2 else chr(code) if 0 < code < 0x110000 else "\ufffd"  # 2: a soft hyphen
            if raw.FPDFText_IsGenerated(layer, index) == 1:
                # A guess of PDFium's from the gap; wrong between the parts of an Indic syllable.
                continue
            if letter.isspace() or code == 0xFEFF:
                if glyphs and not space:
                    glyphs[-1] = replace(glyphs[-1], space_after=True)
                space = True
                continue
            if not raw.FPDFText_GetLooseCharBox(layer, index, box):
                continue
            raw.FPDFText_GetCharOrigin(layer, index, x, y)
            holder = raw.FPDFText_GetTextObject(layer, index)
            key = ctypes.cast(holder, ctypes.c_void_p).value or 0
            if key not in fonts:
                fonts[key] = (*_font(layer, index, holder), self._is_upright(layer, index))
            size, strong, upright = fonts[key]
            # Pages are turned by right angles only, so two corners tell the extent.
            x0, x1 = a * box.left + c * box.bottom + e, a * box.right + c * box.top + e
            baseline = b * x.value + d * y.value + f
            glyphs.append(
                Glyph(
                    letter,
                    min(x0, x1),
                    max(x0, x1),
                    baseline,
                    size,
                    strong,
                    space,
                    (key, x.value, y.value),
                    upright,
                )
            )
            space = False
        layer.close()
        if any("\u0900" <= glyph.text <= "\u097f" for glyph in glyphs):
            glyphs = _widened(glyphs, self._silent_text(set(fonts)))
        return TextLayer(glyphs, truncated)

    def _silent_text(self, known: set[int]) -> list[tuple[float, float, float]]:
        """The left, right and baseline of text objects that no character belongs to.

        Where a file says in other words what a syllable means (ActualText), only its first glyphs have characters.
        """
        silent = []
        for index in range(raw.FPDFPage_CountObjects(self._page)):
            item = raw.FPDFPage_GetObject(self._page, index)
            if raw.FPDFPageObj_GetType(item) != raw.FPDF_PAGEOBJ_TEXT:
                continue
            if (ctypes.cast(item, ctypes.c_void_p).value or 0) in known:
                continue
            left, bottom, right, top = (ctypes.c_float() for _ in range(4))
            matrix = raw.FS_MATRIX()
            if raw.FPDFPageObj_GetBounds(item, left, bottom, right, top) and raw.FPDFPageObj_GetMatrix(
                item, matrix
            ):
                rect = self._rect(_IDENTITY, left.value, bottom.value, right.value, top.value)
                silent.append((rect.x0, rect.x1, _apply(self._to_pixels, matrix.e, matrix.f)[1]))
        return silent

    def _is_upright(self, layer: Any, index: int) -> bool:
        matrix = raw.FS_MATRIX()
        if not raw.FPDFText_GetMatrix(layer, index, matrix):
            return True
        a, b, c, d, _, _ = self._to_pixels
        dx, dy = a * matrix.a + c * matrix.b, b * matrix.a + d * matrix.b
        return bool(abs(dy) <= 0.3 * abs(dx))

    def marks(self) -> list[Mark]:
        """Every picture, path and shading that the page draws, also inside forms."""
        found: list[Mark] = []
        count = raw.FPDFPage_CountObjects(self._page)
        objects = (raw.FPDFPage_GetObject(self._page, index) for index in range(count))
        self._collect(objects, _IDENTITY, 0, found)
        return found

    def _collect(self, objects: Iterator[Any], matrix: Matrix, depth: int, found: list[Mark]) -> None:
        for item in objects:
            if not item or len(found) >= _MAX_OBJECTS:
                continue
            kind = raw.FPDFPageObj_GetType(item)
            if kind == raw.FPDF_PAGEOBJ_FORM:
                if depth < _MAX_DEPTH:
                    own = raw.FS_MATRIX()
                    raw.FPDFPageObj_GetMatrix(item, own)
                    inner = _multiply((own.a, own.b, own.c, own.d, own.e, own.f), matrix)
                    count = raw.FPDFFormObj_CountObjects(item)
                    children = (raw.FPDFFormObj_GetObject(item, index) for index in range(count))
                    self._collect(children, inner, depth + 1, found)
                continue
            if kind not in (raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_SHADING):
                continue
            left, bottom, right, top = (ctypes.c_float() for _ in range(4))
            if not raw.FPDFPageObj_GetBounds(item, left, bottom, right, top):
                continue
            rect = self._rect(matrix, left.value, bottom.value, right.value, top.value)
            if not all(map(math.isfinite, rect)):
                continue
            rect = rect.clipped(self.width, self.height)
            if kind == raw.FPDF_PAGEOBJ_PATH:
                if _is_visible(item):
                    found.append(Mark(rect, "path" if _is_shaped(item) else "straight"))
            else:
                found.append(Mark(rect, "picture" if kind == raw.FPDF_PAGEOBJ_IMAGE else "path"))

    def _rect(self, matrix: Matrix, x0: float, y0: float, x1: float, y1: float) -> Rect:
        corners = (_apply(self._to_pixels, *_apply(matrix, x, y)) for x in (x0, x1) for y in (y0, y1))
        xs, ys = zip(*corners, strict=True)
        return Rect(min(xs), min(ys), max(xs), max(ys))

    def render(self, dpi: float, max_pixels: int = MAX_RENDERED_PIXELS) -> Image:
        """The page as it looks, RGB, at ``dpi`` or at what ``max_pixels`` allows."""
        scale = dpi / 72
        width, height = self._page.get_size()
        too_many = width * scale * height * scale / max_pixels
        if too_many > 1:
            scale /= math.sqrt(too_many)
        # A page thinner than a pixel is drawn as one that is a pixel wide.
        scale = max(scale, 1 / max(width, height))
        bitmap = self._page.render(scale=scale, may_draw_forms=False, rev_byteorder=True)
        image: Image = bitmap.to_pil()
        return image.convert("RGB")

    def ink(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Where the page is not of its background's colour, at a quarter of the usual resolution: (height, width)."""
        grey = np.asarray(self.render(DPI / 4, 4_000_000).convert("L"), dtype=np.int16)
        background = np.bincount(grey.ravel(), minlength=256).argmax()
        return np.asarray(np.abs(grey - int(background)) > 24)


def _widened(glyphs: list[Glyph], silent: list[tuple[float, float, float]]) -> list[Glyph]:
    """Glyphs made as wide as the syllables they stand for, by what is drawn right after them."""
    ends: dict[int, list[int]] = {}
    for index, glyph in enumerate(glyphs):
        ends.setdefault(round(glyph.baseline), []).append(index)
    widened = list(glyphs)
    for x0, x1, baseline in sorted(silent):
        for index in ends.get(round(baseline), ()):
            glyph = widened[index]
            if -0.5 * glyph.size < x0 - glyph.x1 < 0.12 * glyph.size and glyph.x0 < x0 and x1 > glyph.x1:
                widened[index] = replace(glyph, x1=x1)
    return widened


def _font(layer: Any, index: int, holder: Any) -> tuple[float, bool]:
    """The size in pixels as it appears, to half a pixel, and whether its font is one for headings."""
    matrix = raw.FS_MATRIX()
    scale = 1.0
    if raw.FPDFText_GetMatrix(layer, index, matrix):
        scale = math.hypot(matrix.c, matrix.d) or 1.0
    size = raw.FPDFText_GetFontSize(layer, index) * scale
    name, flags = ctypes.create_string_buffer(256), ctypes.c_int()
    raw.FPDFText_GetFontInfo(layer, index, name, 256, flags)
    font = name.value.decode("utf-8", "replace").lower()
    strong = bool(flags.value & (_FORCE_BOLD | _ITALIC)) or any(word in font for word in _STRONG_NAMES)
    if holder and raw.FPDFTextObj_GetTextRenderMode(holder) == _STROKED:
        strong = True
    pixels = size * PIXELS_PER_POINT if math.isfinite(size) else 0.0
    return max(round(pixels * 2) / 2, 0.5), strong


def _is_visible(path: Any) -> bool:
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    if not raw.FPDFPath_GetDrawMode(path, fill, stroke):
        return True
    if not (fill.value or stroke.value):
        return False
    # White on white hides what is under it, or pads a cell; it is no drawing.
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    get = raw.FPDFPageObj_GetStrokeColor if stroke.value else raw.FPDFPageObj_GetFillColor
    if not get(path, red, green, blue, alpha):
        return True
    return alpha.value > 8 and min(red.value, green.value, blue.value) < 250


def _is_shaped(path: Any) -> bool:
    """Whether a path has a curve or a slanted line: neither a rule nor a rectangle."""
    x, y = ctypes.c_float(), ctypes.c_float()
    last: tuple[float, float] | None = None
    for index in range(min(raw.FPDFPath_CountSegments(path), 64)):
        segment = raw.FPDFPath_GetPathSegment(path, index)
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_BEZIERTO:
            return True
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        if kind == raw.FPDF_SEGMENT_LINETO and last is not None:
            dx, dy = abs(x.value - last[0]), abs(y.value - last[1])
            if min(dx, dy) > 0.02 * max(dx, dy) + 0.2:
                return True
        last = (x.value, y.value)
    return False


def _apply(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def _multiply(first: Matrix, second: Matrix) -> Matrix:
    """The matrix that applies ``first``, then ``second``."""
    a, b, c, d, e, f = first
    x, y = _apply(second, e, f)
    sa, sb, sc, sd, _, _ = second
    return (a * sa + b * sc, a * sb + b * sd, c * sa + d * sc, c * sb + d * sd, x, y)
