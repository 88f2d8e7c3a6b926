"""Captioning and translating: batches against one at a time, with random weights.

Models are far smaller than real ones, so that it ends in a minute. Their weights never write the token that ends a
text: all captions have the same length, and all translations the bound that their source sets. "Same words" counts
outputs that a batch does not change; rounding may tip a beam of random weights, where words are nearly as likely.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SEED = 7


def run(quick: bool = False) -> None:
    """Prints a table with seconds and ratios, and checks that batches write what single ones do."""
    import torch
    from PIL import Image

    from babelens.models.captioners import load_captioner
    from babelens.models.translators import load_translator
    from tests.checkpoints import words

    width, layers = (64, 2) if quick else (256, 2)
    pictures, texts = (8, 12) if quick else (16, 24)
    random = np.random.default_rng(SEED)
    images = [
        Image.fromarray(random.integers(0, 255, (240, 320, 3), dtype=np.uint8)) for _ in range(pictures)
    ]
    vocabulary = " ".join(words.LINES).split()
    sentences = [" ".join(random.choice(vocabulary, random.integers(3, 8))) for _ in range(texts)]
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; width {width}, {layers} layers\n")
    print(f"{'':<24}{'n':>5}{'one at a time':>16}{'batched':>12}{'ratio':>8}  same words")
    with tempfile.TemporaryDirectory(prefix="babelens-words-") as temporary:
        base = Path(temporary)
        git = words.git(base / "git", width=width, layers=layers, image_size=224, pull=0)
        captioner = load_captioner(git)
        _compare("captions (GIT, 224 px)", images, captioner.caption)
        marian = words.marian(base / "marian", width=width, layers=layers, pull=0)
        translator = load_translator(marian, "en", "de")
        _compare(
            "translations (Marian)",
            sentences,
            lambda part: translator.translate(part, source="en", target="de"),
        )


def _compare(name: str, inputs: Sequence[Any], work: Callable[[Sequence[Any]], list[str]]) -> None:
    work(inputs[:2])  # first calls allocate
    start = time.perf_counter()
    alone = [work([value])[0] for value in inputs]
    single = time.perf_counter() - start
    start = time.perf_counter()
    together = work(inputs)
    batched = time.perf_counter() - start
    same = sum(one == other for one, other in zip(alone, together, strict=True))
    rates = f"{len(inputs) / single:>13.1f}/s{len(inputs) / batched:>10.1f}/s"
    print(f"{name:<24}{len(inputs):>5} {rates}{single / batched:>8.1f}  {same}/{len(inputs)}", flush=True)


if __name__ == "__main__":
    run(quick="--quick" in sys.argv)
