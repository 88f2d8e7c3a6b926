"""The language of the page, and its direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page


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
