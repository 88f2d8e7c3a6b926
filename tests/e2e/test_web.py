"""The web page in a real browser, on a real server: with and without scripts, by keyboard alone, right to left, and
with contents that try to be more than text."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

import babelens
from babelens.demo.bundled import load_gallery
from babelens.storage.catalog import Catalog
from babelens.types import Text
from tests.pdfs import Pdf
from tests.serving import Served, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs chromium (Debian: apt-get install chromium)")
playwright = pytest.importorskip(
    "playwright.sync_api", reason="needs playwright: pip install 'babelens[dev]'"
)

PICTURES = 80
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'>"
SHOTS = os.environ.get(
    "BABELENS_SCREENSHOTS"
)  # a folder that keeps a picture of every view that axe looked at


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captioned pictures and a manual with a figure; a caption, a file name, OCR text and a passage hold markup."""
    folder = tmp_path_factory.mktemp("web")
    bundled = load_gallery()
    pictures = folder / "pictures"
    pictures.mkdir()
    names = [Path(shutil.copy(picture.path, pictures)).name for picture in bundled.pictures[:PICTURES]]
    lines = bundled.captions_file.read_text("utf-8").splitlines(keepends=True)
    captions = folder / "captions.jsonl"
    captions.write_text(
        "".join(line for line in lines if Path(json.loads(line)["image"]).name in names), "utf-8"
    )
    evil = pictures / "a<img src=x onerror=alert(3)>.webp"
    shutil.copy(bundled.pictures[0].path, evil)
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


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    with serving({"mixed": folder / "mixed", "empty": folder / "empty"}) as running:
        running.client.get("/map", params={"limit": 500}, timeout=240)  # laid out once, and kept
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
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


def first_id(served: Served, query: str, **body: Any) -> str:
    found = served.client.post("/search", json={"query": query, "k": 1, **body}).json()
    return str(found["hits"][0]["item"]["id"])


def search_for(page: Page, words: str) -> None:
    page.fill("#q", words)
    page.press("#q", "Enter")
    page.wait_for_url(lambda address: "q=" in address)
    page.wait_for_selector("body:not([aria-busy])")


# -- searching ---------------------------------------------------------------------------------------------------


def test_search_shows_a_wall_that_does_not_jump(visit: Callable[..., Page]) -> None:
    page = visit("/")
    search_for(page, "ein roter Apfel")
    assert "apple" in (page.locator(".tile img").first.get_attribute("alt") or "")
    assert page.locator(".tile").first.locator(".meter.strong").count() == 1
    page.locator("#status", has_text="30").wait_for(state="attached")
    sized = "all => all.every(one => one.width > 0 && one.getAttribute('height') > 0)"
    assert page.locator(".tile img").evaluate_all(sized)
    heights = page.locator(".wall li").evaluate_all(
        "all => all.filter(one => one.offsetTop === all[0].offsetTop).map(one => one.offsetHeight)"
    )
    assert len(heights) > 3
    assert max(heights) - min(heights) <= 1
    page.go_back()
    page.locator(".meter").first.wait_for(state="detached")


@pytest.mark.parametrize("script", [True, False])
def test_paging_repeats_and_loses_nothing(visit: Callable[..., Page], script: bool) -> None:
    page = visit("/?q=animal&kind=image", java_script_enabled=script)
    seen: list[str] = []
    while True:
        seen += [
            address.split("?")[0]
            for address in page.locator(".tile").evaluate_all("all => all.map(a => a.href)")
        ]
        following = page.locator("a[rel=next]")
        if not following.count():
            break
        target = following.get_attribute("href")
        following.click()
        page.wait_for_url(f"**{target}")
        page.wait_for_selector("body:not([aria-busy])")
    assert len(seen) == len(set(seen)) == PICTURES + 1


def test_everything_but_the_map_works_without_scripts(visit: Callable[..., Page], tmp_path: Path) -> None:
    page = visit("/", java_script_enabled=False)
    page.fill("#q", "apple")
    page.click(".go")
    page.wait_for_url("**q=apple*")
    page.click(".refine summary")
    page.fill("#minus", "rooster")
    page.click("text=Apply")
    assert page.locator(".chip").inner_text().split() == ["−", "without", "rooster"]
    page.click(".chip a")
    assert page.locator(".chip").count() == 0
    page.locator(".tile").first.click()
    assert page.locator("h1").inner_text().startswith("red apple")
    page.click("text=More like this")
    page.wait_for_url("**like=*")
    page.set_input_files("#file", load_gallery().pictures[2].path)
    page.click("text=Upload")
    page.wait_for_url("**picture=*")
    assert page.locator(".wall .tile").count() == 30
    page.click("a:text-is('Ask')")
    page.fill("#q", "Which fuse feeds the pump?")
    page.click(".go")
    assert "F7" in page.locator(".answer").inner_text()
    page.locator(".cite").first.click()
    page.wait_for_url("**/view/**")


def test_nothing_that_matches_is_said_first(visit: Callable[..., Page]) -> None:
    page = visit("/?q=quantum+chromodynamics&kind=image")
    assert page.locator("h1").inner_text() == "Nothing here matches well"
    assert page.locator(".tile").count() == 30
    page.locator("#status", has_text="Nothing here").wait_for(state="attached")


def test_empty_collection_says_how_to_fill_it(visit: Callable[..., Page]) -> None:
    assert "babelens index" in visit("/?collection=empty").locator("main").inner_text()


def test_what_is_not_there_is_a_page_too(visit: Callable[..., Page], served: Served) -> None:
    assert visit("/view/nothing").locator("h1").inner_text() == "This is not here"
    for path in ("/view/nothing", "/?collection=none", "/?picture=gone"):
        answer = served.client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")


def test_service_that_is_gone_is_told(visit: Callable[..., Page]) -> None:
    page = visit("/?q=apple")
    page.context.set_offline(True)
    page.fill("#q", "pear")
    page.press("#q", "Enter")
    page.wait_for_selector("#gone:not([hidden])")


# -- pictures ----------------------------------------------------------------------------------------------------


def picture_file() -> str:
    """JavaScript that makes a file of a bundled picture."""
    data = list(Path(load_gallery().pictures[3].path).read_bytes())
    return f"new File([new Uint8Array({data})], 'one.webp', {{type: 'image/webp'}})"


@pytest.mark.parametrize("way", ["pick", "drop", "paste"])
def test_search_with_a_picture(visit: Callable[..., Page], served: Served, folder: Path, way: str) -> None:
    page = visit("/")
    if way == "pick":
        page.set_input_files("#file", load_gallery().pictures[3].path)
    else:
        event = {
            "drop": "DragEvent('drop', {dataTransfer: kept,",
            "paste": "ClipboardEvent('paste', {clipboardData: kept,",
        }
        page.evaluate(
            f"() => {{ const kept = new DataTransfer(); kept.items.add({picture_file()});"
            f"document.body.dispatchEvent(new {event[way]} bubbles: true, cancelable: true}})); }}"
        )
    page.wait_for_url("**picture=*")
    assert page.locator(".chip img").count() == 1
    name = Path(load_gallery().pictures[3].path).name
    with babelens.Collection.open(folder / "mixed", read_only=True, create=False) as collection:
        same = collection.at(folder / "pictures" / name)[0].id
    assert same in (page.locator(".tile").first.get_attribute("href") or "")


def test_upload_that_is_no_picture(visit: Callable[..., Page], tmp_path: Path) -> None:
    (tmp_path / "no.png").write_bytes(b"not a picture")
    page = visit("/")
    page.set_input_files("#file", tmp_path / "no.png")
    page.wait_for_url("**/picture")
    assert page.locator("h1").inner_text() == "This file is no picture that can be read"


# -- keys --------------------------------------------------------------------------------------------------------


def test_by_keyboard_alone(visit: Callable[..., Page]) -> None:
    page = visit("/")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("apple")
    page.keyboard.press("Enter")
    page.wait_for_selector(".tile .meter")
    page.keyboard.press("ArrowDown")
    first = page.evaluate("document.activeElement.href")
    page.keyboard.press("ArrowRight")
    second = page.evaluate("document.activeElement.href")
    assert second == page.locator(".tile").nth(1).evaluate("one => one.href") != first
    page.keyboard.press("ArrowDown")
    below = page.evaluate("document.activeElement.getBoundingClientRect().top")
    assert below > page.locator(".tile").first.evaluate("one => one.getBoundingClientRect().bottom")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_selector("#panel:not([hidden]) h1")
    assert page.url == second or "/view/" in page.url
    page.keyboard.press("Escape")
    page.wait_for_selector("#panel", state="hidden")
    assert "/?q=apple" in page.url
    assert page.evaluate("document.activeElement.className") == "tile"
    page.keyboard.press("m")
    page.wait_for_url("**like=*")
    page.keyboard.press("?")
    assert page.locator("dialog#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("dialog#keys").is_visible()


def test_focus_is_seen(visit: Callable[..., Page]) -> None:
    page = visit("/?q=apple")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(24):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            "(() => { const one = document.activeElement, look = getComputedStyle(one);"
            "return look.outlineStyle !== 'none' || !!one.closest('.box'); })()"
        )
        assert seen, page.evaluate("document.activeElement.outerHTML")


def test_detail_has_an_address(visit: Callable[..., Page]) -> None:
    page = visit("/?q=apple")
    page.locator(".tile").first.click()
    page.wait_for_url("**/view/**")
    page.wait_for_selector("#panel h1")
    title = page.locator("#panel h1").inner_text()
    page.reload()
    assert page.locator("main h1").inner_text() == title
    assert page.locator("dt", has_text="Japanese").count() == 1
    page.go_back()
    page.wait_for_selector(".tile")


# -- documents and answers ---------------------------------------------------------------------------------------


def test_figure_is_shown_on_its_page(visit: Callable[..., Page], served: Served) -> None:
    page = visit(f"/view/{first_id(served, 'the pump and its fuse', kinds=['figure'])}?q=pump")
    box = page.locator("svg .current").bounding_box()
    leaf = page.locator(".page img").bounding_box()
    assert box is not None
    assert leaf is not None
    # The figure of the fixture stands in the upper half of an A4 page, a sixth from the left.
    assert 0.1 < (box["x"] - leaf["x"]) / leaf["width"] < 0.25
    assert 0.25 < (box["y"] - leaf["y"]) / leaf["height"] < 0.4
    assert "fuse F7" in page.locator(".passages").inner_text()


def test_passages_are_sheets_with_marked_words(visit: Callable[..., Page]) -> None:
    page = visit("/?q=Which+fuse+feeds+the+pump&kind=passage")
    assert "fuse" in page.locator(".sheet mark").all_inner_texts()
    assert "page 1" in page.locator(".sheet .place").first.inner_text()


def test_answer_streams_with_citations(visit: Callable[..., Page]) -> None:
    page = visit("/question")
    page.fill("#q", "Which fuse feeds the pump?")
    page.press("#q", "Enter")
    page.wait_for_selector(".cite")
    assert "F7" in page.locator("#answer").inner_text()
    page.locator(".sources a").first.click()
    page.wait_for_url("**/view/**")


def test_map_is_drawn(visit: Callable[..., Page]) -> None:
    page = visit("/atlas")
    page.wait_for_selector(".controls:not([hidden])")
    drawn = (
        "() => { const one = document.querySelector('canvas');"
        "return one.getContext('2d').getImageData(0, 0, one.width, one.height).data.some(value => value); }"
    )
    page.wait_for_function(drawn)  # a function: the policy allows no strings as code
    assert "Japanese" in page.locator(".legend").inner_text()


# -- languages ---------------------------------------------------------------------------------------------------


def test_arabic_is_mirrored(visit: Callable[..., Page]) -> None:
    page = visit("/?q=apple", locale="ar")
    assert page.locator("html").get_attribute("dir") == "rtl"
    brand, language = page.locator(".brand").bounding_box(), page.locator(".languages").bounding_box()
    assert brand is not None
    assert language is not None
    assert brand["x"] > language["x"]
    tiles = page.locator(".tile")
    tiles.first.focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.href") == tiles.nth(1).evaluate("one => one.href")
    assert "تفاح" in (tiles.first.locator("img").get_attribute("alt") or "")


@pytest.mark.parametrize("script", [True, False])
def test_language_can_be_switched_and_stays(visit: Callable[..., Page], script: bool) -> None:
    page = visit("/?q=apple", locale="de-AT", java_script_enabled=script)
    assert page.locator("html").get_attribute("lang") == "de"
    page.click(".languages summary")
    page.click(".languages a[lang=ja]")
    page.wait_for_url("**lang=ja*")
    assert "q=apple" in page.url
    page.goto(page.url.split("?")[0])
    assert page.locator("html").get_attribute("lang") == "ja"


@pytest.mark.parametrize("locale", ["de", "ar"])
@pytest.mark.parametrize("width", [320, 720])
def test_nothing_is_wider_than_a_phone(
    visit: Callable[..., Page], served: Served, locale: str, width: int
) -> None:
    """320 pixels are also 1280 at 400 %, 720 those of 1440 at 200 %."""
    for path in views(served):
        page = visit(path, locale=locale)
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


# -- hostile contents --------------------------------------------------------------------------------------------


def test_markup_in_contents_stays_text(visit: Callable[..., Page], served: Served) -> None:
    """``visit`` fails on any dialog, and on anything that the policy had to block."""
    item = first_id(served, "hostile zebra", mode="text")
    words = urlencode({"q": HOSTILE, "plus": HOSTILE, "minus": HOSTILE, "folder": ""})
    for path in (
        f"/view/{item}?q=zebra",
        "/?q=zebra",
        "/?q=warning+pump&kind=passage",
        f"/?{words}",
        f"/question?{words}",
    ):
        page = visit(path)
        page.wait_for_load_state("networkidle")
        assert page.locator("main img[src=x], [onerror], body script").count() == 0
    page = visit(f"/view/{item}")
    assert HOSTILE in page.locator("main").inner_text()
    assert page.locator("dd", has_text="printed zebra").count() == 1
    page = visit("/?q=hostile+zebra")
    page.locator(f".tile[href*='{item}']").click()
    page.wait_for_selector("#panel h1")
    assert HOSTILE in page.locator("#panel").inner_text()


def test_policy_allows_no_inline_code(served: Served) -> None:
    for path in views(served):
        answer = served.client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "style=" not in answer.text
        assert "<style" not in answer.text
        assert " onclick" not in answer.text


def test_own_files_are_small_and_kept(served: Served) -> None:
    static = Path(babelens.__file__).parent / "server" / "pages" / "static"
    sizes = [path.stat().st_size for path in static.iterdir()]
    assert sum(sizes) + len(served.client.get("/static/shapes.css").content) < 60_000
    page = served.client.get("/").text
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    assert "immutable" in served.client.get(address).headers["cache-control"]
    assert served.client.get("/static/nothing.css").status_code == 404
    assert served.client.get("/static/..%2froutes.py").status_code == 404


# -- accessibility -----------------------------------------------------------------------------------------------


def views(served: Served) -> list[str]:
    """An address of every view and state."""
    item, figure = first_id(served, "red apple"), first_id(served, "pump fuse", kinds=["figure"])
    return [
        "/",
        "/?q=red+apple&minus=rooster&in=en",
        "/?q=pump+fuse&kind=passage&kind=page&kind=figure",
        "/?q=quantum+chromodynamics&page=2",
        "/?collection=empty",
        f"/?q=fruit&unlike={item}",
        f"/view/{item}?q=apple",
        f"/view/{figure}",
        "/question?q=fuse",
        "/about",
        "/atlas",
        "/view/nothing",
    ]


def violations(page: Page) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response
    assert len(found["passes"]) > 5, "axe did not look"
    return [f"{one['id']}: {node['html'][:200]}" for one in found["violations"] for node in one["nodes"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en", "ar"])
def test_axe_finds_nothing(visit: Callable[..., Page], served: Served, locale: str, theme: str) -> None:
    pytest.importorskip("axe_playwright_python", reason="needs axe: pip install 'babelens[dev]'")
    for number, path in enumerate(views(served)):
        # axe is a script that the policy would not let in.
        page = visit(path, locale=locale, color_scheme=theme, bypass_csp=True)
        page.wait_for_load_state("networkidle")
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{number:02}-{locale}-{theme}.png")
        assert violations(page) == [], path
    page = visit("/?q=apple", locale=locale, color_scheme=theme, bypass_csp=True)
    page.locator(".tile").first.click()
    page.wait_for_selector("#panel h1")
    assert violations(page) == []
    page.keyboard.press("?")
    assert violations(page) == []


def test_axe_would_find_something(visit: Callable[..., Page]) -> None:
    pytest.importorskip("axe_playwright_python", reason="needs axe: pip install 'babelens[dev]'")
    page = visit("/?q=apple", bypass_csp=True)
    page.locator(".tile img").first.evaluate("one => one.removeAttribute('alt')")
    assert any(one.startswith("image-alt") for one in violations(page))
