"""What tests of the web page share: its views, and what is done on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.serving import Served

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURES = 80
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'>"


def first_id(served: Served, query: str, **body: Any) -> str:
    found = served.client.post("/search", json={"query": query, "k": 1, **body}).json()
    return str(found["hits"][0]["item"]["id"])


def search_for(page: Page, words: str) -> None:
    page.fill("#q", words)
    page.press("#q", "Enter")
    page.wait_for_url(lambda address: "q=" in address)
    page.wait_for_selector("body:not([aria-busy])")


def settle(page: Page) -> None:
    """Waits until the scripts have run, and the map, where there is one, has its first layout."""
    page.wait_for_selector("html.js")
    if page.locator(".atlas").count():
        page.wait_for_selector(".controls:not([hidden])")


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
