from __future__ import annotations

import pytest

from babelens.errors import FilterError
from babelens.retrieval.filters import MAX_DEPTH, fields_of, matches, parse_filter
from babelens.types import And, Comparison, Item, Not, Or, Source


def item(**metadata: object) -> Item:
    return Item("i1", "image", Source("/photos/trips/sea.jpg", "00"), metadata)


@pytest.mark.parametrize(
    ("expression", "tree"),
    [
        ("year >= 2020", Comparison("year", ">=", 2020)),
        ("year == 2020", Comparison("year", "=", 2020)),
        ("YEAR=-1.5e2", Comparison("YEAR", "=", -150.0)),
        ("folder = 'trips'", Comparison("folder", "=", "trips")),
        ("folder = 'it''s'", Comparison("folder", "=", "it's")),
        ('folder = "a ""b"""', Comparison("folder", "=", 'a "b"')),
        ("`camera model` != null", Comparison("camera model", "!=", None)),
        ("año = true", Comparison("año", "=", True)),
        ("name CONTAINS 'x'", Comparison("name", "contains", "x")),
        ("a.b startswith 'x'", Comparison("a.b", "startswith", "x")),
        ("x in (1, 'a', null)", Comparison("x", "in", (1, "a", None))),
        ("x not in (1)", Not(Comparison("x", "in", (1,)))),
        (
            "a = 1 or b = 2 AND c = 3",
            Or((Comparison("a", "=", 1), And((Comparison("b", "=", 2), Comparison("c", "=", 3))))),
        ),
        (
            "not (a = 1 or b = 2) and c = 3",
            And((Not(Or((Comparison("a", "=", 1), Comparison("b", "=", 2)))), Comparison("c", "=", 3))),
        ),
    ],
)
def test_an_expression_parses_to_its_tree(expression: str, tree: object) -> None:
    assert parse_filter(expression) == tree


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("", 0),
        ("   ", 3),
        ("year", 4),
        ("year >=", 7),
        ("year >= trips", 8),
        ("year > 2020 2021", 12),
        ("year ; drop", 5),
        ("(a = 1", 6),
        ("a = 1)", 5),
        ("a = 'open", 4),
        ("a in 1", 5),
        ("a in (1 2)", 8),
        ("a not = 1", 6),
        ("a = 1 and", 9),
        ("and = 1", 0),
        ("1 = a", 0),
        ("a = 99999999999999999999", 4),
        ("a = 1e999", 4),
        ("a = 12abc", 4),
        ("a = 1 -- comment", 6),
    ],
)
def test_an_error_points_at_its_place(expression: str, position: int) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(expression)
    assert caught.value.position == position
    assert f"  {expression}\n  {' ' * position}^" == caught.value.hint


def test_a_bare_word_is_told_to_wear_quotes() -> None:
    with pytest.raises(FilterError, match="write 'trips' for a text"):
        parse_filter("folder = trips")


@pytest.mark.parametrize("hostile", ["(" * 5000, "not " * 500 + "a = 1", "(" * (MAX_DEPTH + 1) + "a = 1"])
def test_hostile_expressions_are_refused(hostile: str) -> None:
    with pytest.raises(FilterError):
        parse_filter(hostile)


def test_depth_up_to_the_limit_is_fine() -> None:
    expression = "(" * MAX_DEPTH + "a = 1" + ")" * MAX_DEPTH
    assert parse_filter(expression) == Comparison("a", "=", 1)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("year >= 2020 and folder = 'trips'", True),
        ("year > 2021.5", False),
        ("year = 2021.0", True),
        ("year = '2021'", False),
        ("year != '2021'", False),
        ("flag = true", True),
        ("flag = 1", False),
        ("flag > false", False),
        ("flag != false", True),
        ("missing = 1", False),
        ("missing != 1", False),
        ("not missing = 1", True),
        ("missing = null", True),
        ("missing in (null, 1)", True),
        ("empty = null", True),
        ("year = null", False),
        ("year != null", True),
        ("missing != null", False),
        ("folder contains 'rip'", True),
        ("folder contains 'RIP'", False),
        ("folder startswith 'tr'", True),
        ("folder startswith 'rip'", False),
        ("year contains 2", False),
        ("tags contains 'sea'", True),
        ("tags contains 'se'", False),
        ("tags contains 1", True),
        ("tags contains true", False),
        ("tags = 'sea'", False),
        ("folder < 'zzz' and folder >= 'trips'", True),
        ("folder in ('home', 'trips')", True),
        ("folder not in ('home', 'trips')", False),
        ("kind = 'image'", True),
        ("id = 'i1'", True),
        ("path startswith '/photos/'", True),
    ],
)
def test_matching(expression: str, expected: bool) -> None:
    subject = item(year=2021, folder="trips", flag=True, empty=None, tags=["sea", 1])
    assert matches(parse_filter(expression), subject) is expected


def test_fields_are_collected() -> None:
    assert fields_of(parse_filter("a = 1 and not (b = 2 or a in (3))")) == {"a", "b"}
