"""The encoder of passages in a collection: filling in, stopping, changing, and what stands beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from babelens.collection import Collection
from babelens.errors import StorageFullError
from babelens.indexes import files, tuning
from babelens.ingest import passages as ingest_passages
from babelens.search import upkeep
from babelens.search.passages import read_passage_setting
from babelens.storage import Catalog
from babelens.types import EncoderFingerprint, Text
from babelens.vectors import Floats
from tests.conftest import FakeEncoder, FakePassageEncoder, OtherEncoder
from tests.vocabulary import LANGUAGES, PAIRS, word


def write_manuals(folder: Path, languages: Sequence[str] = LANGUAGES) -> Path:
    """A manual for each language: a heading and a sentence for each pair of things."""
    folder.mkdir(exist_ok=True)
    for language in languages:
        parts = [
            f"# {word(one, language)}\n\n{word(two, language)} {word(one, language)}." for one, two in PAIRS
        ]
        (folder / f"{language}.md").write_text("\n\n".join(parts), encoding="utf-8")
    return folder


@pytest.fixture
def manuals(tmp_path: Path) -> Path:
    return write_manuals(tmp_path / "manuals")


@pytest.fixture
def collection(tmp_path: Path, pictures: Path, manuals: Path, encoder: FakeEncoder) -> Iterator[Collection]:
    """Pictures with captions, and manuals in eight languages."""
    (pictures / "red.txt").write_text("red")
    with Collection.open(tmp_path / "collection", model=encoder) as opened:
        opened.add([pictures, manuals], caption_language="en")
        yield opened


PASSAGES = len(LANGUAGES) * len(PAIRS)


def state(collection: Collection) -> dict[str, dict[str, int]]:
    """Vectors by encoder's name and modality. The catalog is sound."""
    with Catalog.open(collection.path, read_only=True) as catalog:
        assert catalog.verify() == []
        return {
            known.name: {side: catalog.count_vectors(number, side) for side in ("image", "text")}  # type: ignore[arg-type]
            for number, known in catalog.encoders().items()
        }


class Stopped(FakePassageEncoder):
    """Comes to an end after some passages, as with Ctrl-C."""

    def encode_passages(self, texts: Sequence[str]) -> Floats:
        if self.passages_encoded:
            raise KeyboardInterrupt
        return super().encode_passages(texts)


def test_what_documents_say_gets_vectors_of_its_own_encoder(collection: Collection) -> None:
    encoder = FakePassageEncoder()
    seen: list[tuple[int, int | None]] = []
    report = collection.encode_passages(
        encoder, progress=lambda done, total=None, note="": seen.append((done, total))
    )
    assert (report.written, report.unchanged, report.cut, report.switched) == (PASSAGES, 0, 0, False)
    assert seen[0] == (0, PASSAGES)
    assert (PASSAGES, PASSAGES) in seen
    assert state(collection) == {
        "fake": {"image": 8, "text": 1},
        "fake-passages": {"image": 0, "text": PASSAGES},
    }
    again = collection.encode_passages(encoder)
    assert (again.written, again.unchanged) == (0, PASSAGES)
    info = collection.info()
    assert info.passages is not None
    assert (info.passages.encoded, info.passages.total, info.passages.coming) == (PASSAGES, PASSAGES, None)
    assert info.indexes["passage"].vectors == PASSAGES
    assert info.indexes["text"].vectors == 1
    assert collection.verify().ok
    assert collection.verify().recall_at_10["passage"] == 1.0


def test_texts_read_in_pictures_count_too_and_captions_do_not(collection: Collection) -> None:
    (picture,) = [item.id for item in collection.items(["image"]) if item.source.path.endswith("blue.png")]
    with Catalog.open(collection.path) as catalog:
        catalog.put_texts([Text(picture, "en", "coffee and water", "ocr")])
        catalog.put_texts([Text(picture, "en", "a fuse", "caption-model", model="m")])
        catalog.put_texts([Text(picture, "en", "####", "ocr", status="failed", reason="unsure")])
    assert collection.encode_passages(FakePassageEncoder()).written == PASSAGES + 1
    result = collection.search("caffè acqua", language="it", k=30)
    (hit,) = [hit for hit in result.hits if hit.item.id == picture]
    assert "passage" in {reason.ranking for reason in hit.why}


def test_adding_keeps_up_once_there_is_an_encoder(
    collection: Collection, manuals: Path, pictures: Path
) -> None:
    assert collection.info().passages is None
    encoder = FakePassageEncoder()
    report = collection.add(manuals, passage_model=encoder)
    assert any(str(PASSAGES) in note for note in report.notes)
    (manuals / "more.md").write_text("# wheel\n\nThe coffee of the wheel.")
    (manuals / "ja.md").unlink()
    collection.add(manuals)
    left = PASSAGES - len(PAIRS) + 1
    assert state(collection)["fake-passages"]["text"] == left
    assert encoder.passages_encoded == PASSAGES + 1
    assert not [note for note in collection.add(pictures).notes if "passages" in note]


def test_adding_says_so_when_the_encoder_is_not_here(
    collection: Collection, manuals: Path, encoder: FakeEncoder
) -> None:
    collection.encode_passages(FakePassageEncoder())
    (manuals / "more.md").write_text("# wheel\n\nThe coffee of the wheel.")
    with Collection.open(collection.path, model=encoder) as another_process:
        report = another_process.add(manuals)
        assert any("1 passages are not findable by meaning yet" in note for note in report.notes)
        result = another_process.search("Sicherung")
        assert any("Passages are not searched by meaning" in note for note in result.notes)
        assert {reason.ranking for hit in result.hits for reason in hit.why} >= {"words"}
    assert state(collection)["fake-passages"]["text"] == PASSAGES


def test_a_run_that_was_stopped_goes_on_where_it_was(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_passages, "_BATCH", 7)
    with pytest.raises(KeyboardInterrupt):
        collection.encode_passages(Stopped())
    assert state(collection)["fake-passages"]["text"] == 7
    encoder = FakePassageEncoder()
    report = collection.encode_passages(encoder)
    assert (report.written, report.unchanged) == (PASSAGES - 7, 7)
    assert encoder.passages_encoded <= PASSAGES - 7


def test_another_encoder_takes_over_when_all_is_encoded(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_passages, "_BATCH", 7)
    old = FakePassageEncoder()
    collection.encode_passages(old)
    before = collection.search("Sicherung Pumpe", language="de")
    with pytest.raises(KeyboardInterrupt):
        collection.encode_passages(Stopped("new", 16))
    info = collection.info()
    assert info.passages is not None
    assert (info.passages.model, info.passages.coming) == ("fake-passages", "new")
    during = collection.search("Sicherung Pumpe", language="de")
    assert [hit.item.id for hit in during.hits] == [hit.item.id for hit in before.hits]
    # Another reindex does not take it for something left over.
    collection.reindex(OtherEncoder())
    assert state(collection)["new"]["text"] == 7
    report = collection.encode_passages(FakePassageEncoder("new", 16))
    assert (report.written, report.switched) == (PASSAGES - 7, True)
    assert state(collection) == {"other": {"image": 8, "text": 1}, "new": {"image": 0, "text": PASSAGES}}
    found = collection.search("fuse pump", language="en", kinds=["passage"])
    assert {reason.ranking for reason in found.hits[0].why} >= {"passage"}


def test_an_unfinished_change_is_given_up_for_another(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_passages, "_BATCH", 7)
    used = FakePassageEncoder()
    collection.encode_passages(used)
    with pytest.raises(KeyboardInterrupt):
        collection.encode_passages(Stopped("new", 16))
    assert collection.encode_passages(used).switched is False
    assert set(state(collection)) == {"fake", "fake-passages"}
    info = collection.info()
    assert info.passages is not None
    assert info.passages.coming is None


def test_a_change_of_the_encoder_of_pictures_leaves_passages_alone(collection: Collection) -> None:
    collection.encode_passages(FakePassageEncoder())
    collection.reindex(OtherEncoder())
    assert state(collection) == {
        "other": {"image": 8, "text": 1},
        "fake-passages": {"image": 0, "text": PASSAGES},
    }
    assert collection.verify().ok


def test_vectors_of_passages_are_not_exported_nor_compared_with_captions(
    collection: Collection, tmp_path: Path
) -> None:
    collection.encode_passages(FakePassageEncoder())
    assert collection.export(tmp_path / "out").vectors == 8
    assert np.load(tmp_path / "out" / "image_embeddings.npy").shape == (8, 51)
    assert len(collection.embeddings().captions) == 1


def test_its_index_file_stands_beside_those_of_pictures(
    collection: Collection, manuals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "FILE_LIMIT", 5)
    monkeypatch.setattr(tuning, "_TAIL", 2)
    collection.encode_passages(FakePassageEncoder())
    collection.compact()
    assert {name for name in ("image", "text", "passage") if files.load(collection.path, name)} == {
        "image",
        "passage",
    }
    assert collection.info().indexes["passage"].stored
    best = collection.search("फ्यूज पंप", language="hi").hits[0].item.id
    write_manuals(manuals, ["en", "es"])
    (manuals / "de.md").unlink()
    collection.add(manuals)
    collection.compact()
    assert collection.verify().ok
    assert collection.verify().recall_at_10["passage"] == 1.0
    assert collection.search("फ्यूज पंप", language="hi").hits[0].item.id == best
    # Another encoder's file takes its place.
    collection.encode_passages(FakePassageEncoder("new", 16))
    assert collection.verify().ok
    loaded = files.load(collection.path, "passage")
    assert loaded is not None
    assert loaded.index.dim == 16


def test_what_is_too_long_is_counted_and_still_found_by_its_beginning(
    collection: Collection, manuals: Path
) -> None:
    (manuals / "long.md").write_text("# wheel screw\n\n" + "so " * 60)
    collection.add(manuals)
    report = collection.encode_passages(FakePassageEncoder())
    assert report.cut == 1
    assert any("1 passages are longer" in note for note in report.notes)


def test_nothing_is_written_when_the_encoder_does_not_run(collection: Collection) -> None:
    class Broken(FakePassageEncoder):
        def encode_queries(self, texts: Sequence[str]) -> Floats:
            raise StorageFullError("no")

    with pytest.raises(StorageFullError):
        collection.encode_passages(Broken())
    assert set(state(collection)) == {"fake"}
    with Catalog.open(collection.path, read_only=True) as catalog:
        assert read_passage_setting(catalog) is None


def test_the_fingerprint_is_compared_when_it_is_loaded_again(
    collection: Collection, encoder: FakeEncoder, passage_folder: Path, tmp_path: Path
) -> None:
    import shutil

    folder = shutil.copytree(passage_folder, tmp_path / "model")
    report = collection.encode_passages(folder)
    assert report.model == str(folder)
    assert isinstance(report.encoder, EncoderFingerprint)
    with Collection.open(collection.path, model=encoder) as opened:
        found = opened.search("Sicherung", language="de")
        assert "passage" in {reason.ranking for hit in found.hits for reason in hit.why}
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {"query": "other: "}}')
    with Collection.open(collection.path, model=encoder) as opened:
        found = opened.search("Sicherung", language="de")
        assert any("another model now" in note for note in found.notes)
