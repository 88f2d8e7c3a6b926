"""Small PDFs written by hand: text at given places, rules, drawings, pictures. Sizes and places are in points, y from
the top of the page as readers see it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

FONTS = {"": "Helvetica", "bold": "Helvetica-Bold", "mono": "Courier"}


@dataclass
class Page:
    """Collects drawing operators. Text is Latin-1, or anything when ``Pdf.letters`` names its characters."""

    width: float = 595.0
    height: float = 842.0
    operators: list[str] = field(default_factory=list)
    images: list[tuple[int, int, bytes]] = field(default_factory=list)
    rotate: int = 0

    def text(self, x: float, y: float, words: str, size: float = 10, font: str = "") -> Page:
        name = {"": "F0", "bold": "F1", "mono": "F2"}[font]
        safe = words.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        self.operators.append(f"BT /{name} {size} Tf 1 0 0 1 {x} {self.height - y} Tm ({safe}) Tj ET")
        return self

    def lines(self, x: float, y: float, lines: Sequence[str], size: float = 10, leading: float = 12) -> Page:
        for number, line in enumerate(lines):
            self.text(x, y + number * leading, line, size)
        return self

    def visual(
        self, x: float, y: float, words: str, letters: str, size: float = 10, step: float = 0.6
    ) -> Page:
        """Characters of the Type 3 font, which has ``letters``, ``step`` of the size apart, as seen from left to
        right; a space leaves a gap."""
        for number, letter in enumerate(words):
            if letter != " ":
                code = letters.index(letter) + 1
                place = f"1 0 0 1 {x + number * step * size:.2f} {self.height - y} Tm"
                self.operators.append(f"BT /T3 {size} Tf {place} <{code:02x}> Tj ET")
        return self

    def rect(self, x: float, y: float, width: float, height: float, *, fill: bool = False) -> Page:
        self.operators.append(f"{x} {self.height - y - height} {width} {height} re {'f' if fill else 'S'}")
        return self

    def line(self, x0: float, y0: float, x1: float, y1: float) -> Page:
        self.operators.append(f"{x0} {self.height - y0} m {x1} {self.height - y1} l S")
        return self

    def circle(self, x: float, y: float, r: float) -> Page:
        y, k = self.height - y, 0.5523 * r
        self.operators.append(
            f"{x + r} {y} m {x + r} {y + k} {x + k} {y + r} {x} {y + r} c {x - k} {y + r} {x - r} {y + k} {x - r} {y} c"
            f" {x - r} {y - k} {x - k} {y - r} {x} {y - r} c {x + k} {y - r} {x + r} {y - k} {x + r} {y} c S"
        )
        return self

    def drawing(self, x: float, y: float, width: float, height: float) -> Page:
        """Something like a machine: circles, slanted lines and a box."""
        self.rect(x, y, width, height)
        self.circle(x + width / 3, y + height / 2, height / 4)
        self.circle(x + 2 * width / 3, y + height / 2, height / 4)
        self.line(x, y, x + width, y + height)
        return self.line(x, y + height, x + width, y)

    def image(
        self, x: float, y: float, width: float, height: float, pixels: tuple[int, int] = (8, 8)
    ) -> Page:
        """A grey picture of ``pixels``, written flat, so that it may claim any size."""
        columns, rows = pixels
        data = (
            zlib.compress(bytes(range(40, 240, 3))[: columns * rows] * 2) if columns * rows < 10**6 else b""
        )
        if not data:
            packer = zlib.compressobj(9)
            data = (
                b"".join(packer.compress(b"\x55" * columns) for _ in range(min(rows, 2000))) + packer.flush()
            )
        self.images.append((columns, rows, data))
        name = f"I{len(self.images) - 1}"
        self.operators.append(f"q {width} 0 0 {height} {x} {self.height - y - height} cm /{name} Do Q")
        return self


@dataclass
class Pdf:
    """A document of :class:`Page`. ``letters`` are the characters that codes 1, 2, … of the Type 3 font mean."""

    pages: list[Page] = field(default_factory=list)
    title: str = ""
    letters: str = ""
    catalog: str = ""
    trailer: str = ""
    resources: str = ""
    extra: list[bytes] = field(default_factory=list)

    def page(self, width: float = 595.0, height: float = 842.0) -> Page:
        self.pages.append(Page(width, height))
        return self.pages[-1]

    def save(self, path: Path) -> Path:
        path.write_bytes(self.bytes())
        return path

    def bytes(self) -> bytes:
        objects: list[bytes] = [b"", b""]  # catalog and page tree, filled in at the end

        def add(body: bytes) -> int:
            objects.append(body)
            return len(objects)

        fonts = {
            f"F{number}": add(
                f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>".encode()
            )
            for number, name in enumerate(FONTS.values())
        }
        if self.letters:
            fonts["T3"] = self._type3(add)
        info = add(f"<< /Title ({self.title}) >>".encode("latin-1"))
        for body in self.extra:
            add(body)
        kids = []
        for page in self.pages:
            content = add(_stream("\n".join(page.operators).encode("latin-1"), ""))
            names = "".join(
                f"/I{number} {add(_image(*image))} 0 R " for number, image in enumerate(page.images)
            )
            font_names = " ".join(f"/{name} {number} 0 R" for name, number in fonts.items())
            kids.append(
                add(
                    f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {page.width} {page.height}] /Rotate {page.rotate}"
                    f" /Contents {content} 0 R"
                    f" /Resources << /Font << {font_names} >> /XObject << {names} {self.resources} >> >> >>".encode()
                )
            )
        objects[0] = f"<< /Type /Catalog /Pages 2 0 R {self.catalog} >>".encode()
        refs = " ".join(f"{kid} 0 R" for kid in kids)
        objects[1] = f"<< /Type /Pages /Kids [{refs}] /Count {len(kids)} >>".encode()
        return _file(objects, f"/Root 1 0 R /Info {info} 0 R {self.trailer}")

    def _type3(self, add) -> int:  # type: ignore[no-untyped-def]
        glyph = add(_stream(b"600 0 0 0 600 700 d1 50 0 400 600 re f", ""))
        codes = range(1, len(self.letters) + 1)
        pairs = "\n".join(
            f"<{code:02x}> <{letter.encode('utf-16-be').hex()}>"
            for code, letter in zip(codes, self.letters, strict=True)
        )
        cmap = add(
            _stream(
                "/CIDInit /ProcSet findresource begin begincmap /CMapName /X def /CMapType 2 def"
                f" 1 begincodespacerange <00> <ff> endcodespacerange\n{len(self.letters)} beginbfchar\n{pairs}\n"
                "endbfchar endcmap end".encode(),
                "",
            )
        )
        names = " ".join(f"/g{code}" for code in codes)
        procs = " ".join(f"/g{code} {glyph} 0 R" for code in codes)
        widths = " ".join("600" for _ in codes)
        return add(
            f"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 600 700] /FontMatrix [0.001 0 0 0.001 0 0]"
            f" /CharProcs << {procs} >> /Encoding << /Type /Encoding /Differences [1 {names}] >>"
            f" /FirstChar 1 /LastChar {len(self.letters)} /Widths [{widths}] /ToUnicode {cmap} 0 R"
            " /Resources << >> >>".encode()
        )


def _stream(data: bytes, entries: str) -> bytes:
    return f"<< /Length {len(data)} {entries} >>\nstream\n".encode() + data + b"\nendstream"


def _image(width: int, height: int, data: bytes) -> bytes:
    entries = f"/Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceGray"
    return _stream(data, f"{entries} /BitsPerComponent 8 /Filter /FlateDecode")


def _file(objects: Sequence[bytes], trailer: str) -> bytes:
    out = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    for offset in offsets:
        out += f"{offset:010d} 00000 n \n".encode()
    out += f"trailer\n<< /Size {len(objects) + 1} {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)
