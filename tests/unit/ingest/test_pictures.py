from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from babelens.errors import (
    InvalidQueryError,
    UnknownLanguageError,
    UnreadableFileError,
)
from babelens.ingest import ingest
from babelens.storage.catalog import Catalog
from babelens.vectors import Floats
from tests.unit.ingest.conftest import Archive, changed, touch

needs_permissions = pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")


# -- pictures ------------------------------------------------------------------------------------------------


def test_a_folder_goes_in(archive: Archive, pictures: Path) -> None:
    report = archive.add(pictures)
    assert changed(report) == {"added": 8}
    assert report.skipped == report.notes == ()
    assert len(archive.ids) == 8
    (item,) = (item for item in archive.catalog.items() if item.source.path.endswith("red.png"))
    assert item.metadata == {
        "width": 32, "height": 24, "format": "png", "name": "red.png", "extension": "png", "folder": "pictures",
    }  # fmt: skip
    expected = archive.encoder.encode_prepared([archive.encoder.prepare(Image.open(pictures / "red.png"))])
    assert np.abs(archive.vectors["red.png"] - expected[0]).max() < 1e-3


def test_a_second_run_does_nothing(archive: Archive, pictures: Path) -> None:
    archive.add(pictures)
    encoded, ids = archive.encoder.images_encoded, archive.ids
    assert changed(archive.add(pictures)) == {"unchanged": 8}
    assert archive.encoder.images_encoded == encoded
    assert archive.ids == ids


def test_a_touched_file_is_not_encoded_again(archive: Archive, pictures: Path) -> None:
    archive.add(pictures)
    touch(pictures / "red.png")
    assert changed(archive.add(pictures)) == {"unchanged": 8}
    assert archive.encoder.images_encoded == 8
    assert changed(archive.add(pictures)) == {"unchanged": 8}


def test_an_edited_file_keeps_its_id_and_gets_a_new_vector(archive: Archive, pictures: Path) -> None:
    archive.add(pictures)
    ids = archive.ids
    Image.open(pictures / "blue.png").resize((64, 64)).save(pictures / "red.png")
    assert changed(archive.add(pictures)) == {"updated": 1, "unchanged": 7}
    assert archive.ids == ids
    assert np.allclose(archive.vectors["red.png"], archive.vectors["blue.png"], atol=1e-3)
    assert archive.catalog.get_item(ids["red.png"]).metadata["width"] == 64  # type: ignore[union-attr]


def test_a_moved_file_keeps_id_vector_and_captions(archive: Archive, pictures: Path) -> None:
    (pictures / "red.txt").write_text("something red")
    archive.add(pictures, filename_captions=True)
    ids, vector = archive.ids, archive.vectors["red.png"]
    (pictures / "sub").mkdir()
    (pictures / "red.png").rename(pictures / "sub" / "crimson tide.png")
    report = archive.add(pictures)
    assert changed(report) == {"moved": 1, "unchanged": 7, "texts": 1}
    assert archive.encoder.images_encoded == 8
    assert archive.ids["crimson tide.png"] == ids["red.png"]
    assert np.array_equal(archive.vectors["crimson tide.png"], vector)
    metadata = archive.catalog.get_item(ids["red.png"]).metadata  # type: ignore[union-attr]
    assert (metadata["folder"], metadata["name"]) == ("sub", "crimson tide.png")
    assert archive.texts("crimson tide.png") == {("und", "something red")}
    assert archive.texts("crimson tide.png", "filename") == {("und", "crimson tide")}


def test_a_moved_folder(archive: Archive, pictures: Path) -> None:
    archive.add(pictures.parent)
    ids = archive.ids
    pictures.rename(pictures.with_name("elsewhere"))
    assert changed(archive.add(pictures.parent)) == {"moved": 8}
    assert archive.ids == ids
    assert archive.encoder.images_encoded == 8


def test_deleted_files_disappear(archive: Archive, pictures: Path) -> None:
    archive.add(pictures)
    (pictures / "red.png").unlink()
    assert changed(archive.add(pictures)) == {"removed": 1, "unchanged": 7}
    assert "red.png" not in archive.ids


def test_what_lies_outside_of_the_given_folder_is_left_alone(
    archive: Archive, pictures: Path, tmp_path: Path
) -> None:
    other = tmp_path / "pictures2"
    shutil.copytree(pictures, other)
    archive.add(pictures, other)
    shutil.rmtree(other)
    assert changed(archive.add(pictures)) == {"unchanged": 8}
    assert archive.catalog.count_items() == 16


def test_a_folder_that_vanished_is_an_error_and_deletes_nothing(archive: Archive, pictures: Path) -> None:
    archive.add(pictures)
    pictures.rename(pictures.with_name("unplugged"))
    with pytest.raises(UnreadableFileError, match="no such file or folder"):
        archive.add(pictures)
    assert archive.catalog.count_items() == 8


def test_a_folder_that_vanishes_while_it_is_read_deletes_nothing(archive: Archive, pictures: Path) -> None:
    archive.add(pictures)
    Image.new("RGB", (9, 9)).save(pictures / "new.png")

    def unplug(done: int, total: int | None = None, note: str = "") -> None:
        if done == 1:
            pictures.rename(pictures.with_name("unplugged"))

    with pytest.raises(UnreadableFileError, match="no such file or folder"):
        archive.add(pictures, progress=unplug)
    assert archive.catalog.count_items() >= 8


def test_excluded_files_are_not_deleted_files(archive: Archive, pictures: Path) -> None:
    archive.add(pictures)
    assert changed(archive.add(pictures, exclude=["red.*"])) == {"unchanged": 7}
    assert archive.catalog.count_items() == 8
    assert changed(archive.add(pictures, include=["b*"])) == {"unchanged": 2}


def test_the_same_bytes_are_encoded_once(archive: Archive, pictures: Path) -> None:
    for place in range(40):
        shutil.copy(pictures / "red.png", pictures / f"copy{place:02}.png")
    assert changed(archive.add(pictures)) == {"added": 48}
    assert archive.encoder.images_encoded == 8
    (group,) = archive.catalog.duplicates()
    assert len(group) == 41
    shutil.copy(pictures / "red.png", pictures / "later.png")
    assert changed(archive.add(pictures)) == {"added": 1, "unchanged": 48}
    assert archive.encoder.images_encoded == 8
    assert np.array_equal(archive.vectors["later.png"], archive.vectors["red.png"])


def test_a_copy_put_back_where_the_moved_file_was_is_another_item(archive: Archive, pictures: Path) -> None:
    archive.add(pictures)
    (pictures / "red.png").rename(pictures / "moved.png")
    archive.add(pictures)
    shutil.copy(pictures / "moved.png", pictures / "red.png")
    assert changed(archive.add(pictures)) == {"added": 1, "unchanged": 8}
    assert len(set(archive.ids.values())) == 9


def test_two_names_that_swap_are_two_edits(archive: Archive, pictures: Path) -> None:
    archive.add(pictures)
    ids, red = archive.ids, archive.vectors["red.png"]
    (pictures / "red.png").rename(pictures / "x")
    (pictures / "blue.png").rename(pictures / "red.png")
    (pictures / "x").rename(pictures / "blue.png")
    touch(pictures / "red.png"), touch(pictures / "blue.png")
    assert changed(archive.add(pictures)) == {"updated": 2, "unchanged": 6}
    assert archive.ids == ids
    assert archive.encoder.images_encoded == 8
    assert np.allclose(archive.vectors["blue.png"], red, atol=1e-3)


def test_ids_depend_on_content_and_path_alone(encoder: Any, pictures: Path, tmp_path: Path) -> None:
    ids = []
    for name in ("one", "two"):
        with Catalog.create(tmp_path / name, {}) as catalog:
            archive = Archive(catalog, type(encoder)())
            archive.add(pictures)
            ids.append(archive.ids)
    assert ids[0] == ids[1]
    assert not any("red" in item_id for item_id in ids[0].values())


# -- bad input -----------------------------------------------------------------------------------------------


def test_bad_files_are_skipped_reported_and_remembered(archive: Archive, pictures: Path) -> None:
    (pictures / "empty.png").touch()
    (pictures / "letter.jpg").write_text("Dear Sir or Madam")
    good = (pictures / "red.png").read_bytes()
    (pictures / "half.png").write_bytes(good[: len(good) // 2])
    (pictures / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    (pictures / "notes.doc").write_text("buy milk")
    report = archive.add(pictures)
    assert changed(report) == {"added": 8}
    reasons = {Path(skip.path).name: skip.reason for skip in report.skipped}
    assert reasons.keys() == {"empty.png", "letter.jpg", "half.png"}
    assert reasons["empty.png"] == "empty file"
    assert "not a picture" in reasons["letter.jpg"]
    assert report.notes == ("2 other files were left out: they are neither pictures nor documents.",)

    again = archive.add(pictures)
    assert changed(again) == {"unchanged": 8}
    assert set(again.skipped) == set(report.skipped), "still in the report"

    shutil.copy(pictures / "red.png", pictures / "empty.png")
    assert changed(archive.add(pictures)) == {"added": 1, "unchanged": 8}


def test_a_picture_under_a_wrong_name_goes_in(archive: Archive, pictures: Path) -> None:
    for name in ("red.jpg", "red.dat", "red", "red.txt.bak"):
        Image.new("RGB", (30, 30), len(name)).save(pictures / name, "PNG")
    assert changed(archive.add(pictures)) == {"added": 12}


def test_a_known_picture_that_breaks_is_taken_out(archive: Archive, pictures: Path) -> None:
    archive.add(pictures)
    (pictures / "red.png").write_bytes(b"\x89PNG\r\n\x1a\n then nothing")
    report = archive.add(pictures)
    assert changed(report) == {"unchanged": 7}
    assert len(report.skipped) == 1
    assert "red.png" not in archive.ids


@needs_permissions
def test_a_forbidden_file_is_tried_again_when_it_is_allowed(archive: Archive, pictures: Path) -> None:
    (pictures / "red.png").chmod(0)
    report = archive.add(pictures)
    assert [skip.reason for skip in report.skipped] == ["cannot be read: Permission denied"]
    (pictures / "red.png").chmod(0o644)
    assert changed(archive.add(pictures)) == {"added": 1, "unchanged": 7}


def test_names_that_are_not_utf8(archive: Archive, pictures: Path) -> None:
    name = os.fsdecode(b"caf\xe9 rouge.png")
    (pictures / "red.png").rename(pictures / name)
    assert changed(archive.add(pictures, filename_captions=True)) == {"added": 8, "texts": 7}
    assert name in archive.ids
    assert changed(archive.add(pictures, filename_captions=True)) == {"unchanged": 8}


class Picky:
    """Finds no direction in anything dark."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def encode_prepared(self, pixels: Sequence[NDArray[np.uint8]]) -> Floats:
        if min(picture.mean() for picture in pixels) < 20:
            raise ValueError("a vector has length zero")
        vectors: Floats = self._inner.encode_prepared(pixels)
        return vectors


def test_a_picture_without_a_vector_does_not_cost_the_others_theirs(
    catalog: Catalog, encoder: Any, pictures: Path
) -> None:
    archive = Archive(catalog, Picky(encoder))
    shutil.copy(pictures / "black.png", pictures / "blacker.png")
    report = archive.add(pictures)
    assert changed(report) == {"added": 7}
    assert {Path(skip.path).name for skip in report.skipped} == {"black.png", "blacker.png"}


def test_options_that_make_no_sense(archive: Archive, pictures: Path) -> None:
    with pytest.raises(InvalidQueryError):
        archive.add(pictures, sample=0)
    with pytest.raises(UnknownLanguageError):
        archive.add(pictures, caption_language="Klingon")
    with pytest.raises(UnreadableFileError):
        archive.add(pictures, captions=[pictures / "none.jsonl"])
    assert archive.catalog.count_items() == 0


# -- samples, links, progress --------------------------------------------------------------------------------


def test_a_sample_is_drawn_by_its_seed(
    archive: Archive, encoder: Any, pictures: Path, tmp_path: Path
) -> None:
    assert changed(archive.add(pictures, sample=3, seed=1)) == {"added": 3}
    first = set(archive.ids)
    assert changed(archive.add(pictures, sample=3, seed=1)) == {"unchanged": 3}
    shutil.copytree(pictures, tmp_path / "same elsewhere")
    with Catalog.create(tmp_path / "other", {}) as other:
        elsewhere = Archive(other, type(encoder)())
        elsewhere.add(tmp_path / "same elsewhere", sample=3, seed=1)
        assert set(elsewhere.ids) == first
    archive.add(pictures, sample=3, seed=2)
    assert set(archive.ids) > first
    assert changed(archive.add(pictures, sample=100))["unchanged"] >= 3


def test_progress_is_told(archive: Archive, pictures: Path) -> None:
    (pictures / "bad.png").touch()
    calls: list[tuple[int, int | None]] = []

    def progress(done: int, total: int | None = None, note: str = "") -> None:
        calls.append((done, total))

    archive.add(pictures, progress=progress)
    assert calls == [(done, 9) for done in range(10)]


def test_photographs_are_noted_for_an_encoder_that_never_saw_any(
    archive: Archive, encoder: Any, pictures: Path
) -> None:
    for picture in pictures.iterdir():
        Image.open(picture).save(picture.with_suffix(".jpg"))
    report = archive.add(pictures, include=["*.jpg"])
    assert [note for note in report.notes if "not trained on photographs" in note]
    assert archive.add(pictures, include=["*.jpg"]).notes == (), "once"

    seeing = type(encoder)()
    seeing.photographs = True
    for picture in pictures.glob("*.jpg"):
        touch(picture)
    assert ingest(archive.catalog, seeing, [pictures], include=["*.jpg"]).notes == ()
