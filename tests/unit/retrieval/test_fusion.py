from __future__ import annotations

import math

import pytest

from babelens.retrieval.fusion import interleave, principal_rankings, reciprocal_rank_fusion


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


def test_groups_take_turns_by_what_their_best_is_worth() -> None:
    fused = [("p1", 0.4), ("p2", 0.39), ("t1", 0.3), ("p3", 0.2), ("t2", 0.1), ("f1", 0.05)]
    groups = {"p1": 0, "p2": 0, "p3": 0, "t1": 1, "t2": 1, "f1": 2}
    assert interleave(fused, groups) == [
        ("p1", 0.4),
        ("t1", 0.3),
        ("p2", 0.2),
        ("t2", 0.15),
        ("p3", pytest.approx(0.4 / 3)),
        ("f1", 0.05),
    ]


def test_one_group_keeps_its_order() -> None:
    fused = [("b", 0.4), ("a", 0.39), ("c", 0.1)]
    assert [entry[0] for entry in interleave(fused, dict.fromkeys("abc", 0))] == ["b", "a", "c"]


def test_an_item_belongs_to_the_ranking_that_gives_it_most() -> None:
    rankings = [["a", "b", "c"], ["c", "b", "d"]]
    assert principal_rankings(rankings, [1.0, 1.0]) == {"a": 0, "b": 0, "c": 1, "d": 1}
    assert principal_rankings(rankings, [1.0, 0.5]) == {"a": 0, "b": 0, "c": 0, "d": 1}
