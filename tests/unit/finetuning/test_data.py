"""What is trained, validated and tested on, and what is refused before anything is trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="fine-tuning needs pip install 'babelens[torch]'")

from babelens.collection import Collection  # noqa: E402
from babelens.errors import DatasetError  # noqa: E402
from babelens.finetuning.batches import draw, pixels_of  # noqa: E402
from babelens.finetuning.data import (  # noqa: E402
    Files,
    describe,
    find_files,
    read_data,
    read_parallel,
    refuse_unreadable_languages,
)
from babelens.models.ngrams import NgramTokenizer  # noqa: E402
from babelens.models.preprocess import Preprocess  # noqa: E402
from babelens.training.photographs import Photograph, Photographs  # noqa: E402
from tests import tuning  # noqa: E402
from tests.conftest import FakeEncoder  # noqa: E402

RULE = Preprocess(24, "squash", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
BOTH = ("en", "de")


def files_of(folder: Path, **more: object) -> Files:
    paths = [folder / f"{name}.jsonl" for name in ("train", "val", "test")]
    return Files(*paths, **more)  # type: ignore[arg-type]


@pytest.fixture
def data(shapes: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return shutil.copytree(shapes, tmp_path / "data")


# -- splits ------------------------------------------------------------------------------------------------------


def test_a_captions_file_is_split_by_picture_once(tmp_path: Path) -> None:
    source = tuning.write_split(tmp_path, "all", 140)
    rows = tuning.rows_of(source)
    rows.append({"image": rows[0]["image"], "captions": {"en": ["said on another line"]}})
    tuning.write_lines(source, rows)
    files = find_files(source, tmp_path / "run" / "data", seed=3)
    data = read_data(files, RULE, languages=BOTH)
    assert data.train is not None
    assert [len(data.train), len(data.validation), len(data.test)] == [98, 21, 21]
    parts = (data.train, data.validation.photographs, data.test.photographs)
    assert len({picture.digest for part in parts for picture in part.pictures}) == 140
    again = find_files(source, tmp_path / "run" / "data", seed=3)
    assert again == files
    with pytest.raises(DatasetError, match="other data") as caught:
        find_files(source, tmp_path / "run" / "data", seed=4)
    assert "another folder" in str(caught.value.hint)
    other = tuning.write_split(tmp_path, "other", 140)
    with pytest.raises(DatasetError, match="other data"):
        find_files(other, tmp_path / "run" / "data", seed=3)


def test_a_data_set_that_is_split_is_taken_as_it_is(shapes: Path, tmp_path: Path) -> None:
    files = find_files(shapes, tmp_path / "unused")
    assert (files.train, files.validation, files.test) == tuple(
        shapes / f"{name}.jsonl" for name in ("train", "val", "test")
    )
    assert not (tmp_path / "unused").exists()


def test_held_out_files_can_be_named(shapes: Path, tmp_path: Path) -> None:
    source = tuning.write_split(tmp_path, "all", 40)
    held = {"validation": shapes / "val.jsonl", "test": shapes / "test.jsonl"}
    assert find_files(source, tmp_path / "data", **held).train == source
    files = find_files(source, tmp_path / "data", test=held["test"])
    assert files.test == held["test"]
    data = read_data(files, RULE, languages=BOTH) if len(tuning.rows_of(files.validation)) >= 20 else None
    assert data is None, "7 of 40 are too few to validate with"
    assert len(tuning.rows_of(files.train)) + len(tuning.rows_of(files.validation)) == 40  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match="nothing to learn from"):
        find_files(None, tmp_path / "data", **held)


def test_a_collection_is_trained_on_with_what_people_wrote(tmp_path: Path, encoder: FakeEncoder) -> None:
    tuning.write_split(tmp_path, "all", 140)
    pictures = sorted((tmp_path / "images").iterdir())
    for number, picture in enumerate(pictures):
        if number < 138:
            picture.with_suffix(".txt").write_text(f"drawing number {number}", encoding="utf-8")
    with Collection.open(tmp_path / "collection", model=encoder) as collection:
        collection.add(tmp_path / "images", caption_language="en", filename_captions=True)
    files = find_files(tmp_path / "collection", tmp_path / "data")
    data = read_data(files, RULE, languages=("en",))
    assert data.train is not None
    parts = (data.train, data.validation.photographs, data.test.photographs)
    captions = [body for part in parts for picture in part.pictures for body in picture.captions["en"]]
    assert sorted(captions) == sorted(f"drawing number {number}" for number in range(138))


# -- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_picture_of_another_split_under_another_name_is_a_leak(data: Path, part: str) -> None:
    rows = tuning.rows_of(data / f"{part}.jsonl")
    learnt = str(tuning.rows_of(data / "train.jsonl")[3]["image"])
    shutil.copyfile(data / learnt, data / str(rows[5]["image"]))
    with pytest.raises(DatasetError, match="is the same picture as") as caught:
        read_data(files_of(data), RULE, languages=BOTH)
    assert Path(learnt).name in str(caught.value)
    assert "split" in str(caught.value.hint)


def test_a_picture_to_choose_by_is_not_tested_with(data: Path) -> None:
    rows = tuning.rows_of(data / "val.jsonl")
    tuning.write_lines(data / "test.jsonl", [*tuning.rows_of(data / "test.jsonl"), rows[0]])
    with pytest.raises(DatasetError, match="is the same picture as"):
        read_data(files_of(data), RULE, languages=BOTH)


def test_two_captions_in_total(tmp_path: Path) -> None:
    source = tuning.write_split(tmp_path, "all", 2, languages=("en",))
    with pytest.raises(DatasetError, match="of 2 pictures") as caught:
        find_files(source, tmp_path / "data")
    assert "more pictures" in str(caught.value.hint)


def test_one_picture_with_all_captions(tmp_path: Path) -> None:
    source = tuning.write_split(tmp_path, "all", 1)
    (row,) = tuning.rows_of(source)
    row["captions"] = {"en": [f"caption number {number}" for number in range(300)]}
    tuning.write_lines(source, [row])
    with pytest.raises(DatasetError, match="of 1 pictures"):
        find_files(source, tmp_path / "data")


@pytest.mark.parametrize(
    ("part", "count", "what"), [("train", 3, "train on"), ("val", 19, "validate"), ("test", 19, "test")]
)
def test_too_few_pictures(data: Path, part: str, count: int, what: str) -> None:
    tuning.write_lines(data / f"{part}.jsonl", tuning.rows_of(data / f"{part}.jsonl")[:count])
    with pytest.raises(DatasetError, match=f"{count} pictures to {what}") as caught:
        read_data(files_of(data), RULE, languages=BOTH)
    assert "more pictures" in str(caught.value.hint)


def test_captions_in_other_languages_only(shapes: Path) -> None:
    with pytest.raises(DatasetError, match="no picture with a caption in ja"):
        read_data(files_of(shapes), RULE, languages=("ja",))


def test_a_language_that_the_tokenizer_cannot_read(tmp_path: Path) -> None:
    """A vocabulary without Devanagari: every word becomes the same unknown one."""
    import tokenizers

    from babelens.models.subwords import SubwordTokenizer

    words = {tag: list(tuning.WORDS[tag].values()) for tag in ("en", "hi")}
    texts = {
        tag: [f"{one} {other}" for one in known for other in known if one != other]
        for tag, known in words.items()
    }
    made = tokenizers.BertWordPieceTokenizer()
    made.train_from_iterator(texts["en"], vocab_size=300, show_progress=False)
    made.save(str(tmp_path / "tokenizer.json"))
    tokenizer = SubwordTokenizer((tmp_path / "tokenizer.json").read_bytes(), max_length=32)
    refuse_unreadable_languages(tokenizer, {"en": texts["en"]})
    with pytest.raises(DatasetError, match="captions in hi: 72 different ones become 1") as caught:
        refuse_unreadable_languages(tokenizer, texts)
    assert "--languages" in str(caught.value.hint)
    refuse_unreadable_languages(NgramTokenizer(), texts)
    refuse_unreadable_languages(tokenizer, {"hi": texts["hi"][:1]})  # a single one says nothing


# -- parallel texts, other domains -------------------------------------------------------------------------------


def test_parallel_texts_need_no_pictures(tmp_path: Path) -> None:
    file = tuning.write_lines(
        tmp_path / "parallel.jsonl",
        [
            {
                "image": "a",
                "captions": {"en": ["red disc", "disc, red"], "hi": ["लाल चक्र"], "ja": ["赤い円"]},
            },
            {"image": "b", "captions": {"en": ["alone"]}},
            {"image": "c", "captions": {"en": ["blue"], "xx-nonsense": ["?"]}},
            {"image": "d", "language": "de", "captions": ["grün"]},
            {"image": "d", "language": "en", "captions": ["green"]},
        ],
    )
    parallel = read_parallel(file, ("en", "de", "hi"))
    assert [dict(row) for row in parallel.rows] == [
        {"en": ("red disc", "disc, red"), "hi": ("लाल चक्र",)},
        {"de": ("grün",), "en": ("green",)},
    ]
    with pytest.raises(DatasetError, match="two of the languages es, fr") as caught:
        read_parallel(file, ("es", "fr"))
    assert '"captions"' in str(caught.value.hint)
    for step in range(30):
        batch = draw(None, parallel, batch_size=2, captions=2, anchor="en", seed=1, step=step)
        assert not len(batch.pictures)
        assert len(batch.parallel) == len(batch.rows) == 4
        for row, (first, second) in zip(
            batch.rows[::2], zip(batch.parallel[::2], batch.parallel[1::2], strict=True), strict=True
        ):
            known = parallel.rows[int(row)]
            assert {first in known["en"], second in known["en"]} == {True, False}, "English and another"


def test_another_domain_is_measured_in_all_its_languages(shapes: Path, tmp_path: Path) -> None:
    """What is not trained on must not get worse either."""
    tuning.write_split(tmp_path / "other", "captions", 5, languages=("en", "de", "hi"))
    files = files_of(shapes, kept=(tmp_path / "other" / "captions.jsonl",))
    data = read_data(files, RULE, languages=("en",))
    (kept,) = data.kept
    assert kept.name == "other"
    assert len(kept) == 5
    assert {tag: len(bodies) for tag, bodies in kept.bodies.items()} == {"en": 10, "de": 10, "hi": 10}
    assert set(data.validation.bodies) == {"en"}
    assert kept.owners["hi"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert np.array_equal(kept.pixels[3], np.asarray(RULE.to_pixels(_picture(tmp_path / "other", 3))))


def test_what_is_trained_on_cannot_show_harm(data: Path) -> None:
    some = tuning.write_lines(data / "some.jsonl", tuning.rows_of(data / "train.jsonl")[:5])
    mixed = tuning.rows_of(data / "train.jsonl")[:5] + tuning.rows_of(data / "test.jsonl")[:3]
    files = files_of(data, kept=(tuning.write_lines(data / "mixed.jsonl", mixed), some))
    read = read_data(files, RULE, languages=BOTH)
    (kept,) = read.kept
    assert (kept.name, len(kept)) == ("mixed", 3)
    assert kept.pixels.shape[0] == 3
    assert [one.reason for one in read.left_out] == [
        f"not measured as part of {name}, because it is trained on" for name in ("mixed",) * 5 + ("some",) * 5
    ]


def _picture(folder: Path, row: int) -> Image.Image:
    return Image.open(folder / str(tuning.rows_of(folder / "captions.jsonl")[row]["image"])).convert("RGB")


def test_what_cannot_be_used_is_counted_and_named(data: Path) -> None:
    rows = tuning.rows_of(data / "train.jsonl")
    (data / str(rows[0]["image"])).write_bytes(b"no picture")
    lines = [
        *(json.dumps(row, ensure_ascii=False) for row in rows),
        "{",
        '{"image": "gone.png", "captions": ["x"]}',
    ]
    (data / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    read = read_data(files_of(data), RULE, languages=("en",))
    assert read.train is not None
    assert len(read.train) == len(rows) - 1
    assert len(read.left_out) == 3
    told = describe(read)
    assert told["train"] == {
        "pictures": 47,
        "captions": {"en": 94},
        "captions_in_other_languages": {"de": 96},
        "never_mirrored": 0,
    }
    assert json.loads(json.dumps(told))["left_out"] == [[one.where, one.reason] for one in read.left_out]


# -- batches -----------------------------------------------------------------------------------------------------


def two_halves(caption: str, language: str = "en", *, sided: bool) -> Photographs:
    """Red on the left, blue on the right."""
    squares = np.zeros((1, 24, 24, 3), dtype=np.uint8)
    squares[0, :, :12, 0], squares[0, :, 12:, 2] = 255, 255
    picture = Photograph(Path("x.png"), "0", {language: (caption,)}, sided)
    return Photographs((picture,), squares, np.array([0]), (), {})


@pytest.mark.parametrize("sided", [True, False])
def test_a_picture_whose_caption_names_a_side_is_never_mirrored(sided: bool) -> None:
    photographs = two_halves("red on the left", sided=sided)
    mirrored = 0
    for seed in range(200):
        (pixels,) = pixels_of(photographs, np.array([0]), augment=True, seed=seed)
        red, blue = (pixels[channel].mean(0) for channel in (0, 2))  # by column
        places = torch.arange(24.0)
        mirrored += bool((places * red).sum() / red.sum() > (places * blue).sum() / blue.sum())
    assert (mirrored == 0) if sided else (60 < mirrored < 140)


def test_captions_that_name_a_side_in_any_language_are_noticed(data: Path) -> None:
    rows = tuning.rows_of(data / "train.jsonl")
    for row, (tag, body) in zip(
        rows, [("en", "the disc on the left"), ("de", "rechts ein Kreuz"), ("ja", "左に円")], strict=False
    ):
        row["captions"][tag] = [body]  # type: ignore[index]
    tuning.write_lines(data / "train.jsonl", rows)
    read = read_data(files_of(data), RULE, languages=("en",))  # Japanese is not trained, and still says left
    assert read.train is not None
    assert [picture.sided for picture in read.train.pictures[:4]] == [True, True, True, False]


def test_without_augmentation_pictures_are_as_they_are_served() -> None:
    photographs = two_halves("x", sided=False)
    (pixels,) = pixels_of(photographs, np.array([0]), augment=False, seed=1)
    assert np.array_equal((pixels * 255).permute(1, 2, 0).numpy().round(), photographs.squares[0])
    changed = pixels_of(photographs, np.array([0]), augment=True, seed=1)
    assert torch.equal(changed, pixels_of(photographs, np.array([0]), augment=True, seed=1))
    assert not torch.equal(changed, pixels_of(photographs, np.array([0]), augment=True, seed=2))


def test_every_picture_comes_once_in_an_epoch_and_a_step_is_always_the_same(shapes: Path) -> None:
    train = read_data(files_of(shapes), RULE, languages=BOTH).train
    assert train is not None

    def at(step: int, seed: int = 0) -> tuple[list[int], tuple[str, ...]]:
        batch = draw(train, None, batch_size=16, captions=2, anchor=None, seed=seed, step=step)
        return batch.pictures.tolist(), batch.captions

    epoch = [at(step) for step in range(3)]
    assert sorted(place for pictures, _ in epoch for place in pictures) == list(range(48))
    assert at(1) == epoch[1]
    assert at(1, seed=1) != epoch[1]
    assert at(4) != epoch[1], "another epoch, another order"
    for pictures, captions in epoch:
        for place, first, second in zip(pictures, captions[::2], captions[1::2], strict=True):
            known = train.pictures[place].captions
            assert sorted(first in bodies for bodies in known.values()) == [False, True]
            assert (first in known["en"]) != (second in known["en"]), "two languages"
