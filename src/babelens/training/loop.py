"""The training loop: one recipe in, checkpoints, a log and an exported encoder folder out.

A run that is killed at any moment continues from its last checkpoint and ends with the same weights as a run that
was left alone. Weights and optimiser state are float32; autocast to bfloat16 is used where the processor has it.
Non-goals: fine-tuning of other models, several devices.
"""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babelens.errors import MissingExtraError, TrainingError

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtraError("torch", "torch") from error

from babelens.models.ngrams import NgramTokenizer

from . import losses
from .augment import CALM, ROUGH, WIDE, Variety
from .data import Batch, CaptionWriter, Pictographs, draw_batch, draw_captions, draw_scenes
from .recipe import Optim, Recipe, load_recipe
from .towers import Conv, TwoTower
from .validate import Matrix, Recall, recall, separation

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"


@dataclass(frozen=True)
class TrainingSummary:
    """What a run left behind; `recalls` is the last validation by language."""

    out: Path
    encoder: Path
    steps: int
    seconds: float
    validation_style: str
    recalls: dict[str, Recall]


def train(
    recipe_path: Path | str,
    *,
    out: Path | str,
    resume: bool = False,
    data: Path | str | None = None,
    overrides: Mapping[str, Any] | None = None,
    progress: bool = True,
    stop_after: int | None = None,
) -> TrainingSummary:
    """Train the model of a recipe and export it to ``out/encoder``.

    `data` replaces the recipe's data folder. `resume` continues from the checkpoint in `out` when there is one;
    without it a folder with a checkpoint is refused. `overrides` are dotted recipe keys. `stop_after` ends the
    run after so many steps with a checkpoint, as a kill would.

    Raises TrainingError when the loss is not finite, the checkpoint belongs to another recipe, or the untrained
    model is not at chance; DatasetError when the data are not there.
    """
    recipe = load_recipe(recipe_path, overrides=overrides)
    from .export import export_encoder

    trainer = Trainer(recipe, Path(data if data is not None else recipe.data.path), Path(out))
    if (Path(out) / CHECKPOINT).exists():
        if not resume:
            raise TrainingError(
                f"{out} holds a checkpoint already.",
                hint="Continue it with --resume, or choose another folder.",
            )
        trainer.load_checkpoint()
    recalls = trainer.run(progress=progress, stop_after=stop_after)
    encoder = export_encoder(trainer, Path(out) / "encoder")
    return TrainingSummary(
        Path(out), encoder, trainer.step, trainer.seconds, trainer.validation_style, recalls
    )


class Trainer:
    """The state of one run. `step` counts finished steps; `average` is the moving average that is shipped."""

    def __init__(self, recipe: Recipe, data: Path, out: Path) -> None:
        self.recipe = recipe
        self.out = out
        out.mkdir(parents=True, exist_ok=True)
        if recipe.run.threads:
            torch.set_num_threads(recipe.run.threads)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(recipe.run.seed)
        held_out = recipe.data.held_out
        self.validation_style = held_out[0] if held_out else recipe.training_styles[0]
        model = recipe.model

        def pictographs(size: int) -> Pictographs:
            return Pictographs(data, styles=recipe.training_styles, held_out=held_out, size=size)

        self.full = pictographs(model.image_size)
        self.small = pictographs(model.small_size) if model.small_share > 0 else self.full
        self.tokenizer = NgramTokenizer(buckets=model.buckets, max_n=model.max_n)
        self.writer = CaptionWriter(self.full.concepts, recipe.data, self.tokenizer)
        polished = replace(recipe.data, phrases=recipe.polish.phrases, keywords=recipe.polish.keywords)
        self.polish_writer = CaptionWriter(self.full.concepts, polished, self.tokenizer)
        self.model = TwoTower(model, concepts=len(self.full), temperature=recipe.loss.temperature)
        self.model.to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.optimizers = make_optimizers(self.model, recipe.optim)
        self.image_means: Tensor | None = None
        self.step = 0
        self.seconds = 0.0

    # -- one step -------------------------------------------------------------------------------------------

    def draw(self, step: int) -> Batch:
        recipe = self.recipe
        data, variety = recipe.data, ROUGH
        if self.widening(step):
            data, variety = replace(data, scenes=recipe.widen.scenes), WIDE
        elif step >= recipe.run.steps * (1 - data.calm):
            variety = CALM
        return draw_batch(
            self.dataset(step),
            self.writer,
            data,
            styles=recipe.training_styles,
            seed=recipe.run.seed,
            step=step,
            variety=variety,
            shared=self.widening(step),
        )

    def widening(self, step: int) -> bool:
        """The main part of the run is over: scenes share their concepts, and captions have to be right in full."""
        return step >= self.recipe.run.steps

    def dataset(self, step: int) -> Pictographs:
        """The pictures at the size in use at `step`."""
        return self.small if step < self.recipe.run.steps * self.recipe.model.small_share else self.full

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The weighted terms of the loss; their sum is what is minimised."""
        weights, model = self.recipe.loss, self.model
        device = self.device
        sets, text_sets = batch.image_sets.to(device), batch.text_sets.to(device)
        with autocast(device):
            images = model.image(batch.pixels.to(device).contiguous(memory_format=torch.channels_last))
        texts = model.text(batch.ids.to(device), batch.mask.to(device))
        scale = model.log_scale.clamp(max=math.log(100.0)).exp()
        cosine = images @ texts.T
        pairs = losses.pair_up(sets, text_sets, complete=self.widening(self.step))
        terms = {"image_text": losses.symmetric_info_nce(scale * cosine, pairs)}
        if weights.image_image:
            terms["image_image"] = weights.image_image * losses.within(images, sets, scale)
        if weights.text_text:
            terms["text_text"] = weights.text_text * losses.within(texts, text_sets, scale)
        if weights.sigmoid:
            terms["sigmoid"] = weights.sigmoid * losses.sigmoid_loss(
                cosine, pairs, model.sigmoid_scale.exp(), model.sigmoid_bias
            )
        for name, vectors, which, weight in (
            ("prototype_image", images, sets, weights.prototype_image),
            ("prototype_text", texts, text_sets, weights.prototype_text),
        ):
            if weight:
                terms[name] = weight * losses.prototype_loss(
                    vectors,
                    model.prototypes,
                    which,
                    scale=weights.prototype_scale,
                    margin=weights.prototype_margin,
                )
        return terms

    def train_step(self) -> dict[str, float]:
        optim = self.recipe.optim
        widen, first = self.recipe.widen, self.recipe.run.steps
        if self.step == first:
            self._continue_from_average()
        batch = self.draw(self.step)
        self.model.train()
        if self.step < first:
            rate = learning_rate(self.step, first, lr=optim.lr, warmup=optim.warmup)
        else:
            rate = learning_rate(self.step - first, widen.steps, lr=widen.lr, warmup=widen.warmup)
        return self._descend(self.losses(batch), rate)

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

    def polish_step(self) -> dict[str, float]:
        """One step of the text tower alone: captions against the image tower's own means, and the prototypes."""
        polish, first = self.recipe.polish, self.recipe.run.steps + self.recipe.widen.steps
        if self.image_means is None:
            self.image_means = self._means_of_pictures()
        if self.step == first:
            self._continue_from_average()
        drawn = draw_captions(
            self.polish_writer,
            count=polish.captions,
            scenes=polish.scenes,
            seed=self.recipe.run.seed,
            step=self.step,
        )
        self.model.train()
        sets = drawn.sets.to(self.device)
        texts = self.model.text(drawn.ids.to(self.device), drawn.mask.to(self.device))
        scale = float(self.model.log_scale.detach().exp())
        terms = {
            "means": losses.prototype_loss(texts, self.image_means, sets, scale=scale),
            "prototypes": losses.prototype_loss(
                texts, self.model.prototypes.detach(), sets, scale=self.recipe.loss.prototype_scale
            ),
        }
        return self._descend(terms, learning_rate(self.step - first, polish.steps, lr=polish.lr, warmup=0))

    def _continue_from_average(self) -> None:
        """A new stage starts from the averaged weights: they are the better model."""
        self.model.load_state_dict(self.average.state_dict())

    def _image_vectors(self, pixels: Tensor) -> Tensor:
        """Of the averaged model, in float32 as it will be served: (n, 3, s, s) to (n, dim), a part at a time."""
        return torch.cat([self.average.image(part.to(self.device)) for part in pixels.split(256)])

    @torch.no_grad()
    def _means_of_pictures(self) -> Tensor:
        """Where the image tower puts each concept: the mean over training styles, plain and redrawn, (c, dim)."""
        # A trace of the prototype, for the concept that no style draws distinctly.
        total = 1e-3 * self.average.prototypes
        for style in self.recipe.training_styles:
            usable = torch.from_numpy(self.full.usable[style]).to(self.device)
            for pixels in (self.full.plain(style), self.full.redrawn(style, ROUGH)):
                total += self._image_vectors(pixels) * usable[:, None]
        return total

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

    def run(self, *, progress: bool = True, stop_after: int | None = None) -> dict[str, Recall]:
        """Train to the end (or `stop_after`); the last validation by language."""
        from tqdm import tqdm

        run = self.recipe.run
        recalls: dict[str, Recall] = {}
        if self.step == 0:
            recalls = self._validate_and_log({})
            self._check_chance(recalls)
        pictured = run.steps + self.recipe.widen.steps
        total = pictured + self.recipe.polish.steps
        end = total if stop_after is None else min(total, stop_after)
        pictures = 2 * self.recipe.data.concepts + self.recipe.data.scenes
        bar = tqdm(
            total=total,
            initial=self.step,
            desc="train",
            unit="img",
            unit_scale=pictures,
            disable=not progress,
            mininterval=2.0,
        )
        with bar:
            while self.step < end:
                start = time.perf_counter()
                values = self.train_step() if self.step < pictured else self.polish_step()
                self.seconds += time.perf_counter() - start
                bar.update(1)
                bar.set_postfix(loss=f"{values['loss']:.2f}", refresh=False)
                last = self.step in (run.steps, pictured, total)
                if last or self.step % run.validate_every == 0:
                    recalls = self._validate_and_log(values)
                    mean = np.mean([r.text_to_image_1 for r in recalls.values()])
                    bar.write(f"step {self.step}: text to image R@1 {mean:.1%} ({self.validation_style})")
                if last or self.step % run.checkpoint_every == 0 or self.step == end:
                    self.save_checkpoint()
        return recalls or self.validate()

    @torch.no_grad()
    def vectors(self, style: str, *, redrawn: Variety | None = None) -> tuple[Matrix, dict[str, Matrix]]:
        """Vectors of the averaged model: what a style draws (n, dim), and its names by language (n, dim).

        The pictures have the size that is in use at this step; `redrawn` changes them at random, as in training.
        """
        dataset = self.dataset(self.step)
        pixels = dataset.redrawn(style, redrawn) if redrawn else dataset.plain(style)
        texts = {}
        drawn = [self.full.concepts[i] for i in np.flatnonzero(self.full.drawn[style])]
        for language in self.recipe.data.languages:
            ids, mask = self.tokenizer([c.names[language][0] for c in drawn])
            rows = self.average.text(
                torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device)
            )
            texts[language] = rows.cpu().numpy()
        return self._image_vectors(pixels).cpu().numpy(), texts

    @torch.no_grad()
    def scene_vectors(self, style: str, count: int) -> tuple[Matrix, Matrix, npt.NDArray[np.int64]]:
        """Vectors of scenes and of a caption of each, (count, dim), and what they show, (count, 3), -1 padded."""
        pixels, sets, captions = draw_scenes(
            self.dataset(self.step), self.writer, self.recipe.data, style=style, count=count, variety=WIDE
        )
        texts = self.average.text(captions.ids.to(self.device), captions.mask.to(self.device))
        return self._image_vectors(pixels).cpu().numpy(), texts.cpu().numpy(), sets.numpy()

    def validate(self) -> dict[str, Recall]:
        images, texts = self.vectors(self.validation_style)
        return {language: recall(images, rows) for language, rows in texts.items()}

    def _validate_and_log(self, values: Mapping[str, float]) -> dict[str, Recall]:
        images, texts = self.vectors(self.validation_style)
        recalls = {language: recall(images, rows) for language, rows in texts.items()}
        apart = {language: round(separation(rows, images).auc, 4) for language, rows in texts.items()}
        entry = {
            "step": self.step,
            "seconds": round(self.seconds, 1),
            "style": self.validation_style,
            "size": self.dataset(self.step).size,
            "seen": self.validation_style not in self.recipe.data.held_out,
            "train": {name: round(value, 5) for name, value in values.items()},
            "recall": {language: r.to_dict() for language, r in recalls.items()},
            "no_match_auc": apart,
        }
        path = self.out / LOG
        # A resumed run repeats the steps after its checkpoint; their old entries would be duplicates.
        kept = []
        if path.exists():
            kept = [
                line
                for line in path.read_text(encoding="utf-8").splitlines()
                if _whole(line) and json.loads(line)["step"] < self.step
            ]
        _write_atomically(path, "\n".join([*kept, json.dumps(entry)]).encode() + b"\n")
        return recalls

    def _check_chance(self, recalls: Mapping[str, Recall]) -> None:
        """An untrained model above chance means that the answer leaks into the input."""
        n = len(self.full)
        allowed = 10 / n + 4 * math.sqrt(10 / n / n)
        for language, r in recalls.items():
            if n >= 100 and r.text_to_image_10 > allowed:
                raise TrainingError(
                    f"Before training, recall@10 in {language} is {r.text_to_image_10:.3f}; chance is {10 / n:.3f}.",
                    hint="Pictures and captions share something they should not.",
                )

    # -- checkpoints ----------------------------------------------------------------------------------------

    def save_checkpoint(self) -> None:
        import io

        state = {
            "recipe": self.recipe.digest(),
            "step": self.step,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        _write_atomically(self.out / CHECKPOINT, buffer.getvalue())

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


def _whole(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _write_atomically(path: Path, data: bytes) -> None:
    """A reader, and a run that is killed here, finds the old file or the new one, never a part."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
