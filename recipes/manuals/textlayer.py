"""Mends the text layer that WeasyPrint writes for Arabic and Hindi, so that readers get its words in logical order.

WeasyPrint tells a reader of the PDF one text a glyph. That is not enough where shaping reorders or joins letters:

- Hindi: a vowel sign stands left of the consonant that it follows, and several letters make one glyph. Every word gets
  its text as ``/ActualText`` (PDF 32000-1, 14.9.4). The page must put every word into an element of its own.
- Arabic: readers turn a line round letter by letter, and with it the letters of a ligature. A ligature is therefore
  written as the one character that Unicode has for it (presentation forms, which readers take apart), and a bracket as
  the one that is seen on the page, which readers mirror back.

It hooks into names of WeasyPrint that are not public: the README beside this script pins the version.
"""

from __future__ import annotations

import io
import unicodedata
from typing import Any

import weasyprint.draw.text as draw
import weasyprint.pdf.fonts as fonts
from fontTools.ttLib import TTFont

BRACKETS = frozenset("()[]{}<>«»")
LIGATURES = {
    text: chr(code)
    for code in (*range(0xFDFB, 0xFB4F, -1), *range(0xFEFC, 0xFE6F, -1))
    if len(text := unicodedata.normalize("NFKC", chr(code))) > 1 and " " not in text
}


def install() -> None:
    draw_line, clean = draw.draw_first_line, fonts.Font.clean

    def draw_with_text(stream: Any, textbox: Any, *rest: Any) -> Any:
        text = textbox.text
        if not any("\u0900" <= letter <= "\u097f" for letter in text):
            return draw_line(stream, textbox, *rest)
        encoded = ("\ufeff" + text + " ").encode("utf-16-be").hex()
        stream.stream.append(f"/Span <</ActualText <{encoded}>>> BDC")
        emojis = draw_line(stream, textbox, *rest)
        stream.stream.append("EMC")
        return emojis

    def clean_with_ligatures(font: Any, to_unicode: dict[int, str], hinting: bool) -> Any:
        if not {*BRACKETS, *LIGATURES}.isdisjoint(to_unicode.values()):
            face = TTFont(io.BytesIO(font.file_content), fontNumber=font.index)
            seen = {face.getGlyphID(name): chr(code) for code, name in face.getBestCmap().items()}
            for glyph, text in to_unicode.items():
                known = seen.get(glyph, text) if text in BRACKETS else text
                font.to_unicode[glyph] = LIGATURES.get(known, known)
        return clean(font, to_unicode, hinting)

    draw.draw_first_line = draw_with_text
    fonts.Font.clean = clean_with_ligatures
