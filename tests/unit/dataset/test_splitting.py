from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from babelens.dataset import check, read_pictures, split
from babelens.errors import DatasetError, MalformedDataError, UnreadableFileError


def picture(folder: Path, name: str, shade: int) -> str:
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (8, 8), (shade, shade, 255 - shade)).save(folder / name)
    return f"{folder.name}/{name}"


def write(path: Path, rows: Sequence[Mapping[str, Any] | str]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return tmp_path / "images"


@pytest.fixture
def hundred(tmp_path: Path, images: Path) -> Path:
    """A hundred pictures, of which 0 to 9 are ten copies of one."""
    rows = []
    for n in range(100):
        name = picture(images, f"{n}.png", max(n, 9))
        rows += [{"image": name, "captions": [f"picture {n}"], "licence": "mine"}] * (2 if n == 50 else 1)
    return write(tmp_path / "all.jsonl", rows)


def images_of(folder: Path, name: str) -> set[str]:
    lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return {Path(json.loads(line)["image"]).name for line in lines}


def test_a_split_keeps_every_picture_once_and_leaks_none(tmp_path: Path, hundred: Path) -> None:
    report = split(hundred, tmp_path / "out", seed=1)
    assert sum(report.images.values()) == 100
    assert abs(report.images["train"] - 70) <= 10
    assert abs(report.images["val"] - 15) <= 10
    parts = [images_of(tmp_path / "out", name) for name in ("train", "val", "test")]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 100
    copies = {f"{n}.png" for n in range(10)}
    assert sum(bool(copies & part) for part in parts) == 1
    checked = check([tmp_path / "out" / f"{name}.jsonl" for name in ("train", "val", "test")])
    assert checked.ok, checked.findings
    record = json.loads((tmp_path / "out" / "split.json").read_text())
    assert (record["seed"], record["images"]) == (1, dict(report.images))


def test_a_split_depends_on_the_seed_and_not_on_the_order_of_lines(tmp_path: Path, hundred: Path) -> None:
    lines = hundred.read_text().splitlines()
    other = write(tmp_path / "other.jsonl", lines[::-1])
    for file, name, seed in ((hundred, "a", 1), (other, "b", 1), (hundred, "c", 2)):
        split(file, tmp_path / name, seed=seed)
    test_sets = {name: images_of(tmp_path / name, "test") for name in "abc"}
    assert test_sets["a"] == test_sets["b"] != test_sets["c"]


def test_fields_that_are_not_ours_are_kept(tmp_path: Path, hundred: Path) -> None:
    split(hundred, tmp_path / "deep" / "out", shares=(1, 0, 0))
    rows = [json.loads(line) for line in (tmp_path / "deep" / "out" / "train.jsonl").read_text().splitlines()]
    assert len(rows) == 101
    assert all(row["licence"] == "mine" and row["image"].startswith("../../images/") for row in rows)


def test_a_published_split_is_taken_as_it_is(tmp_path: Path, hundred: Path) -> None:
    splits = ["train"] * 60 + ["restval"] * 10 + ["val"] * 10 + ["test"] * 10
    entries = [{"filename": f"{n}.png", "split": name} for n, name in enumerate(splits)]
    karpathy = tmp_path / "dataset_mine.json"
    karpathy.write_text(json.dumps({"images": entries}))
    report = split(hundred, tmp_path / "out", karpathy=karpathy)
    assert dict(report.images) == {"train": 70, "val": 10, "test": 10}
    assert report.left_out == 10
    assert images_of(tmp_path / "out", "test") == {f"{n}.png" for n in range(80, 90)}


def test_what_cannot_be_split_is_refused(tmp_path: Path, hundred: Path) -> None:
    split(hundred, tmp_path / "out")
    with pytest.raises(DatasetError, match=r"already holds train\.jsonl"):
        split(hundred, tmp_path / "out")
    with pytest.raises(UnreadableFileError, match="empty file"):
        split(write(tmp_path / "empty.jsonl", [""]), tmp_path / "x")
    with pytest.raises(MalformedDataError, match="line 2"):
        split(
            write(tmp_path / "bad.jsonl", ['{"image": "images/1.png", "captions": ["a"]}', "{"]),
            tmp_path / "x",
        )
    with pytest.raises(UnreadableFileError, match="not a Karpathy split"):
        split(hundred, tmp_path / "x", karpathy=write(tmp_path / "k.json", ["[]"]))
    with pytest.raises(UnreadableFileError, match=r"gone\.png"):
        split(write(tmp_path / "gone.jsonl", [{"image": "gone.png", "captions": []}]), tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_split_that_has_a_share_but_no_picture_is_refused(tmp_path: Path, images: Path) -> None:
    rows = [{"image": picture(images, f"{n}.png", n), "captions": {"en": ["x"]}} for n in range(2)]
    source = write(tmp_path / "two.jsonl", rows)
    with pytest.raises(DatasetError, match="of 2 pictures"):
        split(source, tmp_path / "x")
    assert not (tmp_path / "x").exists()
    assert split(source, tmp_path / "y", shares=(1, 1, 0)).images == {"train": 1, "val": 1, "test": 0}
    published = tmp_path / "k.json"
    names = [("0.png", "train"), ("1.png", "val"), ("2.png", "test")]
    published.write_text(json.dumps({"images": [{"filename": n, "split": part} for n, part in names]}))
    with pytest.raises(DatasetError, match="falls to test"):
        split(source, tmp_path / "x", karpathy=published)


def test_other_formats_become_lines_by_picture_and_language(tmp_path: Path, images: Path) -> None:
    for n in range(4):
        picture(images, f"{n}.png", n)
    source = tmp_path / "captions.txt"
    rows = [f"{n}.png,text {n} {part}" for n in range(4) for part in "ab"]
    source.write_text("\n".join(["image,caption", *rows]) + "\n")
    split(source, tmp_path / "out", shares=(1, 1, 0), language="en")
    lines = [
        json.loads(line)
        for name in ("train", "val")
        for line in (tmp_path / "out" / f"{name}.jsonl").read_text().splitlines()
    ]
    assert len(lines) == 4
    assert all(set(line) == {"image", "language", "captions"} for line in lines)
    assert all(len(line["captions"]) == 2 and line["language"] == "en" for line in lines)


def test_a_language_that_lines_do_not_state_is_written(tmp_path: Path, hundred: Path) -> None:
    split(hundred, tmp_path / "out", language="de")
    pictures = read_pictures(tmp_path / "out" / "train.jsonl")
    assert all(set(picture.captions) == {"de"} for picture in pictures)
