from __future__ import annotations

import numpy as np
import pytest

from babelens.training.validate import interval, ranks, recall, separation


def test_ranks_count_better_and_equal_candidates() -> None:
    scores = np.array([[0.9, 0.1, 0.2], [0.5, 0.4, 0.3], [0.7, 0.7, 0.7]], dtype=np.float32)
    assert ranks(scores).tolist() == [0, 1, 2]


def test_recall_of_perfect_and_of_constant_vectors() -> None:
    eye = np.eye(12, dtype=np.float32)
    assert recall(eye, eye).text_to_image_1 == 1.0
    same = np.tile(eye[0], (12, 1))
    # All scores tie: a constant encoder must not look perfect.
    assert recall(same, same).text_to_image_10 == 0.0


def test_interval_covers_the_mean() -> None:
    hits = np.arange(400) % 4 == 0
    low, high = interval(hits)
    assert low < 0.25 < high
    assert high - low == pytest.approx(2 * 1.96 * (0.25 * 0.75 / 400) ** 0.5, rel=0.15)


def test_separation_of_clear_matches() -> None:
    eye = np.eye(5, dtype=np.float32)
    measured = separation(eye, eye)
    assert measured.auc == 1.0
    assert (measured.matched_mean, measured.unmatched_mean) == (1.0, 0.0)


def test_separation_is_chance_when_the_target_is_never_best() -> None:
    queries = np.eye(4, dtype=np.float32)
    candidates = np.roll(queries, 1, axis=0)
    assert separation(queries, candidates).auc == pytest.approx(0.5)
