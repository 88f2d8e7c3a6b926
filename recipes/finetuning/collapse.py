"""The collapse that fine-tuning CLIP is known for, made on purpose: does the gate catch it?

    python recipes/finetuning/collapse.py runs/styles/data-0 --model runs/without-twemoji/encoder

Three mistakes, each alone and all together, on the data of `styles.py`: weights and Adam's state in half precision;
every caption of a picture but its own counted as a wrong answer, though a batch holds several captions of one picture
("diagonal positives"); no warm-up and the learning rate of a training from scratch.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from babelens.errors import TrainingError
from babelens.finetuning.batches import Batch
from babelens.finetuning.data import Files, read_data
from babelens.finetuning.measure import measure
from babelens.finetuning.run import Run
from babelens.finetuning.settings import Settings
from babelens.finetuning.tunable import take_apart

MISTAKES = ("half", "diagonal", "rate")


class NaiveRun(Run):
    """``mistakes`` are names of :data:`MISTAKES`."""

    mistakes: tuple[str, ...] = ()

    def _owners(self, batch: Batch) -> dict[str, Tensor]:
        owners = super()._owners(batch)
        if "diagonal" in self.mistakes:  # pictures are told apart from their own second captions
            each = len(batch.captions) // len(batch.pictures)
            own = torch.arange(len(batch.captions))[:, None]
            owners |= {"captions": own, "pictures": own[::each], "wording": own}
        return owners

    def train_step(self) -> dict[str, float]:
        values = super().train_step()
        if "half" in self.mistakes:
            with torch.no_grad():
                for group in self.optimizer.param_groups:
                    for weight in group["params"]:
                        weight.copy_(weight.half())
                        for value in self.optimizer.state[weight].values():
                            if value.ndim:
                                value.copy_(value.half())
        return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="captions files of styles.py")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print("| mistakes | what happened |\n|---|---|")
    for mistakes in (*((one,) for one in MISTAKES), MISTAKES):
        print(f"| {', '.join(mistakes)} | {attempt(mistakes, options.data, options.model, options.seed)} |")


def attempt(mistakes: tuple[str, ...], data: Path, model: Path, seed: int) -> str:
    """What the run ended with: the alarm's words, or the recall before and after."""
    wild = "rate" in mistakes
    settings = Settings(
        learning_rate=0.3 if wild else None, warmup=0.0 if wild else 0.1, augment=False, align=0.0, seed=seed
    )
    tunable = take_apart(model)
    files = Files(data / "train-100.jsonl", data / "twemoji-val.jsonl", data / "twemoji-test.jsonl")
    read = read_data(files, tunable.base.image_tower.preprocess, languages=settings.languages)
    start, before = measure(tunable, read.validation), measure(tunable, read.test)
    with tempfile.TemporaryDirectory() as folder:
        run = NaiveRun(tunable, read, settings, Path(folder), base=start)
        run.mistakes = mistakes
        try:
            run.train(
                report=lambda step, steps, told: sys.stderr.write(f"{mistakes} {step}/{steps} {told}\n")
            )
        except TrainingError as error:
            return f"stopped at step {run.step}: {error.message}"
        run.best_weights()
        after = measure(tunable, read.test)
    return f"no alarm; on the test split {before.mean():.1%} before and {after.mean():.1%} after"


if __name__ == "__main__":
    main()
