"""Searching: by words, by pictures, with and without scripts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import babelens
from babelens.demo.bundled import load_gallery
from tests.browsing import PICTURES, search_for
from tests.serving import Served

if TYPE_CHECKING:
    from playwright.sync_api import Page


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
    assert len(seen) == len(set(seen)) == PICTURES + 3


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


def test_filter_by_date(visit: Callable[..., Page]) -> None:
    page = visit("/?kind=image")  # a filter opens what refines a search
    page.fill("#from", "2021-05-31")
    page.fill("#to", "2021-05-31")
    page.click("text=Apply")
    page.wait_for_url("**from=2021-05-31&to=2021-05-31*")
    page.wait_for_selector("body:not([aria-busy])")
    assert page.locator(".tile img").evaluate_all("all => all.map(one => one.alt)") == [
        "Picture without a description, dated-2021.jpg"
    ]


def test_upload_that_is_too_large_is_a_page(visit: Callable[..., Page], tmp_path: Path) -> None:
    """The browser hears it although the service does not wait for the whole file."""
    (tmp_path / "large.png").write_bytes(b"x" * 25_000_000)
    page = visit("/", locale="de")
    page.set_input_files("#file", tmp_path / "large.png")
    page.wait_for_url("**/picture")
    assert page.locator("h1").inner_text() == "Dieses Bild ist zu groß"
