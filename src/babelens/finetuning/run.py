"""The training of one run: steps, validations, checkpoints. A run that is killed at any moment continues from its last
checkpoint and ends with the same weights as one that was left alone."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from ..errors import StorageFullError, TrainingError
from ..training.loop import add_entry, autocast, learning_rate, save_state
from ..training.losses import pair_up
from . import parts
from .alarms import KNOWN, Watch, check_finite, check_recall
from .batches import Batch, draw, pixels_of
from .data import Data
from .measure import DIRECTIONS, Outcome, measure
from .objective import Forward, Objective, backward, starting_scale
from .settings import Settings
from .tunable import Tunable, Weights

CHECKPOINT: Final = "checkpoint.pt"
LOG: Final = "log.jsonl"
MIN_STEPS: Final = 100
"""A handful of pictures is seen more often than the epochs say."""
_VALIDATIONS: Final = 20
_SAMPLE: Final = 512  # pictures the starting scale is found on
_CUTS: Final = (1, 10)

Report = Callable[[int, int, str], None]
"""Steps done, steps in all, and a line about the last validation."""


class Run:
    """``step`` counts finished steps, ``best`` are the trained weights of the best validation after the start.

    ``teacher`` gives the vectors where parallel texts belong; ``chunk_size`` is how many rows are inside a tower at a
    time (0: all of a batch), which changes memory and time, and of the result no more than what dropout draws.
    """

    def __init__(
        self,
        tunable: Tunable,
        data: Data,
        settings: Settings,
        out: Path,
        *,
        base: Outcome,
        teacher: Tunable | None = None,
        anchor: str = "en",
        chunk_size: int = 0,
    ) -> None:
        self.tunable, self.data, self.settings, self.out = tunable, data, settings, out
        self.base, self.chunk_size = base, chunk_size
        # Of parallel texts the pictures that the base finds say nothing.
        self._near_floor = data.parallel is None and base.mean() >= KNOWN
        tunable.rows = min(tunable.rows, chunk_size or tunable.rows)
        self.anchor = anchor if settings.parallel == "distil" else None
        out.mkdir(parents=True, exist_ok=True)
        self._digest = _digest(tunable, data, settings, teacher, self.anchor)
        torch.manual_seed(settings.seed)
        parts.choose(tunable, settings)
        count = (
            len(data.train) if data.train is not None else len(data.parallel.rows if data.parallel else ())
        )
        per_epoch = max(1, count // min(settings.batch_size, count))
        self.steps = max(MIN_STEPS, math.ceil(settings.epochs * per_epoch))
        self.validate_every = max(per_epoch, math.ceil(self.steps / _VALIDATIONS))
        self.warmup = max(1, round(settings.warmup * self.steps))
        self._still = self._encode_what_stays()
        self._targets = self._encode_targets(teacher)
        self.objective = Objective(settings, log_scale=self._starting_scale(), bias=tunable.bias).to(
            tunable.device
        )
        self.rate = settings.learning_rate or parts.usual_rate(tunable, settings.parts)
        # The temperature moves with the top layer.
        groups = [
            *parts.groups(tunable, settings),
            {"params": list(self.objective.parameters()), "rate": 1.0, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=self.rate, betas=(0.9, 0.98), fused=True)
        self.watch = Watch(warmup=self.warmup)
        self.step, self.seconds = 0, 0.0
        self.best: Weights = {}
        self.best_step, self.best_mean, self.waited = 0, -math.inf, 0

    @property
    def finished(self) -> bool:
        patience = self.settings.patience
        return self.step >= self.steps or bool(patience and self.waited >= patience)

    def train(self, *, report: Report | None = None, stop_after: int | None = None) -> None:
        """Steps until the end, until early stopping, or until ``stop_after`` steps of the run are done.

        Raises :class:`TrainingError` when an alarm goes off or memory runs out; the last checkpoint stays.
        """
        end = self.steps if stop_after is None else min(self.steps, stop_after)
        if self.step == 0:
            self._log({}, self.base)
        told = _headline(self.base)
        while self.step < end and not self.finished:
            start = time.perf_counter()
            with self._enough_memory():
                values = self.train_step()
            self.seconds += time.perf_counter() - start
            if self.step % self.validate_every == 0 or self.step == self.steps:
                with self._enough_memory():
                    told = _headline(self._validate(values))
                self.save_checkpoint()
            elif self.step == end:
                self.save_checkpoint()
            if report is not None:
                report(self.step, self.steps, told)

    def best_weights(self) -> None:
        """Puts the weights of the best validation back and, with LoRA, merges them into the matrices."""
        self.tunable.set_weights(self.best)
        if self.settings.parts == "lora":
            parts.merge(self.tunable)

    # -- one step ---------------------------------------------------------------------------------------------

    def train_step(self) -> dict[str, float]:
        """One update; the values of the loss for the log."""
        settings, step = self.settings, self.step
        batch = draw(
            self.data.train,
            self.data.parallel,
            batch_size=settings.batch_size,
            captions=settings.captions,
            anchor=self.anchor,
            seed=settings.seed,
            step=step,
        )
        for module in (self.tunable.image, self.tunable.text):
            _training(module)
        self.optimizer.zero_grad(set_to_none=True)
        owners, teacher = self._owners(batch), self._teacher(batch)
        values = backward(
            self._forwards(batch),
            lambda vectors: self.objective(vectors, owners, teacher),
            chunk=self.chunk_size,
            seed=settings.seed * 1_000_003 + step,
            before=lambda total: check_finite(total.item(), step=step),
        )
        weights = [value for group in self.optimizer.param_groups for value in group["params"]]
        length = torch.nn.utils.clip_grad_norm_(weights, settings.clip)
        check_finite(0.0, step=step, gradient=length.item())
        rate = learning_rate(step, self.steps, lr=self.rate, warmup=self.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["rate"]
        self.optimizer.step()
        self.step += 1
        loss = sum(values.values())
        if not self._near_floor:
            self.watch.see(loss)
        return {"loss": loss, **values, "lr": rate}

    def _forwards(self, batch: Batch) -> dict[str, tuple[Forward, int]]:
        forwards: dict[str, tuple[Forward, int]] = {}
        if self.data.train is not None:
            forwards["pictures"] = self._pictures(batch), len(batch.pictures)
            forwards["captions"] = lambda rows: self._captions(batch, rows), len(batch.captions)
        if self.data.parallel is not None:
            forwards["parallel"] = lambda rows: self._texts(batch.parallel[rows]), len(batch.parallel)
        return forwards

    def _pictures(self, batch: Batch) -> Forward:
        if "pictures" in self._still:
            vectors = self._still["pictures"][torch.from_numpy(batch.pictures)]
            return lambda rows: vectors[rows].to(self.tunable.device)
        assert self.data.train is not None
        seed = (self.settings.seed * 1_000_003 + self.step) * 1_009
        # For the whole batch: what is drawn must not depend on how it is cut.
        rgb = pixels_of(self.data.train, batch.pictures, augment=self.settings.augment, seed=seed)

        def forward(rows: slice) -> Tensor:
            with autocast(self.tunable.device):
                return self.tunable.pictures(rgb[rows])

        return forward

    def _captions(self, batch: Batch, rows: slice) -> Tensor:
        texts = batch.captions[rows]
        if "captions" in self._still:
            places = torch.tensor([self._caption_rows[text] for text in texts])
            return self._still["captions"][places].to(self.tunable.device)
        return self._texts(texts)

    def _texts(self, texts: tuple[str, ...]) -> Tensor:
        # A bag of n-grams has no half-precision kernel on CPUs, and is quick without.
        with nullcontext() if self.tunable.own else autocast(self.tunable.device):
            return self.tunable.texts(*self.tunable.tokens(texts))

    def _owners(self, batch: Batch) -> dict[str, Tensor]:
        each = len(batch.captions) // max(1, len(batch.pictures))
        pictures, rows = torch.from_numpy(batch.pictures)[:, None], torch.from_numpy(batch.rows)[:, None]
        known: dict[str, int] = {}
        wording = [known.setdefault(text, len(known)) for text in batch.captions]
        owners = {
            "pictures": pictures,
            "captions": pictures.repeat_interleave(max(1, each), dim=0),
            "wording": torch.tensor(wording, dtype=torch.int64)[:, None],
            "parallel": rows,
        }
        return {name: values.to(self.tunable.device) for name, values in owners.items()}

    def _teacher(self, batch: Batch) -> Tensor | None:
        if self._targets is None:
            return None
        return self._targets[torch.from_numpy(batch.rows)].to(self.tunable.device)

    # -- what is encoded once ---------------------------------------------------------------------------------

    def _encode_what_stays(self) -> dict[str, Tensor]:
        """Vectors of towers that are not trained: they never change, so pictures are not augmented either."""
        train = self.data.train
        still: dict[str, Tensor] = {}
        if train is None:
            return still
        if "image" in self.tunable.still:
            still["pictures"] = torch.from_numpy(self.tunable.encode_pictures(train.pixels()))
        if "text" in self.tunable.still:
            different = sorted(
                {
                    body
                    for picture in train.pictures
                    for bodies in picture.captions.values()
                    for body in bodies
                }
            )
            self._caption_rows = {body: row for row, body in enumerate(different)}
            still["captions"] = torch.from_numpy(self.tunable.encode_texts(different))
        return still

    def _encode_targets(self, teacher: Tunable | None) -> Tensor | None:
        """Where the teacher puts the anchor of each row of parallel texts. Shape: (rows, dim)."""
        if self.data.parallel is None or self.anchor is None:
            return None
        lacking = next((row for row in self.data.parallel.rows if self.anchor not in row), None)
        if lacking is not None:
            raise TrainingError(
                f"The teacher is asked in {self.anchor}, and a row of the parallel texts has only "
                f"{', '.join(lacking)}: {next(iter(lacking.values()))[0]!r}.",
                hint=f"Give every row a text in {self.anchor}, or name another --teacher-language.",
            )
        teacher = teacher or self.tunable
        if teacher.base.text_tower.dim != self.tunable.base.text_tower.dim:
            raise TrainingError(
                f"The teacher's vectors have {teacher.base.text_tower.dim} numbers, those to be trained "
                f"{self.tunable.base.text_tower.dim}.",
                hint="A teacher shares the space of the model that learns from it.",
            )
        return torch.from_numpy(
            teacher.encode_texts([row[self.anchor][0] for row in self.data.parallel.rows])
        )

    @torch.no_grad()
    def _starting_scale(self) -> float:
        """What the model was trained with, or else what suits its vectors best."""
        known = self.tunable.log_scale
        if known is not None or self.data.train is None:
            return math.log(20.0) if known is None else known
        count = min(_SAMPLE, len(self.data.train))
        batch = draw(
            self.data.train, None, batch_size=count, captions=1, anchor=None, seed=self.settings.seed, step=0
        )
        pixels = self.data.train.pixels(batch.pictures)
        pictures = torch.from_numpy(self.tunable.encode_pictures(pixels))
        captions = torch.from_numpy(self.tunable.encode_texts(batch.captions))
        owners = torch.from_numpy(batch.pictures)[:, None]
        return starting_scale(pictures, captions, pair_up(owners, owners))

    # -- validation -------------------------------------------------------------------------------------------

    def _validate(self, values: Mapping[str, float]) -> Outcome:
        found = measure(self.tunable, self.data.validation)
        mean = found.mean()
        if mean > self.best_mean:
            names = parts.trained(self.tunable)
            self.best = {name: value.detach().cpu().clone() for name, value in names.items()}
            self.best_step, self.best_mean, self.waited = self.step, mean, 0
        else:
            self.waited += 1
        self._log(values, found)
        if self.step >= self.warmup:
            check_recall(mean, chance=found.chance, alike=found.alike, base=self.base.mean(), step=self.step)
        return found

    def _log(self, values: Mapping[str, float], found: Outcome) -> None:
        entry = {
            "step": self.step,
            "seconds": round(self.seconds, 1),
            "train": {name: round(value, 6) for name, value in values.items()},
            "mean": round(found.mean(), 5),
            "alike": round(found.alike, 4),
            "recall": {tag: _row(found, tag) for tag in found.languages},
        }
        log = self.out / LOG
        with self._room(log):
            add_entry(log, entry)

    # -- checkpoints ------------------------------------------------------------------------------------------

    def save_checkpoint(self) -> None:
        """Raises :class:`StorageFullError`; the checkpoint before stays."""
        state = {
            "digest": self._digest,
            "step": self.step,
            "seconds": self.seconds,
            "weights": {name: value.detach().cpu() for name, value in parts.trained(self.tunable).items()},
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "best_step": self.best_step,
            "best_mean": self.best_mean,
            "waited": self.waited,
            "losses": self.watch.losses,
        }
        path = self.out / CHECKPOINT
        with self._room(path):
            save_state(path, state)

    def load_checkpoint(self) -> None:
        """Raises :class:`TrainingError` for one of another model, other data or other settings."""
        path = self.out / CHECKPOINT
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            digest = state["digest"]
        except Exception as error:  # of pickle, of zip files, of torch
            raise TrainingError(
                f"{path} is no checkpoint of `babelens finetune`, or is damaged: {error}",
                hint="Start again in another folder.",
            ) from error
        if digest != self._digest:
            raise TrainingError(
                f"{path} belongs to another model, other data or other settings.",
                hint="Repeat the command that made it with --resume, or start in another folder.",
            )
        self.tunable.set_weights(state["weights"])
        self.objective.load_state_dict(state["objective"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self.best_step = state["best"], state["best_step"]
        self.best_mean, self.waited = state["best_mean"], state["waited"]
        self.step, self.seconds = state["step"], state["seconds"]
        self.watch = Watch(warmup=self.warmup, losses=state["losses"])

    @contextmanager
    def _room(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageFullError(
                f"{path} cannot be written: {error.strerror}. The checkpoint before it is sound.",
                hint="Make room, then repeat the command with --resume.",
            ) from error

    @contextmanager
    def _enough_memory(self) -> Iterator[None]:
        try:
            yield
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise self._too_large() from error
        except RuntimeError as error:
            if "memory" not in str(error):
                raise
            raise self._too_large() from error

    def _too_large(self) -> TrainingError:
        rows = self.chunk_size or self.settings.batch_size * self.settings.captions
        return TrainingError(
            f"Memory ran out at step {self.step}, with {rows} rows of a batch of {self.settings.batch_size} pictures "
            "inside a tower.",
            hint=f"Repeat the command with --chunk-size {max(1, rows // 2)} --resume: it takes less memory.",
        )


def _training(module: nn.Module) -> None:
    """Dropout on, but batch norms as served: the statistics of few pictures are not those of the base model."""
    module.train()
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.eval()


def _digest(
    tunable: Tunable, data: Data, settings: Settings, teacher: Tunable | None, anchor: str | None
) -> str:
    """Of everything that changes the result."""
    taught = f"{(teacher or tunable).base.fingerprint} in {anchor}" if anchor else ""
    seen = hashlib.sha256(f"{settings.digest()} {tunable.base.fingerprint} {taught}".encode())
    for photographs in (data.train, data.validation.photographs):
        for picture in photographs.pictures if photographs is not None else ():
            seen.update(picture.digest.encode() + json.dumps(picture.captions, sort_keys=True).encode())
    if data.parallel is not None:
        seen.update(json.dumps([dict(row) for row in data.parallel.rows], sort_keys=True).encode())
    return seen.hexdigest()[:16]


def _row(found: Outcome, tag: str) -> dict[str, float | int]:
    row: dict[str, float | int] = {"n": found.pictures}
    for direction in DIRECTIONS:
        for k in _CUTS:
            estimate = found.recall(direction, tag, k)
            row[f"{direction}_{k}"] = round(estimate.value, 4)
            row[f"{direction}_{k}_low"], row[f"{direction}_{k}_high"] = (
                round(estimate.low, 4),
                round(estimate.high, 4),
            )
    return row


def _headline(found: Outcome) -> str:
    return f"held-out recall {found.mean():.1%}"
