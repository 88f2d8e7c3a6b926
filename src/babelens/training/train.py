"""One recipe in; checkpoints, a log and an exported encoder folder out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babelens.errors import TrainingError

from .loop import CHECKPOINT, Measured, Trainer
from .photographs import LeftOut
from .recipe import PhotographRecipe, PictographRecipe, Recipe, load_recipe


@dataclass(frozen=True)
class TrainingSummary:
    """What a run left behind; `measured` is what the encoder finds, by language, on `validated_on`."""

    out: Path
    encoder: Path
    steps: int
    seconds: float
    validated_on: str
    measured: Mapping[str, Measured]
    left_out: tuple[LeftOut, ...]
    """What the data hold that could not be used."""


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

    trainer = make_trainer(
        recipe, Path(data if data is not None else recipe.folder), Path(out), progress=progress
    )
    if (Path(out) / CHECKPOINT).exists():
        if not resume:
            raise TrainingError(
                f"{out} holds a checkpoint already.",
                hint="Continue it with --resume, or choose another folder.",
            )
        trainer.load_checkpoint()
    trainer.run(progress=progress, stop_after=stop_after)
    encoder = export_encoder(trainer, Path(out) / "encoder")
    return TrainingSummary(
        Path(out),
        encoder,
        trainer.step,
        trainer.seconds,
        trainer.validated_on,
        trainer.validate(),
        trainer.left_out,
    )


def make_trainer(recipe: Recipe, data: Path, out: Path, *, progress: bool = False) -> Trainer[Any, Any]:
    """The trainer for the kind of data that a recipe names."""
    if isinstance(recipe, PhotographRecipe):
        from .photograph_run import PhotographTrainer

        return PhotographTrainer(recipe, data, out, progress=progress)
    assert isinstance(recipe, PictographRecipe)
    from .pictograph_run import PictographTrainer

    return PictographTrainer(recipe, data, out)
