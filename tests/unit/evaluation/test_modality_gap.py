from __future__ import annotations

import numpy as np
import pytest

from babelens.evaluation.modality_gap import centroid_distance, modality_gap
from babelens.vectors import Floats, normalize


def cone(random: np.random.Generator, n: int, centre: int, width: float = 0.3) -> Floats:
    vectors = width * random.normal(size=(n, 8))
    vectors[:, centre] += 1
    return normalize(vectors)


def test_by_hand() -> None:
    pictures = np.array([[1, 0], [0, 1]], dtype=np.float32)
    texts = np.array([[1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32)
    gap = modality_gap(pictures, texts, np.array([0, 0, 1]))
    assert gap.pictures == 2
    assert gap.matched.value == pytest.approx((1 + 0.6 + 1) / 3)
    assert gap.mismatched.value == pytest.approx((0 + 0.8 + 0) / 3)
    assert gap.distance.n == gap.matched.n == gap.mismatched.n == 3


def test_vectors_that_do_not_vary_leave_no_doubt() -> None:
    pictures = np.tile(np.array([[1.0, 0, 0]], dtype=np.float32), (4, 1))
    captions = np.tile(np.array([[0, 1.0, 0]], dtype=np.float32), (8, 1))
    gap = centroid_distance(pictures, captions, np.repeat(np.arange(4), 2))
    assert (gap.value, gap.low, gap.high) == pytest.approx((np.sqrt(2),) * 3)
    assert gap.n == 8


def test_two_cones_lie_as_far_apart_as_their_axes() -> None:
    random = np.random.default_rng(0)
    pictures, texts = cone(random, 400, 0, 0.01), cone(random, 400, 1, 0.01)
    distance = centroid_distance(pictures, texts, np.arange(400))
    assert distance.value == pytest.approx(np.sqrt(2), abs=0.005)
    assert distance.low <= distance.value <= distance.high < distance.low + 0.01


def test_no_gap_is_none_however_few_the_vectors() -> None:
    """The plain distance of the centroids of 20 vectors each is about 0.3 here."""
    reached = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        pictures, texts = normalize(random.normal(size=(20, 64))), normalize(random.normal(size=(20, 64)))
        distance = centroid_distance(pictures, texts, np.arange(20), seed=seed)
        assert distance.value < np.linalg.norm(pictures.mean(axis=0) - texts.mean(axis=0))
        reached.append(distance.low == 0)
    assert np.mean(reached) >= 0.9


def test_the_interval_holds_the_true_distance_nineteen_times_of_twenty() -> None:
    random = np.random.default_rng(5)
    truth = float(
        np.linalg.norm(cone(random, 400_000, 0).mean(axis=0) - cone(random, 400_000, 1).mean(axis=0))
    )
    held = []
    for seed in range(100):
        random = np.random.default_rng(seed)
        distance = centroid_distance(cone(random, 60, 0), cone(random, 60, 1), np.arange(60), seed=seed)
        held.append(distance.low <= truth <= distance.high)
    assert 88 <= sum(held) <= 99


def test_pictures_without_a_text_count_as_pictures_only() -> None:
    random = np.random.default_rng(2)
    pictures, texts = cone(random, 10, 0), cone(random, 1, 1)
    gap = modality_gap(pictures, texts, np.array([3]))
    assert np.isfinite([gap.distance.value, gap.distance.low, gap.distance.high]).all()
    assert gap.matched.value == pytest.approx(float(texts[0] @ pictures[3]))


def test_a_gap_needs_two_sides() -> None:
    one = np.ones((1, 1), dtype=np.float32)
    for pictures, texts in ((one, one), (np.ones((2, 1), np.float32), one[:0])):
        with pytest.raises(ValueError, match="needs"):
            modality_gap(pictures, texts, np.zeros(len(texts), dtype=int))
