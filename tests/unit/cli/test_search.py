from __future__ import annotations

import pytest

from babelens.cli.search import _term


@pytest.mark.parametrize(
    ("value", "text", "weight"),
    [
        ("people", "people", 1.0),
        ("people^0.5", "people", 0.5),
        ("रात में^2", "रात में", 2.0),
        ("2^3^0.5", "2^3", 0.5),
        ("x^2y", "x^2y", 1.0),
        ("^", "^", 1.0),
    ],
)
def test_a_weight_follows_a_caret(value: str, text: str, weight: float) -> None:
    term = _term(value)
    assert (term.text, term.weight) == (text, weight)
