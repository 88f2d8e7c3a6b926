from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from babelens.errors import DatasetError, UnreadableFileError
from babelens.models.preprocess import Preprocess
from babelens.training.photographs import (
    decode,
    read_photographs,
    refuse_leaks,
    some_of,
)

LANGUAGES = ("en", "de", "ja")
RULE = Preprocess(20, "squash", (0.5,) * 3, (0.5,) * 3, "lanczos")


@pytest.fixture
def data(photographs: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(photographs, tmp_path / "data"))


def rewrite(file: Path, change: dict[int, dict[str, object]]) -> None:
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for place, fields in change.items():
        rows[place].update(fields)
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def test_reads_pictures_with_the_captions_of_the_languages_asked_for(data: Path) -> None:
    rewrite(
        data / "train.jsonl",
        {0: {"captions": {"en": ["a red disc"], "fr": ["un disque rouge", "rouge"]}}},
    )
    listed = read_photographs(data / "train.jsonl", languages=LANGUAGES)
    assert listed.pictures[0].captions == {"en": ("a red disc",)}
    assert listed.other_languages == {"fr": 2}
    assert set(listed.pictures[1].captions) == set(LANGUAGES)
    assert not listed.left_out


def test_what_cannot_be_used_is_left_out_and_named(data: Path) -> None:
    file = data / "train.jsonl"
    rewrite(
        file,
        {
            1: {"image": "images/nowhere.png"},
            2: {"captions": {"fr": ["une croix"]}},
            3: {"captions": {"en": [3]}},
        },
    )
    broken = data / json.loads(file.read_text(encoding="utf-8").splitlines()[4])["image"]
    broken.write_bytes(b"no picture at all")
    listed = read_photographs(file, languages=LANGUAGES)
    decoded = decode(listed, RULE, threads=2)
    left = {Path(one.where).name: one.reason for one in decoded.left_out}
    assert set(left) == {"train.jsonl:2", "train.jsonl:3", "train.jsonl:4", broken.name}
    assert "nowhere.png" in left["train.jsonl:2"]
    assert "no caption" in left["train.jsonl:3"]
    whole = read_photographs(data / "val.jsonl", languages=LANGUAGES)
    assert len(decoded) == len(listed.pictures) - 1
    assert broken not in {picture.file for picture in decoded.pictures}
    assert len(decode(whole, RULE)) == len(whole.pictures)


def test_squares_belong_to_their_pictures_and_come_from_the_cache(data: Path, tmp_path: Path) -> None:
    from babelens.sources.images import load_image

    listed = read_photographs(data / "train.jsonl", languages=LANGUAGES)
    broken = listed.pictures[2].file
    broken.write_bytes(b"")
    listed = read_photographs(data / "train.jsonl", languages=LANGUAGES)
    seen: list[tuple[int, int | None]] = []
    first = decode(listed, RULE, progress=lambda done, total=None, note="": seen.append((done, total)))
    assert seen[-1] == (len(listed.pictures), len(listed.pictures))
    seen.clear()
    again = decode(listed, RULE, progress=lambda done, total=None, note="": seen.append((done, total)))
    assert not seen, "the second run decodes nothing"
    assert [one.where for one in again.left_out] == [str(broken)]
    for photographs in (first, again):
        for place in (0, 2, len(photographs) - 1):
            expected = RULE.to_pixels(load_image(photographs.pictures[place].file, target=20))
            assert np.array_equal(photographs.pixels(np.array([place]))[0], expected)


def test_the_cache_follows_the_bytes_of_the_pictures(data: Path) -> None:
    from PIL import Image

    listed = read_photographs(data / "train.jsonl", languages=LANGUAGES)
    before = decode(listed, RULE).pixels()
    Image.new("RGB", (30, 30), (9, 9, 9)).save(listed.pictures[0].file)
    after = decode(read_photographs(data / "train.jsonl", languages=LANGUAGES), RULE).pixels()
    assert (after[0] == 9).all()
    assert np.array_equal(before[1:], after[1:])


def test_a_picture_in_both_parts_is_refused_by_name(data: Path) -> None:
    train = read_photographs(data / "train.jsonl", languages=LANGUAGES)
    unseen = read_photographs(data / "val.jsonl", languages=LANGUAGES)
    refuse_leaks(train.pictures, unseen.pictures)
    copied = data / "images" / "copied.png"
    shutil.copy(train.pictures[5].file, copied)
    rewrite(data / "val.jsonl", {0: {"image": "images/copied.png"}})
    unseen = read_photographs(data / "val.jsonl", languages=LANGUAGES)
    with pytest.raises(DatasetError, match=rf"copied\.png.*{train.pictures[5].file.name}"):
        refuse_leaks(train.pictures, unseen.pictures)


def test_two_listings_of_one_picture_become_one(data: Path) -> None:
    file = data / "train.jsonl"
    rows = file.read_text(encoding="utf-8").splitlines()
    first = json.loads(rows[0])
    shutil.copy(data / first["image"], data / "images" / "again.png")
    extra = {"image": "images/again.png", "captions": {"en": ["on the left, again"], "ja": ["もう一度"]}}
    file.write_text("\n".join([*rows, json.dumps(extra)]) + "\n", encoding="utf-8")
    listed = read_photographs(file, languages=LANGUAGES)
    assert len(listed.pictures) == len(rows)
    joined = listed.pictures[0]
    assert joined.captions["en"] == (*first["captions"]["en"], "on the left, again")
    assert joined.sided


def test_a_smaller_draw_is_part_of_a_larger_one(data: Path) -> None:
    decoded = decode(read_photographs(data / "train.jsonl", languages=LANGUAGES), RULE)
    few, more = (some_of(decoded, limit, seed=4) for limit in (5, 12))
    assert (len(few), len(more)) == (5, 12)
    assert {p.digest for p in few.pictures} < {p.digest for p in more.pictures}
    assert {p.digest for p in few.pictures} != {p.digest for p in some_of(decoded, 5, seed=5).pictures}
    assert some_of(decoded, 0, seed=4) is decoded
    for place, picture in enumerate(few.pictures):
        original = [p.digest for p in decoded.pictures].index(picture.digest)
        assert np.array_equal(few.pixels()[place], decoded.pixels()[original])


def test_files_without_anything_to_learn_are_refused(data: Path) -> None:
    with pytest.raises(DatasetError, match="no picture with a caption in hi"):
        read_photographs(data / "train.jsonl", languages=("hi",))
    with pytest.raises(UnreadableFileError, match=r"test\.jsonl"):
        read_photographs(data / "test.jsonl", languages=LANGUAGES)
    listed = read_photographs(data / "val.jsonl", languages=LANGUAGES)
    for picture in listed.pictures:
        picture.file.write_bytes(picture.file.name.encode())
    with pytest.raises(DatasetError, match=r"None of .* can be decoded"):
        decode(read_photographs(data / "val.jsonl", languages=LANGUAGES), RULE)
