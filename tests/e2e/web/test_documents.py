"""Documents, answers and the map."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.browsing import first_id, settle
from tests.serving import Served

if TYPE_CHECKING:
    from playwright.sync_api import Page


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
    """First by PCA, so that nobody waits; then as it lies better."""
    page = visit("/atlas")
    settle(page)
    drawn = (
        "() => { const one = document.querySelector('canvas');"
        "return one.getContext('2d').getImageData(0, 0, one.width, one.height).data.some(value => value); }"
    )
    page.wait_for_function(drawn)  # a function: the policy allows no strings as code
    assert "Japanese" in page.locator(".legend").inner_text()
    page.wait_for_selector(".atlas[data-done]", timeout=120_000)
    page.wait_for_function(drawn)
    assert page.locator(".progress").inner_text() == ""
