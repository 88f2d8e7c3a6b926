"""Which captions belong to which pictures: copies, repetitions, machine texts, missing languages, labels."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from babelens import Collection, DatasetError
from babelens.collection import Embeddings
from babelens.evaluation.corpus import build_corpus
from babelens.types import Item, Source, Text
from tests.conftest import COLOURS, FakeEncoder


def _embeddings(pictures: list[tuple[str, str]], texts: list[Text]) -> Embeddings:
    """Pictures as (id, hash)."""
    items = tuple(Item(name, "image", Source(f"/{name}.png", sha)) for name, sha in pictures)
    random = np.random.default_rng(0)
    return Embeddings(
        items,
        random.normal(size=(len(items), 4)).astype(np.float32),
        tuple(texts),
        random.normal(size=(len(texts), 4)).astype(np.float32),
    )


def test_captions_and_pictures_of_a_collection(coloured: Collection) -> None:
    corpus = build_corpus(coloured.embeddings())
    assert len(corpus.items) == len(COLOURS)
    assert list(corpus.captions) == ["en", "es", "fr", "hi", "de", "it", "ja", "ar"]
    english = corpus.captions["en"]
    for body, picture, relevant in zip(english.bodies, english.picture, english.relevant, strict=True):
        assert Path(corpus.items[picture].source.path).stem == body.removeprefix("plain ")
        assert relevant.tolist() == [picture]
    german = corpus.captions["de"]
    assert len(german.pictures) == 3
    assert [len(described) for described in german.described].count(0) == len(COLOURS) - 3
    assert any("no caption in de" in note for note in corpus.notes)


def test_languages_can_be_chosen_and_missed(coloured: Collection) -> None:
    corpus = build_corpus(coloured.embeddings(), languages=["ja", "en"])
    assert list(corpus.captions) == ["en", "ja"]
    texts = [Text("a", "en", "one", "human"), Text("b", "en", "two", "human")]
    corpus = build_corpus(_embeddings([("a", "1"), ("b", "2")], texts), languages=["en", "de"])
    assert any("no captions in de" in note for note in corpus.notes)


def test_copies_are_one_picture(
    tmp_path: Path, pictures: Path, captions_file: Path, encoder: FakeEncoder
) -> None:
    shutil.copy(pictures / "red.png", pictures / "rouge.png")
    with Collection.open(tmp_path / "copies", model=encoder) as collection:
        collection.add([captions_file, pictures])
        corpus = build_corpus(collection.embeddings())
    assert len(corpus.items) == len(COLOURS)
    assert len(corpus.rows) == len(COLOURS) + 1
    assert any("copies" in note for note in corpus.notes)


def test_only_captions_that_people_wrote_are_asked_and_each_once() -> None:
    texts = [
        Text("a", "en", "A dog", "human"),
        Text("a", "en", "a  DOG", "human"),
        Text("a", "en", "a dog on a mat", "caption-model"),
        Text("a", "de", "ein Hund", "translation"),
        Text("b", "en", "", "human", status="empty"),
        Text("b", "und", "gato", "human"),
        Text("b", "en", "a cat", "human"),
        Text("gone", "en", "a bird", "human"),
    ]
    corpus = build_corpus(_embeddings([("a", "1"), ("b", "2")], texts))
    assert list(corpus.captions) == ["en"]
    assert corpus.captions["en"].bodies == ("A dog", "a cat")
    text = " ".join(corpus.notes)
    assert "3 texts were not written by people" in text
    assert "1 captions are in no known language" in text
    assert "1 captions repeat" in text


def test_labels_say_what_else_a_caption_is_true_of() -> None:
    texts = [
        Text("a", "en", "dog", "human"),
        Text("b", "en", "dog and cat", "human"),
        Text("c", "en", "bird", "human"),
    ]
    labels = {
        "a.png": frozenset({"dog"}),
        "b.png": frozenset({"dog", "cat"}),
        "c.png": frozenset({"bird"}),
    }
    corpus = build_corpus(_embeddings([("a", "1"), ("b", "2"), ("c", "3")], texts), labels=labels)
    captions = corpus.captions["en"]
    assert [rows.tolist() for rows in captions.relevant] == [[0, 1], [1], [2]]
    assert [rows.tolist() for rows in captions.related] == [[], [0], []]
    assert [rows.tolist() for rows in captions.described] == [[0], [0, 1], [2]]


def test_the_digest_follows_contents_not_names_or_order() -> None:
    one = [Text("a", "en", "dog", "human"), Text("b", "en", "cat", "human")]
    first = build_corpus(_embeddings([("a", "1"), ("b", "2")], one)).digest
    other = [Text("y", "en", "cat", "human"), Text("x", "en", "dog", "human")]
    assert build_corpus(_embeddings([("y", "2"), ("x", "1")], other)).digest == first
    other = [Text("y", "en", "cat", "human"), Text("x", "en", "dogs", "human")]
    assert build_corpus(_embeddings([("y", "2"), ("x", "1")], other)).digest != first


@pytest.mark.parametrize(
    ("pictures", "texts"),
    [([], []), ([("a", "1")], [Text("a", "en", "dog", "human")]), ([("a", "1"), ("b", "2")], [])],
)
def test_nothing_to_measure(pictures: list[tuple[str, str]], texts: list[Text]) -> None:
    with pytest.raises(DatasetError, match="nothing to measure"):
        build_corpus(_embeddings(pictures, texts))
