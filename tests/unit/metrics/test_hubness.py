from __future__ import annotations

import numpy as np
import pytest

from babelens.metrics.hubness import k_occurrence, measure_hubness


def shuffled(n: int, corpus: int, k: int = 10, seed: int = 5) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.array([random.permutation(corpus)[:k] for _ in range(n)])


def test_every_place_in_a_list_counts_once() -> None:
    found = np.array([[0, 1], [1, 2], [1, -1]])
    assert k_occurrence(found, 4).tolist() == [1, 3, 1, 0]


def test_a_document_that_does_not_exist_is_refused() -> None:
    for wrong in (4, -2):
        with pytest.raises(ValueError, match="not among"):
            k_occurrence(np.array([[wrong]]), 4)


def test_skewness_is_the_third_standardised_moment() -> None:
    # Counts 3, 0, 0, 0: mean ¾, squares (81 + 27) / 64 = 27/16, cubes (729 − 81) / 256 = 81/32.
    measured = measure_hubness(np.array([[0], [0], [0]]), 4, k=1)
    assert measured.skewness == pytest.approx((81 / 32) / (27 / 16) ** 1.5)
    assert (measured.top_item, measured.top_item_share) == (0, 1.0)
    assert (measured.k, measured.queries, measured.items) == (1, 3, 4)


def test_only_the_first_k_and_the_first_place_are_looked_at() -> None:
    found = np.array([[0, 1, 2], [0, 1, 3], [1, 0, 4]])
    measured = measure_hubness(found, 5, k=2)
    assert (measured.top_item, measured.top_item_share) == (0, pytest.approx(2 / 3))
    counts = np.array([3, 3, 0, 0, 0])
    centred = counts - counts.mean()
    assert measured.skewness == pytest.approx(np.mean(centred**3) / np.mean(centred**2) ** 1.5)


def test_shuffled_and_perfect_results_raise_no_alarm() -> None:
    for seed in range(20):
        assert measure_hubness(shuffled(300, 100, seed=seed), 100).alarm is None
    perfect = np.argsort(-np.eye(200), axis=1, kind="stable")[:, :1]
    assert measure_hubness(perfect, 200).alarm is None


@pytest.mark.parametrize(("n", "corpus"), [(8, 8), (100, 50), (1000, 1000)])
def test_one_picture_for_every_query_raises_it(n: int, corpus: int) -> None:
    found = shuffled(n, corpus, min(10, corpus))
    found[:, 0] = 3
    measured = measure_hubness(found, corpus)
    assert measured.top_item == 3
    assert measured.alarm is not None
    assert "100.0%" in measured.alarm


def test_hubs_that_never_come_first_raise_it_by_skewness() -> None:
    found = shuffled(400, 400)
    found[:, 4:8] = [1, 2, 3, 4]
    measured = measure_hubness(found, 400)
    assert measured.skewness > measured.shuffled_skewness + 1
    assert measured.alarm is not None
    assert "skewness" in measured.alarm


def test_nothing_found_or_asked_is_no_hubness() -> None:
    for found, corpus in ((np.empty((0, 10), dtype=np.int64), 5), (np.full((3, 10), -1), 5)):
        measured = measure_hubness(found, corpus)
        assert (measured.skewness, measured.top_item, measured.top_item_share, measured.alarm) == (
            0,
            -1,
            0,
            None,
        )
    with pytest.raises(ValueError, match="at least 1"):
        measure_hubness(np.array([[0]]), 1, k=0)
