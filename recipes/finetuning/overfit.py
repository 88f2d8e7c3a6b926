"""Real architectures with random weights learn 64 pairs by heart, are published and read back: the machinery works.

    python recipes/finetuning/overfit.py siglip2-base
    python recipes/finetuning/overfit.py clip-vit-b-32 --batch-size 64 --steps 200

The pairs are pictures of the bundled gallery, of one thing each, with its names in all languages. Prints the recall
before, after and of the published folder, how far its vectors are from those that were trained, and pictures per second
with the share of what the same machine reaches in multiplying matrices.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from architectures import MAKERS

from babelens.dataset.writing import write_lines
from babelens.demo.bundled import Picture, load_gallery
from babelens.finetuning.data import Data, Files, read_data
from babelens.finetuning.measure import Outcome, measure, outcome
from babelens.finetuning.publish import publish
from babelens.finetuning.run import Run
from babelens.finetuning.settings import Settings
from babelens.finetuning.tunable import Tunable, take_apart
from babelens.models.registry import load_encoder
from babelens.training.loop import autocast

PAIRS = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", choices=sorted(MAKERS))
    parser.add_argument("--steps", type=int, default=120, help="at most")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--chunk-size", type=int, default=0)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    options = parser.parse_args()
    for name in options.models:
        with tempfile.TemporaryDirectory() as folder:
            found = overfit(
                name,
                Path(folder),
                steps=options.steps,
                batch_size=options.batch_size,
                chunk_size=options.chunk_size,
                rate=options.learning_rate,
            )
            print(json.dumps(found, indent=1), flush=True)


def overfit(
    name: str, folder: Path, *, steps: int, batch_size: int, chunk_size: int, rate: float
) -> dict[str, object]:
    single = (picture for picture in load_gallery().pictures if len(picture.things) == 1)
    pictures = list({picture.things: picture for picture in single}.values())
    pairs, others = (
        write_pairs(folder / part, pictures[start : start + PAIRS])
        for part, start in (("pairs", 0), ("others", PAIRS))
    )
    MAKERS[name](folder / "model")
    tunable = take_apart(folder / "model")
    settings = Settings(
        epochs=steps * batch_size / PAIRS, batch_size=batch_size, captions=1, augment=False, patience=0,
        learning_rate=rate, layer_decay=1.0, languages=("en",),
    )  # fmt: skip
    # Validated on what is trained on, for once: what was learnt by heart is to be found again.
    read = read_data(Files(None, pairs, others), tunable.base.image_tower.preprocess, languages=("en",))
    data: Data = replace(read, train=read.validation.photographs)
    start = measure(tunable, data.validation)
    run = Run(tunable, data, settings, folder / "run", base=start, chunk_size=chunk_size)
    run.validate_every = 10
    run.watch.warmup = steps  # random weights learn nothing for a while: no alarm
    while run.step < steps and run.best_mean < 1:
        run.train(stop_after=min(steps, run.step + 10), report=told)
    end = measure(tunable, data.validation)
    pictures = tunable.encode_pictures(data.validation.pixels)
    published = load_encoder(publish(tunable, data.validation, folder, name=name, photographs=True, about={}))
    images = published.encode_prepared(list(data.validation.pixels))
    texts = {tag: published.encode_texts(bodies) for tag, bodies in data.validation.bodies.items()}
    seen = run.step * batch_size
    # Forwards once, backwards twice as much.
    arithmetic = 3 * flops(take_apart(folder / "model"), data) * seen / PAIRS
    return {
        "model": name,
        "device": str(tunable.device),
        "threads": torch.get_num_threads(),
        "hit_rate@1 of 64 before": first(start),
        "after": first(end),
        "read back": first(outcome(images, texts, data.validation)),
        "numbers differ by at most": float(np.abs(images - pictures).max()),
        "steps": run.step,
        "batch": batch_size,
        "pictures per second": round(seen / run.seconds, 2),
        "share of peak": round(arithmetic / run.seconds / peak(tunable.device), 3),
    }


def told(step: int, steps: int, line: str) -> None:
    if step % 10 == 0:
        print(f"{step}/{steps} {line}", file=sys.stderr)


def first(found: Outcome) -> float:
    return min(found.recall(direction, "en", 1).value for direction in found.found)


def write_pairs(folder: Path, pictures: Iterable[Picture]) -> Path:
    """``captions.jsonl``: each picture with one caption, its names in all languages, as far as the tokenizer reads."""
    file = folder / "captions.jsonl"
    folder.mkdir()
    write_lines(
        file,
        (
            {"image": str(picture.path), "captions": {"en": [", ".join(picture.captions.values())]}}
            for picture in pictures
        ),
    )
    return file


def flops(tunable: Tunable, data: Data) -> int:
    """Of both towers for all pairs, forwards."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        tunable.encode_pictures(data.validation.pixels)
        tunable.encode_texts(data.validation.bodies["en"])
    return int(counter.get_total_flops())


def peak(device: torch.device, size: int = 4096) -> float:
    """Operations a second of one large product of matrices, in the precision that training uses. Best of five."""
    left, right = (torch.randn(size, size, device=device) for _ in range(2))
    best = 0.0
    with autocast(device), torch.no_grad():
        for _ in range(5):
            start = time.perf_counter()
            float((left @ right)[0, 0])  # waits for the device
            best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best


if __name__ == "__main__":
    main()
