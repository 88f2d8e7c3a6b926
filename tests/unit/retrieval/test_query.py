from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from PIL import Image

from babelens.errors import FilterError, InvalidQueryError, UnknownLanguageError
from babelens.retrieval.query import MAX_K, build_query, combine_terms, words_of
from babelens.types import Term

PICTURE = Image.new("RGB", (4, 4))


def test_terms_keep_their_order_and_weights() -> None:
    query = build_query(
        "sea",
        PICTURE,
        plus=["at night", Term(text="boat", weight=0.5)],
        minus=["people", Term(image=PICTURE, weight=2)],
    )
    assert [(term.text, term.weight) for term in query.terms] == [
        ("sea", 1.0), (None, 1.0), ("at night", 1.0), ("boat", 0.5), ("people", -1.0), (None, -2.0),
    ]  # fmt: skip
    assert words_of(query) == "sea at night boat"


def test_languages_are_brought_to_their_tag() -> None:
    assert build_query("mar", language="español").language == "es"


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"text": ""},
        {"text": "  \n\t"},
        {"text": "\u200b \ufeff"},
        {"minus": ["people"]},
        {"text": "sea", "plus": [Term(text="x", weight=math.nan)]},
        {"text": "sea", "plus": [Term(text="x", weight=0)]},
        {"text": "sea", "plus": [Term()]},
        {"text": "sea", "plus": [Term(text="x", image=PICTURE)]},
        {"text": "sea", "k": 0},
        {"text": "sea", "k": -1},
        {"text": "sea", "k": 1_000_000},
        {"text": "sea", "k": True},
        {"text": "sea", "k": 1.5},
        {"text": "sea", "mode": "magic"},
        {"text": "sea", "kinds": ["cat"]},
        {"text": "sea", "kinds": []},
        {"image": PICTURE, "mode": "text"},
    ],
)
def test_impossible_queries_are_refused_with_a_reason(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidQueryError) as caught:
        build_query(**arguments)
    assert caught.value.message


def test_unknown_languages_and_broken_filters_have_their_own_errors() -> None:
    with pytest.raises(UnknownLanguageError):
        build_query("sea", language="klingon")
    with pytest.raises(FilterError):
        build_query("sea", where="year >=")


def test_the_largest_k_is_allowed_and_a_given_vector_needs_no_term() -> None:
    assert build_query("sea", k=MAX_K).k == MAX_K
    assert build_query(given_vector=True, mode="vector").terms == ()


def test_combining_is_the_weighted_sum_at_unit_length() -> None:
    x, y = np.eye(2, dtype=np.float32)
    combined = combine_terms(np.stack([x, y]), [1.0, -1.0])
    np.testing.assert_allclose(combined, [math.sqrt(0.5), -math.sqrt(0.5)], rtol=1e-6)
    np.testing.assert_allclose(combine_terms(np.stack([x, y]), [1e30, 1e30]), [math.sqrt(0.5)] * 2, rtol=1e-6)


def test_terms_that_cancel_out_are_refused() -> None:
    x = np.eye(2, dtype=np.float32)[[0, 0]]
    with pytest.raises(InvalidQueryError, match="cancel"):
        combine_terms(x, [1.0, -1.0])
