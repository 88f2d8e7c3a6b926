"""`babelens finetune` as a user runs it: on a captions file and on a collection."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

import babelens
from babelens.cli.app import run as babelens_command
from babelens.cli.finetune import _folder_of_run
from babelens.demo.bundled import load_gallery

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

COLOURS = {
    "red": ("rojo", (210, 40, 40)),
    "green": ("verde", (40, 150, 60)),
    "blue": ("azul", (40, 70, 200)),
    "brown": ("marrón", (120, 75, 40)),
}
SHAPES = ("stripes", "dots", "frame", "cross", "half")
SPANISH = {"stripes": "rayas", "dots": "puntos", "frame": "marco", "cross": "cruz", "half": "mitad"}


@pytest.fixture(scope="module")
def patterns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """160 patterns that no drawing of `mini` looks like, and some of the gallery's pictures in ``kept.jsonl``."""
    folder = tmp_path_factory.mktemp("patterns")
    draw = random.Random(0)
    rows = []
    for number in range(160):
        colour, shape = draw.choice(list(COLOURS)), draw.choice(SHAPES)
        spanish, rgb = COLOURS[colour]
        picture = Image.new("RGB", (72, 72), "white")
        paint(ImageDraw.Draw(picture), shape, tuple(c + draw.randint(-25, 25) for c in rgb), draw)
        picture.save(folder / f"{number}.png")
        captions = {"en": [f"{colour} {shape}"], "es": [f"{SPANISH[shape]} de color {spanish}"]}
        rows.append({"image": f"{number}.png", "captions": captions})
    write(folder / "captions.jsonl", rows)
    few = load_gallery().pictures[:24]
    write(
        folder / "kept.jsonl",
        [{"image": str(one.path), "captions": {"en": one.captions["en"]}} for one in few],
    )
    return folder


def write(file: Path, rows: list[dict[str, object]]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def paint(canvas: ImageDraw.ImageDraw, shape: str, colour: tuple[int, ...], draw: random.Random) -> None:
    shift = draw.randint(-4, 4)
    if shape == "stripes":
        for left in range(shift, 72, 16):
            canvas.rectangle((left, 0, left + 7, 72), fill=colour)
    elif shape == "dots":
        for x in range(4 + shift, 72, 18):
            for y in range(4, 72, 18):
                canvas.ellipse((x, y, x + 9, y + 9), fill=colour)
    elif shape == "frame":
        canvas.rectangle((6 + shift, 6, 66 + shift, 66), outline=colour, width=9)
    elif shape == "cross":
        canvas.line((4, 4 + shift, 68, 68), fill=colour, width=10)
        canvas.line((4, 68, 68, 4 + shift), fill=colour, width=10)
    else:
        canvas.rectangle((0, 36 + shift, 72, 72), fill=colour)


def run(patterns: Path, capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    few = ("--batch-size", "16", "--epochs", "1", "--languages", "en,es", "--keep", patterns / "kept.jsonl")
    code = babelens_command(["finetune", *map(str, arguments), *map(str, few)])
    out, err = capsys.readouterr()
    return code, out, err


def test_what_helps_is_published_and_told_in_a_report(
    patterns: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tuned"
    command = (patterns / "captions.jsonl", "--out", out, "--tolerance", "100", "--json")
    code, printed, err = run(patterns, capsys, *command)
    assert code == 0, err
    found = json.loads(printed)
    assert found["verdict"]["better"]
    assert found["blended"]["mean"] > found["base"]["mean"]
    written = {file.name for file in out.iterdir()}
    assert written >= {"report.json", "report.md", "report.html", "encoder", "log.jsonl"}
    assert "fine-tuned from mini" in (out / "encoder" / "README.md").read_text("utf-8")
    # Another run in the folder would overwrite it.
    code, _, err = run(patterns, capsys, *command)
    assert code == 1
    assert "--resume" in err


def test_a_collection_learns_from_its_own_captions_and_is_encoded_anew(
    patterns: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "collection"
    with babelens.Collection.open(folder, model="mini") as collection:
        collection.add(patterns, captions=[patterns / "captions.jsonl"])
    code, printed, err = run(patterns, capsys, "-c", folder, "--tolerance", "100")
    assert code == 0, err
    assert "Better" in printed
    with babelens.Collection.open(folder, create=False) as collection:
        assert collection.model == str(folder / "finetuning" / "encoder")
    moved = folder.rename(tmp_path / "moved")
    with babelens.Collection.open(moved, create=False) as collection:
        assert collection.model == str(moved / "finetuning" / "encoder")
        assert collection.search("red dots", k=3).hits


def test_data_and_collection_are_one_too_many(
    patterns: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(patterns, capsys, "data.jsonl", "-c", "x", "--out", tmp_path)
    assert code == 2
    assert "leave one away" in err


def test_every_run_of_a_collection_has_a_folder_of_its_own(tmp_path: Path) -> None:
    first, second = tmp_path / "finetuning", tmp_path / "finetuning-2"
    assert _folder_of_run(tmp_path, resume=False) == _folder_of_run(tmp_path, resume=True) == first
    first.mkdir()
    assert _folder_of_run(tmp_path, resume=False) == first, "it was stopped, and is told to be resumed"
    (first / "report.json").write_text("{}")
    assert _folder_of_run(tmp_path, resume=False) == second
    assert _folder_of_run(tmp_path, resume=True) == first
    second.mkdir()
    assert _folder_of_run(tmp_path, resume=True) == second
