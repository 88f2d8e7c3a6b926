"""Tiny data sets of plain shapes: pictographs as `babelens dataset pictographs` writes them, and "photographs"."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

COLOURS = {"red": (220, 40, 40), "green": (40, 170, 60), "blue": (50, 60, 220), "yellow": (230, 210, 40)}
SHAPES = ("disc", "square", "cross")
STYLES = ("filled", "framed")
LANGUAGES = ("en", "es", "fr", "hi", "de", "it", "ja", "ar")


def draw(shape: str, colour: tuple[int, int, int], style: str) -> Image.Image:
    picture = Image.new("RGBA", (48, 48), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    edge = (0, 0, 0) if style == "framed" else colour
    if shape == "disc":
        pen.ellipse((6, 6, 42, 42), fill=colour, outline=edge, width=3)
    elif shape == "square":
        pen.rectangle((8, 8, 40, 40), fill=colour, outline=edge, width=3)
    else:
        pen.line((8, 8, 40, 40), fill=colour, width=9)
        pen.line((8, 40, 40, 8), fill=edge, width=9)
    return picture


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    rows: list[dict[str, Any]] = []
    for shape in SHAPES:
        for colour, value in COLOURS.items():
            name = f"{colour} {shape}"
            identifier = f"{shape}-{colour}"
            for style in STYLES:
                (folder / "images" / style).mkdir(parents=True, exist_ok=True)
                draw(shape, value, style).save(folder / "images" / style / f"{identifier}.png")
            rows.append(
                {
                    "id": identifier,
                    "group": "shapes/plain",
                    "names": {tag: [f"{name} {tag}"] for tag in LANGUAGES},
                    "keywords": {tag: [colour, shape] for tag in LANGUAGES},
                }
            )
    (folder / "concepts.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    (folder / "dataset.json").write_text(json.dumps({"format": 1, "styles": list(STYLES)}), encoding="utf-8")
    return folder


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.toml"
    file.write_text(
        """
[run]
seed = 3
steps = 8
validate_every = 4
checkpoint_every = 2
threads = 1
[data]
styles = ["filled", "framed"]
concepts = 6
scenes = 2
[model]
dim = 16
image_size = 24
small_size = 16
widths = [8, 16, 16]
depths = [1, 1, 1]
buckets = 512
text_width = 16
[optim]
warmup = 2
average = 0.9
""",
        encoding="utf-8",
    )
    return file


WORDS = {
    "en": {"red": "red", "green": "green", "blue": "blue", "yellow": "yellow"}
    | {"disc": "disc", "square": "square", "cross": "cross"},
    "de": {"red": "rot", "green": "grün", "blue": "blau", "yellow": "gelb"}
    | {"disc": "Scheibe", "square": "Quadrat", "cross": "Kreuz"},
    "ja": {"red": "赤い", "green": "緑の", "blue": "青い", "yellow": "黄色い"}
    | {"disc": "円", "square": "四角", "cross": "十字"},
}


def snap(shape: str, colour: tuple[int, int, int], rng: random.Random) -> Image.Image:
    """A shape somewhere in front of something noisy: no two are alike."""
    ground = tuple(rng.randrange(120, 240) for _ in range(3))
    picture = Image.new("RGB", (44, 36), ground)
    pen = ImageDraw.Draw(picture)
    for _ in range(4):
        x, y = rng.randrange(44), rng.randrange(36)
        pen.line((x, y, x + 9, y + rng.randrange(-4, 5)), fill=tuple(rng.randrange(256) for _ in range(3)))
    sprite = draw(shape, colour, "filled").resize((rng.randrange(20, 32),) * 2)
    picture.paste(sprite, (rng.randrange(14), rng.randrange(6)), sprite)
    return picture


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captions in three languages; German is missing for some pictures, and one English caption says "left"."""
    folder = tmp_path_factory.mktemp("photographs")
    (folder / "images").mkdir()
    rng = random.Random(5)
    for part, count in (("train", 5), ("val", 2)):
        rows = []
        for shape in SHAPES:
            for colour, value in COLOURS.items():
                for number in range(count):
                    name = f"images/{part}-{shape}-{colour}-{number}.png"
                    snap(shape, value, rng).save(folder / name)
                    captions = {
                        tag: [f"{words[colour]} {words[shape]}", f"{words[shape]}, {words[colour]}"]
                        for tag, words in WORDS.items()
                        if tag != "de" or number
                    }
                    rows.append({"image": name, "captions": captions})
        rows[7]["captions"]["en"].append("the shape on the left")
        (folder / f"{part}.jsonl").write_text(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
        )
    return folder


@pytest.fixture
def photograph_recipe(tmp_path: Path) -> Path:
    file = tmp_path / "photographs.toml"
    file.write_text(
        """
[run]
seed = 3
steps = 8
validate_every = 4
checkpoint_every = 2
threads = 1
[data]
kind = "photographs"
languages = ["en", "de", "ja"]
pictures = 12
side = 28
[model]
dim = 16
image_size = 24
small_size = 16
small_share = 0.5
widths = [8, 16, 16]
depths = [1, 1, 1]
mix_style = 0.0
style_free = 0
dropout = 0.1
buckets = 512
text_width = 16
[optim]
warmup = 2
average = 0.9
""",
        encoding="utf-8",
    )
    return file


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded pictures stay out of the user's cache."""
    monkeypatch.setenv("BABELENS_CACHE", str(tmp_path / "cache"))
