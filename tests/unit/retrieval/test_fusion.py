from __future__ import annotations

import math

import pytest

from babelens.retrieval.fusion import interleave_kinds, reciprocal_rank_fusion


def test_scores_are_sums_of_reciprocal_ranks() -> None:
    fused = reciprocal_rank_fusion([["a", "b", "c"], ["b", "d"]])
    assert dict(fused) == pytest.approx({"a": 1 / 61, "b": 1 / 62 + 1 / 61, "c": 1 / 63, "d": 1 / 62})
    assert [id for id, _ in fused] == ["b", "a", "d", "c"]


def test_weights_scale_a_ranking() -> None:
    fused = reciprocal_rank_fusion([["a"], ["b"]], [0.1, 1.0])
    assert fused == [("b", pytest.approx(1 / 61)), ("a", pytest.approx(0.1 / 61))]


def test_a_ranking_of_weight_zero_is_not_heard() -> None:
    assert [id for id, _ in reciprocal_rank_fusion([["noise"], ["b"]], [0.0, 1.0])] == ["b"]


def test_ties_go_to_the_better_rank_then_to_the_ranking_named_first() -> None:
    assert [id for id, _ in reciprocal_rank_fusion([["z", "y"], ["a", "b"]])] == ["z", "a", "y", "b"]
    assert [id for id, _ in reciprocal_rank_fusion([["z", "a"], ["a", "z"]])] == ["z", "a"]


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [1.0, math.nan], [1.0, math.inf]])
def test_weights_that_do_not_fit_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        reciprocal_rank_fusion([["a"], ["b"]], weights)


def test_an_id_twice_in_one_ranking_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        reciprocal_rank_fusion([["a", "a"]])


def test_nothing_fuses_to_nothing() -> None:
    assert reciprocal_rank_fusion([]) == []
    assert reciprocal_rank_fusion([[], []]) == []


def test_kinds_take_turns_by_what_their_places_are_worth() -> None:
    rankings, weights = [["p1", "p2", "p3"], ["p3", "p2", "p1"], ["t1", "t2"]], [1.0, 0.9, 0.8]
    fused = [item_id for item_id, _ in reciprocal_rank_fusion(rankings, weights)]
    assert fused == ["p1", "p2", "p3", "t1", "t2"], "two rankings outweigh one"
    kinds = {item_id: item_id[0] for item_id in fused}
    # Photographs at their best: 1, 0.9 and 0.5; texts: 0.8 and 0.4.
    assert interleave_kinds(fused, kinds, rankings, weights) == ["p1", "p2", "t1", "p3", "t2"]


def test_one_ranking_or_one_kind_keeps_its_order() -> None:
    ranking = ["b", "a", "d", "c"]
    mixed = {"a": "photo", "b": "text", "c": "photo", "d": "figure"}
    assert interleave_kinds(ranking, mixed, [ranking], [0.3]) == ranking
    fused = [item_id for item_id, _ in reciprocal_rank_fusion([ranking, ["c", "b"]])]
    assert interleave_kinds(fused, dict.fromkeys("abcd", "photo"), [ranking, ["c", "b"]], [1, 1]) == fused
