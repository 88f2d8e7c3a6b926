"""One server for all tests of the web page, and one browser for each file of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

import babelens
from babelens.storage.catalog import Catalog
from babelens.types import Text
from tests.browsing import HOSTILE, PICTURES
from tests.pdfs import Pdf
from tests.serving import Served, copy_gallery, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captioned pictures and a manual with a figure; a caption, a file name, OCR text and a passage hold markup."""
    folder = tmp_path_factory.mktemp("web")
    pictures, captions = copy_gallery(folder, PICTURES)
    for year in (2019, 2021):
        exif = Image.Exif()
        exif[0x0132] = f"{year}:05:31 23:15:00"
        Image.new("RGB", (90, 60), (40, 40, year % 256)).save(
            folder / "pictures" / f"dated-{year}.jpg", exif=exif
        )
    evil = pictures / "a<img src=x onerror=alert(3)>.webp"
    shutil.copy(min(pictures.glob("*.webp")), evil)
    manual = Pdf(title="Pump manual <b>")
    page = manual.page()
    page.text(60, 80, "1 Fuses", size=20, font="bold")
    page.lines(60, 120, ["The pump is fed by fuse F7, which is rated at 15 amperes, see figure 1-1."])
    page.lines(60, 150, [f"Warning {HOSTILE} of the pump."])
    for x in (100, 180, 260, 340):
        page.rect(x, 260, 60, 90).circle(x + 30, 305, 18)
        page.line(x, 260, x + 60, 350)
    page.lines(60, 380, ["Figure 1-1: The pump and its fuse"])
    documents = folder / "documents"
    documents.mkdir()
    manual.save(documents / "pump.pdf")
    with babelens.Collection.open(folder / "mixed", model="mini") as collection:
        collection.add([pictures, documents], captions=[captions], ocr=False)
        marked = collection.at(evil)[0].id
    with Catalog.open(folder / "mixed") as catalog:
        catalog.put_texts(
            [
                Text(marked, "en", f"hostile zebra {HOSTILE}", "human"),
                Text(marked, "en", f"printed zebra {HOSTILE}", "ocr"),
            ]
        )
    with babelens.Collection.open(folder / "empty", model="mini"):
        pass
    return folder


@pytest.fixture(scope="session")
def served(folder: Path) -> Iterator[Served]:
    with serving({"mixed": folder / "mixed", "empty": folder / "empty"}) as running:
        yield running


# Of a module: as long as Playwright runs it keeps an event loop, in which other tests cannot begin one of their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: pip install 'babelens[dev]'"
    )
    if BROWSER is None:
        pytest.skip("needs chromium (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def visit(browser: Browser, served: Served) -> Iterator[Callable[..., Page]]:
    """Opens an address; any script error, blocked style or dialog on the way makes the test fail."""
    opened: list[BrowserContext] = []
    wrong: list[str] = []

    def go(path: str, *, locale: str = "en", **options: Any) -> Page:
        context = browser.new_context(locale=locale, viewport={"width": 1280, "height": 900}, **options)
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(f"a dialog: {dialog.message}"), dialog.dismiss())[-1])
        page.on(
            "console",
            lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None,
        )
        page.goto(served.url + path)
        return page

    yield go
    for context in opened:
        context.close()
    assert wrong == []
