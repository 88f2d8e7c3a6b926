"""A small collection of the bundled gallery with a manual, and a server over it that tests of reading share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import babelens
from tests.pdfs import Pdf
from tests.serving import Served, copy_gallery, serving

PICTURES = 60


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty captioned pictures, a PDF of one page, and a text without pages. Not to be written to."""
    folder = tmp_path_factory.mktemp("served")
    pictures, captions = copy_gallery(folder, PICTURES)
    pdf = Pdf(title="Pump manual")
    page = pdf.page()
    page.text(60, 80, "1 Fuses", size=20, font="bold")
    page.lines(
        60, 120, ["The pump is fed by fuse F7, which is rated at 15 amperes.", "Replace it only when dry."]
    )
    documents = folder / "documents"
    documents.mkdir()
    pdf.save(documents / "pump.pdf")
    (documents / "notes.md").write_text("# Valves\n\nThe relief valve opens at nine bar.\n", encoding="utf-8")
    with babelens.Collection.open(folder / "gallery", model="mini") as collection:
        collection.add([pictures, documents], captions=[captions], ocr=False)
    return folder / "gallery"


@pytest.fixture(scope="session")
def served(gallery: Path) -> Iterator[Served]:
    with serving({"gallery": gallery}) as running:
        yield running


@pytest.fixture
def own(gallery: Path, tmp_path: Path) -> Path:
    """A copy of the collection that a test may write to."""
    return Path(shutil.copytree(gallery, tmp_path / "own"))
