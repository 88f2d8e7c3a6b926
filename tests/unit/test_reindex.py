"""Changing the encoder of a collection, with fake encoders on real files and a real catalog."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from babelens.collection import Collection, ReindexReport
from babelens.collection import reindex as reindex_module
from babelens.errors import (
    CollectionError,
    EncoderMismatchError,
    IncompleteReindexError,
    InvalidQueryError,
    StorageFullError,
)
from babelens.ingest import reencode
from babelens.search import upkeep
from babelens.storage import Catalog
from babelens.types import EncoderFingerprint
from babelens.vectors import Floats, Ids
from tests.conftest import COLOURS, FakeEncoder, OtherEncoder

PROBES = 1  # pictures and texts encoded to see that the encoder works


@pytest.fixture
def collection(tmp_path: Path, pictures: Path, encoder: FakeEncoder) -> Iterator[Collection]:
    for name in COLOURS:
        (pictures / f"{name}.txt").write_text(name)
    with Collection.open(tmp_path / "collection", model=encoder) as opened:
        opened.add(pictures, caption_language="en")
        yield opened


def encoders(collection: Collection) -> list[EncoderFingerprint]:
    """Those that have vectors in the catalog, or had."""
    with Catalog.open(collection.path, read_only=True) as catalog:
        assert catalog.verify() == []
        return list(catalog.encoders().values())


def vectors(collection: Collection, encoder: FakeEncoder) -> dict[str, Floats]:
    """By file name."""
    with Catalog.open(collection.path, read_only=True) as catalog:
        numbers = {known: number for number, known in catalog.encoders().items()}
        items = {item.id: Path(item.source.path).name for item in catalog.items()}
        found = catalog.vectors_of(numbers[encoder.fingerprint], items)
        return {items[item_id]: vector for item_id, vector in found.items()}


def best(collection: Collection, query: str) -> str:
    return Path(collection.search(query, mode="vector").hits[0].item.source.path).stem


class Interrupted(OtherEncoder):
    """Presses Ctrl-C at its n-th batch of pictures; the first is the probe."""

    def __init__(self, *, at: int) -> None:
        super().__init__()
        self._left = at

    def encode_prepared(self, pixels: Sequence[NDArray[np.uint8]]) -> Floats:
        self._left -= 1
        if not self._left:
            raise KeyboardInterrupt
        return super().encode_prepared(pixels)


def begin(collection: Collection, *, at: int = 3, batch: int = 2) -> None:
    """Leaves a reindex half-done: Ctrl-C before the last of ``at`` batches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reencode, "_ENCODE", batch)
        with pytest.raises(KeyboardInterrupt):
            collection.reindex(Interrupted(at=at))


# -- the whole way -----------------------------------------------------------------------------------------


def test_every_picture_and_text_is_encoded_and_searched_with_the_new_encoder(collection: Collection) -> None:
    told: list[ReindexReport] = []
    other = OtherEncoder()

    def before_switch(report: ReindexReport) -> None:
        assert encoders(collection) == [FakeEncoder().fingerprint, other.fingerprint]
        assert collection.info().encoder == FakeEncoder().fingerprint
        assert best(collection, "blue") == "blue"
        told.append(report)

    report = collection.reindex(other, before_switch=before_switch)
    assert (report.pictures, report.texts, report.searchable, report.lost) == (8, 8, 8, 0)
    assert (report.switched, report.skipped, report.notes) == (True, (), ())
    assert [(told[0].pictures, told[0].changes)] == [(8, report.changes)]
    assert encoders(collection) == [other.fingerprint]
    info = collection.info()
    assert (info.encoder, info.model, info.reindex) == (other.fingerprint, "other", None)
    assert {name: index.vectors for name, index in info.indexes.items()} == {"image": 8, "text": 8}
    assert best(collection, "blue") == "blue"
    assert collection.verify().ok
    assert len(collection.search(vector=np.ones(5), mode="vector").hits) == 8


def test_what_is_added_after_the_switch_is_of_the_new_encoder(collection: Collection, pictures: Path) -> None:
    collection.reindex(OtherEncoder())
    Image.new("RGB", (9, 9), (0, 220, 220)).save(pictures / "cyan.png")
    assert collection.add(pictures).added == 1
    assert len(vectors(collection, OtherEncoder())) == 9
    assert encoders(collection) == [OtherEncoder().fingerprint]


def test_an_empty_collection_just_takes_the_other_encoder(tmp_path: Path, pictures: Path) -> None:
    with Collection.open(tmp_path / "c", model=FakeEncoder()) as collection:
        report = collection.reindex(OtherEncoder())
        assert (report.pictures, report.texts, report.changes, report.switched) == (0, 0, None, True)
        collection.add(pictures)
        assert len(vectors(collection, OtherEncoder())) == 8


def test_an_encoder_that_does_not_work_changes_nothing(collection: Collection) -> None:
    class Broken(OtherEncoder):
        def encode_texts(self, texts: Sequence[str]) -> Floats:
            raise CollectionError("no weights")

    begin(collection)
    before = collection.info().reindex
    with pytest.raises(CollectionError, match="no weights"):
        collection.reindex(Broken(revision="broken"))
    assert collection.info().reindex == before


def test_long_texts_are_counted(collection: Collection, pictures: Path) -> None:
    (pictures / "red.txt").write_text("red " * 20)
    collection.add(pictures, caption_language="en")
    (note,) = collection.reindex(OtherEncoder()).notes
    assert note.startswith("1 texts are longer than the 16 tokens that other takes")


# -- readers -----------------------------------------------------------------------------------------------


def test_open_readers_notice_the_switch_and_never_mix(collection: Collection) -> None:
    item = next(iter(collection.items()))
    with (
        Collection.open(collection.path, read_only=True) as nameless,
        Collection.open(collection.path, model=FakeEncoder(), read_only=True) as named,
    ):
        for reader in (nameless, named):
            assert len(reader.search(vector=np.ones(51), mode="vector").hits) == 8
        collection.reindex(OtherEncoder())
        for reader in (nameless, named):
            assert len(reader.search(vector=np.ones(5), mode="vector").hits) == 8
            assert len(reader.similar(item.id).hits) == 7
            with pytest.raises(InvalidQueryError, match="have 5 numbers"):
                reader.search(vector=np.ones(51), mode="vector")
            # No model has the name of a fake: a reader in another process cannot load it, and says so.
            with pytest.raises(EncoderMismatchError, match="'other', an encoder that is not here"):
                reader.search("red")
            assert reader.search("red", mode="text").hits
            assert (reader.info().encoder, reader.info().model) == (OtherEncoder().fingerprint, "other")
            assert reader.verify().ok


def test_a_reader_opened_with_a_name_loads_the_encoder_that_took_its_place(
    tmp_path: Path, pictures: Path
) -> None:
    bundled = Path(str(resources.files("babelens.models"))) / "mini"
    for name in ("one", "two"):
        shutil.copytree(bundled, tmp_path / name)
        path = tmp_path / name / "encoder.json"
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"name": name}))
    with Collection.open(tmp_path / "c", model=tmp_path / "one") as collection:
        collection.add(pictures)
        with Collection.open(tmp_path / "c", model=tmp_path / "one", read_only=True) as reader:
            assert len(reader.search("red").hits) == 8
            collection.reindex(tmp_path / "two")
            assert reader.info().model == str(tmp_path / "two")
            assert len(reader.search("red").hits) == 8
            assert reader.encoder.fingerprint.name == "two"
            collection.reindex(tmp_path / "one")
            assert len(reader.search("red").hits) == 8
            assert (reader.encoder.fingerprint.name, reader.info().model) == ("one", str(tmp_path / "one"))


def test_a_collection_that_another_switched_away_and_back_is_searched_anew(
    collection: Collection, pictures: Path
) -> None:
    with Collection.open(collection.path, model=FakeEncoder()) as reader:
        assert best(reader, "red") == "red"
        collection.reindex(OtherEncoder())
        collection.reindex(FakeEncoder())
        shutil.copy(pictures / "red.png", pictures / "again.png")
        collection.add(pictures)
        assert len(reader.search("red", mode="vector").hits) == 9
        assert reader.verify().ok


def test_another_process_switching_does_not_let_an_open_writer_write_the_old_space(
    collection: Collection, pictures: Path
) -> None:
    with Collection.open(collection.path, model=FakeEncoder()) as writer:
        assert best(writer, "red") == "red"
        collection.reindex(OtherEncoder())
        with pytest.raises(EncoderMismatchError):
            writer.add(pictures)
    assert encoders(collection) == [OtherEncoder().fingerprint]


def test_a_switch_in_the_middle_of_a_search_makes_it_search_again(collection: Collection) -> None:
    class Switching(FakeEncoder):
        """While a query is encoded, another process switches."""

        other: Collection | None = None

        def encode_texts(self, texts: Sequence[str]) -> Floats:
            if self.other is not None:
                other, self.other = self.other, None
                other.reindex(FakeEncoder(revision="2"))
            return super().encode_texts(texts)

    encoder = Switching()
    with Collection.open(collection.path, model=encoder) as reader:
        assert best(reader, "red") == "red"
        encoder.other = collection
        with pytest.raises(
            EncoderMismatchError, match="not here"
        ):  # of the second attempt: it found the switch
            reader.search("red")
        assert len(reader.search(vector=np.ones(51), mode="vector").hits) == 8


def test_searching_from_many_threads_meanwhile(collection: Collection) -> None:
    errors: list[BaseException] = []
    done = threading.Event()

    def search() -> None:
        try:
            while not done.is_set():
                assert best(collection, "green") == "green"
                assert len(collection.search("green").hits) == 8
        except BaseException as error:  # told to the test below
            errors.append(error)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for revision in range(4):
        collection.reindex((OtherEncoder if revision % 2 else FakeEncoder)(revision=f"r{revision}"))
    done.set()
    for thread in threads:
        thread.join()
    assert errors == []


# -- stopped and resumed -----------------------------------------------------------------------------------


def test_a_stopped_run_goes_on_and_info_shows_how_far_it_is(collection: Collection) -> None:
    begin(collection, at=4)
    pending = collection.info().reindex
    assert pending is not None
    assert (pending.model, pending.encoder) == ("other", OtherEncoder().fingerprint)
    assert (pending.encoded, pending.total) == (4, 16)
    assert collection.info().encoder == FakeEncoder().fingerprint
    assert collection.verify().ok
    assert best(collection, "red") == "red"
    rest = OtherEncoder()
    report = collection.reindex(rest)
    assert (report.pictures, rest.images_encoded - PROBES) == (4, 4)
    assert (report.texts, rest.texts_encoded - PROBES) == (8, 8)
    assert (report.switched, len(vectors(collection, rest))) == (True, 8)


def test_what_happens_to_the_collection_in_between_is_not_lost(
    collection: Collection, pictures: Path
) -> None:
    begin(collection, at=4)
    half = sorted(vectors(collection, OtherEncoder()))
    assert len(half) == 4
    Image.new("RGB", (9, 9), (0, 220, 220)).save(pictures / "cyan.png")
    (pictures / "cyan.txt").write_text("the colour of the sea")
    Image.new("RGB", (40, 9), COLOURS["blue"]).save(pictures / half[0])  # changed, after it was encoded
    (pictures / half[1]).unlink()
    collection.add(pictures, caption_language="en")
    assert half[0] not in vectors(collection, OtherEncoder()), "a stale vector would be taken for done"
    report = collection.reindex(OtherEncoder())
    assert (report.pictures, report.lost, report.skipped) == (4 + 2, 0, ())
    with Collection.open(pictures.parent / "new", model=OtherEncoder()) as anew:
        anew.add(pictures, caption_language="en")
        expected = vectors(anew, OtherEncoder())
    found = vectors(collection, OtherEncoder())
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=2e-3)


def test_no_switch_encodes_and_compares_and_the_next_run_switches(collection: Collection) -> None:
    report = collection.reindex(OtherEncoder(), switch=False)
    assert (report.pictures, report.switched) == (8, False)
    assert report.changes is not None
    assert collection.info().encoder == FakeEncoder().fingerprint
    assert collection.info().reindex is not None
    encoder = OtherEncoder()
    report = collection.reindex(encoder)
    assert (report.pictures, report.texts, report.switched) == (0, 0, True)
    assert encoder.images_encoded == PROBES


def test_another_model_gives_up_the_unfinished_one(collection: Collection) -> None:
    begin(collection)
    third = OtherEncoder("third")
    report = collection.reindex(third, switch=False)
    assert report.notes == ("An unfinished reindex with other was given up; 2 of its 16 vectors were there.",)
    assert encoders(collection) == [FakeEncoder().fingerprint, third.fingerprint]
    report = collection.reindex(FakeEncoder())  # back to where it was
    assert (report.pictures, report.switched, report.changes) == (0, False, None)
    assert report.notes[0].startswith("An unfinished reindex with third was given up; 16 of its 16")
    assert encoders(collection) == [FakeEncoder().fingerprint]
    assert collection.info().reindex is None


def test_keeping_the_old_vectors_makes_the_way_back_short(collection: Collection, pictures: Path) -> None:
    collection.reindex(OtherEncoder(), keep_old=True)
    assert encoders(collection) == [FakeEncoder().fingerprint, OtherEncoder().fingerprint]
    Image.new("RGB", (40, 9), COLOURS["blue"]).save(pictures / "red.png")
    collection.add(pictures, caption_language="en")
    assert len(vectors(collection, FakeEncoder())) == 7
    back = FakeEncoder()
    report = collection.reindex(back)
    assert (report.pictures, back.images_encoded - PROBES, report.texts) == (1, 1, 0)
    assert encoders(collection) == [FakeEncoder().fingerprint]


@pytest.mark.parametrize("writer", ["add", "remove", "compact", "reindex"])
def test_what_a_run_that_died_after_the_switch_left_goes_with_the_next_writer(
    collection: Collection, pictures: Path, writer: str
) -> None:
    other = OtherEncoder()
    collection.reindex(other, switch=False)
    with Catalog.open(collection.path) as catalog:
        old = {known: number for number, known in catalog.encoders().items()}[FakeEncoder().fingerprint]
        reindex_module._switch(catalog, other.fingerprint, "other", [old])
    with Collection.open(collection.path, model=other) as again:
        assert best(again, "red") == "red"
        assert again.verify().ok
        assert encoders(again) == [FakeEncoder().fingerprint, other.fingerprint]
        match writer:
            case "add":
                again.add(pictures)
            case "remove":
                again.remove(pictures / "black.png")
            case "compact":
                again.compact()
            case "reindex":
                again.reindex(other)
        assert encoders(again) == [other.fingerprint]
        assert best(again, "red") == "red"
        assert again.verify().ok


class FullDisk(Catalog):
    """A catalog whose disk is full from the third batch of vectors on."""

    left = 2

    def put_vectors(self, *arguments: Any, **options: Any) -> Ids:
        self.left -= 1
        if self.left < 0:
            raise StorageFullError("No space is left.")
        return super().put_vectors(*arguments, **options)


def test_a_full_disk_keeps_what_was_committed(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reencode, "_ENCODE", 2)
    monkeypatch.setattr(reencode, "_COMMIT_SECONDS", 0.0)
    with (
        Collection(collection.path, FullDisk.open(collection.path), model=FakeEncoder()) as full,
        pytest.raises(StorageFullError),
    ):
        full.reindex(OtherEncoder())
    assert best(collection, "red") == "red"
    assert len(vectors(collection, OtherEncoder())) == 4
    assert collection.reindex(OtherEncoder()).pictures == 4


# -- pictures that cannot be read --------------------------------------------------------------------------


def test_lost_pictures_are_counted_and_stop_the_switch(collection: Collection, pictures: Path) -> None:
    (pictures / "red.png").unlink()
    Image.new("RGB", (9, 9), COLOURS["red"]).save(pictures / "blue.png")
    told: list[ReindexReport] = []
    with pytest.raises(IncompleteReindexError) as caught:
        collection.reindex(OtherEncoder(), before_switch=told.append)
    assert "2 of 8 pictures (25.0%)" in caught.value.message
    assert "--allow-missing" in str(caught.value.hint)
    assert {Path(skip.path).name: skip.reason for skip in told[0].skipped} == {
        "red.png": "the file is gone",
        "blue.png": "the file has changed since it was indexed",
    }
    assert (told[0].lost, told[0].searchable) == (2, 8)
    assert best(collection, "red") == "red"
    assert collection.verify().ok
    encoder = OtherEncoder()
    report = collection.reindex(encoder, allow_missing=True)
    assert (report.switched, report.lost, encoder.images_encoded) == (True, 2, PROBES)
    assert len(collection.search(vector=np.ones(5), mode="vector").hits) == 6
    assert len(collection) == 8
    assert collection.verify().ok


def test_the_same_model_again_encodes_what_has_no_vector(collection: Collection, pictures: Path) -> None:
    (pictures / "red.png").rename(pictures.parent / "red.png")
    collection.reindex(OtherEncoder(), allow_missing=True)
    assert "red.png" not in vectors(collection, OtherEncoder())
    (pictures.parent / "red.png").rename(pictures / "red.png")
    assert collection.add(pictures).unchanged == 8
    report = collection.reindex(OtherEncoder())
    assert (report.pictures, report.switched, report.skipped) == (1, False, ())
    assert best(collection, "red") == "red"


def test_a_moved_picture_without_a_vector_gets_one_when_it_is_indexed(
    collection: Collection, pictures: Path
) -> None:
    (pictures / "red.png").rename(pictures / "crimson.png")
    collection.reindex(OtherEncoder(), allow_missing=True)
    assert collection.add(pictures).moved == 1
    assert "crimson.png" in vectors(collection, OtherEncoder())
    assert collection.verify().ok


def test_a_picture_that_is_gone_is_read_from_its_copy_and_copies_are_encoded_once(
    collection: Collection, pictures: Path
) -> None:
    for name in ("one", "two", "three"):
        shutil.copy(pictures / "red.png", pictures / f"{name}.png")
    collection.add(pictures)
    (pictures / "red.png").unlink()
    encoder = OtherEncoder()
    report = collection.reindex(encoder)
    assert (report.pictures, report.skipped) == (11, ())
    assert encoder.images_encoded == 8 + PROBES
    found = vectors(collection, encoder)
    np.testing.assert_array_equal(found["red.png"], found["two.png"])


def test_a_small_share_may_be_lost(tmp_path: Path, encoder: FakeEncoder) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for place in range(200):
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / f"{place:03}.png")
    with Collection.open(tmp_path / "c", model=encoder) as collection:
        collection.add(folder)
        for place in (3, 4):
            (folder / f"{place:03}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        report = collection.reindex(OtherEncoder())
        assert (report.switched, report.lost, len(report.skipped)) == (True, 2, 2)


class Directionless(OtherEncoder):
    """Gives black pictures no vector."""

    def encode_prepared(self, pixels: Sequence[NDArray[np.uint8]]) -> Floats:
        if any(one.max() < 50 for one in pixels):
            raise ValueError("a vector has length zero")
        return super().encode_prepared(pixels)


def test_a_picture_without_a_direction_does_not_cost_the_others_theirs(collection: Collection) -> None:
    report = collection.reindex(Directionless(), allow_missing=True)
    assert [(Path(skip.path).name, skip.reason) for skip in report.skipped] == [
        ("black.png", "the encoder gives it no vector")
    ]
    assert (report.pictures, report.lost) == (7, 1)


def test_imported_vectors_are_encoded_where_there_is_a_picture(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pictures)  # a name alone may be of any folder, and is not looked for in this one
    ids = [str(pictures / "red.png"), str(pictures / "gone.png"), "red.png", "https://example.org/red.png"]
    with Collection.open(tmp_path / "c") as collection:
        collection.import_vectors(np.eye(4, 9), ids, encoder="clip-from-elsewhere")
        with pytest.raises(IncompleteReindexError, match="3: imported as a vector, without a file"):
            collection.reindex(OtherEncoder())
        report = collection.reindex(OtherEncoder(), allow_missing=True)
        assert [skip.path for skip in report.skipped] == ids[1:]
        assert list(vectors(collection, OtherEncoder())) == ["red.png"]


# -- index files -------------------------------------------------------------------------------------------


def test_the_index_files_are_those_of_the_new_encoder(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "FILE_LIMIT", 5)
    collection.compact()
    with Collection.open(collection.path, model=FakeEncoder()) as reader:
        assert reader.info().indexes["image"].stored
        assert best(reader, "red") == "red"
        collection.reindex(OtherEncoder())
        assert len(reader.search(vector=np.ones(5), mode="vector").hits) == 8
    with Collection.open(collection.path, model=OtherEncoder()) as reader:
        assert reader.info().indexes["image"].stored
        assert best(reader, "red") == "red"
        assert reader.verify().ok
    monkeypatch.setattr(upkeep, "FILE_LIMIT", 100)
    collection.reindex(FakeEncoder())
    assert list((collection.path / "indexes").glob("*.index")) == []


def test_the_log_of_removals_stays_short(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reindex_module, "_BATCH", 4)
    collection.reindex(OtherEncoder())
    with Catalog.open(collection.path) as catalog:
        assert len(catalog.removed_since(0)) == 16 // 4
