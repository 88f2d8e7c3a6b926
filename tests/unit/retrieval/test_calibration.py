from __future__ import annotations

import math

import numpy as np
import pytest

from babelens.retrieval.calibration import (
    CONFIDENT,
    MIN_BACKGROUND,
    Background,
    confidence,
    coverage,
    expected_maximum,
    fit_confidence,
    knows_rivals,
    measure_background,
    rivals,
    trust,
)


def noise(size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.2, 0.05, size)


def test_the_background_of_normal_noise_is_its_mean_and_deviation() -> None:
    background = measure_background(noise(20_000), size=20_000)
    assert background.median == pytest.approx(0.2, abs=0.002)
    assert background.spread == pytest.approx(0.05, abs=0.002)


def test_matches_in_the_sample_hardly_move_the_background() -> None:
    with_matches = np.concatenate([noise(1000), np.full(50, 0.9)])
    assert measure_background(with_matches, 1050).spread == pytest.approx(0.05, abs=0.008)


@pytest.mark.parametrize(("size", "truth"), [(2, 0.5642), (10, 1.5388), (100, 2.5076), (1000, 3.2414)])
def test_expected_maximum_against_tabulated_values(size: int, truth: float) -> None:
    assert expected_maximum(size) == pytest.approx(truth, abs=0.05)
    assert expected_maximum(1) == 0.0


def test_confidence_is_the_formula_written_out() -> None:
    background = Background(median=0.2, spread=0.05, count=100, size=100)
    z = (0.5 - 0.2) / 0.05 - expected_maximum(100)
    assert confidence(0.5, background, pair="text_image") == pytest.approx(1 / (1 + math.exp(2 - 2 * z)))
    card = {"text_image.bias": -1.0, "text_image.cosine": 3.0, "text_image.z": 0.5}
    by_card = 1 / (1 + math.exp(-(-1.0 + 3.0 * 0.5 + 0.5 * z)))
    assert confidence(0.5, background, pair="text_image", card=card) == pytest.approx(by_card)
    assert confidence(0.5, background, pair="image_image", card=card) == pytest.approx(
        1 / (1 + math.exp(2 - 2 * z))
    )


@pytest.mark.parametrize("size", [10, 100, 1000, 10_000])
def test_the_best_of_noise_is_rarely_confident_and_a_clear_match_is(size: int) -> None:
    alarms = 0
    for seed in range(100):
        scores = noise(size, seed)
        background = measure_background(scores[:1000], size)
        alarms += (confidence(float(scores.max()), background, pair="text_image") or 0) >= CONFIDENT
    assert alarms <= 10
    assert (confidence(0.6, measure_background(noise(min(size, 1000)), size), pair="text_image") or 0) > 0.9


def test_a_tiny_collection_has_no_confidence_unless_the_card_knows() -> None:
    background = measure_background(np.array([0.9, 0.1, 0.1]), 3)
    assert background.count < MIN_BACKGROUND
    assert confidence(0.9, background, pair="text_image") is None
    assert confidence(0.9, measure_background(np.array([]), 0), pair="text_image") is None
    card = {"text_image.absolute_bias": -5.0, "text_image.absolute_cosine": 10.0}
    assert confidence(0.9, background, pair="text_image", card=card) == pytest.approx(1 / (1 + math.exp(-4)))


def test_the_same_picture_is_recognised_against_any_background() -> None:
    wide = measure_background(np.random.default_rng(0).uniform(-0.9, 0.95, 60), 60)
    assert (confidence(0.999, wide, pair="image_image") or 0) > 0.9
    assert (confidence(0.999, wide, pair="text_image") or 0) < CONFIDENT
    assert (confidence(0.8, wide, pair="image_image") or 0) < CONFIDENT
    nothing = measure_background(np.array([]), 1)
    assert (confidence(0.999, nothing, pair="image_image") or 0) > 0.9
    assert confidence(0.5, nothing, pair="image_image") is None


def test_identical_scores_are_not_confident() -> None:
    value = confidence(0.7, measure_background(np.full(50, 0.7), 50), pair="image_image")
    assert value is not None
    assert value < 0.1


def test_coverage_weighs_words_by_rarity() -> None:
    idf = {"the": 0.1, "zebra": 3.0, "bicycle": 2.0}
    assert coverage(["the", "zebra", "the"], ["the", "a"], idf) == pytest.approx(0.1 / 3.1)
    assert coverage(["zebra", "bicycle"], ["a", "zebra"], idf) == pytest.approx(0.6)
    assert coverage(["unheard"], ["a"], idf) == 0.0


def test_trust_is_one_for_perfect_zero_for_chance_and_half_for_the_second_place() -> None:
    n = 400
    answers = np.arange(n)
    assert trust(np.eye(n), answers) == pytest.approx(1.0)
    random = np.random.default_rng(0).normal(size=(n, n))
    assert trust(random, answers) < 0.05
    second = np.eye(n) + 2 * np.roll(np.eye(n), 1, axis=1)
    chance = (1 / np.arange(1, n + 1)).mean()
    assert trust(second, answers) == pytest.approx((n * (0.5 - chance) / (1 - chance) + 8) / (n + 8))


def test_trust_without_evidence_is_the_prior_and_constant_scores_are_chance() -> None:
    assert trust(np.zeros((3, 3)), np.full(3, -1), prior=0.7) == 0.7
    assert trust(np.zeros((0, 0)), np.zeros(0, dtype=int), prior=0.7) == 0.7
    assert trust(np.zeros((400, 400)), np.arange(400)) < 0.05


def test_a_fitted_card_tells_matches_from_luck() -> None:
    random = np.random.default_rng(1)
    scores = random.normal(0.1, 0.05, (300, 300))
    matches = np.eye(300, dtype=bool)
    scores[matches] = random.normal(0.4, 0.05, 300)
    card = fit_confidence(scores, matches, pair="text_image")
    assert set(card) == {
        f"text_image.{name}" for name in ("bias", "cosine", "z", "absolute_bias", "absolute_cosine")
    }
    fresh = random.normal(0.1, 0.05, (50, 200))
    for row in fresh:
        background = measure_background(row, 200)
        assert (confidence(float(row.max()), background, pair="text_image", card=card) or 0) < CONFIDENT
        assert (confidence(0.4, background, pair="text_image", card=card) or 0) > CONFIDENT
    with pytest.raises(ValueError, match="fitting needs"):
        fit_confidence(scores, np.zeros_like(matches), pair="text_image")


def test_rivals_are_the_mean_of_the_three_best_words() -> None:
    words = np.eye(5)
    pictures = np.array([[0.1, 0.5, 0.3, 0.2, 0.0], [0.9, 0.0, 0.0, 0.3, 0.0]])
    assert rivals(pictures, words) == pytest.approx([1.0 / 3, 0.4])
    assert rivals(pictures, words[:2]) == pytest.approx([0.3, 0.45])


def test_confidence_with_rivals_is_the_second_formula_written_out() -> None:
    background = Background(median=0.2, spread=0.05, count=100, size=100)
    z = (0.5 - 0.2) / 0.05 - expected_maximum(100)
    card = {"text_image.bias": -1.0, "text_image.cosine": 3.0, "text_image.z": 0.5}
    second = {"bias": 2.0, "cosine": 4.0, "z": 0.25, "rivals": -8.0}
    both = card | {f"text_image.with_rivals.{name}": value for name, value in second.items()}
    alone = 1 / (1 + math.exp(-(-1.0 + 3.0 * 0.5 + 0.5 * z)))
    with_rivals = 1 / (1 + math.exp(-(2.0 + 4.0 * 0.5 + 0.25 * z - 8.0 * 0.6)))
    assert confidence(0.5, background, pair="text_image", card=both, rivals=0.6) == pytest.approx(with_rivals)
    assert confidence(0.5, background, pair="text_image", card=both) == pytest.approx(alone)
    assert confidence(0.5, background, pair="text_image", card=card, rivals=0.6) == pytest.approx(alone)
    assert knows_rivals(both, "text_image")
    assert not knows_rivals(card, "text_image")
    assert not knows_rivals(both, "text_text")


def test_fitting_finds_that_rivals_tell_matches_from_lookalikes() -> None:
    """Planted: pictures differ in how near they are to all words. Only how much nearer the query is tells a match."""
    random = np.random.default_rng(3)
    n = 200
    near = random.uniform(0.2, 0.6, n)
    scores = near + random.normal(-0.1, 0.02, (n, n))
    matches = np.eye(n, dtype=bool)
    scores[matches] += 0.15
    card = fit_confidence(scores, matches, pair="text_image", rivals=near)
    assert card["text_image.with_rivals.rivals"] < 0 < card["text_image.with_rivals.cosine"]
    right = {True: 0, False: 0}
    for known in (True, False):
        for query in range(n):
            background = measure_background(scores[query], n)
            for best, present in (
                (query, True),
                (int(np.argmax(np.where(matches[query], -1, scores[query]))), False),
            ):
                value = confidence(
                    float(scores[query, best]), background, pair="text_image", card=card,
                    rivals=float(near[best]) if known else None,
                )  # fmt: skip
                right[known] += ((value or 0) >= CONFIDENT) == present
    assert right[True] > 0.95 * 2 * n
    assert right[True] > right[False] + 0.1 * n


def test_wrong_first_hits_do_not_make_a_card_lenient() -> None:
    """A gallery that holds a match which nobody can see is no reason to believe in what is found instead."""
    random = np.random.default_rng(4)
    n = 200
    scores = random.normal(0.1, 0.05, (n, n))
    matches = np.eye(n, dtype=bool)
    seen = np.arange(n) < n // 2
    scores[matches & seen[:, None]] = random.normal(0.4, 0.05, n // 2)
    card = fit_confidence(scores, matches, pair="text_image")
    alarms = 0
    for row in random.normal(0.1, 0.05, (200, n)):
        background = measure_background(row, n)
        alarms += (confidence(float(row.max()), background, pair="text_image", card=card) or 0) >= CONFIDENT
        assert (confidence(0.4, background, pair="text_image", card=card) or 0) > CONFIDENT
    assert alarms <= 20
