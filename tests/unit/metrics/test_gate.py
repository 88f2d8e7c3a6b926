"""The gate that a change of what is searched with has to pass."""

from __future__ import annotations

import numpy as np
import pytest

from babelens.metrics.gate import Trial, compare
from babelens.metrics.ranking import Ranks, rank_lists

CORPUS = 1000


def ranked(firsts: list[int]) -> Ranks:
    """One relevant document a query, at these ranks; 0 where it is not found."""
    found = np.full((len(firsts), 10), CORPUS, dtype=np.int64)
    for row, rank in enumerate(firsts):
        if rank:
            found[row, rank - 1] = row
    return rank_lists(found, [[row] for row in range(len(firsts))], corpus=CORPUS)


def verdict(
    before: list[int], after: list[int], *, groups: list[int] | None = None, trials: int = 1
) -> Trial:
    names = np.array(groups or range(len(before)))
    return compare(ranked(before), ranked(after), names, trials=trials)


def test_a_clear_gain_is_earned_and_its_figures_are_those_of_the_ranks() -> None:
    trial = verdict([1] * 20 + [5] * 80, [1] * 50 + [5] * 50)
    assert trial.earned
    assert (trial.queries, trial.groups, trial.corpus) == (100, 100, CORPUS)
    assert trial.before["hit_rate@1"].value == pytest.approx(0.2)
    assert trial.after["hit_rate@1"].value == pytest.approx(0.5)
    assert trial.before["hit_rate@10"].chance == pytest.approx(10 / CORPUS)
    gain = trial.gain["hit_rate@1"]
    assert gain.value == pytest.approx(0.3)
    assert 0.2 < gain.low < 0.3 < gain.high < 0.4


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([3] * 60, [3] * 60),
        ([1] * 60, [2] * 60),
        ([1] * 30 + [2] * 30, [2] * 30 + [1] * 30),
        ([2] * 59 + [2], [2] * 59 + [1]),
    ],
    ids=["nothing changed", "worse", "as many won as lost", "one of sixty"],
)
def test_no_gain_is_not_earned(before: list[int], after: list[int]) -> None:
    assert not verdict(before, after).earned


def test_a_gain_at_the_top_that_loses_others_altogether_is_not_earned() -> None:
    before = [2] * 100
    after = [1] * 60 + [0] * 40
    trial = verdict(before, after)
    assert trial.gain["hit_rate@1"].better
    assert trial.gain["hit_rate@10"].worse
    assert not trial.earned


def test_captions_of_few_pictures_are_few() -> None:
    """Sixty queries got better, but all belong to three pictures."""
    before, after = [2] * 60, [1] * 60
    assert verdict(before, after).earned
    assert not verdict(before, after, groups=[row % 3 for row in range(60)]).earned


def test_more_trials_need_more_evidence() -> None:
    before, after = [2] * 40, [1] * 7 + [2] * 33  # p is near 2 / 2^7
    assert verdict(before, after).earned
    assert not verdict(before, after, trials=8).earned
