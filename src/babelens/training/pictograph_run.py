"""Training on pictographs: many drawing styles of the same things, named in every language.

A run has up to three parts: both towers on drawings and scenes, both once more on composed pictures (`widen`), then the
text tower alone (`polish`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from babelens.errors import TrainingError

from . import losses
from .augment import CALM, ROUGH, WIDE, Variety
from .calibrate import SCENES, Drawn, calibrate_pictographs, common_words
from .data import Batch, CaptionWriter, Pictographs, draw_batch, draw_captions, draw_scenes
from .loop import Trainer, autocast, learning_rate
from .recipe import PictographRecipe
from .validate import Matrix, Recall, recall, separation


class PictographTrainer(Trainer[PictographRecipe, Recall]):
    photographs = False

    def __init__(self, recipe: PictographRecipe, data: Path, out: Path) -> None:
        held_out = recipe.data.held_out
        self.validation_style = held_out[0] if held_out else recipe.training_styles[0]
        model = recipe.model

        def pictographs(size: int) -> Pictographs:
            return Pictographs(data, styles=recipe.training_styles, held_out=held_out, size=size)

        self.full = pictographs(model.image_size)
        self.small = pictographs(model.small_size) if model.small_share > 0 else self.full
        super().__init__(recipe, out, concepts=len(self.full))
        self.writer = CaptionWriter(self.full.concepts, recipe.data, self.tokenizer)
        polished = replace(recipe.data, phrases=recipe.polish.phrases, keywords=recipe.polish.keywords)
        self.polish_writer = CaptionWriter(self.full.concepts, polished, self.tokenizer)
        self.image_means: Tensor | None = None

    @property
    def validated_on(self) -> str:
        return self.validation_style

    @property
    def pictures_per_step(self) -> int:
        return 2 * self.recipe.data.concepts + self.recipe.data.scenes

    @property
    def milestones(self) -> tuple[int, ...]:
        run, widen, polish = (part.steps for part in (self.recipe.run, self.recipe.widen, self.recipe.polish))
        return run, run + widen, run + widen + polish

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
        _, pictured, _ = self.milestones
        return self.picture_step() if self.step < pictured else self.polish_step()

    def picture_step(self) -> dict[str, float]:
        """One step of both towers."""
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

    # -- validation -----------------------------------------------------------------------------------------

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
        self._log(entry)
        return recalls

    def _check_chance(self, measured: Mapping[str, Recall]) -> None:
        """An untrained model above chance means that the answer leaks into the input."""
        n = len(self.full)
        allowed = 10 / n + 4 * math.sqrt(10 / n / n)
        for language, r in measured.items():
            if n >= 100 and r.text_to_image_10 > allowed:
                raise TrainingError(
                    f"Before training, recall@10 in {language} is {r.text_to_image_10:.3f}; chance is {10 / n:.3f}.",
                    hint="Pictures and captions share something they should not.",
                )

    def headline(self, measured: Mapping[str, Recall]) -> str:
        mean = np.mean([r.text_to_image_1 for r in measured.values()])
        return f"text to image R@1 {mean:.1%} ({self.validation_style})"

    def calibration(self) -> dict[str, Any]:
        style = self.validation_style
        plain, names = self.vectors(style)
        scenes, captions, sets = self.scene_vectors(style, SCENES)
        return calibrate_pictographs(
            Drawn(
                style=style,
                unseen=style in self.recipe.data.held_out,
                concepts=self.full.concepts,
                which=np.flatnonzero(self.full.drawn[style]),
                plain=plain,
                changed=self.vectors(style, redrawn=WIDE)[0],
                names=names,
                scenes=scenes,
                scene_captions=captions,
                scene_sets=sets,
                vocabulary=self.vocabulary(),
            )
        )

    @torch.no_grad()
    def vocabulary(self) -> Matrix:
        ids, mask = self.tokenizer(common_words(self.full.concepts, self.recipe.data.languages))
        words = torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device)
        rows: Matrix = self.average.text(*words).cpu().numpy()
        return rows
