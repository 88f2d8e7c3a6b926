from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from babelens.training import losses  # noqa: E402


def sets(*rows: tuple[int, ...]) -> torch.Tensor:
    return torch.tensor([[*row, *[-1] * (3 - len(row))] for row in rows])


def test_pairs_of_sets() -> None:
    pairs = losses.pair_up(sets((1,), (1, 2), (3,)), sets((1,), (2,), (1, 2)))
    assert pairs.positive.tolist() == [[True, False, False], [False, False, True], [False, False, False]]
    # {1} and {1, 2} overlap: neither positive nor negative.
    assert pairs.allowed.tolist() == [[True, True, False], [False, False, True], [True, True, True]]


def test_a_caption_that_names_what_a_picture_lacks_is_a_mismatch_when_captions_have_to_be_complete() -> None:
    pairs = losses.pair_up(sets((1,), (1, 2), (3,)), sets((1,), (2,), (1, 2)), complete=True)
    assert pairs.positive.tolist() == [[True, False, False], [False, False, True], [False, False, False]]
    # {1, 2} shows what {1} names, and more: still neither.
    assert pairs.allowed.tolist() == [[True, True, True], [False, False, True], [True, True, True]]


def test_info_nce_by_hand() -> None:
    scores = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 3.0]])
    positive = torch.tensor([[True, True, False], [False, False, True]])
    pairs = losses.Pairs(positive, torch.ones_like(positive))
    first = math.log(math.e**2 + math.e + 1)
    second = math.log(1 + math.e + math.e**3)
    expected = (((first - 2) + (first - 1)) / 2 + (second - 3)) / 2
    assert losses.info_nce(scores, pairs).item() == pytest.approx(expected, rel=1e-5)


def test_info_nce_leaves_out_what_is_neither() -> None:
    scores = torch.tensor([[1.0, 50.0]])
    pairs = losses.Pairs(torch.tensor([[True, False]]), torch.tensor([[True, False]]))
    assert losses.info_nce(scores, pairs).item() == pytest.approx(0.0, abs=1e-5)


def test_info_nce_ignores_rows_without_positive() -> None:
    scores = torch.tensor([[1.0, 0.0], [5.0, 5.0]])
    pairs = losses.Pairs(torch.tensor([[True, False], [False, False]]), torch.ones(2, 2, dtype=torch.bool))
    assert losses.info_nce(scores, pairs).item() == pytest.approx(math.log(math.e + 1) - 1, rel=1e-5)


def test_symmetric_is_the_mean_of_both_directions() -> None:
    scores = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    positive = torch.zeros(4, 6, dtype=torch.bool)
    positive[range(4), range(4)] = True
    pairs = losses.Pairs(positive, torch.ones_like(positive))
    turned = losses.Pairs(positive.T, pairs.allowed.T)
    both = (losses.info_nce(scores, pairs) + losses.info_nce(scores.T, turned)) / 2
    assert losses.symmetric_info_nce(scores, pairs).item() == pytest.approx(both.item())


def test_within_does_not_count_the_vector_itself() -> None:
    vectors = torch.eye(2)[[0, 0, 1]]
    # Row 0 has one positive (row 1, cosine 1) and one negative (row 2, cosine 0); row 2 has no positive.
    value = losses.within(vectors, sets((1,), (1,), (2,)), torch.tensor(1.0))
    assert value.item() == pytest.approx(math.log(math.e + 1) - 1, rel=1e-5)


def test_prototype_loss_by_hand() -> None:
    prototypes = 7 * torch.eye(3)  # length does not matter
    vectors = torch.tensor([[1.0, 0.0, 0.0]])
    single = losses.prototype_loss(vectors, prototypes, sets((0,)), scale=2.0)
    assert single.item() == pytest.approx(math.log(math.e**2 + 2) - 2, rel=1e-5)
    scene = losses.prototype_loss(vectors, prototypes, sets((0, 1)), scale=2.0)
    assert scene.item() == pytest.approx(math.log(math.e**2 + 2) - 1, rel=1e-5)
    margin = losses.prototype_loss(vectors, prototypes, sets((0,)), scale=2.0, margin=0.5)
    assert margin.item() == pytest.approx(math.log(math.e + 2) - 1, rel=1e-5)


def test_sigmoid_loss_by_hand() -> None:
    pairs = losses.Pairs(torch.tensor([[True, False]]), torch.tensor([[True, True]]))
    value = losses.sigmoid_loss(torch.tensor([[0.8, 0.1]]), pairs, torch.tensor(10.0), torch.tensor(-5.0))
    expected = math.log(1 + math.exp(-3.0)) + math.log(1 + math.exp(-4.0))
    assert value.item() == pytest.approx(expected, rel=1e-5)


def test_smoothing_spreads_the_target_by_hand() -> None:
    scores = torch.tensor([[2.0, 1.0, 0.0, 9.0]])
    positive = torch.tensor([[True, False, False, False]])
    pairs = losses.Pairs(positive, torch.tensor([[True, True, True, False]]))
    total = math.log(math.exp(2) + math.exp(1) + 1)
    expected = 0.7 * (total - 2) + 0.3 * (total - (2 + 1 + 0) / 3)
    assert losses.info_nce(scores, pairs, smoothing=0.3).item() == pytest.approx(expected, rel=1e-5)
    alone = losses.Pairs(torch.zeros_like(positive), pairs.allowed)
    assert losses.info_nce(scores, alone, smoothing=0.3).item() == 0.0, "no positive, no target"
