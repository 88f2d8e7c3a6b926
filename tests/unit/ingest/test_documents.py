"""Documents in a catalog: what they become, and what happens when their files change."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from babelens.errors import UnreadableFileError
from babelens.ingest import documents
from babelens.models.ocr import MINIMUM_CONFIDENCE
from babelens.sources.documents import Box
from babelens.sources.documents.scans import MIN_CONFIDENCE
from babelens.types import Item
from tests.pdfs import Pdf
from tests.unit.ingest.conftest import Archive, changed, touch

PROSE = "The pump is fed by the fuse in Figure 2 behind the cover of the box."


@dataclass(frozen=True)
class Line:
    text: str
    box: Box
    confidence: float


@dataclass
class FakeOcr:
    """Reads a line on every page, no two alike, and one that it is not sure of."""

    pages: int = 0

    def read(self, image: Image.Image, languages: Sequence[str] = ()) -> list[Line]:
        self.pages += 1
        middle = image.height // 2
        number = image.getpixel((0, 0))[0]  # type: ignore[index]
        return [
            Line(
                f"Chapter {'I' * number} is about the {'XYZ'[number % 3]} valve.",
                (10, middle, 300, middle + 20),
                0.9,
            ),
            Line("@@", (10, middle + 60, 40, middle + 80), 0.3),
        ]


def make_manual(path: Path, words: str = PROSE) -> Path:
    pdf = Pdf(title="The pump")
    page = pdf.page().text(72, 80, "Care", 18, "bold").lines(72, 110, [words] * 5)
    page.drawing(100, 300, 300, 200).text(100, 520, "Figure 2: The fuse and the pump")
    pdf.page().text(72, 80, "Storing", 18, "bold").lines(72, 110, ["Keep it dry and out of the sun."] * 5)
    return pdf.save(path)


def make_scans(folder: Path) -> Path:
    folder.mkdir()
    for number in (1, 2, 10):
        Image.new("RGB", (400, 500), (number, 250, 250)).save(folder / f"page {number}.png")
    return folder


@pytest.fixture
def manual(tmp_path: Path) -> Path:
    (tmp_path / "shelf").mkdir()
    return make_manual(tmp_path / "shelf" / "pump.pdf")


def kinds(archive: Archive) -> dict[str, int]:
    return dict(Counter(item.kind for item in archive.catalog.items()))


def of_kind(archive: Archive, kind: str) -> list[Item]:
    return [item for item in archive.catalog.items() if item.kind == kind]


def body(archive: Archive, item: Item) -> str:
    (text,) = archive.catalog.texts_of([item.id])[item.id]
    assert text.origin == "document"
    return text.body


def test_a_manual_becomes_pages_figures_and_passages(archive: Archive, manual: Path) -> None:
    report = archive.add(manual.parent)
    assert changed(report) == {"added": 1}
    assert (report.pages, report.figures, report.passages) == (2, 1, 2)
    assert kinds(archive) == {"page": 2, "figure": 1, "passage": 2}

    (figure,) = of_kind(archive, "figure")
    assert (figure.source.page, figure.metadata["label"]) == (1, "figure 2")
    assert body(archive, figure) == "Figure 2: The fuse and the pump"
    care, storing = of_kind(archive, "passage")
    assert body(archive, care).startswith("Care\nThe pump is fed by the fuse in Figure 2")
    assert (storing.source.page, storing.metadata["headings"]) == (2, ["Storing"])
    assert care.metadata["figures"] == [figure.id]
    assert care.id in figure.metadata["passages"]
    assert [page.metadata["read"] for page in of_kind(archive, "page")] == ["text", "text"]
    assert {item.metadata["document"] for item in archive.catalog.items()} == {"The pump"}


def test_numbers_in_a_drawing_are_no_passage(archive: Archive, tmp_path: Path) -> None:
    pdf = Pdf()
    page = pdf.page().text(72, 80, "Parts", 18, "bold").drawing(100, 150, 300, 200)
    for number in range(1, 5):
        page.text(80 + 70 * number, 200, str(number))
    page.text(100, 380, "Figure 1: The parts")
    report = archive.add(pdf.save(tmp_path / "parts.pdf"))
    assert all(any(map(str.isalpha, body(archive, item))) for item in of_kind(archive, "passage"))
    assert report.passages == len(of_kind(archive, "passage"))
    (figure,) = of_kind(archive, "figure")
    assert archive.catalog.get_items(figure.metadata["passages"]).keys() == set(figure.metadata["passages"])


def test_what_can_be_seen_gets_a_vector_and_no_text_of_a_document_does(
    archive: Archive, manual: Path
) -> None:
    archive.add(manual)
    row = archive.catalog.encoder_id(archive.encoder.fingerprint)
    assert archive.catalog.count_vectors(row, "image") == 3
    assert archive.catalog.count_without(row) == (0, 0)
    assert archive.text_vectors == 0
    found = {hit.item_id for hit in archive.catalog.search_words("the fuses of pumps", k=2)}
    assert found == {item.id for item in (*of_kind(archive, "figure"), of_kind(archive, "passage")[0])}


def test_a_second_run_reads_nothing_again(
    archive: Archive, manual: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add(manual.parent)
    monkeypatch.setattr(documents, "read_document", None)
    assert changed(archive.add(manual.parent)) == {"unchanged": 1}
    touch(manual)
    assert changed(archive.add(manual.parent)) == {"unchanged": 1}


def test_a_moved_manual_keeps_its_ids_and_a_deleted_one_goes(archive: Archive, manual: Path) -> None:
    archive.add(manual.parent)
    before = {item.id: item.source.page for item in archive.catalog.items()}
    manual.rename(manual.with_name("pump, new.pdf"))
    assert changed(archive.add(manual.parent)) == {"moved": 1}
    after = list(archive.catalog.items())
    assert {item.id: item.source.page for item in after} == before
    assert {item.metadata["name"] for item in after} == {"pump, new.pdf"}

    manual.with_name("pump, new.pdf").unlink()
    assert changed(archive.add(manual.parent)) == {"removed": 1}
    assert kinds(archive) == {}


def test_a_changed_manual_takes_the_place_of_the_one_before(archive: Archive, manual: Path) -> None:
    archive.add(manual.parent)
    make_manual(manual, "The valve is behind the door, as the drawing in Figure 2 shows to all of us.")
    touch(manual)
    assert changed(archive.add(manual.parent)) == {"updated": 1}
    assert kinds(archive) == {"page": 2, "figure": 1, "passage": 2}
    assert "valve" in body(archive, of_kind(archive, "passage")[0])


def test_a_bad_document_is_a_skip_and_stops_nothing(archive: Archive, manual: Path) -> None:
    manual.with_name("a.pdf").write_bytes(manual.read_bytes()[:200])
    manual.with_name("b.md").write_text("")
    report = archive.add(manual.parent)
    assert changed(report) == {"added": 1}
    reasons = {Path(skip.path).name: skip.reason for skip in report.skipped}
    assert reasons.keys() == {"a.pdf", "b.md"}
    assert reasons["b.md"] == "empty file"
    again = archive.add(manual.parent)
    assert changed(again) == {"unchanged": 1}
    assert set(again.skipped) == set(report.skipped), "still in the report"

    shutil.copy(manual, manual.with_name("a.pdf"))
    assert changed(archive.add(manual.parent)) == {"added": 1, "unchanged": 1}


def test_a_manual_that_breaks_is_taken_out(archive: Archive, manual: Path) -> None:
    archive.add(manual.parent)
    manual.write_bytes(b"%PDF-1.4 then nothing")
    report = archive.add(manual.parent)
    assert (changed(report), len(report.skipped)) == ({}, 1)
    assert kinds(archive) == {}


def test_scans_in_a_folder_are_the_pages_of_one_document(archive: Archive, tmp_path: Path) -> None:
    folder, ocr = make_scans(tmp_path / "scans"), FakeOcr()
    report = archive.add(page_scans=[folder], ocr=ocr)
    assert (changed(report), report.pages, ocr.pages) == ({"added": 1}, 3, 3)
    assert kinds(archive) == {"page": 3, "passage": 3}
    assert "3 of 3 pages (100 %) were read by OCR." in report.notes
    assert "3 lines that OCR was not sure of were left out." in report.notes
    assert not archive.catalog.search_words("@@", k=1)

    # Known from now on: a run over the folder above sees neither three pictures nor anything new.
    assert changed(archive.add(tmp_path, ocr=ocr)) == {"unchanged": 1}
    (folder / "page 10.png").unlink()
    assert changed(archive.add(tmp_path, ocr=ocr)) == {"updated": 1}
    assert kinds(archive) == {"page": 2, "passage": 2}
    shutil.rmtree(folder)
    assert changed(archive.add(tmp_path, ocr=ocr)) == {"removed": 1}


def test_pictures_that_turn_out_to_be_pages_are_pictures_no_more(archive: Archive, tmp_path: Path) -> None:
    folder = make_scans(tmp_path / "scans")
    archive.add(folder)
    assert kinds(archive) == {"image": 3}
    archive.add(page_scans=[folder], ocr=FakeOcr())
    assert kinds(archive) == {"page": 3, "passage": 3}


def test_pages_left_unread_are_read_once_ocr_is_allowed(archive: Archive, tmp_path: Path) -> None:
    folder, ocr = make_scans(tmp_path / "scans"), FakeOcr()
    report = archive.add(page_scans=[folder])
    assert kinds(archive) == {"page": 3}
    assert any("3 of 3 pages were not read" in note for note in report.notes)
    assert changed(archive.add(page_scans=[folder])) == {"unchanged": 1}
    assert changed(archive.add(page_scans=[folder], ocr=ocr)) == {"updated": 1}
    assert kinds(archive) == {"page": 3, "passage": 3}
    assert changed(archive.add(page_scans=[folder], ocr=ocr)) == {"unchanged": 1}


def test_a_folder_without_pages_is_an_error_before_anything_is_written(
    archive: Archive, manual: Path, tmp_path: Path
) -> None:
    with pytest.raises(UnreadableFileError):
        archive.add(manual, page_scans=[tmp_path / "nowhere"])
    assert kinds(archive) == {}


def test_texts_are_documents_and_captions_are_not(archive: Archive, pictures: Path) -> None:
    (pictures / "notes.md").write_text("# Garden\n\nWater the beans in the morning.\n")
    (pictures / "red.txt").write_text("a red square")
    (pictures / "captions.txt").write_text("image,caption\nblue.png,a blue square\n")
    report = archive.add(pictures, caption_language="en")
    assert changed(report) == {"added": 9, "texts": 1}
    (passage,) = of_kind(archive, "passage")
    assert body(archive, passage) == "Garden\nWater the beans in the morning."
    assert passage.source.page is None
    assert kinds(archive) == {"image": 8, "passage": 1}


def test_a_text_that_is_named_is_read_as_one(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Sir or Madam, the pump has arrived in good order.")
    assert changed(archive.add(tmp_path / "letter.txt")) == {"added": 1}


def test_a_text_becomes_a_caption_when_its_picture_arrives(archive: Archive, pictures: Path) -> None:
    (pictures / "new.txt").write_text("a square that is not there yet")
    archive.add(pictures, caption_language="en")
    assert len(of_kind(archive, "passage")) == 1
    Image.new("RGB", (30, 30), "orange").save(pictures / "new.png")
    archive.add(pictures, caption_language="en")
    assert kinds(archive) == {"image": 9}


def test_what_was_read_before_an_interruption_stays(archive: Archive, manual: Path) -> None:
    make_manual(manual.with_name("second.pdf"))

    def stop(done: int, total: int | None = None, note: str = "") -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archive.add(manual.parent, progress=stop)
    assert kinds(archive) == {"page": 2, "figure": 1, "passage": 2}
    assert changed(archive.add(manual.parent)) == {"added": 1, "unchanged": 1}


def test_the_same_lines_count_wherever_they_are_read() -> None:
    assert MIN_CONFIDENCE == MINIMUM_CONFIDENCE
