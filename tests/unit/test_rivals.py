"""Confidence of pictures that other words fit better: what is remembered, and what a search says of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from babelens.collection import Collection
from babelens.retrieval.calibration import rivals
from babelens.search import rivals as module
from babelens.search.rivals import Rivals
from babelens.storage import Catalog
from babelens.vectors import Floats
from tests.conftest import COLOURS, FakeEncoder

CARD = {"text_image.bias": 0.0, "text_image.cosine": 1.0, "text_image.z": 0.1}
WITH = {
    "text_image.with_rivals.bias": 0.0,
    "text_image.with_rivals.cosine": 10.0,
    "text_image.with_rivals.z": 0.0,
    "text_image.with_rivals.rivals": -10.0,
}


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    folder = tmp_path / "shown"
    folder.mkdir()
    for name, colour in COLOURS.items():
        Image.new("RGB", (32, 24), colour).save(folder / f"{name}.png")
        dim = tuple(part * 9 // 10 for part in colour)
        Image.new("RGB", (32, 24), dim).save(folder / f"dim {name}.png")
    return folder


def reading(words: Sequence[str], name: str = "fake") -> FakeEncoder:
    encoder = FakeEncoder(name)
    encoder.calibration = {**CARD, **WITH}
    encoder.vocabulary = encoder.encode_texts(words)
    return encoder


def told(collection: Collection, text: str) -> dict[str, float | None]:
    result = collection.search(text, language="en", mode="image", k=5)
    return {Path(hit.item.source.path).stem: hit.why[0].confidence for hit in result.hits}


@pytest.fixture
def catalog(shown: Path, tmp_path: Path) -> Iterator[Catalog]:
    with Collection.open(tmp_path / "c", model=reading(["red"])) as collection:
        collection.add(shown)
    with Catalog.open(tmp_path / "c") as opened:
        yield opened


def test_a_picture_that_other_words_fit_better_is_less_sure(shown: Path, tmp_path: Path) -> None:
    with Collection.open(tmp_path / "c", model=reading(["red", "blue", "green", "white"])) as collection:
        collection.add(shown)
        right, wrong = told(collection, "red")["red"], told(collection, "orange")["red"]
    assert right is not None
    assert wrong is not None
    assert wrong < right


def test_the_formula_holds_for_every_hit(shown: Path, tmp_path: Path) -> None:
    encoder = reading(["red", "blue", "green", "white"])
    with Collection.open(tmp_path / "c", model=encoder) as collection:
        collection.add(shown)
        result = collection.search("red", language="en", mode="image", k=5)
        for hit in result.hits:
            with Image.open(hit.item.source.path) as picture:
                vector = encoder.encode_prepared([encoder.prepare(picture.convert("RGB"))])
            expected = 10 * (hit.score or 0.0) - 10 * float(rivals(vector, encoder.vocabulary)[0])
            assert hit.why[0].confidence == pytest.approx(1 / (1 + np.exp(-expected)), abs=0.01)


def test_without_a_vocabulary_or_without_weights_for_it_nothing_changes(shown: Path, tmp_path: Path) -> None:
    plain, unread, unused = FakeEncoder(), FakeEncoder(), reading(["red", "blue"])
    plain.calibration = dict(CARD)
    unread.calibration = {**CARD, **WITH}  # weights, but no vocabulary
    unused.calibration = dict(CARD)  # a vocabulary, but no weights
    said = []
    for number, encoder in enumerate((plain, unread, unused)):
        with Collection.open(tmp_path / str(number), model=encoder) as collection:
            collection.add(shown)
            said.append(told(collection, "red"))
    assert said[0] == said[1] == said[2]


def test_each_picture_is_looked_at_once(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    vectors_by_seq = catalog.vectors_by_seq

    def counted(seqs: Sequence[int]) -> Floats:
        read.extend(seqs)
        return vectors_by_seq(seqs)

    monkeypatch.setattr(catalog, "vectors_by_seq", counted)
    (number,) = catalog.encoders()
    seqs = catalog.seqs_of_items(number, "image", [item.id for item in catalog.items()]).tolist()
    memo, encoder = Rivals(catalog), reading(["red", "blue"])
    first = memo.of(seqs[:3], encoder)
    assert memo.of(seqs[:4], encoder) == {**first, **memo.of(seqs[3:4], encoder)}
    assert sorted(read) == sorted(seqs[:4])
    # Another encoder's words, in the same space, are other rivals.
    assert memo.of(seqs[:3], reading(["green"], "other")) != first
    assert memo.of(seqs[:3], encoder) == first


def test_removed_pictures_are_left_out(catalog: Catalog) -> None:
    (number,) = catalog.encoders()
    items = list(catalog.items())
    (gone,) = catalog.seqs_of_items(number, "image", [items[0].id]).tolist()
    (kept,) = catalog.seqs_of_items(number, "image", [items[1].id]).tolist()
    catalog.remove_items([items[0].id])
    found = Rivals(catalog).of([gone, kept], reading(["red"]))
    assert set(found) == {kept}
    assert Rivals(catalog).of([gone], reading(["red"])) == {}


def test_memory_is_bounded(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 2)
    (number,) = catalog.encoders()
    seqs = catalog.seqs_of_items(number, "image", [item.id for item in catalog.items()]).tolist()
    memo, encoder = Rivals(catalog), reading(["red", "blue"])
    found = {}
    for seq in seqs:
        found.update(memo.of([seq], encoder))
        assert sum(map(len, memo._known.values())) <= 2
    assert found == pytest.approx(memo.of(seqs, encoder), abs=1e-6)


def test_another_encoder_brings_its_own_words(shown: Path, tmp_path: Path) -> None:
    with Collection.open(tmp_path / "c", model=reading(["red"])) as collection:
        collection.add(shown)
        before = told(collection, "red")["red"]
        collection.reindex(reading(["blue"], "second"))
        after = told(collection, "red")["red"]
    assert before is not None
    assert after is not None
    assert after > before
