from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from babelens.dataset import check, convert, read_pictures
from babelens.errors import DatasetError

from .conftest import Draw, lines


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def messy(tmp_path: Path, draw: Draw) -> Path:
    a, b, broken = draw("images", "a.png", "b.png", "broken.png")
    (tmp_path / broken).write_bytes((tmp_path / broken).read_bytes()[:40])
    return lines(
        tmp_path / "messy set.jsonl",
        [
            {"image": a, "captions": {"en": ["A dog", "a  dog", ""], "ar": ["كلب"], "ko": ["개"]}},
            {"image": b, "captions": {"en": ["two\n cats"], "hi": ["cats"]}},
            {"image": broken, "captions": {"en": ["torn"]}},
            {"image": "images/gone.png", "captions": {"en": ["lost"]}},
        ],
    )


def test_one_line_for_each_picture_and_language(tmp_path: Path, messy: Path) -> None:
    report = convert(messy, tmp_path / "out", licence="mine", command="babelens dataset convert …")
    assert list(report.files) == ["messy-set"]
    assert rows_of(report.files["messy-set"]) == [
        {"image": "../images/a.png", "language": "en", "captions": ["A dog"]},
        {"image": "../images/a.png", "language": "ar", "captions": ["كلب"]},
        {"image": "../images/b.png", "language": "en", "captions": ["two cats"]},
    ]
    assert dict(report.images) == {"messy-set": 2}
    statistics = report.splits["messy-set"]["en"]
    assert (statistics.pictures, statistics.captions, statistics.words, statistics.shared) == (2, 2, 2, 0)
    assert report.reasons == {
        "repeated caption (en)": 1,
        "empty-caption (en)": 1,
        "another language (ko)": 1,
        "wrong-script (hi)": 1,
        "missing picture": 1,
        "unreadable picture": 1,
    }
    assert [row["reason"] for row in rows_of(tmp_path / "out" / "dropped.jsonl")] == [
        skip.reason for skip in report.dropped
    ]
    assert check([report.files["messy-set"]]).ok
    assert [picture.path.name for picture in read_pictures(tmp_path / "out")] == ["a.png", "b.png"]


def test_checksums_and_card(tmp_path: Path, messy: Path) -> None:
    convert(messy, tmp_path / "out", name="pets", command="babelens dataset convert …")
    sums = dict(
        reversed(line.split("  ")) for line in (tmp_path / "out" / "SHA256SUMS").read_text().splitlines()
    )
    assert set(sums) == {"pets.jsonl", "dropped.jsonl"}
    for name, digest in sums.items():
        assert hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == digest
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# pets\n")
    for part in (
        hashlib.sha256(messy.read_bytes()).hexdigest(),
        "babelens dataset convert …",
        "not known to this tool",
        "| pets.jsonl | English (en) | 2 | 2 | 1.00 |",
        "| missing picture | 1 |",
        "error: unreadable, 1",
    ):
        assert part in card


def karpathy(folder: Path, images: dict[str, str]) -> Path:
    path = folder / "dataset_mine.json"
    records = [
        {"filename": name, "split": split, "sentences": [{"raw": f"picture {name}"}]}
        for name, split in images.items()
    ]
    path.write_text(json.dumps({"images": records}))
    return path


def test_a_source_that_names_splits_gives_a_file_for_each(tmp_path: Path, draw: Draw) -> None:
    draw("images", "a.png", "b.png", "c.png", "d.png")
    source = karpathy(tmp_path, {"a.png": "train", "b.png": "restval", "c.png": "val", "d.png": "test"})
    report = convert(source, tmp_path / "out", language="en")
    assert dict(report.images) == {"train": 2, "val": 1, "test": 1}
    assert rows_of(tmp_path / "out" / "test.jsonl") == [
        {"image": "../images/d.png", "language": "en", "captions": ["picture d.png"]}
    ]
    only = convert(source, tmp_path / "only", language="en", split="val")
    assert dict(only.images) == {"val": 1}
    with pytest.raises(DatasetError, match="test, train, val"):
        convert(source, tmp_path / "x", language="en", split="dev")


def test_a_split_of_which_nothing_is_left_is_an_error(tmp_path: Path, draw: Draw) -> None:
    draw("images", "a.png")
    source = karpathy(tmp_path, {"a.png": "train", "gone.png": "test"})
    with pytest.raises(DatasetError, match="split test"):
        convert(source, tmp_path / "out", language="en")
    with pytest.raises(DatasetError, match="--language"):
        convert(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_a_data_set_is_left_alone(tmp_path: Path, messy: Path) -> None:
    convert(messy, tmp_path / "out")
    before = (tmp_path / "out" / "README.md").read_bytes()
    with pytest.raises(DatasetError, match="already holds"):
        convert(messy, tmp_path / "out", name="again")
    assert (tmp_path / "out" / "README.md").read_bytes() == before
    assert not list((tmp_path / "out").glob("again*"))


def test_a_set_without_splits_may_be_one(tmp_path: Path, messy: Path) -> None:
    assert list(convert(messy, tmp_path / "out", split="test").files) == ["test"]


def test_real_photographs(tmp_path: Path, sample_data: Path) -> None:
    report = convert(sample_data / "coco51", tmp_path / "out", language="en")
    assert (dict(report.images), report.dropped) == ({"captions": 51}, ())
    statistics = report.splits["captions"]["en"]
    assert (statistics.captions, statistics.pictures) == (255, 51)
