from __future__ import annotations

import numpy as np
import pytest

from babelens.training.validate import recall, separation


def test_recall_of_perfect_and_of_constant_vectors() -> None:
    eye = np.eye(12, dtype=np.float32)
    assert recall(eye, eye).text_to_image_1 == 1.0
    same = np.tile(eye[0], (12, 1))
    # All scores tie: a constant encoder must not look perfect.
    assert recall(same, same).text_to_image_10 == 0.0


def test_separation_of_clear_matches() -> None:
    eye = np.eye(5, dtype=np.float32)
    measured = separation(eye, eye)
    assert measured.auc == 1.0
    assert (measured.matched_mean, measured.unmatched_mean) == (1.0, 0.0)


def test_separation_is_chance_when_the_target_is_never_best() -> None:
    queries = np.eye(4, dtype=np.float32)
    candidates = np.roll(queries, 1, axis=0)
    assert separation(queries, candidates).auc == pytest.approx(0.5)
