"""Confidence of right hits against that of the best hits once the right ones are gone."""

from __future__ import annotations

import numpy as np
import pytest

from babelens.evaluation.no_match import Confidences, judge


def _told(n: int, *, present: float, absent: float, spread: float, seed: int = 0) -> Confidences:
    random = np.random.default_rng(seed)
    return Confidences(
        "en",
        np.arange(n),
        random.random(n) < 0.8,
        np.clip(random.normal(present, spread, n), 0, 1),
        np.clip(random.normal(absent, spread, n), 0, 1),
    )


def test_sure_of_the_right_ones_and_of_none_else() -> None:
    found = judge([_told(300, present=0.9, absent=0.1, spread=0.02)])["en"]
    assert found.auc.value == 1
    assert found.confident_right.value == 1
    assert found.confident_absent.value == 0
    assert found.confident_absent.high > 0
    assert found.at_95.confident_absent.value == 0
    assert found.right < found.queries == 300
    assert set(found.curve) == {0.0}


def test_a_confidence_that_knows_nothing() -> None:
    found = judge([_told(600, present=0.5, absent=0.5, spread=0.1)])["en"]
    assert found.auc.low < 0.5 < found.auc.high
    assert found.at_95.confident_right.value == pytest.approx(0.95, abs=0.04)
    assert found.at_95.confident_absent.value == pytest.approx(0.95, abs=0.04)
    assert found.curve[50] == pytest.approx(0.5, abs=0.1)


def test_the_threshold_comes_from_other_pictures_than_those_it_is_tried_on() -> None:
    """Captions of one picture share its confidence: were they cut apart, the tried half would be known."""
    one = _told(100, present=0.7, absent=0.4, spread=0.2)
    copied = Confidences(
        "en", *(np.repeat(values, 5) for values in (one.groups, one.right, one.present, one.absent))
    )
    found = judge([copied])["en"]
    assert found.at_95.threshold == judge([one])["en"].at_95.threshold
    assert found.at_95.confident_absent.value == judge([one])["en"].at_95.confident_absent.value


def test_languages_are_pooled_and_those_without_a_right_hit_left_out() -> None:
    english = _told(50, present=0.8, absent=0.2, spread=0.1)
    german = Confidences("de", english.groups, english.right, english.present, english.absent)
    blind = Confidences("ja", english.groups, np.zeros(50, dtype=bool), english.present, english.absent)
    found = judge([english, german, blind])
    assert list(found) == ["en", "de", "all"]
    assert found["all"].queries == 100
    assert judge([blind]) == {}


def test_a_single_right_hit() -> None:
    told = Confidences("en", np.array([3]), np.array([True]), np.array([0.9]), np.array([0.2]))
    found = judge([told])["en"]
    assert found.at_95.threshold == 0.9
    assert found.at_95.confident_right.n == 0  # nothing is left to try it on, and the report says so
