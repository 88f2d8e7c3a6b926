from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babelens.errors import InvalidQueryError
from babelens.server.paging import Page, page_of
from babelens.types import Hit, Item, Query, SearchResult, Source

QUERY: dict[str, Any] = {"query": "dog"}


class Shaky:
    """A search over ``n`` items that orders them anew for every depth beyond 50, as a deeper reading may."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.asked: list[int] = []

    async def __call__(self, k: int) -> SearchResult:
        self.asked.append(k)
        order = list(range(self.n))
        random.Random(min(k, 51) if k <= 50 else k).shuffle(order)
        if k <= 50:
            random.Random(0).shuffle(order := list(range(self.n)))
        items = [Item(str(number), "image", Source("/x", "0")) for number in order[:k]]
        hits = tuple(Hit(item, rank, 0.5) for rank, item in enumerate(items, start=1))
        return SearchResult(Query(()), hits, confident=True, confidence=0.9)


def page(search: Shaky, size: int, cursor: str | None = None, version: str = "1", query: Any = None) -> Page:
    return asyncio.run(page_of(search, size=size, query=query or QUERY, version=version, cursor=cursor))


def all_pages(search: Shaky, size: int) -> list[Page]:
    pages = [page(search, size)]
    while pages[-1].next:
        pages.append(page(search, size, pages[-1].next))
    return pages


@given(n=st.integers(0, 1300), size=st.integers(1, 200))
@settings(max_examples=25)
def test_every_item_once(n: int, size: int) -> None:
    size = max(size, n // 30)
    pages = all_pages(Shaky(n), size)
    ids = [hit.item.id for one in pages for hit in one.hits]
    assert sorted(ids, key=int) == [str(number) for number in range(n)]
    assert all(len(one.hits) == size for one in pages[:-1])
    assert [one.first for one in pages] == [1 + size * number for number in range(len(pages))]


def test_a_small_page_asks_for_little() -> None:
    search = Shaky(1000)
    page(search, 3)
    assert search.asked == [4]


def test_sizes_of_pages_may_change_on_the_way() -> None:
    search = Shaky(300)
    first = page(search, 10)
    second = page(search, 80, first.next)
    third = page(search, 5, second.next)
    ids = [hit.item.id for one in (first, second, third) for hit in one.hits]
    assert len(set(ids)) == 95
    assert third.first == 91


def test_a_change_on_the_way_is_said() -> None:
    search = Shaky(30)
    cursor = page(search, 10).next
    assert not page(search, 10, cursor).notes
    assert "changed" in page(search, 10, cursor, version="2").notes[0]


@pytest.mark.parametrize(
    "cursor", ["", "x", "é", "bm9wZQ", "WzEsMiwzXQ", "W10", "WyJhIiwiMSIsIngiXQ", "e30", "=" * 9]
)
def test_what_is_no_cursor(cursor: str) -> None:
    with pytest.raises(InvalidQueryError, match="cursor"):
        page(Shaky(30), 10, cursor)


def test_cursor_of_another_query() -> None:
    cursor = page(Shaky(30), 10).next
    with pytest.raises(InvalidQueryError, match="another query"):
        page(Shaky(30), 10, cursor, query={"query": "cat"})
