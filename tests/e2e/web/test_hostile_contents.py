"""Contents that try to be more than text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import babelens
from tests.browsing import HOSTILE, first_id, settle, views
from tests.serving import Served

if TYPE_CHECKING:
    from playwright.sync_api import Page


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
        settle(page)
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
