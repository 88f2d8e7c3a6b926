from __future__ import annotations

import pytest

from babelens.demo.rates import Outcome, chance, hit_rate, separation, share


def test_chance_by_hand() -> None:
    # 2 of 4 documents are right, 2 are drawn: 1 − (2·1)/(4·3) = 5/6
    assert chance(2, 2, 4) == pytest.approx(5 / 6)
    assert chance(1, 5, 100) == pytest.approx(0.05)
    assert chance(0, 5, 100) == 0
    assert chance(1, 10, 4) == 1  # k beyond the corpus


def test_hit_rate_counts_first_right_hit_within_k() -> None:
    outcomes = [Outcome(1, 1), Outcome(3, 1), Outcome(None, 2), Outcome(5, 1)]
    assert hit_rate(outcomes, 1, corpus=10).value == 1 / 4
    assert hit_rate(outcomes, 3, corpus=10).value == 2 / 4
    rate = hit_rate(outcomes, 5, corpus=10)
    assert (rate.n, rate.value) == (4, 3 / 4)
    # chance at 1: (1/10 + 1/10 + 2/10 + 1/10) / 4
    assert hit_rate(outcomes, 1, corpus=10).chance == pytest.approx(0.125)


def test_interval_holds_the_value_and_narrows_with_n() -> None:
    few, many = share(6, 10, chance_level=0.1), share(600, 1000, chance_level=0.1)
    assert few.low < 0.6 < few.high
    assert few.low < many.low < 0.6 < many.high < few.high
    # the normal approximation gives 0.6 ± 1.96·sqrt(0.6·0.4/1000) = 0.6 ± 0.030
    assert many.high - many.low == pytest.approx(0.0607, abs=0.005)


def test_no_queries_is_no_rate() -> None:
    assert share(0, 0, chance_level=0.0).n == 0
    assert hit_rate([], 1, corpus=5).value == 0


def test_separation() -> None:
    assert separation([0.9, 0.8], [0.1, 0.2]) == 1
    assert separation([0.1], [0.9]) == 0
    assert separation([0.5], [0.5]) == 0.5
    assert separation([0.3, 0.7], [0.5]) == 0.5
    assert separation([], [0.5]) == 0.5
