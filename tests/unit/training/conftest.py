"""A pictograph data set of a few plain shapes, in the layout that `babelens dataset pictographs` writes."""

from __future__ import annotations

import json
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
