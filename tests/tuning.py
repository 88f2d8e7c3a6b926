"""Drawings with captions in several languages, and small encoders with random weights, to fine-tune in seconds."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw

from babelens.finetuning.data import Data, Files, read_data
from babelens.finetuning.measure import measure
from babelens.finetuning.run import Run
from babelens.finetuning.settings import Settings
from babelens.finetuning.tunable import Tunable
from babelens.models.encoder import TwoTowerEncoder
from babelens.models.export import write_towers
from babelens.models.layouts import read_towers
from babelens.models.ngrams import NgramTokenizer
from babelens.models.preprocess import Preprocess
from babelens.models.torch import RUNTIME, image_forward, text_forward
from babelens.models.towers import ImageTower, TextTower
from babelens.training import towers
from babelens.training.export import served_text
from babelens.training.recipe import Model

SIZE, DIM = 24, 16
COLOURS = {"red": (210, 40, 40), "green": (40, 160, 60), "blue": (50, 60, 210), "yellow": (230, 210, 40)}
SHAPES = ("disc", "square", "cross")
GROUNDS = {"dark": (30, 30, 40), "light": (235, 235, 225)}
WORDS = {
    "en": dict(zip((*COLOURS, *SHAPES, *GROUNDS), (*COLOURS, *SHAPES, *GROUNDS), strict=True)),
    "de": {"red": "rot", "green": "grün", "blue": "blau", "yellow": "gelb"}
    | {"disc": "Scheibe", "square": "Quadrat", "cross": "Kreuz", "dark": "dunkel", "light": "hell"},
    "hi": {"red": "लाल", "green": "हरा", "blue": "नीला", "yellow": "पीला"}
    | {"disc": "चक्र", "square": "वर्ग", "cross": "क्रॉस", "dark": "अँधेरा", "light": "उजला"},
}
# No smaller: of matrices below 8,192 numbers the exporter makes constants of other names.
MODEL = Model(
    dim=DIM, image_size=SIZE, widths=(64, 32, 32), depths=(1, 1, 1), mix_style=0.0, style_free=1, buckets=512,
    text_width=16, gram_dropout=0.0,
)  # fmt: skip


def drawing(shape: str, colour: str, ground: str, rng: random.Random) -> Image.Image:
    """A shape somewhere on a ground: no two are alike."""
    picture = Image.new("RGB", (40, 40), GROUNDS[ground])
    pen = ImageDraw.Draw(picture)
    for _ in range(3):
        x, y = rng.randrange(40), rng.randrange(40)
        pen.line((x, y, x + 7, y + rng.randrange(-4, 5)), fill=tuple(rng.randrange(256) for _ in range(3)))
    side = rng.randrange(18, 26)
    x, y = rng.randrange(40 - side), rng.randrange(40 - side)
    box = (x, y, x + side, y + side)
    if shape == "disc":
        pen.ellipse(box, fill=COLOURS[colour])
    elif shape == "square":
        pen.rectangle(box, fill=COLOURS[colour])
    else:
        pen.line(box, fill=COLOURS[colour], width=6)
        pen.line((x, y + side, x + side, y), fill=COLOURS[colour], width=6)
    return picture


def write_lines(file: Path, rows: Sequence[object]) -> Path:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    file.write_text(text, encoding="utf-8")
    return file


def write_split(
    folder: Path, name: str, count: int, *, seed: int = 0, languages: Sequence[str] = ("en", "de")
) -> Path:
    """``name``.jsonl with ``count`` pictures that show all combinations in turn, two captions in each language."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rng = random.Random(f"{name} {seed}")
    things = [(s, c, g) for g in GROUNDS for s in SHAPES for c in COLOURS]
    rows = []
    for number in range(count):
        shape, colour, ground = things[number % len(things)]
        image = f"images/{name}-{seed}-{number:03}.png"
        drawing(shape, colour, ground, rng).save(folder / image)
        captions = {
            tag: [
                f"{words[colour]} {words[shape]}, {words[ground]}",
                f"{words[shape]} {words[colour]} {words[ground]}",
            ]
            for tag, words in WORDS.items()
            if tag in languages
        }
        rows.append({"image": image, "captions": captions})
    return write_lines(folder / f"{name}.jsonl", rows)


def write_data(
    folder: Path, *, counts: Sequence[int] = (48, 24, 48), languages: Sequence[str] = ("en", "de")
) -> Path:
    for name, count in zip(("train", "val", "test"), counts, strict=True):
        write_split(folder, name, count, languages=languages)
    return folder


def rows_of(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


# -- encoders ----------------------------------------------------------------------------------------------------


def own_towers(seed: int = 0) -> tuple[towers.ImageTower, towers.TextTower]:
    """With running statistics of their own, as after training."""
    torch.manual_seed(seed)
    image, text = towers.ImageTower(MODEL), towers.TextTower(MODEL)
    with torch.no_grad():
        for part in image.modules():
            if isinstance(part, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                part.running_mean.normal_(0, 0.1)
                part.running_var.uniform_(0.5, 1.5)
                part.weight.uniform_(0.5, 1.5)
                part.bias.normal_(0, 0.1)  # the exporter writes equal constants once
        for norm in (text.norm1, text.norm2):
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_(0, 0.1)
        text.weight.weight.normal_()
    return image.eval(), text.eval()


def own_encoder(seed: int = 0) -> TwoTowerEncoder:
    """As `babelens train` makes them, on PyTorch: no export is needed to train it."""
    image, text = own_towers(seed)
    served = served_text(text)
    rule = Preprocess(SIZE, "squash", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), reducing_gap=3.0)
    return TwoTowerEncoder(
        "own",
        f"r{seed}",
        ImageTower(DIM, rule, (), RUNTIME, lambda: image_forward(image), module=lambda: image),
        TextTower(
            DIM,
            lambda: NgramTokenizer(buckets=MODEL.buckets),
            (),
            RUNTIME,
            lambda: text_forward(served),
            module=lambda: served,
        ),
        languages=("en", "de", "hi"),
    )


def write_own(folder: Path, *, seed: int = 0) -> Path:
    """The same as a folder of ONNX graphs."""
    folder.mkdir(parents=True)
    write_towers(own_encoder(seed), folder, "fp32")
    return folder


def own(seed: int = 0) -> Tunable:
    """`own_encoder` taken apart. The weights that are trained are not those that are served, as with files."""
    image, text = own_towers(seed)
    return Tunable(own_encoder(seed), image, text, own=True)


def add_text_tower(encoder: TwoTowerEncoder, folder: Path) -> TwoTowerEncoder:
    """The pictures of one encoder with the texts of a folder that holds a text tower alone."""
    text = read_towers(folder, runtime="torch").text
    assert text is not None
    return TwoTowerEncoder("two places", "1", encoder.image_tower, text, languages=encoder.languages)


# -- runs --------------------------------------------------------------------------------------------------------


def read(folder: Path, tunable: Tunable, *, languages: Sequence[str] = ("en", "de")) -> Data:
    files = Files(*(folder / f"{name}.jsonl" for name in ("train", "val", "test")))
    return read_data(files, tunable.base.image_tower.preprocess, languages=languages)


def begin(
    tunable: Tunable, data: Path, out: Path, settings: Settings, *, chunk_size: int = 0, kind: type[Run] = Run
) -> Run:
    """A run before its first step."""
    pictures = read(data, tunable, languages=settings.languages)
    base = measure(tunable, pictures.validation)
    return kind(tunable, pictures, settings, out, base=base, chunk_size=chunk_size)


def settings(**changes: Any) -> Settings:
    """Such as suit the encoders and data of this module."""
    usual = {"languages": ("en", "de"), "batch_size": 16, "learning_rate": 5e-3, "epochs": 1.0, "patience": 0}
    return Settings(**(usual | changes))
