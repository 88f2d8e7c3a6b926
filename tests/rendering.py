"""Pictures of text for tests. Fonts are the system's; where one is missing the test is skipped and says so."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont, features

_NOTO = "/usr/share/fonts/{}/noto/{}"
_FONTS = {
    "ar": (_NOTO.format("truetype", "NotoNaskhArabic-Regular.ttf"), "fonts-noto-core"),
    "hi": (_NOTO.format("truetype", "NotoSansDevanagari-Regular.ttf"), "fonts-noto-core"),
    "ja": (_NOTO.format("opentype", "NotoSansCJK-Regular.ttc"), "fonts-noto-cjk"),
}


def font(language: str, size: int) -> ImageFont.FreeTypeFont:
    """A font for a language; Pillow's own for Latin letters."""
    if language not in _FONTS:
        return ImageFont.load_default(size)  # type: ignore[return-value]
    path, package = _FONTS[language]
    if not Path(path).is_file():
        pytest.skip(f"no font for {language!r}: apt-get install {package}")
    if language != "ja" and not features.check("raqm"):
        pytest.skip("this Pillow cannot shape Arabic and Devanagari: it was built without raqm")
    return ImageFont.truetype(path, size)


def page(
    lines: Sequence[str], language: str = "en", *, size: int = 28, width: int = 1000, margin: int = 50
) -> Image.Image:
    """Black lines on white, Arabic at the right margin."""
    face, pitch = font(language, size), round(size * 1.7)
    image = Image.new("RGB", (width, pitch * len(lines) + 2 * margin), "white")
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        x, anchor = (width - margin, "ra") if language == "ar" else (margin, "la")
        draw.text((x, margin + number * pitch), line, "black", face, anchor=anchor)
    return image


def error_rate(read: str, truth: str) -> float:
    """Edits over letters of the truth, white space aside (Levenshtein 1966)."""
    a, b = ("".join(unicodedata.normalize("NFKC", text).split()) for text in (read, truth))
    row = list(range(len(b) + 1))
    for number, letter in enumerate(a, 1):
        last, row[0] = row[0], number
        for place, other in enumerate(b, 1):
            last, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, last + (letter != other))
    return row[-1] / max(1, len(b))
