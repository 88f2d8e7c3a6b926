"""What the benchmark of documents makes and prints."""

from __future__ import annotations

from pathlib import Path

import pypdfium2

from babelens.sources.documents import Document, Figure, Page, Passage
from benchmarks.documents import documents_in, made_pdf, rate, row


def test_a_made_pdf_has_as_many_pages_as_were_asked_for(tmp_path: Path) -> None:
    for pages in (5, 130):
        document = pypdfium2.PdfDocument(made_pdf(tmp_path, pages))
        assert len(document) == pages
        document.close()


def test_documents_of_a_folder_are_files_and_folders_of_scans(tmp_path: Path) -> None:
    for name in ("b.pdf", "b.txt", "a.md", "c.tif", "d.bin", "e.txt"):
        (tmp_path / name).touch()
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "1.png").touch()
    (tmp_path / "other").mkdir()
    assert [path.name for path in documents_in(tmp_path)] == ["a.md", "b.pdf", "c.tif", "e.txt", "pages"]


def test_a_rate_is_all_pages_over_all_seconds() -> None:
    assert rate([10, 30], [1.0, 1.0]) == "20.0 (10.0-30.0)"


def test_a_row_counts_what_was_found() -> None:
    def passage(key: str, headings: tuple[str, ...], table: bool) -> Passage:
        return Passage(key, 1, (0, 0, 1, 1), headings, "words", "en", table, ())

    pages = (Page(1, 9, 9, "text"), Page(2, 9, 9, "ocr"), Page(3, 9, 9, "empty"))
    figures = (
        Figure("a", 1, (0, 0, 1, 1), "figure 1", "Fig. 1 The pump", (), vector=True),
        Figure("b", 1, (0, 0, 1, 1), None, "The fan", (), vector=False),
    )
    passages = (passage("p", ("One", "Two"), False), passage("q", (), True))
    document = Document("x.pdf", "", None, pages, passages, figures, (), ())
    cells = row("x.pdf", document, 1.25).replace("(", " ").replace(",", " ").replace(")", " ").split()
    assert cells == ["x.pdf", "3", "1", "1", "1", "2", "2", "1", "2", "1", "2", "0", "1.2"]
