"""How questions to the manuals are gathered and judged."""

from __future__ import annotations

import numpy as np

from babelens.demo.manuals import load_manuals
from benchmarks.manuals import balanced, cross_validated, distinct, questions_of, rank_of


def test_questions_are_each_asked_once() -> None:
    asked = questions_of(load_manuals())
    own = [one for one in asked if not one.across]
    across = [one for one in asked if one.across]
    assert (len(own), sum(not one.pages for one in own), len(across)) == (243, 27, 15)
    assert all(len(one.pages) <= 1 for one in own)
    assert all(len(one.pages) == 3 for one in across)
    assert len({(one.text, one.language) for one in across}) == 15


def test_a_figure_is_asked_for_by_document_page_and_number() -> None:
    manuals = load_manuals()
    known = {(str(manual.path.absolute()), figure.page) for manual in manuals for figure in manual.figures}
    figures = [figure for one in questions_of(manuals) for figure in one.figures]
    assert figures
    assert all((path, page) in known and digits for path, page, digits in figures)


def test_pages_are_taken_once_each_in_order() -> None:
    places = [("a", 2), ("a", 2), ("b", None), ("a", 1), ("a", 2)]
    assert distinct(places) == [("a", 2), ("a", 1)]
    assert rank_of(distinct(places), frozenset({("a", 1)})) == 2
    assert rank_of(distinct(places), frozenset({("c", 1)})) == float("inf")


def test_balanced_accuracy_counts_both_sides_alike() -> None:
    values, answerable = np.array([0.9, 0.9, 0.2, 0.9]), np.array([True, True, True, False])
    assert balanced(values, answerable, 0.5) == (2 / 3 + 0) / 2
    assert balanced(values, answerable, 0.95) == (0 + 1) / 2


def test_a_threshold_is_judged_on_questions_it_was_not_chosen_on() -> None:
    draw = np.random.default_rng(0)
    answerable = np.arange(200) % 4 > 0
    groups = np.array([f"q{number // 2 if keep else -number}" for number, keep in enumerate(answerable)])
    apart = np.where(answerable, 0.8, 0.2)
    chosen, held_out = cross_validated(apart, answerable, groups)
    assert held_out == 1
    assert all(0.2 < threshold <= 0.8 for threshold in chosen)
    _, by_chance = cross_validated(draw.uniform(size=200), answerable, groups)
    assert 0.35 < by_chance < 0.65
