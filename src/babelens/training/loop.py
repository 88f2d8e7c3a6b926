"""The training loop: what every run has in common, whatever it is trained on.

A run that is killed at any moment continues from its last checkpoint and ends with the same weights as a run that
was left alone. Weights and optimiser state are float32; autocast to bfloat16 is used where the processor has it.
Non-goals: fine-tuning of other models, several devices.
"""

from __future__ import annotations

import copy
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from babelens.errors import MissingExtraError, TrainingError
from babelens.files import replace_text, replacing

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtraError("torch", "torch") from error

from babelens.models.ngrams import NgramTokenizer

from .photographs import LeftOut
from .recipe import Model, Optim, Recipe
from .towers import Conv, TwoTower

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"


class Measured(Protocol):
    """What a validation found in one language."""

    def to_dict(self) -> dict[str, Any]: ...

    def to_row(self) -> dict[str, str]: ...


R = TypeVar("R", bound=Recipe)
M = TypeVar("M", bound=Measured)


class Trainer(ABC, Generic[R, M]):
    """The state of one run. `step` counts finished steps; `average` is the moving average of the weights.

    What is trained on is a subclass: it draws batches, has the losses and validates. All that is random in a step
    must follow from the seed and the number of the step, so that a resumed run repeats what it would have seen.
    """

    photographs: bool
    """Whether the encoder will know photographs: searching by words trusts it with them only then."""

    def __init__(self, recipe: R, out: Path, *, concepts: int) -> None:
        self.recipe = recipe
        self.out = out
        out.mkdir(parents=True, exist_ok=True)
        if recipe.run.threads:
            torch.set_num_threads(recipe.run.threads)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(recipe.run.seed)
        model = recipe.model
        self.tokenizer = tokenizer_of(model)
        self.model = TwoTower(model, concepts=concepts, temperature=recipe.start_temperature)
        self.model.to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.optimizers = make_optimizers(self.model, recipe.optim)
        self.step = 0
        self.seconds = 0.0

    # -- what a subclass says ---------------------------------------------------------------------------------

    @property
    @abstractmethod
    def validated_on(self) -> str:
        """What validations measure with, in a word or two."""

    @property
    @abstractmethod
    def pictures_per_step(self) -> int: ...

    @property
    def milestones(self) -> tuple[int, ...]:
        """Steps after which a part of the run ends, whatever the recipe's intervals; the last is the run's end."""
        return (self.recipe.run.steps,)

    @property
    def finished(self) -> bool:
        """Whether to stop before the last step."""
        return False

    @abstractmethod
    def train_step(self) -> dict[str, float]:
        """One update; the values of the loss for the log."""

    @abstractmethod
    def validate(self) -> Mapping[str, M]:
        """What the weights to ship find, by language."""

    @abstractmethod
    def _validate_and_log(self, values: Mapping[str, float]) -> Mapping[str, M]:
        """Measures, and writes an entry of the log with the loss `values` of the last step."""

    @abstractmethod
    def _check_chance(self, measured: Mapping[str, M]) -> None:
        """Raises TrainingError when an untrained model is better than chance."""

    @abstractmethod
    def headline(self, measured: Mapping[str, M]) -> str:
        """A validation in one line."""

    @abstractmethod
    def calibration(self) -> dict[str, Any]:
        """What scores of the shipped weights mean, for ``encoder.json``."""

    def vocabulary(self) -> npt.NDArray[np.float32] | None:
        """Vectors of common words to bring along, (v, dim), rows of unit length; None where the data name none."""
        return None

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What the data hold that cannot be used."""
        return ()

    def shipped(self) -> TwoTower:
        """The weights to export."""
        model: TwoTower = self.average
        return model

    def _extra_state(self) -> dict[str, Any]:
        """What else a checkpoint must hold."""
        return {}

    def _load_extra_state(self, state: Mapping[str, Any]) -> None:
        """The inverse of `_extra_state`."""

    # -- one step -------------------------------------------------------------------------------------------

    def _descend(self, terms: Mapping[str, Tensor], rate: float) -> dict[str, float]:
        """One update of the weights and of their average; the values of the loss for the log."""
        values = {name: value.item() for name, value in terms.items()}
        total = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(total):
            raise TrainingError(
                f"The loss is not finite at step {self.step}: "
                + ", ".join(f"{name} {value:.3g}" for name, value in values.items()),
                hint="Lower the learning rate of this stage; the last checkpoint is sound.",
            )
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
            for group in optimizer.param_groups:
                group["lr"] = rate
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.optim.clip)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        self._update_average()
        return {"loss": total.item(), **values, "lr": rate}

    @torch.no_grad()
    def _update_average(self) -> None:
        # The window grows with the run, so that early validations are not those of the random start.
        decay = min(self.recipe.optim.average, (1 + self.step) / (10 + self.step))
        for mean, value in zip(
            self.average.state_dict().values(), self.model.state_dict().values(), strict=True
        ):
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)

    # -- the run --------------------------------------------------------------------------------------------

    def run(self, *, progress: bool = True, stop_after: int | None = None) -> None:
        """Train to the end (or `stop_after`), validating and saving on the way."""
        from tqdm import tqdm

        run, milestones = self.recipe.run, self.milestones
        if self.step == 0:
            self._check_chance(self._validate_and_log({}))
        total = milestones[-1]
        end = total if stop_after is None else min(total, stop_after)
        bar = tqdm(
            total=total,
            initial=self.step,
            desc="train",
            unit="img",
            unit_scale=self.pictures_per_step,
            disable=not progress,
            mininterval=2.0,
        )
        with bar:
            while self.step < end and not self.finished:
                start = time.perf_counter()
                values = self.train_step()
                self.seconds += time.perf_counter() - start
                bar.update(1)
                bar.set_postfix(loss=f"{values['loss']:.2f}", refresh=False)
                last = self.step in milestones
                if last or self.step % run.validate_every == 0:
                    measured = self._validate_and_log(values)
                    bar.write(f"step {self.step}: {self.headline(measured)}")
                if last or self.finished or self.step % run.checkpoint_every == 0 or self.step == end:
                    self.save_checkpoint()

    def _log(self, entry: Mapping[str, Any]) -> None:
        add_entry(self.out / LOG, entry)

    # -- checkpoints ----------------------------------------------------------------------------------------

    def save_checkpoint(self) -> None:
        state = {
            "recipe": self.recipe.digest(),
            "step": self.step,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            **self._extra_state(),
        }
        save_state(self.out / CHECKPOINT, state)

    def load_checkpoint(self) -> None:
        path = self.out / CHECKPOINT
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["recipe"] != self.recipe.digest():
            raise TrainingError(
                f"{path} belongs to another recipe.", hint="Use its recipe, or start in a new folder."
            )
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for optimizer, values in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(values)
        self.step, self.seconds = state["step"], state["seconds"]
        self._load_extra_state(state)


def tokenizer_of(model: Model) -> NgramTokenizer:
    return NgramTokenizer(buckets=model.buckets, max_n=model.max_n)


def make_optimizers(model: TwoTower, optim: Optim) -> list[torch.optim.Optimizer]:
    """Muon for the kernels, AdamW for everything else.

    Weight decay acts only on matrices and kernels, not on norms, biases, temperatures and n-gram vectors.
    """
    kernels = [module.weight for module in model.image.modules() if isinstance(module, Conv)]
    special = {id(kernel) for kernel in kernels}
    decayed: list[Tensor] = []
    free: list[Tensor] = []
    for name, parameter in model.named_parameters():
        if id(parameter) not in special:
            plain = parameter.ndim < 2 or name.startswith(("text.table", "text.weight", "prototypes"))
            (free if plain else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": optim.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return [
        # Its steps are as large as AdamW's, so that one learning rate serves both.
        torch.optim.Muon(
            kernels, lr=optim.lr, weight_decay=optim.weight_decay, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(groups, lr=optim.lr, betas=(0.9, 0.98), fused=True),
    ]


def learning_rate(step: int, steps: int, *, lr: float, warmup: int) -> float:
    """Linear warm-up to `lr`, then a half cosine to 1 % of it."""
    if step < warmup:
        return lr * (step + 1) / warmup
    share = (step - warmup) / max(1, steps - warmup)
    return lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 where the hardware multiplies it natively; elsewhere it would only be slower."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported()
    else:
        capable = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
        native = bool(capable and capable())
    return torch.autocast(device.type, torch.bfloat16) if native else nullcontext()


def add_entry(log: Path, entry: Mapping[str, Any]) -> None:
    """Adds a line to a log of one JSON object a line, each with its ``step``.

    A resumed run repeats the steps after its checkpoint; their old entries would be duplicates.
    """
    kept = []
    if log.exists():
        kept = [
            line
            for line in log.read_text(encoding="utf-8").splitlines()
            if _whole(line) and json.loads(line)["step"] < entry["step"]
        ]
    replace_text(log, "\n".join([*kept, json.dumps(entry)]) + "\n")


def _whole(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Writes a checkpoint, in the place of the one before when it is whole. Raises :class:`OSError`."""
    with replacing(path) as file:
        try:
            torch.save(state, file)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):  # what the disk said, in torch's words
                raise error.__context__ from error
            raise
