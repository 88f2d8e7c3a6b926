"""Training on captioned photographs: one crop and a few captions, in random languages, of each picture of a batch.

All captions of a picture are its positives, in whichever language. The weights that validated best are shipped.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from babelens.errors import TrainingError
from babelens.files import replace_text
from babelens.models.ngrams import pad
from babelens.models.preprocess import Preprocess
from babelens.types import Progress

from . import losses
from .calibrate import calibrate_photographs
from .data import MEAN, STD
from .loop import Trainer, autocast, learning_rate, tokenizer_of
from .photograph_batches import PhotographBatch, WordTargets, draw_photographs, tokenized
from .photographs import LeftOut, Photographs, decode, read_photographs, refuse_leaks, some_of
from .recipe import PhotographRecipe
from .towers import TwoTower
from .validate import Matrix, PhotographRecall, photograph_recall

SUMMARY = "data.json"
_BATCH = 256  # rows encoded at once when validating


class PhotographTrainer(Trainer[PhotographRecipe, PhotographRecall]):
    """``best_step`` and ``best_mean`` belong to the best validation so far; ``waited`` counts those since."""

    photographs = True

    def __init__(self, recipe: PhotographRecipe, data: Path, out: Path, *, progress: bool = False) -> None:
        settings, model, threads = recipe.data, recipe.model, recipe.run.threads
        listed = read_photographs(data / settings.train, languages=settings.languages)
        unseen = read_photographs(data / settings.validation, languages=settings.languages)
        refuse_leaks(listed.pictures, unseen.pictures)
        larger = Preprocess(settings.side, "squash", MEAN, STD, "lanczos")
        # Validated with as the encoder will see pictures when it serves.
        served = Preprocess(model.image_size, "squash", MEAN, STD, reducing_gap=3.0)
        with _bar(progress) as report:
            decoded = decode(listed, larger, threads=threads, progress=report)
        self.full = some_of(decoded, settings.limit, seed=recipe.run.seed)
        with _bar(progress) as report:
            self.unseen = decode(unseen, served, threads=threads, progress=report)
        self._unseen_pixels = torch.from_numpy(served.standardize(self.unseen.pixels()))
        tokenizer = tokenizer_of(model)
        self._unseen_texts = {tag: _captions(self.unseen, tag, tokenizer.ids) for tag in self.unseen.captions}
        self.texts = tokenized(self.full, tokenizer)
        self.words = WordTargets(self.texts, rare=recipe.loss.rare, common=recipe.loss.common)
        super().__init__(recipe, out, concepts=max(1, len(self.words)))
        self.best: dict[str, Tensor] | None = None
        self.best_step = 0
        self.best_mean = -math.inf
        self.waited = 0
        replace_text(out / SUMMARY, json.dumps(self.summary(), indent=1, ensure_ascii=False))

    @property
    def validated_on(self) -> str:
        return f"{len(self.unseen):,} pictures of {self.recipe.data.validation}"

    @property
    def pictures_per_step(self) -> int:
        return min(self.recipe.data.pictures, len(self.full))

    @property
    def finished(self) -> bool:
        patience = self.recipe.stop.patience
        return bool(patience) and self.waited >= patience

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        return self.full.left_out + self.unseen.left_out

    def summary(self) -> dict[str, Any]:
        """What is trained and validated on, and what is left out."""
        return {
            name: {
                "pictures": len(split),
                "captions": split.captions,
                "captions_in_other_languages": split.other_languages,
                "never_mirrored": sum(picture.sided for picture in split.pictures),
                "left_out": [asdict(one) for one in split.left_out],
            }
            for name, split in (("train", self.full), ("validation", self.unseen))
        }

    # -- one step -------------------------------------------------------------------------------------------

    def size(self, step: int) -> int:
        """The side of the crops at `step`, in pixels."""
        model = self.recipe.model
        return model.small_size if step < self.recipe.run.steps * model.small_share else model.image_size

    def draw(self, step: int) -> PhotographBatch:
        return draw_photographs(
            self.full,
            self.texts,
            self.recipe.data,
            size=self.size(step),
            seed=self.recipe.run.seed,
            step=step,
        )

    def losses(self, batch: PhotographBatch) -> dict[str, Tensor]:
        """The weighted terms of the loss; their sum is what is minimised."""
        weights, model, device = self.recipe.loss, self.model, self.device
        pictures, captions = batch.pictures.to(device), batch.texts.to(device)
        with autocast(device):
            images = model.image(batch.pixels.to(device).contiguous(memory_format=torch.channels_last))
        texts = model.text(batch.ids.to(device), batch.mask.to(device))
        scale = model.log_scale.clamp(max=math.log(100.0)).exp()
        pairs = losses.pair_up(pictures, captions)
        terms = {
            "image_text": losses.symmetric_info_nce(
                scale * images @ texts.T, pairs, smoothing=weights.smoothing
            )
        }
        if weights.text_text and self.recipe.data.captions > 1:
            terms["text_text"] = weights.text_text * losses.within(texts, captions, scale)
        if len(self.words):
            words = self.words(batch.pictures[:, 0].numpy()).to(device)
            each = len(texts) // len(images)
            for name, vectors, target, weight in (
                ("words_image", images, words, weights.words_image),
                ("words_text", texts, words.repeat_interleave(each, dim=0), weights.words_text),
            ):
                if weight:
                    with autocast(device):
                        loss = losses.word_loss(vectors, model.prototypes, target, scale=weights.words_scale)
                    terms[name] = weight * loss
        return terms

    def train_step(self) -> dict[str, float]:
        optim, run = self.recipe.optim, self.recipe.run
        batch = self.draw(self.step)
        self.model.train()
        rate = learning_rate(self.step, run.steps, lr=optim.lr, warmup=optim.warmup)
        return self._descend(self.losses(batch), rate)

    # -- validation -----------------------------------------------------------------------------------------

    @torch.no_grad()
    def vectors(self, model: TwoTower) -> tuple[Matrix, dict[str, tuple[Matrix, npt.NDArray[np.int64]]]]:
        """Of the pictures validated with, (n, dim), and by language of captions, (m, dim), with their pictures."""
        images = [model.image(part.to(self.device)).cpu() for part in self._unseen_pixels.split(_BATCH)]
        texts = {}
        for tag, (rows, owners) in self._unseen_texts.items():
            parts = []
            for start in range(0, len(rows), _BATCH):
                ids, mask = (torch.from_numpy(a).to(self.device) for a in pad(rows[start : start + _BATCH]))
                parts.append(model.text(ids, mask).cpu())
            texts[tag] = torch.cat(parts).numpy(), owners
        return torch.cat(images).numpy(), texts

    def validate(self) -> dict[str, PhotographRecall]:
        return self._measure(self.shipped())

    def _measure(self, model: TwoTower) -> dict[str, PhotographRecall]:
        images, texts = self.vectors(model)
        return {tag: photograph_recall(images, rows, owners) for tag, (rows, owners) in texts.items()}

    def _validate_and_log(self, values: Mapping[str, float]) -> dict[str, PhotographRecall]:
        measured = self._measure(self.average)
        mean = _mean(measured)
        if mean > self.best_mean:
            self.best = {name: value.clone() for name, value in self.average.state_dict().items()}
            self.best_step, self.best_mean, self.waited = self.step, mean, 0
        else:
            self.waited += 1
        self._log(
            {
                "step": self.step,
                "epoch": round(self.step * self.pictures_per_step / len(self.full), 2),
                "seconds": round(self.seconds, 1),
                "pictures": len(self.full),
                "size": self.size(self.step),
                "train": {name: round(value, 5) for name, value in values.items()},
                "mean": round(mean, 4),
                "best_step": self.best_step,
                "recall": {tag: found.to_dict() for tag, found in measured.items()},
            }
        )
        return measured

    def _check_chance(self, measured: Mapping[str, PhotographRecall]) -> None:
        """An untrained model above chance means that the answer leaks into the input."""
        for tag, found in measured.items():
            estimate = found.text_to_image[10]
            chance = estimate.chance or 0.0
            if found.pictures >= 100 and estimate.value > chance + 4 * math.sqrt(chance / found.pictures):
                raise TrainingError(
                    f"Before training, hit_rate@10 in {tag} is {estimate.value:.3f}; chance is {chance:.3f}.",
                    hint="Pictures and captions share something they should not.",
                )

    def headline(self, measured: Mapping[str, PhotographRecall]) -> str:
        ways = ("text_to_image", "image_to_text")
        found = {
            way: [float(np.mean([getattr(m, way)[k].value for m in measured.values()])) for k in (1, 10)]
            for way in ways
        }
        text, image = (f"R@1 {one:.1%} R@10 {ten:.1%}" for one, ten in found.values())
        return f"text to image {text}, image to text {image}; mean {_mean(measured):.2%}, best at {self.best_step}"

    def calibration(self) -> dict[str, Any]:
        return calibrate_photographs(self)

    # -- what is kept ---------------------------------------------------------------------------------------

    def shipped(self) -> TwoTower:
        """The moving average at the best validation."""
        model: TwoTower = copy.deepcopy(self.average)
        if self.best is not None:
            model.load_state_dict(self.best)
        return model

    def _extra_state(self) -> dict[str, Any]:
        return {
            "best": self.best,
            "best_step": self.best_step,
            "best_mean": self.best_mean,
            "waited": self.waited,
        }

    def _load_extra_state(self, state: Mapping[str, Any]) -> None:
        self.best, self.best_step = state["best"], state["best_step"]
        self.best_mean, self.waited = state["best_mean"], state["waited"]


def _mean(measured: Mapping[str, PhotographRecall]) -> float:
    """Over languages, directions and k: what the run is stopped by."""
    return float(np.mean([found.mean for found in measured.values()]))


def _captions(
    photographs: Photographs, tag: str, encode: Callable[[str], list[int]]
) -> tuple[list[list[int]], npt.NDArray[np.int64]]:
    """The ids of all captions in a language, and the row of the picture that each belongs to."""
    owned = [
        (row, body)
        for row, picture in enumerate(photographs.pictures)
        for body in picture.captions.get(tag, ())
    ]
    return [encode(body) for _, body in owned], np.array([row for row, _ in owned], dtype=np.int64)


@contextmanager
def _bar(shown: bool) -> Iterator[Progress]:
    """A bar that appears with the first report: there is none when everything is in the cache."""
    from tqdm import tqdm

    with ExitStack() as stack:
        bars: list[Any] = []

        def report(done: int, total: int | None = None, note: str = "") -> None:
            if not bars:
                bar = tqdm(total=total, desc="decode", unit="img", disable=not shown, mininterval=1.0)
                bars.append(stack.enter_context(bar))
            bars[0].update(done - bars[0].n)
            bars[0].set_postfix_str(note, refresh=False)

        yield report
