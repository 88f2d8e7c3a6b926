"""Documents that are broken, hostile or huge, and parsers that die of them."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from babelens.errors import UnreadableFileError
from babelens.sources.documents import Document, PageRenderer, read_document, render_page
from babelens.sources.documents.pdf import PdfWorker, read_layouts
from babelens.types import Skip
from tests.pdfs import Pdf

WORDS = "The pump is fed by the fuse behind the cover."


class DoomedWorker(PdfWorker):
    program = "tests.faults.page_that_kills"


def manual(pages: int = 8, **options: str) -> Pdf:
    pdf = Pdf(**options)  # type: ignore[arg-type]
    for number in range(1, pages + 1):
        pdf.page().text(72, 100, f"Page {number}. {WORDS}")
    return pdf


def words(document: Document) -> str:
    return "\n".join(passage.body for passage in document.passages)


def outcome(path: Path) -> Document | UnreadableFileError:
    """What came of reading a file; any other error than the typed one fails the test."""
    try:
        return read_document(path)
    except UnreadableFileError as error:
        assert error.reason  # noqa: PT017
        return error


def test_a_page_that_kills_hangs_or_fills_the_memory_loses_only_itself(tmp_path: Path) -> None:
    path = str(manual().save(tmp_path / "manual.pdf"))
    skips: list[Skip] = []
    start = time.monotonic()
    with DoomedWorker(path, page_timeout=3, memory_mb=1500) as worker:
        pages = [layout.number for layout in read_layouts(worker, timeout=300, skips=skips)]
    assert pages == [1, 3, 5, 7, 8]
    assert [skip.reason.split(":")[0] for skip in skips] == ["page 2", "page 4", "page 6"]
    assert "SIGSEGV" in skips[0].reason
    assert "3 s" in skips[1].reason
    assert "memory" in skips[2].reason
    assert all(skip.path == path for skip in skips)
    assert time.monotonic() - start < 120


def test_the_time_of_a_document_is_limited_and_what_was_read_is_kept(tmp_path: Path) -> None:
    path = str(manual().save(tmp_path / "manual.pdf"))
    skips: list[Skip] = []
    with DoomedWorker(path) as worker:
        pages = []
        for layout in read_layouts(worker, timeout=4, skips=skips):
            pages.append(layout.number)
            time.sleep(2)  # what others do with the pages does not count
    assert pages == [1, 3]
    reasons = [skip.reason for skip in skips]
    assert [reason.split(":")[0] for reason in reasons] == ["page 2", "page 4", "pages 5 to 8"]
    assert reasons[2] == "pages 5 to 8: the document took longer than 4 s"


def test_no_worker_is_left_behind(tmp_path: Path) -> None:
    path = str(manual(1).save(tmp_path / "manual.pdf"))
    with PdfWorker(path) as worker:
        process = worker._process
        assert process is not None
    assert process.poll() is not None


def test_too_little_memory_to_begin_with_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="cannot be opened"):
        read_document(manual(1).save(tmp_path / "manual.pdf"), memory_mb=24)


def test_an_encrypted_file_says_what_to_do(tmp_path: Path) -> None:
    locked = manual(
        1,
        trailer="/ID [<00> <00>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4"
        f" /O <{'ab' * 32}> /U <{'cd' * 32}> >>",
    )
    with pytest.raises(UnreadableFileError, match="encrypted") as caught:
        read_document(locked.save(tmp_path / "locked.pdf"))
    assert caught.value.hint


def test_a_file_without_pages_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError):
        read_document(Pdf().save(tmp_path / "none.pdf"))


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_truncated_file_is_read_as_far_as_it_goes_or_refused(tmp_path: Path, share: float) -> None:
    data = manual().bytes()
    path = tmp_path / "cut.pdf"
    path.write_bytes(data[: int(len(data) * share)])
    document = outcome(path)
    assert isinstance(document, UnreadableFileError) or document.pages


def test_damaged_bytes_never_bring_the_run_down(tmp_path: Path) -> None:
    data = manual(3).bytes()
    dice = random.Random(5)
    outcomes = set()
    for number in range(8):
        damaged = bytearray(data)
        for _ in range(40):
            damaged[dice.randrange(20, len(damaged))] = dice.randrange(256)
        path = tmp_path / f"damaged{number}.pdf"
        path.write_bytes(bytes(damaged))
        outcomes.add(type(outcome(path)))
    assert Document in outcomes


def test_a_form_that_draws_itself_does_not_hang(tmp_path: Path) -> None:
    # The number of the object is that of the fonts (3), the information (1), the root and the tree before it.
    form = (
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 500 500] /Resources << /XObject << /Fm0 7 0 R >> >>"
        b" /Length 27 >>\nstream\n0 0 100 100 re f /Fm0 Do  \n\nendstream"
    )
    pdf = manual(2)
    pdf.extra, pdf.resources = [form], "/Fm0 7 0 R"
    pdf.pages[0].operators.append("/Fm0 Do")
    document = read_document(pdf.save(tmp_path / "loop.pdf"))
    assert "Page 1." in words(document)
    assert "Page 2." in words(document)


def test_a_page_tree_that_holds_itself_is_refused_or_read(tmp_path: Path) -> None:
    data = manual(2).bytes().replace(b"/Kids [", b"/Kids [2 0 R ")
    path = tmp_path / "tree.pdf"
    path.write_bytes(data)
    document = outcome(path)
    assert isinstance(document, UnreadableFileError) or document.pages


def test_a_huge_page_is_read_and_drawn_no_larger_than_allowed(tmp_path: Path) -> None:
    pdf = Pdf()
    pdf.page(200_000, 200_000).text(500, 500, WORDS, 200)
    pdf.page().text(72, 100, WORDS)
    path = pdf.save(tmp_path / "huge.pdf")
    document = read_document(path)
    assert words(document).count("fuse") == 2
    image = render_page(path, 1, dpi=600)
    assert image.width * image.height <= 25_100_000


def test_a_picture_of_a_gigapixel_costs_at_most_its_page(tmp_path: Path) -> None:
    pdf = Pdf()
    pdf.page().image(72, 200, 300, 300, (60_000, 60_000)).text(72, 100, WORDS)
    pdf.page().text(72, 100, WORDS)
    document = read_document(pdf.save(tmp_path / "bomb.pdf"))
    assert 2 in [page.number for page in document.pages]
    assert len(document.pages) + len(document.skips) == 2


def test_scripts_and_attachments_are_ignored(tmp_path: Path) -> None:
    pdf = manual(
        1,
        catalog="/OpenAction << /S /JavaScript /JS (app.alert\\('no'\\);) >> /Names <<"
        " /EmbeddedFiles << /Names [(a.exe) << /Type /Filespec /F (a.exe) >>] >>"
        " /JavaScript << /Names [(x) << /S /JavaScript /JS (while\\(1\\);) >>] >> >>",
    )
    document = read_document(pdf.save(tmp_path / "script.pdf"))
    assert words(document) == f"Page 1. {WORDS}"


def test_content_decides_what_a_file_is(tmp_path: Path) -> None:
    pdf = manual(1).save(tmp_path / "manual.txt")
    assert read_document(pdf).pages[0].width > 0
    text = tmp_path / "words.pdf"
    text.write_text("only words")
    with pytest.raises(UnreadableFileError, match="not a PDF"):
        read_document(text)


def test_a_page_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    path = manual(2).save(tmp_path / "manual.pdf")
    with PageRenderer(path) as renderer, pytest.raises(UnreadableFileError, match="no page 3"):
        renderer.page(3)
    text = tmp_path / "words.txt"
    text.write_text("words")
    with pytest.raises(UnreadableFileError, match="no pages"):
        render_page(text, 1)


def test_a_name_that_is_not_utf8_is_no_trouble(tmp_path: Path) -> None:
    path = manual(1).save(tmp_path / "plain.pdf")
    odd = path.rename(tmp_path / "manu\udcff al.pdf")
    assert "fuse" in words(read_document(odd))
