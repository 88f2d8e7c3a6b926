from __future__ import annotations

import pytest

from babelens.demo.rates import hit_rate, share
from babelens.demo.trials import Trial


def trial(about: str, *right: bool, positives: int = 1) -> Trial:
    return Trial("text_to_image", "en", (), (), right, positives, about)


def test_hit_rate_counts_trials_with_a_right_hit_within_k() -> None:
    trials = [
        trial("a", True),
        trial("b", False, False, True),
        trial("c", False, positives=2),
        trial("d", False, False, False, False, True),
    ]
    assert hit_rate(trials, 1, corpus=10).value == 1 / 4
    assert hit_rate(trials, 3, corpus=10).value == 2 / 4
    rate = hit_rate(trials, 5, corpus=10)
    assert (rate.n, rate.value) == (4, 3 / 4)
    # chance at 1: (1/10 + 1/10 + 2/10 + 1/10) / 4
    assert hit_rate(trials, 1, corpus=10).chance == pytest.approx(0.125)


def test_trials_about_one_picture_count_as_one_when_it_comes_to_certainty() -> None:
    apart = share([trial(str(i), i % 2 == 0) for i in range(80)], lambda t: t.right[0])
    together = share([trial(str(i // 8), i // 8 % 2 == 0) for i in range(80)], lambda t: t.right[0])
    assert apart.value == together.value == 0.5
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_no_trials_is_no_rate() -> None:
    assert share([], lambda t: True).n == 0
    assert hit_rate([], 1, corpus=5).n == 0
