from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from babelens.dataset import check
from babelens.errors import UnreadableFileError


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


def kinds(report: Any) -> dict[str, int]:
    return dict(Counter(finding.kind for finding in report.findings))


def test_captions_that_cannot_be_what_they_say_are_errors(tmp_path: Path, images: Path) -> None:
    name = picture(images, "a.png", 1)
    captions = {"en": ["fish &amp; chips", "a dog"], "hi": ["a dog"], "fr": ["forÃªt"], "ar": ["كلب"]}
    report = check([write(tmp_path / "x.jsonl", [{"image": name, "captions": captions}])])
    assert kinds(report) == {"encoding-damage": 2, "wrong-script": 1}
    assert not report.ok


def test_a_language_that_most_pictures_have_is_missed_in_the_others(tmp_path: Path, images: Path) -> None:
    rows = [
        {
            "image": picture(images, f"{n}.png", n),
            "captions": {"en": [f"no {n}"]} | ({"de": ["x"]} if n else {}),
        }
        for n in range(4)
    ]
    rows[1]["captions"] |= {"it": ["solo qui"]}  # type: ignore[operator]
    report = check([write(tmp_path / "x.jsonl", rows)])
    (finding,) = report.findings
    assert (finding.severity, finding.kind) == ("warning", "missing-language")
    assert "1 of 4" in finding.problem
    assert "'de'" in finding.problem
    german = report.splits[0].languages["de"]
    assert (german.pictures, german.captions, german.shared, german.words) == (3, 3, 3, 1)


def test_splits_that_one_file_names_are_told_apart(tmp_path: Path, images: Path) -> None:
    for n in range(3):
        picture(images, f"{n}.png", n // 2)
    parts = [("0.png", "train"), ("1.png", "test"), ("2.png", "restval")]
    records = [{"filename": name, "split": part, "sentences": [{"raw": name}]} for name, part in parts]
    source = tmp_path / "dataset_x.json"
    source.write_text(json.dumps({"images": records}))
    report = check([source], language="en")
    assert [(part.split, part.images) for part in report.splits] == [("train", 2), ("test", 1)]
    assert kinds(report) == {"leak": 1}


def test_a_split_without_pictures_is_an_error(tmp_path: Path, images: Path) -> None:
    name = picture(images, "a.png", 1)
    train = write(tmp_path / "train.jsonl", [{"image": name, "captions": {"en": ["a"]}}])
    report = check([train, write(tmp_path / "test.jsonl", [])])
    assert found(report) == [("error", "empty-split", "test.jsonl")]


def test_published_formats_are_checked_too(tmp_path: Path, images: Path) -> None:
    picture(images, "a.png", 1)
    source = tmp_path / "results.csv"
    source.write_text("image_name| comment_number| comment\na.png| 0| a dog\nb.png| 0| a cat\na.png| 1|\n")
    report = check([source], language="English")
    assert kinds(report) == {"missing": 1, "empty-caption": 1}
    assert report.splits[0].captions == {"en": 2}
