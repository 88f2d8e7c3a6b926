"""Batches of photographs: crops changed at random, captions in random languages, and the words of all captions.

Everything random in a batch follows from (seed, step), as with pictographs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional
from torch import Tensor

from babelens.models.ngrams import NgramTokenizer, pad

from .augment import erase
from .data import normalise_pixels
from .photographs import Photographs
from .recipe import PhotographData

T = TypeVar("T")
TokenIds = npt.NDArray[np.int32]
Texts = Sequence[Mapping[str, Sequence[TokenIds]]]
"""Captions as ids, for each picture by language."""

_LUMA = torch.tensor([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class PhotographBatch:
    """`pixels` (n, 3, s, s); `ids` and `mask` (m, L); which picture a row is of, `pictures` (n, 1), `texts` (m, 1)."""

    pixels: Tensor
    pictures: Tensor
    ids: Tensor
    mask: Tensor
    texts: Tensor


def draw_photographs(
    photographs: Photographs,
    texts: Texts,
    data: PhotographData,
    *,
    size: int,
    seed: int,
    step: int,
) -> PhotographBatch:
    """The batch of a step: `size` is the side of its pictures in pixels. All pictures are seen equally often."""
    rng = np.random.default_rng((seed, step))
    torch.manual_seed(int(rng.integers(2**62)))
    count = min(data.pictures, len(photographs))
    per_epoch = len(photographs) // count
    order = np.random.default_rng((seed, 1 << 40, step // per_epoch)).permutation(len(photographs))
    chosen = order[(step % per_epoch) * count :][:count]
    captions = [ids for place in chosen for ids in draw_captions(texts[int(place)], data.captions, rng)]
    squares = torch.from_numpy(photographs.pixels(chosen)).permute(0, 3, 1, 2).float() / 255
    may_flip = torch.tensor([not photographs.pictures[int(place)].sided for place in chosen])
    rgb = random_crops(squares, size, smallest=data.crop, may_flip=may_flip)
    rgb = erase(jitter(rgb, strength=data.colour, grey=data.grey), data.erase)
    index = torch.from_numpy(chosen)[:, None]
    ids, mask = pad([row.tolist() for row in captions])
    return PhotographBatch(
        normalise_pixels(rgb),
        index,
        torch.from_numpy(ids),
        torch.from_numpy(mask),
        index.repeat_interleave(data.captions, dim=0),
    )


def tokenized(photographs: Photographs, tokenizer: NgramTokenizer) -> Texts:
    """The ids of all captions, once: tokenizing takes longer than drawing."""
    return [
        {
            tag: [np.array(tokenizer.ids(body), dtype=np.int32) for body in bodies]
            for tag, bodies in picture.captions.items()
        }
        for picture in photographs.pictures
    ]


def draw_captions(texts: Mapping[str, Sequence[T]], count: int, rng: np.random.Generator) -> list[T]:
    """Captions of a picture in different languages as long as there are some, then in those that came before.

    None comes twice before all have come.
    """
    out: list[T] = []
    left: dict[str, list[int]] = {}
    while len(out) < count:
        if not any(left.values()):
            left = {tag: rng.permutation(len(bodies)).tolist() for tag, bodies in texts.items()}
        tags = [tag for tag, places in left.items() if places]
        for turn in rng.permutation(len(tags))[: count - len(out)]:
            out.append(texts[tags[turn]][left[tags[turn]].pop()])
    return out


def random_crops(squares: Tensor, size: int, *, smallest: float, may_flip: Tensor) -> Tensor:
    """Crops of (n, 3, h, h), enlarged or shrunk to (n, 3, size, size).

    The share of the area is uniform in `smallest`..1 and the logarithm of the ratio of sides in ±log 4/3 (random
    resized crop, Szegedy et al. 2014); half of those that `may_flip` (n,) bool are mirrored.
    """
    n = len(squares)
    area = torch.rand(n) * (1 - smallest) + smallest
    ratio = torch.exp((torch.rand(n) * 2 - 1) * math.log(4 / 3) / 2)
    width, height = (area.sqrt() * ratio).clamp(max=1), (area.sqrt() / ratio).clamp(max=1)
    mirror = torch.where(may_flip & (torch.rand(n) < 0.5), -1.0, 1.0)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = width * mirror, height
    theta[:, 0, 2] = (torch.rand(n) * 2 - 1) * (1 - width)
    theta[:, 1, 2] = (torch.rand(n) * 2 - 1) * (1 - height)
    grid = functional.affine_grid(theta, [n, 3, size, size], align_corners=False)
    return functional.grid_sample(squares, grid, align_corners=False, padding_mode="reflection")


def jitter(rgb: Tensor, *, strength: float, grey: float) -> Tensor:
    """Other light and colours for (n, 3, s, s) in 0..1: brightness, contrast, saturation; some without colour."""
    n = len(rgb)
    brightness, contrast, saturation = (
        torch.exp((torch.rand(n, 1, 1, 1) * 2 - 1) * math.log1p(strength)) for _ in range(3)
    )
    tint = torch.exp(torch.randn(n, 3, 1, 1) * 0.1 * strength)
    saturation = torch.where(torch.rand(n, 1, 1, 1) < grey, torch.zeros(()), saturation)
    light = (rgb * _LUMA[None, :, None, None]).sum(1, keepdim=True)
    coloured = light + saturation * (rgb - light)
    middle = light.mean((2, 3), keepdim=True)
    return ((middle + contrast * (coloured - middle)) * brightness * tint).clamp(0, 1)


class WordTargets:
    """Which words the captions of each picture have, in all languages.

    Guessing them teaches a tower of few pictures more than telling pictures of a batch apart (Joulin et al. 2016,
    arXiv 1511.02251). A "word" is an id of the tokenizer, of a whole word or an n-gram, so that languages without
    spaces are served alike. Each weighs log(pictures / pictures that have it), and a picture's weights sum to 1.
    """

    def __init__(self, texts: Texts, *, rare: float, common: float) -> None:
        found = [np.unique(np.concatenate([ids for rows in own.values() for ids in rows])) for own in texts]
        count: Counter[int] = Counter()
        for ids in found:
            count.update(ids.tolist())
        kept = sorted(i for i, n in count.items() if rare * len(texts) <= n <= common * len(texts))
        self.size = len(kept)
        self._place = {identifier: place for place, identifier in enumerate(kept)}
        self._rows = [
            np.array([self._place[i] for i in ids.tolist() if i in self._place], dtype=np.int64)
            for ids in found
        ]
        weights = np.log(len(texts) / np.array([count[i] for i in kept], dtype=np.float32))
        self._weights = torch.from_numpy(weights)

    def __len__(self) -> int:
        return self.size

    def __call__(self, pictures: npt.NDArray[np.int64]) -> Tensor:
        """Targets (n, words) float32 of pictures (n,); a row without a word is 0."""
        out = torch.zeros(len(pictures), self.size)
        for row, picture in enumerate(pictures.tolist()):
            places = torch.from_numpy(self._rows[picture])
            out[row, places] = self._weights[places]
        return out / out.sum(1, keepdim=True).clamp(min=1e-9)
