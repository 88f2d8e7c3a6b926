"""What tests of the web page share: its views, and what is done on them."""

from __future__ import annotations

from collections.abc import Mapping
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


# An address of every view and state; what stands in braces is the id of an item.
VIEWS: Mapping[str, str] = {
    "start": "/",
    "results": "/?q=red+apple&minus=rooster&in=en",
    "documents": "/?q=pump+fuse&kind=passage&kind=page&kind=figure",
    "no match": "/?q=quantum+chromodynamics&page=2",
    "empty": "/?collection=empty",
    "less like this": "/?q=fruit&unlike={picture}",
    "picture": "/view/{picture}?q=apple",
    "figure": "/view/{figure}",
    "question": "/question?q=fuse",
    "about": "/about",
    "map": "/atlas",
    "problem": "/view/nothing",
}


def address(served: Served, view: str) -> str:
    return VIEWS[view].format(
        picture=first_id(served, "red apple"), figure=first_id(served, "pump fuse", kinds=["figure"])
    )


def views(served: Served) -> list[str]:
    return [address(served, view) for view in VIEWS]
