"""Every format that data sets are published in, read to the same pictures."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from babelens.collection import Collection
from babelens.dataset import read_pictures
from babelens.dataset.reading import captions_files_below, find_source
from babelens.errors import DatasetError, MalformedDataError, UnknownLanguageError, UnreadableFileError
from babelens.types import Skip
from tests.conftest import FakeEncoder

from .conftest import Draw, lines

EXPECTED = {"a.png": {"en": ("a dog .", "a brown dog")}, "b.png": {"en": ("two cats",)}}


def read(source: str | Path, **more: object) -> dict[str, dict[str, tuple[str, ...]]]:
    pictures = read_pictures(source, **more)  # type: ignore[arg-type]
    assert all(picture.path.is_absolute() and picture.path.is_file() for picture in pictures)
    return {picture.path.name: dict(picture.captions) for picture in pictures}


def flickr8k_token(folder: Path) -> Path:
    path = folder / "Flickr8k.token.txt"
    path.write_text("a.png#0\ta dog .\na.png#1\ta brown dog\nb.png#0\ttwo cats\n")
    return path


def flickr8k_captions(folder: Path) -> Path:
    path = folder / "captions.txt"
    path.write_text("image,caption\na.png,a dog .\na.png,a brown dog\nb.png,two cats\n")
    return path


def flickr30k(folder: Path) -> Path:
    path = folder / "results.csv"
    rows = "a.png| 0| a dog .\na.png| 1| a brown dog\nb.png| 0| two cats\n"
    path.write_text("image_name| comment_number| comment\n" + rows)
    return path


def coco(folder: Path) -> Path:
    path = folder / "captions_val2017.json"
    images = [{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "b.png"}]
    said = [(7, "a dog ."), (8, "two cats"), (7, "a brown dog")]
    notes = [{"id": n, "image_id": image, "caption": text} for n, (image, text) in enumerate(said)]
    path.write_text(json.dumps({"images": images, "annotations": notes}))
    return path


def karpathy(folder: Path) -> Path:
    path = folder / "dataset_flickr8k.json"
    images = [
        {"filename": "a.png", "split": "train", "sentences": [{"raw": "a dog ."}, {"raw": "a brown dog"}]},
        {"filename": "b.png", "split": "test", "sentences": [{"raw": "two cats"}]},
    ]
    path.write_text(json.dumps({"images": images, "dataset": "flickr8k"}))
    return path


def crossmodal(folder: Path) -> Path:
    for name in ("a", "b"):
        (folder / "images" / f"{name}.jpg").write_bytes((folder / "images" / f"{name}.png").read_bytes())
    rows = [
        {"image/key": "a", "image/locale": "de", "en": {"caption": ["a dog .", "a brown dog"]}},
        {
            "image/key": "b",
            "image/locale": "en",
            "en": {"caption": ["two cats"]},
            "sw": {"caption": ["paka"]},
        },
    ]
    return lines(folder / "xm3600" / "captions.jsonl", rows)


@pytest.mark.parametrize(
    "publish", [flickr8k_token, flickr8k_captions, flickr30k, coco, karpathy, crossmodal]
)
def test_published_formats(tmp_path: Path, draw: Draw, publish: object) -> None:
    draw("images", "a.png", "b.png")
    source = publish(tmp_path)  # type: ignore[operator]
    found = read(source, language="en")
    assert {name.replace("jpg", "png"): captions for name, captions in found.items()} == EXPECTED


def test_xtd10_with_pictures_elsewhere(tmp_path: Path, draw: Draw) -> None:
    draw("coco/train2014", "a.png")
    draw("coco/val2014", "b.png")
    folder = tmp_path / "XTD10"
    folder.mkdir()
    (folder / "test_image_names.txt").write_text("a.png\nb.png\n")
    (folder / "test_1kcaptions_es.txt").write_text("un perro\ndos gatos\n")
    (folder / "test_1kcaptions_jp.txt").write_text("犬がいる\n猫がいる\n", encoding="utf-8")
    (folder / "test_1kcaptions_ko.txt").write_text("개\n고양이\n", encoding="utf-8")
    skipped: list[Skip] = []
    found = read(folder, images=tmp_path / "coco", on_skip=skipped.append)
    assert found == {
        "a.png": {"es": ("un perro",), "ja": ("犬がいる",)},
        "b.png": {"es": ("dos gatos",), "ja": ("猫がいる",)},
    }
    assert Counter(skip.reason for skip in skipped) == {"another language (ko)": 2}
    korean = read(folder, images=tmp_path / "coco", languages=["ko", "German"])
    assert korean["b.png"] == {"ko": ("고양이",)}


def test_all_that_is_left_out_is_reported_with_its_reason(tmp_path: Path, draw: Draw) -> None:
    a, b, c = draw("images", "a.png", "b.png", "c.png")
    source = lines(
        tmp_path / "x.jsonl",
        [
            {"image": a, "captions": {"en": ["A dog", "a  dog", " "], "hi": ["dog"], "fr": ["forÃªt"]}},
            {"image": "images/gone.png", "captions": {"en": ["lost"]}},
            {"image": "images/gone.png", "captions": {"de": ["verloren"]}},
            {"image": b, "captions": ["of no language"]},
            {"image": c, "captions": {"en": ["a bird"]}},
            {"image": a, "captions": {"de": ["ein Hund"], "en": ["a DOG", "a hound"], "pt": ["um cão"]}},
            {"image": 7},
        ],
    )
    skipped: list[Skip] = []
    assert read(source, on_skip=skipped.append) == {
        "a.png": {"en": ("A dog", "a hound"), "de": ("ein Hund",)},
        "c.png": {"en": ("a bird",)},
    }
    assert Counter(skip.reason for skip in skipped) == {
        "repeated caption (en)": 2,
        "empty-caption (en)": 1,
        "wrong-script (hi)": 1,
        "encoding-damage (fr)": 1,
        "missing picture": 1,
        "unknown language": 1,
        "no caption left in the languages asked for": 1,
        "another language (pt)": 1,
        'no picture: the key "image" is missing': 1,
    }
    assert f"{source}:7" in {skip.path for skip in skipped}


def test_nothing_usable_is_an_error_that_says_what_to_do(tmp_path: Path, draw: Draw) -> None:
    (a,) = draw("images", "a.png")
    source = lines(tmp_path / "x.jsonl", [{"image": a, "captions": ["a dog"]}])
    with pytest.raises(DatasetError, match="--language en"):
        read_pictures(source)
    with pytest.raises(UnknownLanguageError):
        read_pictures(source, language="Klingon")
    with pytest.raises(UnknownLanguageError):
        read_pictures(source, languages=["en", "Klingon"])
    with pytest.raises(UnreadableFileError, match="no such folder"):
        read_pictures(source, language="en", images=tmp_path / "nowhere")


def test_a_collection_gives_the_captions_that_people_wrote(
    tmp_path: Path, draw: Draw, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw("images", "a.png", "b.png")
    (tmp_path / "images" / "a.de.txt").write_text("ein Hund\n")
    with Collection.open(tmp_path / "home" / "pets", model=encoder) as collection:
        collection.add(tmp_path / "images", filename_captions=True)
    found = read(tmp_path / "home" / "pets")
    assert found == {"a.png": {"de": ("ein Hund",)}}
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    (tmp_path / "share" / "babelens").mkdir(parents=True)
    (tmp_path / "share" / "babelens" / "collections").symlink_to(tmp_path / "home")
    assert read("pets") == found


def test_a_folder_stands_for_the_captions_file_in_it(tmp_path: Path, draw: Draw) -> None:
    draw("images", "a.png", "b.png")
    source = flickr8k_captions(tmp_path)
    (tmp_path / "readme.txt").write_text("Just a letter to somebody.\n")
    assert find_source(tmp_path) == source
    assert captions_files_below(tmp_path) == [source]
    flickr8k_token(tmp_path)
    with pytest.raises(DatasetError, match=r"Flickr8k\.token\.txt, captions\.txt"):
        find_source(tmp_path)
    with pytest.raises(UnreadableFileError, match="no captions file"):
        find_source(tmp_path / "images")
    with pytest.raises(UnreadableFileError, match="no such file, folder or collection"):
        find_source(tmp_path / "none.jsonl")


def test_a_name_that_two_pictures_have_is_not_guessed(tmp_path: Path, draw: Draw) -> None:
    draw("photos/x", "a.png", "b.png")
    draw("photos/y", "a.png")
    rows = [{"image": name, "captions": {"en": ["text"]}} for name in ("a.png", "b.png")]
    source = lines(tmp_path / "x.jsonl", rows)
    assert set(read(source, images=tmp_path / "photos")) == {"b.png"}


def test_malformed_lines_end_reading_only_where_nobody_listens(tmp_path: Path, draw: Draw) -> None:
    from babelens.dataset.reading import read_rows

    draw("images", "a.png")
    source = tmp_path / "x.jsonl"
    source.write_text("{\n")
    with pytest.raises(MalformedDataError):
        list(read_rows(source))
