from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from babelens.errors import (
    MalformedDataError,
)
from tests.unit.ingest.conftest import Archive, changed


def test_sidecars(archive: Archive, pictures: Path) -> None:
    (pictures / "red.txt").write_text("a red square\nsomething red")
    (pictures / "red.hi.txt").write_text("लाल")
    report = archive.add(pictures, caption_language="en")
    assert changed(report) == {"added": 8, "texts": 3}
    assert archive.texts("red.png") == {("en", "a red square"), ("en", "something red"), ("hi", "लाल")}
    assert archive.text_vectors == 3
    assert changed(archive.add(pictures, caption_language="en")) == {"unchanged": 8}

    (pictures / "red.txt").write_text("a red square, large")
    (pictures / "blue.txt").write_text("a blue square")
    assert changed(archive.add(pictures, caption_language="en")) == {"unchanged": 8, "texts": 3}
    assert archive.texts("red.png") == {("en", "a red square, large"), ("hi", "लाल")}
    assert archive.texts("blue.png") == {("en", "a blue square")}

    (pictures / "red.hi.txt").unlink()
    archive.add(pictures, caption_language="en")
    assert archive.texts("red.png") == {("en", "a red square, large")}
    assert archive.text_vectors == 2
    assert archive.encoder.images_encoded == 8


def test_a_sidecar_that_cannot_be_read(archive: Archive, pictures: Path) -> None:
    (pictures / "red.txt").write_bytes(b"caf\xe9")
    report = archive.add(pictures)
    assert [(Path(skip.path).name, skip.reason) for skip in report.skipped] == [("red.txt", "not UTF-8 text")]
    assert changed(report) == {"added": 8}
    assert len(archive.add(pictures).skipped) == 1


def test_captions_come_back_with_a_picture_that_comes_back(archive: Archive, pictures: Path) -> None:
    (pictures / "red.txt").write_text("a red square")
    archive.add(pictures)
    (pictures / "red.png").rename(pictures.parent / "red.png")
    archive.add(pictures)
    (pictures.parent / "red.png").rename(pictures / "red.png")
    archive.add(pictures)
    assert archive.texts("red.png") == {("und", "a red square")}


@pytest.fixture
def captions(pictures: Path) -> Path:
    path = pictures.parent / "captions.jsonl"
    path.write_text(
        '{"image": "pictures/red.png", "captions": {"en": ["a red square"], "es": ["rojo"]}}\n'
        '{"image": "blue.png", "captions": ["a blue square"], "language": "en"}\n'
        "{nonsense\n"
        '{"image": "pictures/none.png", "captions": ["nothing"]}\n'
    )
    return path


def test_a_captions_file(archive: Archive, pictures: Path, captions: Path) -> None:
    report = archive.add(pictures, captions=[captions])
    assert changed(report) == {"added": 8, "texts": 3}
    assert archive.texts("red.png") == {("en", "a red square"), ("es", "rojo")}
    assert archive.texts("blue.png") == {("en", "a blue square")}
    ((path, reason),) = [(skip.path, skip.reason) for skip in report.skipped]
    assert path.endswith("captions.jsonl, line 3")
    assert reason.startswith("not JSON")
    assert "1 picture with captions cannot be found, such as pictures/none.png." in report.notes
    assert "6 pictures in the collection have no caption." in report.notes
    assert changed(archive.add(pictures, captions=[captions])) == {"unchanged": 8}
    assert archive.encoder.texts_encoded == 3


def test_a_captions_file_as_a_path_brings_its_pictures(
    archive: Archive, pictures: Path, captions: Path
) -> None:
    (pictures / "blue.png").rename(pictures.parent / "blue.png")
    report = archive.add(captions)
    assert changed(report) == {"added": 2, "texts": 3}
    assert archive.ids.keys() == {"red.png", "blue.png"}
    assert changed(archive.add(captions)) == {"unchanged": 2}


def test_captions_alone_are_added_to_what_is_there(archive: Archive, pictures: Path, captions: Path) -> None:
    archive.add(pictures)
    assert changed(archive.add(captions=[captions])) == {"texts": 3}


def test_an_edited_captions_file_replaces_only_its_own(
    archive: Archive, pictures: Path, captions: Path
) -> None:
    (pictures / "red.txt").write_text("by hand")
    archive.add(pictures, captions=[captions])
    captions.write_text(
        '{"image": "pictures/red.png", "captions": {"en": ["a crimson square"], "es": ["rojo"]}}\n'
    )
    assert changed(archive.add(pictures, captions=[captions])) == {"unchanged": 8, "texts": 3}
    assert archive.texts("red.png") == {("en", "a crimson square"), ("es", "rojo"), ("und", "by hand")}
    (pictures / "red.txt").write_text("by another hand")
    archive.add(pictures)
    assert archive.texts("red.png") == {
        ("en", "a crimson square"),
        ("es", "rojo"),
        ("und", "by another hand"),
    }


def test_nothing_is_forgotten_while_a_captions_file_is_away(
    archive: Archive, pictures: Path, captions: Path
) -> None:
    (pictures / "red.txt").write_text("by hand")
    archive.add(pictures, captions=[captions])
    captions.unlink()
    (pictures / "red.txt").write_text("by another hand")
    archive.add(pictures)
    assert archive.texts("red.png") >= {("en", "a red square"), ("und", "by another hand")}


def test_rows_of_one_picture_may_lie_apart(archive: Archive, pictures: Path) -> None:
    path = pictures / "c.csv"
    path.write_text("image,caption\nred.png,one\nblue.png,two\nred.png,three\n")
    archive.add(pictures, captions=[path])
    assert archive.texts("red.png") == {("und", "one"), ("und", "three")}
    archive.add(pictures, captions=[path])
    assert archive.texts("red.png") == {("und", "one"), ("und", "three")}


def test_equal_captions_are_encoded_once(archive: Archive, pictures: Path) -> None:
    path = pictures / "c.csv"
    path.write_text("image,caption\n" + "".join(f"{file.name},a square\n" for file in pictures.iterdir()))
    assert changed(archive.add(pictures, captions=[path])) == {"added": 8, "texts": 8}
    assert archive.encoder.texts_encoded == 1
    assert archive.text_vectors == 8


def test_captions_longer_than_the_encoder_reads_are_noted(archive: Archive, pictures: Path) -> None:
    (pictures / "red.txt").write_text("red " * 17 + "\n" + "blue " * 16)
    report = archive.add(pictures)
    (note,) = report.notes
    assert note.startswith("1 captions are longer than the 16 tokens")


def test_a_file_that_is_no_captions_file_is_refused_before_anything_is_written(
    archive: Archive, pictures: Path
) -> None:
    (pictures / "letter.csv").write_text("Dear,Sir\n")
    with pytest.raises(MalformedDataError, match="no picture column"):
        archive.add(pictures, captions=[pictures / "letter.csv"])
    with pytest.raises(MalformedDataError, match="no picture column"):
        archive.add(pictures / "letter.csv")
    assert archive.catalog.count_items() == 0


def test_file_names_as_captions(archive: Archive, pictures: Path) -> None:
    shutil.copy(pictures / "red.png", pictures / "DSC_0042.png")
    archive.add(pictures)
    assert changed(archive.add(pictures, filename_captions=True)) == {"unchanged": 9, "texts": 8}
    assert archive.texts("red.png", "filename") == {("und", "red")}
    assert archive.texts("DSC_0042.png", "filename") == set()
    assert changed(archive.add(pictures, filename_captions=True)) == {"unchanged": 9}
