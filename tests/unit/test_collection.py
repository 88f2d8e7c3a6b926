from __future__ import annotations

import csv
import json
import threading
import zipfile
from pathlib import Path

import faiss
import numpy as np
import pytest
from PIL import Image

from babelens.collection import Collection, resolve_collection_path
from babelens.encoding import encode_image, encode_text
from babelens.errors import (
    CollectionError,
    CollectionNotFoundError,
    DatasetError,
    EncoderMismatchError,
    InvalidQueryError,
    UnknownItemError,
    UnknownLanguageError,
    UnknownModelError,
)
from babelens.types import Term
from tests.conftest import COLOURS, TRANSLATIONS, FakeEncoder


@pytest.fixture
def captions_file(pictures: Path) -> Path:
    """Captions in seven languages for three of the pictures."""
    path = pictures.parent / "captions.jsonl"
    lines = [
        {"image": f"pictures/{name}.png", "captions": [word], "language": language}
        for name, words in TRANSLATIONS.items()
        for language, word in words.items()
    ]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def collection(tmp_path: Path, pictures: Path, captions_file: Path, encoder: FakeEncoder) -> Collection:
    opened = Collection.open(tmp_path / "collection", model=encoder)
    opened.add(pictures, captions=[captions_file])
    return opened


def name_of(hit: object) -> str:
    return Path(hit.item.source.path).stem  # type: ignore[attr-defined]


# -- opening -----------------------------------------------------------------------------------------------


def test_a_bare_name_lives_in_the_users_data_and_anything_else_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    assert resolve_collection_path("holiday").name == "holiday"
    assert resolve_collection_path("holiday").parent.name == "collections"
    assert resolve_collection_path("./holiday") == tmp_path / "holiday"
    assert resolve_collection_path(Path("holiday")) == tmp_path / "holiday"
    assert resolve_collection_path("a/b") == tmp_path / "a" / "b"
    assert resolve_collection_path("..") == tmp_path / ".."
    with pytest.raises(CollectionError):
        resolve_collection_path(" ")


def test_a_folder_here_that_holds_a_collection_wins_over_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: FakeEncoder
) -> None:
    monkeypatch.chdir(tmp_path)
    Collection.open(tmp_path / "here", model=encoder).close()
    assert resolve_collection_path("here") == tmp_path / "here"


def test_opening_without_creating_needs_a_collection(tmp_path: Path) -> None:
    for arguments in ({"create": False}, {"read_only": True}):
        with pytest.raises(CollectionNotFoundError):
            Collection.open(tmp_path / "none", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "none").exists()


def test_a_file_is_no_collection_and_an_unknown_model_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CollectionError, match="is a file"):
        Collection.open(tmp_path / "file")
    with pytest.raises(UnknownModelError):
        Collection.open(tmp_path / "new", model="no-such-model")
    assert not (tmp_path / "new").exists()
    with pytest.raises(InvalidQueryError, match="metric"):
        Collection.open(tmp_path / "new", metric="cosine")  # type: ignore[arg-type]


def test_another_encoder_is_refused_with_advice(collection: Collection) -> None:
    with pytest.raises(EncoderMismatchError, match="made with fake") as caught:
        Collection.open(collection.path, model=FakeEncoder(revision="2"))
    assert "babelens reindex" in str(caught.value.hint)


def test_an_encoder_that_is_not_here_leaves_words_and_stored_pictures_searchable(
    collection: Collection,
) -> None:
    item = next(iter(collection.items()))
    collection.close()
    with Collection.open(collection.path) as again:  # "fake" is no model that can be loaded by name
        assert again.search("rojo", mode="text").hits
        assert again.similar(item.id).hits
        with pytest.raises(EncoderMismatchError, match="not here"):
            again.search("rojo")


def test_reading_while_another_has_it_open_for_writing(collection: Collection, encoder: FakeEncoder) -> None:
    with Collection.open(collection.path, model=encoder, read_only=True) as reader:
        assert len(reader) == len(COLOURS)
        with pytest.raises(CollectionError, match="reading only"):
            reader.remove(next(iter(reader.items())).id)


# -- search ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["vector", "text", "hybrid"])
@pytest.mark.parametrize("language", ["es", "fr", "hi", "de", "it", "ja", "ar"])
def test_words_of_every_language_find_the_picture(collection: Collection, mode: str, language: str) -> None:
    result = collection.search(TRANSLATIONS["blue"][language], mode=mode, language=language)
    assert name_of(result.hits[0]) == "blue"
    assert result.confident
    assert [hit.rank for hit in result.hits] == list(range(1, len(result.hits) + 1))


def test_why_names_ranking_rank_score_and_text(collection: Collection) -> None:
    hit = collection.search("लाल", language="hi").hits[0]
    reasons = {reason.ranking: reason for reason in hit.why}
    assert set(reasons) == {"image", "caption", "words"}
    assert hit.score == pytest.approx(1.0, abs=1e-3)
    assert reasons["image"].text is None
    assert reasons["words"].text is not None
    assert reasons["words"].text.body == "लाल"
    assert reasons["words"].rank == reasons["image"].rank == 1


def test_text_mode_has_no_cosine(collection: Collection) -> None:
    (hit,) = collection.search("lila rot", mode="text", language="de").hits
    assert (name_of(hit), hit.score) == ("red", None)


def test_a_picture_finds_pictures_and_itself_only_when_searched(
    collection: Collection, pictures: Path
) -> None:
    found = collection.search(image=pictures / "orange.png")
    assert name_of(found.hits[0]) == "orange"
    similar = collection.similar(pictures / "orange.png", k=3)
    assert len(similar.hits) == 3
    assert "orange" not in map(name_of, similar.hits)
    assert name_of(similar.hits[0]) == "yellow"
    by_id = collection.similar(found.hits[0].item.id, k=3)
    assert [hit.item.id for hit in by_id.hits] == [hit.item.id for hit in similar.hits]


def test_a_new_picture_is_encoded_and_an_indexed_one_is_not(
    collection: Collection, encoder: FakeEncoder, pictures: Path
) -> None:
    before = encoder.images_encoded
    collection.similar(pictures / "red.png")
    assert encoder.images_encoded == before
    hits = collection.similar(Image.new("RGB", (50, 50), COLOURS["red"])).hits
    assert name_of(hits[0]) == "red"
    assert encoder.images_encoded == before + 1


def test_a_picture_that_changed_since_is_encoded_anew(collection: Collection, pictures: Path) -> None:
    Image.new("RGB", (99, 99), COLOURS["blue"]).save(pictures / "red.png")
    assert name_of(collection.similar(pictures / "red.png").hits[0]) == "blue"


def test_plus_and_minus_steer(tmp_path: Path, pictures: Path, encoder: FakeEncoder) -> None:
    with Collection.open(tmp_path / "c", model=encoder) as collection:
        collection.add(pictures)
        assert name_of(collection.search("red", mode="vector").hits[0]) == "red"
        assert name_of(collection.search("red", plus=["yellow"], mode="vector").hits[0]) == "orange"
        weighted = collection.search("red", plus=[Term(text="yellow", weight=0.1)], mode="vector")
        assert name_of(weighted.hits[0]) == "red"
        mixed = collection.search("red", image=pictures / "yellow.png", mode="vector")
        assert name_of(mixed.hits[0]) == "orange"
        without = collection.search("orange", minus=[Image.new("RGB", (9, 9), COLOURS["red"])], mode="vector")
        assert name_of(without.hits[0]) not in ("orange", "red")


def test_plus_and_minus_take_files_and_a_lone_word_is_a_list_of_one(
    collection: Collection, pictures: Path
) -> None:
    query = collection.search("sea", plus="night", minus=[pictures / "red.png"]).query  # type: ignore[arg-type]
    assert [(term.text, term.weight) for term in query.terms] == [("sea", 1), ("night", 1), (None, -1)]
    assert query.terms[2].item_id is not None, "the vector of a file that is indexed is known"


def test_minus_words_drop_documents_that_hold_them_all(tmp_path: Path, encoder: FakeEncoder) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    for name, text in (("a", "red car with people"), ("b", "red car"), ("c", "people at night")):
        Image.new("RGB", (9, 9), COLOURS["red"]).save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text(text)
    with Collection.open(tmp_path / "c", model=encoder) as collection:
        collection.add(folder, caption_language="en")
        hits = collection.search("red car", minus=["people"], mode="text").hits
        assert [name_of(hit) for hit in hits] == ["b"]


def test_filters_act_inside_the_search(collection: Collection) -> None:
    hits = collection.search("red", k=2, where="name startswith 'b'").hits
    assert {name_of(hit) for hit in hits} == {"blue", "black"}
    assert collection.search("red", where="folder = 'elsewhere'").hits == ()
    assert collection.search("red", kinds=["page"]).hits == ()
    assert len(collection.search("red", mode="vector", kinds=["image"]).hits) == len(COLOURS)
    assert (
        len(collection.search(vector=np.ones(51), mode="vector", where="width = 32 and height < 100").hits)
        == 8
    )


def test_a_given_vector_of_any_length_searches_and_a_wrong_one_is_refused(collection: Collection) -> None:
    vector = encode_text("green", model=collection.encoder)[0]
    assert name_of(collection.search(vector=17 * vector, mode="vector").hits[0]) == "green"
    for wrong in (np.ones(50), np.zeros(51), np.full(51, np.nan), np.ones((1, 51))):
        with pytest.raises(InvalidQueryError):
            collection.search(vector=wrong, mode="vector")


def test_k_may_exceed_the_collection_but_not_all_bounds(collection: Collection) -> None:
    assert len(collection.search("red", k=10_000).hits) == len(COLOURS)
    for k in (0, -3, 1_000_000):
        with pytest.raises(InvalidQueryError, match="k must be"):
            collection.search("red", k=k)


@pytest.mark.parametrize("text", ["", "   ", None])
def test_an_empty_query_is_refused_even_by_an_empty_collection(
    tmp_path: Path, encoder: FakeEncoder, text: str | None
) -> None:
    with Collection.open(tmp_path / "empty", model=encoder) as empty:
        with pytest.raises(InvalidQueryError):
            empty.search(text)
        result = empty.search("red")
        assert (result.hits, result.confident) == ((), False)
        assert empty.captions(Image.new("RGB", (9, 9)), language="en") == []
        assert len(empty) == 0
        assert empty.verify().ok
        assert empty.info().items == 0


def test_timings_are_milliseconds_that_add_up(collection: Collection) -> None:
    timings = dict(collection.search("red").timings)
    total = timings.pop("total")
    assert set(timings) == {"encode", "find", "fuse", "fetch", "judge"}
    assert sum(timings.values()) <= total + 0.01


def test_a_long_text_is_announced_as_cut(collection: Collection) -> None:
    (note,) = collection.search("red " * 20).notes
    assert "20 tokens" in note
    assert "more than the 16" in note
    assert collection.search("red").notes == ()


def test_a_photograph_blind_encoder_says_so_once(tmp_path: Path, encoder: FakeEncoder) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    for number in range(9):
        Image.new("RGB", (9, 9), (20 * number, 9, 9)).save(folder / f"{number}.jpg")
    with Collection.open(tmp_path / "c", model=encoder) as collection:
        collection.add(folder)
        assert any("not trained on photographs" in note for note in collection.search("red").notes)
        assert collection.search("blue").notes == ()


# -- captions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["es", "fr", "hi", "de", "it", "ja", "ar"])
def test_a_picture_finds_its_caption_in_the_language_asked_for(
    collection: Collection, pictures: Path, language: str
) -> None:
    captions = collection.captions(pictures / "blue.png", language=language, k=2)
    assert [caption.rank for caption in captions] == [1, 2]
    assert {caption.text.language for caption in captions} == {language}
    assert captions[0].text.body == TRANSLATIONS["blue"][language]
    assert captions[0].score > captions[1].score


def test_captions_give_each_wording_once(tmp_path: Path, encoder: FakeEncoder) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    for number in range(6):
        Image.new("RGB", (9 + number, 9), COLOURS["red"]).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text("blue" if number == 5 else "Red")
    with Collection.open(tmp_path / "c", model=encoder) as collection:
        collection.add(folder, caption_language="en")
        captions = collection.captions(folder / "0.png", language="en", k=2)
        assert [caption.text.body for caption in captions] == ["Red", "blue"]


def test_captions_refuse_unknown_languages_and_pictures(collection: Collection, pictures: Path) -> None:
    with pytest.raises(UnknownLanguageError):
        collection.captions(pictures / "red.png", language="klingon")
    with pytest.raises(UnknownItemError, match="neither"):
        collection.captions("no-such-id", language="en")
    assert collection.captions(pictures / "red.png", language="en") == []


# -- items, removal, duplicates ----------------------------------------------------------------------------


def test_items_and_texts_by_id(collection: Collection) -> None:
    red = next(item for item in collection.items() if item.source.path.endswith("red.png"))
    assert collection.get(red.id) == red
    assert {text.language for text in collection.texts(red.id)} == set(TRANSLATIONS["red"])
    assert [text.body for text in collection.texts(red.id, "German")] == ["rot"]
    for call in (collection.get, collection.texts):
        with pytest.raises(UnknownItemError):
            call("nobody")


def test_removing_by_id_path_and_folder(collection: Collection, pictures: Path) -> None:
    ids = {Path(item.source.path).stem: item.id for item in collection.items()}
    assert collection.remove(ids["red"]) == 1
    assert collection.remove([pictures / "blue.png", str(pictures / "green.png")]) == 2
    assert "red" not in {name_of(hit) for hit in collection.search("red").hits}
    with pytest.raises(UnknownItemError, match="nobody"):
        collection.remove([ids["black"], "nobody"])
    assert len(collection) == 5
    assert collection.remove(pictures) == 5
    assert collection.search("red").hits == ()
    assert (pictures / "red.png").exists()


def test_duplicates_are_files_of_the_same_bytes(collection: Collection, pictures: Path) -> None:
    assert collection.duplicates() == []
    (pictures / "copy.png").write_bytes((pictures / "red.png").read_bytes())
    collection.add(pictures)
    ((first, second),) = collection.duplicates()
    assert {Path(first.source.path).name, Path(second.source.path).name} == {"red.png", "copy.png"}


def test_what_another_writes_is_found_at_once(
    collection: Collection, pictures: Path, encoder: FakeEncoder
) -> None:
    with Collection.open(collection.path, model=FakeEncoder()) as other:
        assert len(other.search("red", mode="vector").hits) == 8
        Image.new("RGB", (9, 9), (255, 0, 0)).save(pictures / "crimson.png")
        collection.add(pictures)
        assert len(other.search("red", mode="vector").hits) == 9
        collection.remove(pictures / "red.png")
        assert "red" not in {name_of(hit) for hit in other.search("red", mode="vector").hits}


def test_searching_from_many_threads_while_adding(collection: Collection, pictures: Path) -> None:
    errors: list[BaseException] = []

    def search() -> None:
        try:
            for _ in range(10):
                assert collection.search("red").hits
        except BaseException as error:  # told to the test below
            errors.append(error)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(5):
        Image.new("RGB", (9, 9), (number, 200, 9)).save(pictures / f"new{number}.png")
        collection.add(pictures)
    for thread in threads:
        thread.join()
    assert errors == []


# -- import and export -------------------------------------------------------------------------------------


def test_vectors_made_elsewhere_are_normalised_and_say_so(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(20, 16)).astype(np.float64)
    rows[3] = 0
    rows[4, 0] = np.nan
    ids = [f"/archive/trips/{number}.jpg" for number in range(20)]
    with Collection.open(tmp_path / "c") as collection:
        report = collection.import_vectors(rows, ids, encoder="clip-from-elsewhere")
        assert report.added == 18
        assert [skip.path for skip in report.skipped] == ids[3:5]
        assert report.notes == ("18 vectors were brought to unit length.",)
        hit = collection.search(vector=rows[7], mode="vector", where="folder = 'trips'").hits[0]
        assert hit.item.source.path == ids[7]
        assert hit.score == pytest.approx(1.0, abs=1e-3)
        again = collection.import_vectors(rows[:3], ids[:3], encoder="clip-from-elsewhere")
        assert (again.added, again.updated) == (0, 3)
        assert len(collection) == 18
        assert collection.duplicates() == []
        assert collection.remove(ids[0]) == 1
        assert collection.verify().problems == ()
        with pytest.raises(EncoderMismatchError, match="not here"):
            collection.search("red", mode="vector")


def test_imports_that_do_not_fit_are_refused(collection: Collection) -> None:
    for vectors, ids in (
        (np.ones((2, 51)), ["a"]),
        (np.ones((2, 51)), ["a", "a"]),
        (np.ones(51), ["a"]),
        (np.ones((1, 51), dtype=int), ["a"]),
    ):
        with pytest.raises(DatasetError):
            collection.import_vectors(vectors, ids, encoder="fake")
    for vectors, name in ((np.ones((1, 52)), "fake"), (np.ones((1, 51)), "other")):
        with pytest.raises(EncoderMismatchError):
            collection.import_vectors(vectors, ["a"], encoder=name)
    assert collection.import_vectors(np.ones((1, 51)), ["a"], encoder="fake").added == 1


@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_export_writes_what_people_expect_to_take_away(
    tmp_path: Path, pictures: Path, captions_file: Path, encoder: FakeEncoder, metric: str
) -> None:
    with Collection.open(tmp_path / "c", model=encoder, metric=metric) as collection:  # type: ignore[arg-type]
        collection.add(pictures, captions=[captions_file])
        report = collection.export(tmp_path / "out", zip=True)
        ids = (tmp_path / "out" / "ids.txt").read_text().split()
        assert (
            collection.search(vector=np.load(tmp_path / "out" / "image_embeddings.npy")[2]).hits[0].item.id
            == ids[2]
        )
    assert (report.items, report.vectors, report.captions) == (8, 8, 21)
    rows = np.load(tmp_path / "out" / "image_embeddings.npy")
    index = faiss.read_index(str(tmp_path / "out" / "image_index.faiss"))
    assert index.metric_type == (faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT)
    np.testing.assert_array_equal(index.search(rows, 1)[1][:, 0], np.arange(8))
    with (tmp_path / "out" / "captions.csv").open(encoding="utf-8", newline="") as stream:
        table = {Path(row["filename"]).stem: row for row in csv.DictReader(stream)}
    assert table["red"]["caption_ar"] == "أحمر"
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["encoder"]["name"] == "fake"
    assert report.zip is not None
    assert set(zipfile.ZipFile(report.zip).namelist()) == set(report.files)


def test_an_empty_collection_has_nothing_to_export(tmp_path: Path, encoder: FakeEncoder) -> None:
    with (
        Collection.open(tmp_path / "c", model=encoder) as empty,
        pytest.raises(CollectionError, match="empty"),
    ):
        empty.export(tmp_path / "out")


# -- care --------------------------------------------------------------------------------------------------


def test_info_counts_what_is_there(collection: Collection) -> None:
    info = collection.info()
    assert (info.items, dict(info.kinds), dict(info.files)) == (8, {"image": 8}, {"ok": 8})
    assert dict(info.texts) == dict.fromkeys(sorted(TRANSLATIONS["red"]), 3)
    assert info.encoder == FakeEncoder().fingerprint
    assert {name: index.vectors for name, index in info.indexes.items()} == {"image": 8, "text": 21}
    assert info.catalog_bytes > 0


def test_verify_and_compact_after_removals(collection: Collection, pictures: Path) -> None:
    collection.remove([pictures / "red.png", pictures / "blue.png"])
    with Collection.open(collection.path, model=FakeEncoder()) as behind:
        assert len(behind.search("green", mode="vector").hits) == 6
        collection.remove(pictures / "black.png")
        assert collection.compact() >= 0
        assert len(behind.search("green", mode="vector").hits) == 5  # though the log it would follow is gone
        report = behind.verify()
    assert (report.ok, report.problems, report.items) == (True, (), 5)
    assert dict(report.recall_at_10) == {"image": 1.0, "text": 1.0}


# -- encoding without a collection -------------------------------------------------------------------------


def test_encoding_takes_one_or_many_and_always_gives_rows(pictures: Path, encoder: FakeEncoder) -> None:
    files = [pictures / "red.png", str(pictures / "blue.png"), Image.new("RGBA", (9, 9), (220, 30, 30, 255))]
    assert encode_image(files, model=encoder).shape == (3, 51)
    assert encode_image(files[0], model=encoder).shape == (1, 51)
    assert encode_image([], model=encoder).shape == (0, 51)
    assert encode_text("red", model=encoder).shape == (1, 51)
    assert encode_text(["red", "blue"], model=encoder).shape == (2, 51)
    assert encode_text([], model=encoder).shape == (0, 51)
    cosines = encode_text(["red", "blue"], model=encoder) @ encode_image(files, model=encoder).T
    np.testing.assert_array_equal(cosines.argmax(axis=1), [0, 1])
