"""Intervals that cover, differences that are found, groups that belong together, areas by hand."""

from __future__ import annotations

import numpy as np
import pytest

from babelens.metrics.statistics import Bootstrap, auc, roc


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        values = (random.random(150) < 0.3).astype(float)
        estimate = Bootstrap(np.arange(150), resamples=500, seed=trial).estimate(values)
        covered += estimate.low <= 0.3 <= estimate.high
    assert 180 <= covered <= 199  # 95 % of 200, give or take


def test_captions_of_one_picture_are_drawn_together() -> None:
    """Five copies of each query say no more than one: the interval must not shrink."""
    random = np.random.default_rng(1)
    values = (random.random(100) < 0.5).astype(float)
    alone = Bootstrap(np.arange(100)).estimate(values)
    copied = Bootstrap(np.repeat(np.arange(100), 5)).estimate(np.repeat(values, 5))
    assert copied.n == 500
    assert copied.value == alone.value
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.05)
    naive = Bootstrap(np.arange(500)).estimate(np.repeat(values, 5))
    assert naive.high - naive.low < 0.6 * (copied.high - copied.low)


def test_a_rate_of_nought_or_one_still_has_an_interval() -> None:
    nought = Bootstrap(np.arange(20)).estimate(np.zeros(20))
    assert (nought.value, nought.low) == (0, 0)
    assert nought.high == pytest.approx(1 - 0.025 ** (1 / 20))
    one = Bootstrap(np.arange(20)).estimate(np.ones(20))
    assert (one.low, one.high) == pytest.approx((0.025 ** (1 / 20), 1))


def test_no_queries_and_one_query() -> None:
    nothing = Bootstrap(np.arange(0)).estimate(np.empty(0), chance=0.1)
    assert nothing.n == 0
    assert np.isnan(nothing.value)
    single = Bootstrap(np.array(["a"])).estimate(np.array([1.0]))
    assert (single.n, single.value, single.high) == (1, 1, 1)
    assert single.low == pytest.approx(0.025)
    assert Bootstrap(np.array([0])).difference(np.array([0.0]), np.array([1.0])).p == 1.0


def test_a_real_difference_is_found_and_none_is_not() -> None:
    random = np.random.default_rng(2)
    before = (random.random(400) < 0.5).astype(float)
    helped = np.where(random.random(400) < 0.2, 1.0, before)
    bootstrap = Bootstrap(np.arange(400))
    better = bootstrap.difference(before, helped)
    assert better.better
    assert better.p < 0.001
    assert better.low < better.value < better.high
    assert bootstrap.difference(helped, before).worse
    same = bootstrap.difference(before, before)
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_the_p_value_is_that_of_all_sign_flips() -> None:
    """Four groups that all gain: 2 of the 16 sign patterns reach the sum, so p is near 2/16."""
    difference = Bootstrap(np.arange(4)).difference(np.zeros(4), np.ones(4))
    assert difference.p == pytest.approx(2 / 16, abs=0.01)


def test_seeded_and_paired() -> None:
    random = np.random.default_rng(3)
    first, second = random.random(50), random.random(50)
    bootstrap = Bootstrap(np.arange(50), seed=5)
    assert bootstrap.estimate(first) == Bootstrap(np.arange(50), seed=5).estimate(first)
    assert bootstrap.estimate(first) != Bootstrap(np.arange(50), seed=6).estimate(first)
    assert bootstrap.draws(second) - bootstrap.draws(first) == pytest.approx(bootstrap.draws(second - first))


def test_blocks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    from babelens.metrics import statistics

    values = np.random.default_rng(4).random(30)
    whole = Bootstrap(np.arange(30)).draws(values)
    monkeypatch.setattr(statistics, "_BLOCK", 100)
    assert Bootstrap(np.arange(30)).draws(values) == pytest.approx(whole, abs=1e-12)


def test_median() -> None:
    values = np.array([1.0, 2, 3, 4, 1000])
    estimate = Bootstrap(np.arange(5)).median(values)
    assert estimate.value == 3
    assert estimate.low >= 1
    assert estimate.high <= 1000
    assert Bootstrap(np.arange(5)).median(np.array([1, np.inf, 2, 3, np.inf])).value == 3


def test_areas_by_hand() -> None:
    # Of the six pairs, 3>1, 3>2, 2>1 are right, 2=2 is half, 0<1 and 0<2 are wrong.
    higher, lower = np.array([3.0, 2, 0]), np.array([1.0, 2])
    assert auc(higher, lower) == pytest.approx(3.5 / 6)
    curve = roc(higher, lower)
    assert curve.thresholds.tolist() == [np.inf, 3, 2, 1, 0]
    assert curve.true_positives.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3, 1])
    assert curve.false_positives.tolist() == pytest.approx([0, 0, 0.5, 1, 1])
    assert np.trapezoid(curve.true_positives, curve.false_positives) == pytest.approx(3.5 / 6)
    estimate = Bootstrap(np.arange(3)).auc(higher, np.array([1.0, 2, 2]))
    assert estimate.value == pytest.approx(auc(higher, np.array([1.0, 2, 2])))
    assert auc(np.empty(0), lower) == 0.5


def test_the_wrong_number_of_values() -> None:
    with pytest.raises(ValueError, match="values for"):
        Bootstrap(np.arange(3)).estimate(np.zeros(4))
