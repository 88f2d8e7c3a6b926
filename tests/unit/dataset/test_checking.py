from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from babelens.dataset import check, split
from babelens.errors import DatasetError, MalformedDataError, UnreadableFileError


def picture(folder: Path, name: str, shade: int) -> str:
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (8, 8), (shade, shade, 255 - shade)).save(folder / name)
    return f"{folder.name}/{name}"


def write(path: Path, rows: Sequence[Mapping[str, Any] | str]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def found(report: Any) -> list[tuple[str, str, str]]:
    return sorted((f.severity, f.kind, f.where.rpartition("/")[2]) for f in report.findings)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return tmp_path / "images"


def test_a_sound_data_set_is_counted_by_language(tmp_path: Path, images: Path) -> None:
    a, b = picture(images, "a.png", 1), picture(images, "b.png", 2)
    file = write(
        tmp_path / "all.jsonl",
        [
            {"image": a, "captions": ["one", "two"], "language": "de"},
            {"image": b, "captions": {"en": ["one"], "hi": ["एक", "दो"]}},
        ],
    )
    seen: list[tuple[int, int | None]] = []
    report = check([file], progress=lambda done, total: seen.append((done, total)))
    assert report.ok
    assert report.findings == ()
    assert [(s.images, dict(s.captions)) for s in report.splits] == [(2, {"de": 2, "en": 1, "hi": 2})]
    assert seen == [(1, 2), (2, 2)]


def test_every_fault_is_found_where_it_is(tmp_path: Path, images: Path) -> None:
    names = [picture(images, f"{n}.png", n) for n in range(5)]
    (images / "broken.png").write_bytes((images / "0.png").read_bytes()[:40])
    (images / "copy.png").write_bytes((images / "1.png").read_bytes())
    (images / "twin.png").write_bytes((images / "0.png").read_bytes())
    train = write(
        tmp_path / "train.jsonl",
        [
            {"image": names[0], "captions": ["A dog", "a  DOG"]},
            {"image": names[1], "captions": ["a cat", "  "]},
            '{"image": "images/2.png", "captions": [',
            {"image": names[2], "captions": [1]},
            {"image": "images/broken.png", "captions": ["torn"]},
            {"image": "images/gone.png", "captions": ["lost"]},
            {"image": names[3], "captions": []},
            {"image": names[3], "captions": {"de": ["mehr"]}},
            {"image": names[0], "captions": ["a hound"]},
            {"image": "images/twin.png", "captions": ["the same as 0"]},
        ],
    )
    test = write(tmp_path / "test.jsonl", [{"image": "images/copy.png", "captions": ["a cat"]}])
    report = check([train, test])
    assert not report.ok
    assert found(report) == [
        ("error", "empty-caption", "train.jsonl:2"),
        ("error", "leak", "test.jsonl:1"),
        ("error", "malformed", "train.jsonl:3"),
        ("error", "malformed", "train.jsonl:4"),
        ("error", "missing", "train.jsonl:6"),
        ("error", "uncaptioned", "train.jsonl:7"),
        ("error", "unreadable", "train.jsonl:5"),
        ("warning", "copy", "train.jsonl:10"),
        ("warning", "repeated-caption", "train.jsonl:1"),
        ("warning", "unlisted", "2.png"),
        ("warning", "unlisted", "4.png"),
    ]


def test_warnings_alone_are_ok(tmp_path: Path, images: Path) -> None:
    name = picture(images, "a.png", 1)
    picture(images, "b.png", 2)
    assert check([write(tmp_path / "x.jsonl", [{"image": name, "captions": ["a"]}])]).ok


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError):
        check([tmp_path / "none.jsonl"])


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
