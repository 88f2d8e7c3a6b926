from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from babelens.errors import FilterError
from babelens.retrieval.calibration import confidence, measure_background
from babelens.retrieval.filters import matches, parse_filter
from babelens.retrieval.fusion import reciprocal_rank_fusion
from babelens.types import And, Comparison, Filter, Item, Not, Or, Source

FIELDS = ["year", "folder", "größe", "two words"]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)
OPERATORS = st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "contains", "startswith"])
COMPARISONS = st.one_of(
    st.builds(Comparison, st.sampled_from(FIELDS), OPERATORS, VALUES),
    st.builds(
        Comparison,
        st.sampled_from(FIELDS),
        st.just("in"),
        st.lists(VALUES, min_size=1, max_size=3).map(tuple),
    ),
)
TREES = st.recursive(
    COMPARISONS,
    lambda part: st.one_of(
        st.builds(Not, part),
        st.builds(And, st.lists(part, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(part, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


def written(value: object) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join(map(written, value)) + ")"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def unparsed(tree: Filter) -> str:
    if isinstance(tree, Comparison):
        return f"`{tree.field}` {tree.op} {written(tree.value)}"
    if isinstance(tree, Not):
        return f"not ({unparsed(tree.part)})"
    word = " and " if isinstance(tree, And) else " or "
    return word.join(f"({unparsed(part)})" for part in tree.parts)


@given(TREES)
def test_what_is_written_is_parsed_back(tree: Filter) -> None:
    assert parse_filter(unparsed(tree)) == tree


@given(st.text(max_size=60))
def test_any_text_parses_or_points_at_a_place_inside_it(text: str) -> None:
    position = 0
    try:
        parse_filter(text)
    except FilterError as error:
        position = error.position
    assert 0 <= position <= len(text)


@given(TREES, st.dictionaries(st.sampled_from(FIELDS), st.one_of(VALUES, st.lists(VALUES, max_size=3))))
def test_matching_has_two_values_and_not_turns_them(tree: Filter, metadata: dict[str, object]) -> None:
    item = Item("i", "image", Source("p", "s"), metadata)
    assert matches(Not(tree), item) is not matches(tree, item)


RANKINGS = st.lists(st.lists(st.sampled_from("abcdefghij"), unique=True, max_size=8), max_size=4)


@given(RANKINGS, st.data())
def test_fusion_holds_every_heard_id_once_in_falling_order(
    rankings: list[list[str]], data: st.DataObject
) -> None:
    weights = data.draw(
        st.lists(st.floats(0, 10, allow_subnormal=False), min_size=len(rankings), max_size=len(rankings))
    )
    fused = reciprocal_rank_fusion(rankings, weights)
    heard = {id for ranking, weight in zip(rankings, weights, strict=True) if weight > 0 for id in ranking}
    assert {id for id, _ in fused} == heard
    assert len(fused) == len(heard)
    assert [score for _, score in fused] == sorted((score for _, score in fused), reverse=True)


@given(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8), st.floats(0.1, 10))
def test_fusing_one_ranking_keeps_its_order(ranking: list[str], weight: float) -> None:
    assert [id for id, _ in reciprocal_rank_fusion([ranking], [weight])] == ranking


@given(
    st.lists(st.floats(-1, 1, width=32), min_size=8, max_size=50),
    st.floats(-1, 1),
    st.floats(0, 0.5),
    st.integers(1, 10_000_000),
)
def test_confidence_is_a_probability_that_rises_with_the_score(
    scores: list[float], score: float, step: float, size: int
) -> None:
    background = measure_background(np.array(scores), max(size, len(scores)))
    low = confidence(score, background, pair="text_image")
    high = confidence(score + step, background, pair="text_image")
    assert low is not None
    assert high is not None
    assert 0 <= low <= high <= 1


@given(
    st.lists(st.floats(-1, 1, width=32), min_size=8, max_size=50),
    st.floats(-1, 1),
    st.floats(-1, 1),
    st.floats(0, 1),
    st.tuples(*[st.floats(-20, 20)] * 3),
    st.floats(-20, 0),
)
def test_a_picture_is_no_surer_for_words_that_fit_it_better(
    scores: list[float],
    score: float,
    rivals: float,
    step: float,
    weights: tuple[float, float, float],
    rival: float,
) -> None:
    background = measure_background(np.array(scores), len(scores))
    alone = {
        f"text_image.{name}": value for name, value in zip(("bias", "cosine", "z"), weights, strict=True)
    }
    both = {**alone, **{key.replace(".", ".with_rivals."): value for key, value in alone.items()}}
    both["text_image.with_rivals.rivals"] = rival

    def sure(card: dict[str, float], rivals: float | None = None) -> float | None:
        return confidence(score, background, pair="text_image", card=card, rivals=rivals)

    few, many = sure(both, rivals), sure(both, rivals + step)
    assert few is not None
    assert many is not None
    assert 0 <= many <= few <= 1
    # Without rivals, or without weights for them, all is as it was.
    assert sure(both) == sure(alone) == sure(alone, rivals)
