"""A run: the same seed gives the same weights, also when it was stopped; what it leaves behind; where it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs pip install 'babelens[torch]'")

from babelens.errors import StorageFullError, TrainingError  # noqa: E402
from babelens.finetuning import parts  # noqa: E402
from babelens.finetuning.run import CHECKPOINT, LOG, Run  # noqa: E402
from babelens.finetuning.settings import Settings  # noqa: E402
from babelens.finetuning.tunable import Weights  # noqa: E402
from tests import tuning  # noqa: E402

Begin = Callable[..., Run]


@pytest.fixture
def begin(shapes: Path, tmp_path: Path) -> Begin:
    def at_the_start(out: str = "run", *, seed: int = 0, chunk_size: int = 0, **changes: Any) -> Run:
        settings: Settings = tuning.settings(**changes)
        return tuning.begin(tuning.own(seed), shapes, tmp_path / out, settings, chunk_size=chunk_size)

    return at_the_start


def steps_of(run: Run) -> list[int]:
    return [json.loads(line)["step"] for line in (run.out / LOG).read_text(encoding="utf-8").splitlines()]


def equal(first: Weights, second: Weights) -> bool:
    return list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)


def trained(run: Run) -> Weights:
    return {name: value.detach().clone() for name, value in parts.trained(run.tunable).items()}


@pytest.mark.parametrize("chosen", ["all", "lora", "text"])
def test_a_run_that_was_stopped_ends_like_one_that_was_not(chosen: str, begin: Begin) -> None:
    if chosen == "lora":
        pytest.importorskip("peft")
    whole = begin("whole", parts=chosen)
    whole.train(stop_after=11)
    assert whole.validate_every == 5
    begin("parts", parts=chosen).train(stop_after=7)
    resumed = begin("parts", parts=chosen)
    resumed.load_checkpoint()
    assert resumed.step == 7
    resumed.train(stop_after=11)
    assert equal(trained(whole), trained(resumed))
    assert whole.watch.losses == resumed.watch.losses
    assert (whole.best_step, whole.best_mean, whole.waited) == (
        resumed.best_step,
        resumed.best_mean,
        resumed.waited,
    )
    assert equal(whole.best, resumed.best)
    assert steps_of(whole) == steps_of(resumed) == [0, 5, 10]


def test_a_seed_decides_everything(begin: Begin) -> None:
    runs = [begin("first"), begin("second"), begin("third", warmup=0.1)]
    for run in runs:
        run.train(stop_after=4)
    assert equal(trained(runs[0]), trained(runs[1]))
    assert equal(trained(runs[0]), trained(runs[2]))
    other = Run(
        tuning.own(),
        runs[0].data,
        replace(runs[0].settings, seed=1),
        runs[0].out.with_name("other"),
        base=runs[0].base,
    )
    other.train(stop_after=4)
    assert not equal(trained(runs[0]), trained(other))


def test_cutting_a_batch_changes_no_more_than_chance_does(begin: Begin) -> None:
    """Without chance there is none of it in the loss either."""
    values = {
        chunk: begin(f"chunk-{chunk}", chunk_size=chunk, parts="projections", augment=False).train_step()
        for chunk in (0, 5)
    }
    assert values[0].keys() == values[5].keys() >= {"loss", "infonce", "align", "lr"}
    # The text tower drops n-grams by chance while it learns.
    assert values[5]["loss"] == pytest.approx(values[0]["loss"], rel=0.2)


def test_a_checkpoint_of_something_else_is_refused(begin: Begin, shapes: Path, tmp_path: Path) -> None:
    run = begin()
    run.train(stop_after=1)
    begin().load_checkpoint()
    for other in (begin(seed=1), begin(learning_rate=1e-3), begin(languages=("en",))):
        with pytest.raises(TrainingError, match="another model, other data or other settings") as caught:
            other.load_checkpoint()
        assert "--resume" in str(caught.value.hint)
    path = run.out / CHECKPOINT
    for content in (b"nonsense", path.read_bytes()[:1000], b""):
        path.write_bytes(content)
        with pytest.raises(TrainingError, match=r"checkpoint\.pt is no checkpoint .* or is damaged"):
            begin().load_checkpoint()
    torch.save({"something": "else"}, path)
    with pytest.raises(TrainingError, match="is no checkpoint"):
        begin().load_checkpoint()


class Forgetful(torch.nn.Module):
    """A tower that needs more memory than there is when it sees many rows."""

    def __init__(self, tower: torch.nn.Module, error: Exception, *, rows: int, training: bool = True) -> None:
        super().__init__()
        self.tower, self.error, self.rows, self.when = tower, error, rows, training

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        if self.training is self.when and len(pixels) > self.rows:
            raise self.error
        return self.tower(pixels)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes."),
        MemoryError(),
    ],
    ids=["GPU", "CPU", "Python"],
)
def test_too_little_memory_tells_which_batch_and_how_to_halve_it(error: Exception, begin: Begin) -> None:
    run = begin()
    run.train(stop_after=2)
    run.tunable.image = Forgetful(run.tunable.image, error, rows=8)
    with pytest.raises(TrainingError, match="at step 2, with 32 rows of a batch of 16 pictures") as caught:
        run.train(stop_after=3)
    assert "--chunk-size 16 --resume" in str(caught.value.hint)
    run.chunk_size = 16
    with pytest.raises(TrainingError, match="16 rows") as caught:
        run.train(stop_after=3)
    assert "--chunk-size 8 --resume" in str(caught.value.hint)
    run.chunk_size = 8
    run.train(stop_after=3)
    assert run.step == 3


def test_too_little_memory_to_validate(begin: Begin) -> None:
    run = begin()
    error = MemoryError()
    run.tunable.image = Forgetful(run.tunable.image, error, rows=8, training=False)
    with pytest.raises(TrainingError, match="Memory ran out at step 5") as caught:
        run.train(stop_after=5)
    assert "--chunk-size" in str(caught.value.hint)
    again = begin(chunk_size=8)
    again.tunable.image = Forgetful(again.tunable.image, error, rows=8, training=False)
    again.train(stop_after=5)
    assert again.best_step == 5


def test_another_error_is_not_taken_for_too_little_memory(begin: Begin) -> None:
    run = begin()
    run.tunable.image = Forgetful(run.tunable.image, RuntimeError("shapes differ"), rows=0)
    with pytest.raises(RuntimeError, match="shapes differ"):
        run.train(stop_after=1)


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(begin: Begin) -> None:
    run = begin()
    run.train(stop_after=5)
    before = (run.out / CHECKPOINT).read_bytes()
    (run.out / f"{CHECKPOINT}.part").mkdir()  # so that it cannot be opened
    with pytest.raises((StorageFullError, IsADirectoryError, PermissionError)):
        run.save_checkpoint()
    assert (run.out / CHECKPOINT).read_bytes() == before


def test_patience_ends_a_run_with_the_best_weights(begin: Begin) -> None:
    run = begin(patience=2)
    run.train(stop_after=5)
    best = {name: value.clone() for name, value in run.best.items()}
    assert run.best_step == 5
    run.best_mean = 2.0  # nothing will be better
    run.train()
    assert run.step == 15 < run.steps
    assert run.finished
    run.train()
    assert run.step == 15, "a run that has stopped does not go on"
    assert not equal(trained(run), best)
    run.best_weights()
    assert equal(trained(run), best)


def test_the_log_says_what_was_found_and_how_sure_that_is(begin: Begin) -> None:
    told: list[tuple[int, int, str]] = []
    run = begin()
    run.train(stop_after=5, report=lambda *values: told.append(values))
    assert [step for step, *_ in told] == [1, 2, 3, 4, 5]
    assert all(total == run.steps == 100 for _, total, _ in told)
    assert told[0][2] != "" != told[-1][2]
    first, last = (json.loads(line) for line in (run.out / LOG).read_text(encoding="utf-8").splitlines())
    assert first["train"] == {}
    assert set(last["train"]) == {"loss", "infonce", "align", "lr"}
    assert last["mean"] == pytest.approx(run.best_mean, abs=1e-5)
    row = last["recall"]["de"]
    assert row["n"] == 24
    assert row["text_to_image_10_low"] <= row["text_to_image_10"] <= row["text_to_image_10_high"]


def test_what_is_not_trained_is_encoded_once(begin: Begin) -> None:
    run = begin(parts="text")
    before = run.tunable.weights()
    run.tunable.image = Forgetful(run.tunable.image, AssertionError("seen again"), rows=0)
    values = [run.train_step() for _ in range(3)]
    after = run.tunable.weights()
    assert values[0]["loss"] > 0
    changed = {name for name in before if name in after and not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("text.") for name in changed)
