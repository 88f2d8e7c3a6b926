"""Batches from a pictograph data set: sprites in memory, two styles and two captions per concept, and scenes.

Everything random in a batch follows from (seed, step): a run that was killed continues with the batch it would have
seen, and no generator state is stored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from babelens.errors import DatasetError
from babelens.models.ngrams import NgramTokenizer, pad

from . import augment
from .phrases import in_phrase, joined
from .pictographs import Concept, read_concepts
from .recipe import Data

MEAN = (0.5, 0.5, 0.5)
STD = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Batch:
    """One training step's input. `image_sets` and `text_sets` are (n, 3) int64 concept indices, sorted, -1 padded."""

    pixels: Tensor
    image_sets: Tensor
    ids: Tensor
    mask: Tensor
    text_sets: Tensor


@dataclass(frozen=True)
class Captions:
    """Token ids and mask (n, L), and the concepts named, (n, 3) int64, sorted, -1 padded."""

    ids: Tensor
    mask: Tensor
    sets: Tensor


class Pictographs:
    """A data set held in memory: `sprites[style]` is (concepts, 4, s, s) uint8.

    `drawn[style]` (concepts,) bool says which concepts a style has; only a held-out one may lack some. `usable[style]`
    says which drawings tell their concept apart from others: black line art of flags is only a rectangle, so
    near-identical drawings of different concepts are left out of training.
    """

    def __init__(
        self, path: Path | str, *, styles: Sequence[str], held_out: Sequence[str] = (), size: int
    ) -> None:
        self.path = Path(path)
        self.size = size
        self.concepts: list[Concept] = read_concepts(path)
        self.sprites: dict[str, Tensor] = {}
        self.drawn: dict[str, npt.NDArray[np.bool_]] = {}
        self.usable: dict[str, npt.NDArray[np.bool_]] = {}
        known = json.loads((self.path / "dataset.json").read_text(encoding="utf-8"))["styles"]
        for style in (*styles, *held_out):
            if style not in known:
                raise DatasetError(
                    f"{self.path} has no style {style!r}; it has {', '.join(known)}.",
                    hint="Build it again with all the packages that docs/training.md names.",
                )
            self.drawn[style] = np.array([self._file(style, concept).exists() for concept in self.concepts])
            if style in styles and not self.drawn[style].all():
                raise DatasetError(f"{self.path} lacks drawings of {style!r}, so it cannot be trained on.")
            self.sprites[style] = self._load(style)
            self.usable[style] = _distinct(self.sprites[style]) & self.drawn[style]
        groups = [c.group for c in self.concepts]
        lookalike = np.zeros(len(groups), dtype=bool)
        for style in styles:
            lookalike |= ~self.usable[style]
        # Where line art cannot tell concepts apart, colour does; the same for flags and plain shapes.
        self.colour_matters = torch.from_numpy(
            lookalike | np.array([g.startswith(("flags/", "symbols/geometric")) for g in groups])
        )
        directed = ("flags/", "symbols/", "people-body/hand", "people-body/body", "objects/book")
        sided = ("left", "right", "clockwise", "oncoming", "o’clock", "thirty", "east", "west")
        self.may_flip = torch.tensor(
            [
                not c.group.startswith(directed) and not any(w in c.names["en"][0] for w in sided)
                for c in self.concepts
            ]
        )

    def __len__(self) -> int:
        return len(self.concepts)

    def _file(self, style: str, concept: Concept) -> Path:
        return self.path / "images" / style / f"{concept.id}.png"

    def _load(self, style: str) -> Tensor:
        """Transparent where a concept is not drawn."""
        out = np.zeros((len(self.concepts), 4, self.size, self.size), dtype=np.uint8)
        for index in np.flatnonzero(self.drawn[style]):
            file = self._file(style, self.concepts[index])
            try:
                with Image.open(file) as picture:
                    rgba = picture.convert("RGBA")
            except OSError as error:
                raise DatasetError(f"{file} cannot be read: {error}") from error
            if rgba.width != self.size:
                rgba = rgba.resize((self.size, self.size), Image.Resampling.LANCZOS)
            out[index] = np.asarray(rgba).transpose(2, 0, 1)
        return torch.from_numpy(out)

    def plain(self, style: str) -> Tensor:
        """Every concept that a style draws, on white, unaltered: (drawn, 3, s, s) normalised float32."""
        rgba = self.sprites[style][torch.from_numpy(self.drawn[style])].float() / 255
        return normalise_pixels(augment.over(torch.ones(len(rgba), 3, self.size, self.size), rgba))

    def redrawn(self, style: str, variety: augment.Variety, *, seed: int = 0) -> Tensor:
        """Every concept that a style draws once, changed at random as in training; shaped like `plain`."""
        torch.manual_seed(seed)
        parts = [
            augment.single(
                self.sprites[style][rows].float() / 255,
                spare_colour=self.colour_matters[rows],
                may_flip=self.may_flip[rows],
                variety=variety,
            )
            for rows in torch.from_numpy(np.flatnonzero(self.drawn[style])).split(256)
        ]
        return normalise_pixels(torch.cat(parts))


def normalise_pixels(rgb: Tensor) -> Tensor:
    return (rgb - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def _distinct(sprites: Tensor, threshold: float = 0.02) -> npt.NDArray[np.bool_]:
    """False for drawings that some other drawing of the style resembles: RMS pixel difference below `threshold`."""
    rgba = sprites.float() / 255
    white = augment.over(torch.ones(len(rgba), 3, *rgba.shape[2:]), rgba)
    small = torch.nn.functional.adaptive_avg_pool2d(white, 24).flatten(1)
    distance = torch.cdist(small, small) / small.shape[1] ** 0.5
    distance.fill_diagonal_(1.0)
    near: npt.NDArray[np.bool_] = (distance.amin(1) >= threshold).numpy()
    return near


class CaptionWriter:
    """Random captions of concepts as token ids."""

    def __init__(self, concepts: Sequence[Concept], data: Data, tokenizer: NgramTokenizer) -> None:
        self.concepts = concepts
        self.data = data
        self.tokenizer = tokenizer

    def _term(self, concept: Concept, language: str, rng: np.random.Generator) -> str:
        names, words = concept.names[language], concept.keywords[language]
        name = names[0] if len(names) == 1 or rng.random() < 0.6 else names[int(rng.integers(len(names)))]
        if not words or rng.random() >= self.data.keywords:
            return name
        word = words[int(rng.integers(len(words)))]
        kind = rng.random()
        if kind < 0.4:
            return f"{name} {word}"
        if kind < 0.8 and len(words) > 1:  # several keywords together, without the name
            chosen = rng.permutation(len(words))[: int(rng.integers(2, 4))]
            return " ".join(words[int(i)] for i in chosen)
        return word

    def caption(self, indices: Sequence[int], rng: np.random.Generator) -> list[int]:
        """Token ids of one caption that names all of `indices`, in one random language."""
        language = self.data.languages[int(rng.integers(len(self.data.languages)))]
        text = joined([self._term(self.concepts[i], language, rng) for i in indices], language, rng)
        if rng.random() < self.data.phrases:
            text = in_phrase(text, language, rng)
        return self.tokenizer.ids(text)


def draw_batch(
    dataset: Pictographs,
    writer: CaptionWriter,
    data: Data,
    *,
    styles: Sequence[str],
    seed: int,
    step: int,
    variety: augment.Variety = augment.ROUGH,
    shared: bool = False,
) -> Batch:
    """The batch of a step. Pictures and captions are in the same order of concepts, scenes last.

    With `shared`, scenes are made of a few of the batch's concepts, so that many have one in common.
    """
    rng = np.random.default_rng((seed, step))
    torch.manual_seed(int(rng.integers(2**62)))
    # A fresh order of all concepts per epoch; each step takes its slice, so that all are seen equally often.
    per_epoch = len(dataset) // min(data.concepts, len(dataset))
    order = np.random.default_rng((seed, 1 << 40, step // per_epoch)).permutation(len(dataset))
    first = (step % per_epoch) * data.concepts
    chosen = order[first : first + data.concepts]

    usable = np.stack([dataset.usable[s] for s in styles])  # (styles, concepts)
    pictures: list[Tensor] = []
    which: list[int] = []
    captions: list[list[int]] = []
    for concept in chosen:
        open_styles = np.flatnonzero(usable[:, concept])
        if not len(open_styles):
            open_styles = np.arange(len(styles))
        elif len(open_styles) > 2 and rng.random() < 0.5:
            # Line art is a second version of a style that is there already: half its share.
            open_styles = np.array([i for i in open_styles.tolist() if styles[i] != "openmoji-black"])
        pair = rng.permutation(open_styles)[:2]
        if len(pair) == 1:
            pair = np.repeat(pair, 2)
        for style in pair:
            pictures.append(dataset.sprites[styles[int(style)]][int(concept)])
            which.append(int(concept))
        captions.extend(writer.caption([int(concept)], rng) for _ in range(2))
    index = torch.tensor(which)
    pixels = augment.single(
        augment.blend(torch.stack(pictures).float() / 255, variety.blend),
        spare_colour=dataset.colour_matters[index],
        may_flip=dataset.may_flip[index],
        variety=variety,
    )
    sets = torch.full((len(which), 3), -1, dtype=torch.int64)
    sets[:, 0] = index
    text_sets = sets
    if data.scenes:
        pool = chosen[: max(3, 2 * data.scenes // 3)] if shared else np.arange(len(dataset))
        scene_pixels, scene_sets, scene_captions = _scenes(
            dataset, writer, data, styles, usable, pool, rng, variety
        )
        pixels = torch.cat([pixels, scene_pixels])
        sets = torch.cat([sets, scene_sets])
        text_sets = torch.cat([text_sets, scene_sets])
        captions.extend(scene_captions)
    ids, mask = pad(captions)
    return Batch(normalise_pixels(pixels), sets, torch.from_numpy(ids), torch.from_numpy(mask), text_sets)


def draw_captions(writer: CaptionWriter, *, count: int, scenes: float, seed: int, step: int) -> Captions:
    """Captions without pictures for a step; a share of `scenes` of them names two or three concepts."""
    rng = np.random.default_rng((seed, 1 << 41, step))
    torch.manual_seed(int(rng.integers(2**62)))
    sets = torch.full((count, 3), -1, dtype=torch.int64)
    rows = []
    for row in range(count):
        size = 1 if rng.random() >= scenes else int(rng.integers(2, 4))
        chosen = rng.choice(len(writer.concepts), size, replace=False)
        rows.append(writer.caption([int(i) for i in chosen], rng))
        sets[row, :size] = torch.from_numpy(np.sort(chosen))
    ids, mask = pad(rows)
    return Captions(torch.from_numpy(ids), torch.from_numpy(mask), sets)


def draw_scenes(
    dataset: Pictographs,
    writer: CaptionWriter,
    data: Data,
    *,
    style: str,
    count: int,
    variety: augment.Variety,
    seed: int = 0,
) -> tuple[Tensor, Tensor, Captions]:
    """Scenes of one style with a caption each: normalised pictures (count, 3, s, s), their concepts, the captions."""
    torch.manual_seed(seed)
    pixels, sets, rows = _scenes(
        dataset,
        writer,
        replace(data, scenes=count),
        [style],
        dataset.usable[style][None],
        np.flatnonzero(dataset.drawn[style]),
        np.random.default_rng(seed),
        variety,
    )
    ids, mask = pad(rows)
    captions = Captions(torch.from_numpy(ids), torch.from_numpy(mask), sets)
    return normalise_pixels(pixels), sets, captions


def _scenes(
    dataset: Pictographs,
    writer: CaptionWriter,
    data: Data,
    styles: Sequence[str],
    usable: npt.NDArray[np.bool_],
    pool: npt.NDArray[np.int64],
    rng: np.random.Generator,
    variety: augment.Variety,
) -> tuple[Tensor, Tensor, list[list[int]]]:
    sets = torch.full((data.scenes, 3), -1, dtype=torch.int64)
    sprites = torch.zeros(data.scenes, 3, 4, dataset.size, dataset.size)
    captions: list[list[int]] = []
    for row in range(data.scenes):
        count = 2 if rng.random() < 0.6 else 3
        chosen = rng.permutation(pool)[:count]
        good = np.flatnonzero(usable[:, chosen].all(1))  # one style for the whole scene
        style = styles[int(rng.choice(good) if len(good) else rng.integers(len(styles)))]
        for place, concept in enumerate(chosen):
            sprites[row, place] = dataset.sprites[style][int(concept)].float() / 255
        captions.append(writer.caption([int(i) for i in chosen], rng))
        sets[row, :count] = torch.from_numpy(np.sort(chosen))
    known = sets.clamp(min=0)
    pixels = augment.scene(
        sprites,
        sets >= 0,
        spare_colour=dataset.colour_matters[known] & (sets >= 0),
        may_flip=dataset.may_flip[known],
        variety=variety,
    )
    return pixels, sets, captions
