"""By keyboard alone, and by address."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


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
