"""Cuts Noto Sans CJK JP down to the letters of a manual, before the page is laid out.

WeasyPrint keeps the number of every glyph of a font: of 65,000 glyphs that takes 200 kB a weight, where 400 are used.
"""

from __future__ import annotations

from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection

FAMILY = "Noto Sans CJK JP"
FILES = {
    "normal": Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"),
    "bold": Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc"),
}


def font_faces(text: str, folder: Path) -> str:
    """Writes the cut fonts into ``folder``; the CSS that names them. Their family is :data:`FAMILY` with " cut"."""
    rules = []
    for weight, path in FILES.items():
        font = next(
            font for font in TTCollection(path).fonts if font["name"].getDebugName(1).startswith(FAMILY)
        )
        font.recalcTimestamp = False  # the same file on every run
        options = Options(
            hinting=False, layout_features=["kern", "palt"], drop_tables=["vmtx", "vhea", "VORG"]
        )
        cutter = Subsetter(options)
        cutter.populate(text=text + " 0123456789ABCDEFM.,-–—…‐−+%·")
        cutter.subset(font)
        file = folder / f"{weight}.otf"
        font.save(file)
        rules.append(
            f'@font-face {{ font-family: "{FAMILY} cut"; font-weight: {weight}; src: url("{file.as_uri()}"); }}'
        )
    return "\n".join(rules)
