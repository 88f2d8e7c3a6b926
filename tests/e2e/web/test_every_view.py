"""Every view once: what axe says of it in both themes, whether it fits on a phone, and what it looks like.

``BABELENS_SCREENSHOTS`` names a folder that keeps a picture of each, in more languages, both themes and two widths.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browsing import VIEWS, address, settle
from tests.serving import Served

if TYPE_CHECKING:
    from playwright.sync_api import Page

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs pip install 'babelens[dev]'")
SHOTS = os.environ.get("BABELENS_SCREENSHOTS")
CONTRAST = {"runOnly": ["color-contrast"]}
# 320 pixels are also 1280 at 400 %, 720 those of 1440 at 200 %.
WIDTHS = (720, 320)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("locale", ["en", "ar", "de", *(["ja", "hi"] if SHOTS else [])])
def test_every_view(visit: Callable[..., Page], served: Served, locale: str, view: str) -> None:
    # axe is a script that the policy would not let in.
    page = visit(address(served, view), locale=locale, bypass_csp=True)
    settle(page)
    if locale in ("en", "ar"):
        assert violations(page) == []
        page.emulate_media(color_scheme="dark")  # which changes colours and nothing else
        assert violations(page, CONTRAST) == []
        page.emulate_media(color_scheme="light")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    if SHOTS:
        keep(page, Path(SHOTS), f"{view.replace(' ', '-')}-{locale}")


@pytest.mark.parametrize("locale", ["en", "ar"])
def test_panel_and_keys(visit: Callable[..., Page], locale: str) -> None:
    page = visit("/?q=apple", locale=locale, bypass_csp=True)
    page.locator(".tile").first.click()
    page.wait_for_selector("#panel h1")
    assert violations(page) == []
    page.keyboard.press("?")
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    assert violations(page, CONTRAST) == []


def test_axe_would_find_something(visit: Callable[..., Page]) -> None:
    page = visit("/?q=apple", bypass_csp=True)
    page.locator(".tile img").first.evaluate("one => one.removeAttribute('alt')")
    assert any(one.startswith("image-alt") for one in violations(page))


def violations(page: Page, options: dict[str, Any] | None = None) -> list[str]:
    found = axe.Axe().run(page, options=options).response
    assert found["passes"] or found["incomplete"], "axe did not look"
    return [f"{one['id']}: {node['html'][:200]}" for one in found["violations"] for node in one["nodes"]]


def keep(page: Page, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=folder / f"{name}-{theme}-{width}.png")
    page.emulate_media(color_scheme="light")
