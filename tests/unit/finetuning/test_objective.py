"""The objectives against plain statements of their formulas, and gradients that do not depend on how a batch is cut."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="fine-tuning needs pip install 'babelens[torch]'")

from babelens.finetuning.objective import (  # noqa: E402
    Objective,
    backward,
    distillation,
    hardest_margin,
    starting_scale,
)
from babelens.training.losses import pair_up  # noqa: E402
from tests import tuning  # noqa: E402

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 8), st.integers(1, 4), st.integers(0, 2**31))


def drawn(shape: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Unit rows of pictures and captions, and what each is of."""
    n, m, owners, seed = shape
    rng = np.random.default_rng(seed)
    rows = [rng.normal(size=(count, 5)) for count in (n, m)]
    pictures, captions = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in rows)
    return pictures, captions, rng.integers(owners, size=n), rng.integers(owners, size=m)


def of(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(array) for array in arrays]


def one_way(scores: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """-log p of each positive among positives and negatives, the mean over a row's positives, then over rows."""
    rows = []
    for i in range(len(scores)):
        positives = [j for j in range(scores.shape[1]) if first[i] == second[j]]
        total = sum(math.exp(scores[i, j]) for j in range(scores.shape[1]))
        if positives:
            rows.append(np.mean([-math.log(math.exp(scores[i, j]) / total) for j in positives]))
    return float(np.mean(rows)) if rows else 0.0


@hypothesis_settings(deadline=None, max_examples=40)
@given(SHAPES)
def test_infonce_with_several_positives(shape: tuple[int, int, int, int]) -> None:
    pictures, captions, first, second = drawn(shape)
    objective = Objective(tuning.settings(), log_scale=math.log(7.0)).double()
    found = objective.matching(*of(pictures, captions), pair_up(*of(first[:, None], second[:, None])))
    scores = 7.0 * pictures @ captions.T
    expected = (one_way(scores, first, second) + one_way(scores.T, second, first)) / 2
    assert found.item() == pytest.approx(expected, rel=1e-5)


@hypothesis_settings(deadline=None, max_examples=40)
@given(SHAPES, st.sampled_from([0.0, 0.2, 1.0]))
def test_the_margin_loss_takes_the_hardest_negatives(shape: tuple[int, int, int, int], margin: float) -> None:
    pictures, captions, first, second = drawn(shape)
    cosine = pictures @ captions.T
    found = hardest_margin(
        torch.from_numpy(cosine), pair_up(*of(first[:, None], second[:, None])), margin=margin
    )
    terms, pairs = 0.0, 0
    for i in range(len(first)):
        for j in range(len(second)):
            if first[i] != second[j]:
                continue
            row = max((cosine[i, k] for k in range(len(second)) if first[i] != second[k]), default=-1.0)
            column = max((cosine[k, j] for k in range(len(first)) if first[k] != second[j]), default=-1.0)
            terms += max(0.0, margin - cosine[i, j] + row) + max(0.0, margin - cosine[i, j] + column)
            pairs += 1
    assert found.item() == pytest.approx(terms / max(1, pairs), abs=1e-6)


def test_five_captions_of_a_picture_are_not_negatives_of_each_other() -> None:
    """Their vectors may be the same: then nothing is left to be gained, whichever the loss."""
    pictures = torch.eye(3)
    captions = pictures.repeat_interleave(5, dim=0)
    rows = torch.arange(3)[:, None]
    owners = {
        "pictures": rows,
        "captions": rows.repeat_interleave(5, dim=0),
        "wording": torch.arange(15)[:, None],
    }
    vectors = {"pictures": pictures, "captions": captions}
    for loss in ("infonce", "margin", "sigmoid"):
        objective = Objective(tuning.settings(loss=loss, captions=5), log_scale=math.log(50.0))
        values = objective(vectors, owners)
        assert set(values) == {loss, "align"}
        turned = objective({"pictures": pictures, "captions": captions.roll(5, dims=0)}, owners)
        assert turned[loss] > values[loss] + 0.5, "captions of other pictures cost"
        if loss != "sigmoid":  # its start bias asks for higher cosines than there are
            # A picture's share of 1 is spread over its five captions.
            floor = math.log(5) / 2 if loss == "infonce" else 0
            assert values[loss].item() == pytest.approx(floor, abs=1e-4)
        assert values["align"].item() == pytest.approx(0.5 * math.log(4), abs=1e-4)


def test_what_is_not_trained_on_costs_nothing() -> None:
    objective = Objective(tuning.settings(captions=1), log_scale=2.0)
    rows = torch.arange(4)[:, None]
    owners = {"pictures": rows, "captions": rows, "wording": rows, "parallel": rows // 2}
    assert set(objective({"pictures": torch.eye(4), "captions": torch.eye(4)}, owners)) == {"infonce"}
    assert set(objective({"parallel": torch.eye(4)}, owners)) == {"parallel"}
    assert set(objective({"parallel": torch.eye(4)}, owners, torch.eye(4))) == {"distil"}


def test_parallel_texts_are_drawn_together() -> None:
    objective = Objective(tuning.settings(), log_scale=math.log(20.0))
    owners = {"parallel": torch.tensor([[0], [0], [1], [1]])}
    together = torch.eye(2).repeat_interleave(2, dim=0)
    apart = torch.eye(2).repeat(2, 1)
    near, far = (objective({"parallel": rows}, owners)["parallel"].item() for rows in (together, apart))
    assert near == pytest.approx(0, abs=1e-4)
    assert far > 15


def test_distillation_is_the_squared_distance_of_unit_rows() -> None:
    angles = torch.tensor([0.0, 0.5, 3.0])
    student = torch.stack([angles.cos(), angles.sin()], dim=1)
    teacher = torch.tensor([[1.0, 0.0]]).expand(3, 2)
    expected = np.mean([2 - 2 * math.cos(angle) for angle in angles.tolist()])
    assert distillation(student, teacher).item() == pytest.approx(expected, rel=1e-5)


def test_the_starting_scale_is_the_best_of_all() -> None:
    torch.manual_seed(0)
    pictures = torch.nn.functional.normalize(torch.randn(40, 8), dim=1)
    captions = torch.nn.functional.normalize(pictures + 0.25 * torch.randn(40, 8), dim=1)
    rows = torch.arange(40)[:, None]
    pairs = pair_up(rows, rows)

    def loss(scale: float) -> float:
        objective = Objective(tuning.settings(), log_scale=scale)
        return objective.matching(pictures, captions, pairs).item()

    best = starting_scale(pictures, captions, pairs)
    assert math.log(2) < best < math.log(100), "inside the range that is searched"
    assert loss(best) < loss(best - 0.3)
    assert loss(best) < loss(best + 0.3)


# -- gradients of large batches on small memory ------------------------------------------------------------------


class Towers(torch.nn.Module):
    def __init__(self, dropout: float) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.pictures, self.captions = torch.nn.Linear(6, 4), torch.nn.Linear(5, 4)
        self.dropout = torch.nn.Dropout(dropout)
        self.double()  # what differs is then no rounding
        self.inputs = {"pictures": torch.randn(8, 6).double(), "captions": torch.randn(16, 5).double()}
        self.seen: list[tuple[str, slice, torch.Tensor]] = []

    def run(self, name: str, rows: slice) -> torch.Tensor:
        self.seen.append((name, rows, torch.get_rng_state()))
        hidden = self.dropout(self.inputs[name][rows])
        return torch.nn.functional.normalize(getattr(self, name)(hidden), dim=1)

    def forwards(self) -> dict[str, tuple[Callable[[slice], torch.Tensor], int]]:
        return {
            name: (lambda rows, name=name: self.run(name, rows), len(values))  # type: ignore[misc]
            for name, values in self.inputs.items()
        }


def terms_of(vectors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    rows = torch.arange(8)[:, None]
    objective = Objective(tuning.settings(), log_scale=2.0)
    pairs = pair_up(rows, rows.repeat_interleave(2, dim=0))
    return {"infonce": objective.matching(vectors["pictures"], vectors["captions"], pairs)}


def gradients(towers: Towers) -> list[torch.Tensor]:
    return [value.grad.clone() for value in towers.parameters()]


def test_gradients_do_not_depend_on_how_a_batch_is_cut() -> None:
    found = {}
    for chunk in (0, 1, 3, 8, 100):
        towers = Towers(dropout=0.0)
        values = backward(towers.forwards(), terms_of, chunk=chunk, seed=5, before=lambda _: None)
        found[chunk] = gradients(towers), values["infonce"]
    for chunk, (rows, value) in found.items():
        assert value == pytest.approx(found[0][1], rel=1e-5)
        for one, whole in zip(rows, found[0][0], strict=True):
            torch.testing.assert_close(one, whole, rtol=1e-5, atol=1e-7, msg=f"chunk size {chunk}")


def test_both_passes_of_a_cut_batch_drop_the_same() -> None:
    towers = Towers(dropout=0.5)
    backward(towers.forwards(), terms_of, chunk=3, seed=5, before=lambda _: None)
    cached, seen = gradients(towers), towers.seen
    half = len(seen) // 2
    assert half == 3 + 6
    for first, second in zip(seen[:half], seen[half:], strict=True):
        assert first[:2] == second[:2]
        assert torch.equal(first[2], second[2]), "the same random numbers"
    assert len({state.numpy().tobytes() for *_, state in seen[:half]}) == half, "others for each chunk"
    # The same without caching: all graphs in memory at once.
    towers.zero_grad()
    parts: dict[str, list[torch.Tensor]] = {"pictures": [], "captions": []}
    for name, rows, state in seen[:half]:
        torch.set_rng_state(state)
        parts[name].append(towers.run(name, rows))
    sum(terms_of({name: torch.cat(rows) for name, rows in parts.items()}).values()).backward()  # type: ignore[union-attr]
    for one, whole in zip(cached, gradients(towers), strict=True):
        torch.testing.assert_close(one, whole, rtol=1e-5, atol=1e-7)


def test_a_loss_can_be_refused_before_it_moves_a_weight() -> None:
    def refuse(total: torch.Tensor) -> None:
        raise ArithmeticError(total.item())

    for chunk in (0, 3):
        towers = Towers(dropout=0.0)
        with pytest.raises(ArithmeticError):
            backward(towers.forwards(), terms_of, chunk=chunk, seed=0, before=refuse)
        assert all(value.grad is None for value in towers.parameters())
