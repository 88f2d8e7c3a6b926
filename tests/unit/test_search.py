"""The parts of search that a collection does not show from outside: upkeep of the indexes, and trust."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from babelens.collection import Collection
from babelens.indexes import files, tuning
from babelens.search import FreshIndex, upkeep
from babelens.search.judging import Place
from babelens.search.ranking import places_of
from babelens.search.trust import Trust
from babelens.storage import Catalog
from babelens.types import EncoderFingerprint
from tests.catalogs import DIM, fill, new_catalog, text, unit_rows

LIMIT = 20


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """Index files from 21 vectors on, rebuilt for tails of more than 5, so that tests need not write thousands."""
    monkeypatch.setattr(upkeep, "FILE_LIMIT", LIMIT)
    monkeypatch.setattr(tuning, "_TAIL", 5)
    with new_catalog(tmp_path / "c") as catalog:
        yield catalog


def names(prefix: str, n: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(n)]


def nearest(index: FreshIndex, vector: np.ndarray) -> int:
    _, ids = index.current().search(vector[None], 1)
    return int(ids[0, 0])


def test_a_small_collection_needs_no_file(catalog: Catalog) -> None:
    encoder = fill(catalog, names("a", LIMIT))
    index = FreshIndex(catalog, encoder, DIM, "image")
    assert index.maintain() is False
    assert len(index) == LIMIT
    assert files.load(catalog.folder, "image") is None
    assert index.state().stored is False


def test_a_larger_one_is_stored_and_searched_from_its_file_and_tail(catalog: Catalog) -> None:
    encoder = fill(catalog, names("a", 30))
    index = FreshIndex(catalog, encoder, DIM, "image")
    assert index.maintain() is True
    assert index.maintain() is False
    assert index.state().facts["recall_at_10"] == 1.0
    fill(catalog, names("b", 3), seed=1)
    opened = FreshIndex(catalog, encoder, DIM, "image")
    assert opened.state().name == "exact + 3"
    for rows, seed in ((30, 0), (3, 1)):
        vector = unit_rows(rows, seed=seed)[2]
        assert nearest(opened, vector) == nearest(index, vector)
        scores, _ = opened.current().search(vector[None], 1)
        assert scores[0, 0] == pytest.approx(1.0, abs=1e-3)


def test_a_long_tail_is_due_and_other_readers_take_the_new_file(catalog: Catalog) -> None:
    encoder = fill(catalog, names("a", 30))
    writer, reader = (FreshIndex(catalog, encoder, DIM, "image") for _ in range(2))
    writer.maintain()
    assert reader.state().name == "exact"
    fill(catalog, names("b", 9), seed=1)
    assert reader.state().name == "exact + 9"
    assert writer.maintain() is True
    assert writer.state().name == "exact"
    fill(catalog, ["c"], seed=2)
    assert reader.state().name == "exact + 1"
    assert len(reader) == 40


def test_removed_items_are_masked_in_file_and_tail(catalog: Catalog) -> None:
    encoder = fill(catalog, names("a", 30))
    index = FreshIndex(catalog, encoder, DIM, "image")
    index.maintain()
    fill(catalog, names("b", 2), seed=1)
    catalog.remove_items(["a7", "b1"])
    assert len(index) == 30
    _, ids = index.current().search(unit_rows(30)[7:8], 30)
    owners = {owner.item_id for owner in catalog.owners(ids[0].tolist()).values()}
    assert owners == {*names("a", 30), "b0"} - {"a7"}


def test_a_collection_that_shrinks_below_the_limit_loses_its_file(catalog: Catalog) -> None:
    encoder = fill(catalog, names("a", 30))
    index = FreshIndex(catalog, encoder, DIM, "image")
    index.maintain()
    catalog.remove_items(names("a", 15))
    assert index.maintain() is False
    assert files.load(catalog.folder, "image") is None
    assert len(index) == 15


@pytest.mark.parametrize("damage", [b"", b"rubbish", None])
def test_a_damaged_file_is_not_used_and_built_again(catalog: Catalog, damage: bytes | None) -> None:
    encoder = fill(catalog, names("a", 30))
    FreshIndex(catalog, encoder, DIM, "image").maintain()
    (path,) = (catalog.folder / "indexes").glob("*.index")
    path.write_bytes(path.read_bytes()[:-40] if damage is None else damage)
    index = FreshIndex(catalog, encoder, DIM, "image")
    assert len(index) == 30
    assert index.damage is not None
    assert index.state().stored is False
    assert index.maintain() is True
    assert index.damage is None
    assert index.state().stored is True


def test_a_file_of_another_encoder_is_not_used(catalog: Catalog) -> None:
    encoder = fill(catalog, names("a", 30))
    FreshIndex(catalog, encoder, DIM, "image").maintain()
    number = catalog.encoder_id(EncoderFingerprint("other", "1", "fake-8", DIM))
    other = FreshIndex(catalog, number, DIM, "image")
    assert len(other) == 0
    assert other.state().stored is False


def test_a_file_older_than_the_log_of_removals_is_not_used(catalog: Catalog) -> None:
    encoder = fill(catalog, names("a", 30))
    FreshIndex(catalog, encoder, DIM, "image").maintain()
    catalog.remove_items(["a3"])
    fill(catalog, ["b"], seed=1)
    catalog.compact(covered_removals=catalog.watermark(encoder, "image").removals)
    index = FreshIndex(catalog, encoder, DIM, "image")
    assert len(index) == 30
    assert index.state().stored is False


def test_the_background_is_everything_when_that_is_little_and_follows_it(catalog: Catalog) -> None:
    encoder = fill(catalog, names("a", 10))
    index = FreshIndex(catalog, encoder, DIM, "image")
    index.current()
    assert index.background().shape == (10, DIM)
    fill(catalog, names("b", 5), seed=1)
    index.current()
    assert index.background().shape == (15, DIM)
    np.testing.assert_array_equal(index.background(), index.background())


def test_trust_is_high_where_captions_lie_by_their_pictures_and_low_where_they_do_not(tmp_path: Path) -> None:
    ids = names("a", 40)
    for seen in (True, False):
        with new_catalog(tmp_path / str(seen)) as catalog:
            encoder = fill(catalog, ids)
            rows = catalog.put_texts(
                [text(item_id, f"{word} {item_id}") for item_id in ids for word in ("x", "y")]
            )
            vectors = np.repeat(unit_rows(40, seed=0 if seen else 9), 2, axis=0)
            catalog.put_vectors(encoder, "text", rows, vectors)
            images, texts = (FreshIndex(catalog, encoder, DIM, name) for name in ("image", "text"))
            trust = Trust(catalog, encoder, images, texts)
            assert trust.image_measured is False
            assert (trust.image > 0.9) is seen
            assert (trust.image < 0.4) is not seen
            assert trust.image_measured is True


def test_without_captions_trust_is_given_not_measured(catalog: Catalog) -> None:
    encoder = fill(catalog, names("a", 10))
    images, texts = (FreshIndex(catalog, encoder, DIM, name) for name in ("image", "text"))
    trust = Trust(catalog, encoder, images, texts)
    assert (trust.image, trust.caption, trust.image_measured) == (1.0, 1.0, False)


def test_building_an_index_is_reported_too(tmp_path: Path) -> None:
    told: list[tuple[int, int | None, str]] = []
    rows = np.random.default_rng(0).normal(size=(10_500, 4)).astype(np.float32)
    with Collection.open(tmp_path / "c") as collection:
        names = [f"/p/{number}.jpg" for number in range(len(rows))]
        collection.import_vectors(
            rows,
            names,
            encoder="elsewhere",
            progress=lambda done, total=None, note="": told.append((done, total, note)),
        )
    assert (10_500, 10_500, "") in told
    assert told[-1] == (10_500, 10_500, "building the index")


def test_each_item_stands_where_its_best_text_stands(catalog: Catalog) -> None:
    encoder = fill(catalog, names("a", 12))
    rows = catalog.put_texts(
        [text(item_id, f"{word} {item_id}") for item_id in names("a", 12) for word in "xyz"]
    )
    seqs = catalog.put_vectors(encoder, "text", rows, unit_rows(36))
    catalog.remove_items(["a4"])
    order = np.random.default_rng(3).permutation(36)
    ranked = np.append(seqs[order], [-1, -1])[None]  # an index pads what it did not find
    scores = np.linspace(0.9, 0.1, ranked.size, dtype=np.float32)[None]
    owners = catalog.owners(seqs.tolist())
    expected: dict[str, Place] = {}
    for score, seq in zip(scores[0].tolist(), ranked[0].tolist(), strict=True):
        if seq in owners:
            owner = owners[seq]
            expected.setdefault(owner.item_id, Place(owner.item_id, score, owner.text_row, seq))
    for depth in (1, 2, 5, 11, 40):
        assert places_of(catalog, scores, ranked, depth) == list(expected.values())[:depth]


def test_owners_are_looked_up_no_further_than_needed(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(catalog, names("a", 30))
    asked: list[int] = []
    owners = catalog.owners
    monkeypatch.setattr(catalog, "owners", lambda seqs: asked.extend(seqs) or owners(seqs))
    found = places_of(catalog, np.ones((1, 30), dtype=np.float32), np.arange(1, 31)[None], 5)
    assert [place.item_id for place in found] == names("a", 5)
    assert asked == list(range(1, 11))
