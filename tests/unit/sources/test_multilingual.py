"""Data sets with captions of many languages: XTD10 and Crossmodal-3600."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from babelens.errors import MalformedDataError, UnreadableFileError
from babelens.sources.captions import read_captions, read_records
from babelens.sources.xtd10 import captions_files, names_file

NAMES = ["COCO_train2014_000000000001.jpg", "COCO_val2014_000000000002.jpg"]


@pytest.fixture
def xtd10(tmp_path: Path) -> Path:
    """The folders of the published repository."""
    files = {
        "XTD10/test_image_names.txt": NAMES,
        "XTD10/test_1kcaptions_es.txt": ["un gato", "un perro"],
        "XTD10/test_1kcaptions_zh.txt": ["一只猫", "一只狗"],
        "MIC/test_1kcaptions_de.txt": ["eine Katze", "ein Hund"],
        "STAIR/test_1kcaptions_jp.txt": ["猫がいる", "犬がいる"],
    }
    for name, lines in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def read(path: Path) -> Mapping[str, list[tuple[str, str]]]:
    return {row.image: [(c.language, c.body) for c in row.captions] for row in read_captions(path)}


def test_xtd10_pairs_lines_with_names_in_all_folders(xtd10: Path) -> None:
    names = names_file(xtd10)
    assert names == names_file(xtd10 / "XTD10") == xtd10 / "XTD10" / "test_image_names.txt"
    assert list(captions_files(names)) == ["de", "es", "ja", "zh"]
    assert read(names) == {
        NAMES[0]: [("de", "eine Katze"), ("es", "un gato"), ("ja", "猫がいる"), ("zh", "一只猫")],
        NAMES[1]: [("de", "ein Hund"), ("es", "un perro"), ("ja", "犬がいる"), ("zh", "一只狗")],
    }


def test_xtd10_files_may_all_lie_in_one_folder_or_below_the_names(xtd10: Path) -> None:
    flat = xtd10 / "flat"
    (flat / "more").mkdir(parents=True)
    for file in list(xtd10.glob("*/test_*.txt")):
        (flat / ("more" if "jp" in file.name else "") / file.name).write_bytes(file.read_bytes())
    assert read(flat / "test_image_names.txt") == read(xtd10 / "XTD10" / "test_image_names.txt")


def test_an_empty_line_is_an_empty_caption_and_shifts_nothing(xtd10: Path) -> None:
    (xtd10 / "XTD10" / "test_1kcaptions_es.txt").write_text("\r\nun perro\r\n", encoding="utf-8")
    names = xtd10 / "XTD10" / "test_image_names.txt"
    texts = [dict(row.texts)["es"].strip() for row in read_records(names)]
    assert texts == ["", "un perro"]
    (xtd10 / "XTD10" / "test_1kcaptions_es.txt").write_text("un gato\n\n\n\n", encoding="utf-8")
    assert [dict(row.texts)["es"] for row in read_records(names)] == ["un gato", ""]


def test_a_file_of_another_length_is_left_out_and_reported(xtd10: Path) -> None:
    (xtd10 / "MIC" / "test_1kcaptions_de.txt").write_text(
        "eine Katze\nein Hund\nein Haus\n", encoding="utf-8"
    )
    errors: list[MalformedDataError] = []
    rows = list(read_captions(xtd10 / "XTD10" / "test_image_names.txt", on_error=errors.append))
    assert [{c.language for c in row.captions} for row in rows] == [{"es", "ja", "zh"}] * 2
    assert [Path(error.path).name for error in errors] == ["test_1kcaptions_de.txt"]
    assert "3 captions for 2 pictures" in errors[0].reason


def test_a_list_of_names_without_captions_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "test_image_names.txt").write_text("a.jpg\n")
    assert names_file(tmp_path) is None
    with pytest.raises(UnreadableFileError):
        list(read_captions(tmp_path / "test_image_names.txt"))


def test_crossmodal_3600(tmp_path: Path) -> None:
    rows = [
        {
            "image/key": "0000d67245642c5f",
            "image/locale": "cs",
            "en": {"caption": ["A cat .", "Two cats"], "caption/tokenized": ["A cat .", "Two cats"]},
            "quz": {"caption": ["michi"], "caption/tokenized": ["michi"]},
            "he": {"caption": []},
        },
        {"image/key": "01", "image/locale": "en", "ja": {"caption": ["猫がいる"]}},
        {"image/key": "02", "image/locale": "en", "ja": {"caption": 7}},
    ]
    path = tmp_path / "captions.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    errors: list[MalformedDataError] = []
    read = {row.image: row.captions for row in read_captions(path, on_error=errors.append)}
    assert {name: [(c.language, c.body) for c in captions] for name, captions in read.items()} == {
        "0000d67245642c5f.jpg": [("en", "A cat ."), ("en", "Two cats"), ("quz", "michi")],
        "01.jpg": [("ja", "猫がいる")],
    }
    assert [error.line for error in errors] == [3]


def test_records_keep_blanks_damage_splits_and_fields(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"image": "a.jpg", "captions": [" ", "a\\ud800"], "split": "val", "licence": "mine"}\n')
    (record,) = read_records(path)
    assert (record.texts, record.split) == (((None, " "), (None, "a\ud800")), "val")
    assert record.fields["licence"] == "mine"
    table = tmp_path / "c.csv"
    table.write_text("image,caption,split\na.jpg,,test\n")
    (record,) = read_records(table)
    assert (record.texts, record.split) == (((None, ""),), "test")
    wide = tmp_path / "w.csv"
    wide.write_text("image,en,es\na.jpg,a dog,\n")
    assert [record.texts for record in read_records(wide)] == [(("en", "a dog"),)]


def test_coco_captions_that_belong_to_no_picture_or_to_two_are_reported(tmp_path: Path) -> None:
    document = {
        "images": [
            {"id": 1, "file_name": "1.jpg"},
            {"id": 2, "file_name": "2.jpg"},
            {"id": 2, "file_name": "3.jpg"},
        ],
        "annotations": [
            {"image_id": 1, "caption": "a tram"},
            {"image_id": 2, "caption": "a pier"},
            {"image_id": 9, "caption": "a house"},
        ],
    }
    path = tmp_path / "captions.json"
    path.write_text(json.dumps(document))
    errors: list[MalformedDataError] = []
    rows = {row.image: [c.body for c in row.captions] for row in read_captions(path, on_error=errors.append)}
    assert rows == {"1.jpg": ["a tram"], "2.jpg": [], "3.jpg": []}
    assert [error.reason for error in errors] == [
        "the id 2 stands for 2 pictures",
        "captions for a picture that is not listed: id 9 (1)",
    ]
