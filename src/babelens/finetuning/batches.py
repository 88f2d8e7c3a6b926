"""Batches for fine-tuning. Everything random in one follows from (seed, step), so a resumed run sees the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..training.photograph_batches import draw_captions, jitter, random_crops
from ..training.photographs import Photographs
from ..vectors import Ids
from .data import Parallel

_CROP = 0.6  # of the area: captions name what stands at the rim, too
_TINT = 0.15


@dataclass(frozen=True, eq=False)
class Batch:
    """``pictures`` (n,) are rows of the training set, ``captions`` texts of them, in their order, as many of each.

    ``parallel`` are texts and ``rows`` (p,) of which row each is.
    """

    pictures: Ids
    captions: tuple[str, ...]
    parallel: tuple[str, ...]
    rows: Ids


def draw(
    train: Photographs | None,
    parallel: Parallel | None,
    *,
    batch_size: int,
    captions: int,
    anchor: str | None,
    seed: int,
    step: int,
) -> Batch:
    """The batch of a step; all pictures, and all rows, are seen equally often.

    With an ``anchor`` every row of parallel texts gives one text in that language, where it has one, and one in
    another; without, two in different languages.
    """
    rng = np.random.default_rng((seed, step))
    pictures: Ids = np.empty(0, dtype=np.int64)
    texts: list[str] = []
    if train is not None:
        pictures = _turn(len(train), batch_size, seed, step)
        for place in pictures.tolist():
            texts.extend(draw_captions(train.pictures[place].captions, captions, rng))
    rows: Ids = np.empty(0, dtype=np.int64)
    pairs: list[str] = []
    if parallel is not None:
        rows = _turn(len(parallel.rows), batch_size, seed + 1, step)
        for row in rows.tolist():
            pairs.extend(_two(parallel.rows[row], anchor, rng))
    return Batch(pictures, tuple(texts), tuple(pairs), np.repeat(rows, 2))


def _turn(total: int, size: int, seed: int, step: int) -> Ids:
    """Which of ``total`` come at a step: each once in an epoch, in an order of its own."""
    size = min(size, total)
    per_epoch = total // size
    order = np.random.default_rng((seed, 1 << 40, step // per_epoch)).permutation(total)
    return np.asarray(order[(step % per_epoch) * size :][:size], dtype=np.int64)


def _two(row: Mapping[str, tuple[str, ...]], anchor: str | None, rng: np.random.Generator) -> tuple[str, str]:
    tags = list(row)
    first, second = (tags[place] for place in rng.choice(len(tags), 2, replace=False))
    if anchor in row and anchor not in (first, second):
        first = str(anchor)
    one, other = (row[tag][int(rng.integers(len(row[tag])))] for tag in (first, second))
    return one, other


def pixels_of(train: Photographs, chosen: Ids, *, augment: bool, seed: int) -> Tensor:
    """Pictures as (n, 3, s, s) in 0..1; by chance cropped, tinted and, unless captions say left or right, mirrored."""
    squares = torch.from_numpy(train.pixels(chosen)).permute(0, 3, 1, 2).float() / 255
    if not augment:
        return squares
    torch.manual_seed(seed)
    may_flip = torch.tensor([not train.pictures[int(place)].sided for place in chosen])
    cropped = random_crops(squares, squares.shape[-1], smallest=_CROP, may_flip=may_flip)
    return jitter(cropped, strength=_TINT, grey=0.0)
