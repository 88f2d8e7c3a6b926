"""A search as an address, there and back."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from babelens.retrieval.filters import matches, parse_filter
from babelens.server.pages.query import PageQuery
from babelens.types import Item, Source, Term


def of(text: str) -> PageQuery:
    return PageQuery.of(QueryParams(text))


def test_an_address_and_back() -> None:
    query = of(
        "q=un+perro&plus=mar&minus=gente&minus=coche&like=a1&unlike=b2&kind=image&folder=x&in=es&page=3"
    )
    assert query.minus == ("gente", "coche")
    assert query.page == 3
    assert of(urlsplit(query.address(page=3)).query) == query


@given(st.text(), st.text(), st.text(max_size=30))
def test_any_address_gives_a_search_that_has_an_address(words: str, minus: str, page: str) -> None:
    query = PageQuery.of({"q": words, "minus": minus, "page": page, "kind": words})
    again = PageQuery.of(QueryParams(parse_qsl(urlsplit(query.address(page=query.page)).query)))
    assert (again.words, again.minus, again.page) == (query.words, query.minus, query.page)
    assert 1 <= query.page <= 300


def test_what_is_not_known_is_left_out() -> None:
    query = of("q=+&kind=video&in=xx&page=-1&page=zwei&plus=&minus=+")
    assert query == PageQuery()
    assert not query.seeks
    assert query.address() == "/"


def test_a_change_leads_to_the_first_page() -> None:
    query = of("q=a&page=4")
    assert query.address(words="b") == "/?q=b"
    assert query.address(page=5) == "/?q=a&page=5"


def test_terms_are_taken_away_one_by_one() -> None:
    query = of("q=a&minus=b&minus=c&picture=p")
    assert query.without("minus", "b") == "/?q=a&picture=p&minus=c"
    assert query.without("picture", "p") == "/?q=a&minus=b&minus=c"


def test_the_first_picture_is_the_query_and_others_are_added() -> None:
    query = of("like=a&like=b&unlike=c&minus=red&folder=it%27s")
    assert query.arguments() == {
        "image": "a",
        "plus": [Term(item_id="b")],
        "minus": [Term(text="red"), Term(item_id="c")],
        "language": None,
        "where": "folder = 'it''s'",
        "kinds": None,
    }
    sent = object()
    assert query.arguments(sent)["image"] is sent
    assert query.arguments(sent)["plus"] == [Term(item_id="a"), Term(item_id="b")]


def test_days_become_a_filter_that_has_both_of_them() -> None:
    query = of("from=2021-05-30&to=2021-05-31&folder=it's")
    assert query.where == "folder = 'it''s' and taken >= '2021-05-30' and taken < '2021-06-01'"
    tree = parse_filter(query.where)
    taken = ["2021-05-29T23:59:59", "2021-05-30", "2021-05-31T23:59:59", "2021-06-01", None]
    items = [Item("a", "image", Source("a", ""), {"taken": one, "folder": "it's"}) for one in taken]
    assert [matches(tree, item) for item in items] == [False, True, True, False, False]
    assert query.filtered
    assert of(urlsplit(query.unfiltered).query) == PageQuery()


@pytest.mark.parametrize(
    "day", ["", "2021", "2021-02-30", "20210530", "9999-12-31", "yesterday", "2021-W05-1"]
)
def test_what_is_no_day_is_left_out(day: str) -> None:
    assert PageQuery.of({"from": day, "to": day}) == PageQuery()
