from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image

from babelens.errors import UnreadableFileError
from babelens.sources.documents import Box, LineReader, read_document, render_page
from tests.pdfs import Pdf


@dataclass(frozen=True)
class Line:
    text: str
    box: Box
    confidence: float = 0.9


@dataclass
class FakeOcr:
    """Finds the same lines in every picture, at places given for 1000 × 1000 pixels."""

    lines: list[Line]
    sizes: list[tuple[int, int]] = field(default_factory=list)
    languages: list[Sequence[str]] = field(default_factory=list)

    def read(self, image: Image.Image, languages: Sequence[str] = ()) -> list[Line]:
        self.sizes.append(image.size)
        self.languages.append(languages)
        x, y = image.width / 1000, image.height / 1000
        return [
            Line(
                line.text,
                (int(line.box[0] * x), int(line.box[1] * y), int(line.box[2] * x), int(line.box[3] * y)),
                line.confidence,
            )
            for line in self.lines
        ]


@pytest.fixture
def ocr() -> FakeOcr:
    return FakeOcr(
        [
            Line("The fuse in Figure 2", (100, 100, 500, 120)),
            Line("feeds the pump.", (100, 125, 400, 145)),
            Line("@@#", (100, 300, 140, 320), 0.2),
        ]
    )


def test_a_page_without_text_is_read_by_ocr(tmp_path: Path, ocr: LineReader) -> None:
    pdf = Pdf()
    pdf.page().image(0, 0, 595, 842)
    pdf.page().text(72, 100, "This page has text that can be read.")
    document = read_document(pdf.save(tmp_path / "scan.pdf"), ocr=ocr, languages=("en",))
    assert [page.source for page in document.pages] == ["ocr", "text"]
    assert document.passages[0].body == "The fuse in Figure 2 feeds the pump."
    assert document.passages[0].mentions == ("figure 2",)
    assert abs(document.passages[0].box[0] - 124) <= 2
    assert any("1 of 2 pages were read by OCR" in note for note in document.notes)
    assert any("1 lines" in note for note in document.notes)
    assert isinstance(ocr, FakeOcr)
    assert ocr.languages == [("en",)]
    assert ocr.sizes[0][0] == pytest.approx(595 / 72 * 200, abs=2)


def test_without_ocr_such_pages_are_empty_and_counted(tmp_path: Path) -> None:
    pdf = Pdf()
    pdf.page().image(0, 0, 595, 842)
    pdf.page()  # blank: nothing is missing from it
    pdf.page().text(72, 100, "This page has text that can be read.")
    document = read_document(pdf.save(tmp_path / "scan.pdf"))
    assert [page.source for page in document.pages] == ["empty", "empty", "text"]
    assert len(document.notes) == 1
    assert document.notes[0].startswith("1 of 3 pages")


def test_mojibake_is_noticed(tmp_path: Path, ocr: LineReader) -> None:
    private = "".join(chr(0xE000 + n) for n in range(20))
    pdf = Pdf(letters=private)
    page = pdf.page()
    for number in range(6):
        page.visual(72, 100 + 14 * number, private, private)
    path = pdf.save(tmp_path / "broken.pdf")
    assert read_document(path).pages[0].source == "empty"
    assert read_document(path, ocr=ocr).passages[0].body == "The fuse in Figure 2 feeds the pump."


def test_text_whose_letters_were_shifted_is_noticed(tmp_path: Path) -> None:
    words = "the quick brown fox jumps over the lazy dog and feeds the pump of the machine " * 5
    shifted = "".join(chr((ord(c) - 97 + 3) % 26 + 97) if c.isalpha() else c for c in words)
    pages = {}
    for name, text in (("good", words), ("bad", shifted)):
        pdf = Pdf()
        lines = [text[start : start + 78] for start in range(0, len(text), 78)]
        pdf.page().lines(72, 100, lines)
        pages[name] = read_document(pdf.save(tmp_path / f"{name}.pdf")).pages[0].source
    assert pages == {"good": "text", "bad": "empty"}


def test_a_folder_of_scans_is_one_document(tmp_path: Path, ocr: LineReader) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    for name, size in (("page10.png", (100, 200)), ("page2.png", (300, 400)), ("page1.png", (500, 600))):
        Image.new("RGB", size, "white").save(folder / name)
    (folder / "page3.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (folder / "notes.txt").write_text("not a page")
    document = read_document(folder, ocr=ocr)
    assert [(page.number, page.width) for page in document.pages] == [(1, 500), (2, 300), (4, 100)]
    assert [page.source for page in document.pages] == ["ocr"] * 3
    assert len(document.skips) == 1
    assert "page3.png" in document.skips[0].path
    assert render_page(folder, 4).size == (100, 200)
    assert render_page(folder, 2, dpi=75).size == (150, 200)


def test_a_folder_without_pictures_is_no_document(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="no pictures"):
        read_document(tmp_path)
