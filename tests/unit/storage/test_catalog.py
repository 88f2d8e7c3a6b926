"""What goes in comes out; what is removed is gone everywhere."""

from __future__ import annotations

import math
import threading
from pathlib import Path

import numpy as np
import pytest

from babelens.errors import CollectionError, CorruptIndexError, UnknownItemError
from babelens.storage import Catalog, FileState, Found, Owner, Watermark
from babelens.types import Comparison, EncoderFingerprint, Item, Source, Text
from tests.catalogs import DIM, ENCODER, file_of, fill, make_item, text, unit_rows


def test_settings(catalog: Catalog) -> None:
    assert catalog.get_setting("name") == "test"
    assert catalog.get_setting("other") is None
    catalog.set_setting("name", '"new"')
    assert catalog.get_setting("name") == '"new"'


# -- items ---------------------------------------------------------------------------------------------------


def test_an_item_comes_back_as_it_went_in(catalog: Catalog) -> None:
    item = Item(
        "x1",
        "figure",
        Source("/a/manual.pdf", "abc", page=3, box=(1, 2, 30, 40)),
        {"année": 2020, "tags": ["a", "b"], "gps": {"lat": 1.5}, "nothing": None, "ok": True},
    )
    catalog.put_items([item])
    assert catalog.get_item("x1") == item
    assert catalog.get_item("x2") is None
    assert list(catalog.items()) == [item]
    assert list(catalog.items(["image"])) == []


def test_a_known_id_is_updated_in_place(catalog: Catalog) -> None:
    fill(catalog, ["a", "b"])
    catalog.put_items([make_item("a", path="/pictures/renamed.jpg", year=1999)])
    item = catalog.get_item("a")
    assert item is not None
    assert item.metadata == {"year": 1999}
    assert [found.id for found in catalog.items()] == ["a", "b"]
    assert [hit.item_id for hit in catalog.search_words("renamed", k=5)] == ["a"]
    assert catalog.search_words("a", k=5) == []


def test_names_that_are_not_utf8_survive(catalog: Catalog) -> None:
    path = b"/pictures/caf\xe9 \xff.jpg".decode("utf-8", "surrogateescape")
    item = make_item("a", path=path, name=path)
    with catalog.transaction():
        catalog.put_items([item])
        catalog.put_file(file_of(item))
        catalog.put_file(FileState("/bad", 1, 1, "", "skipped", f"{path}: broken"))
        catalog.put_texts([text("a", f"seen in {path}")])
    assert catalog.get_item("a") == item
    assert catalog.file_states("/pictures").keys() == {path}
    assert catalog.matching_items(Comparison("path", "=", path)) == {"a"}
    assert catalog.matching_items(Comparison("name", "=", path)) == {"a"}
    assert catalog.matching_items(Comparison("name", "contains", "\udcff")) == {"a"}
    assert [hit.item_id for hit in catalog.search_words("caf", k=1)] == ["a"]
    assert catalog.verify() == []


def test_numbers_that_json_lacks_become_null(catalog: Catalog) -> None:
    catalog.put_items([make_item("a", exposure=math.nan, lens={"f": [math.inf, 2.8]})])
    item = catalog.get_item("a")
    assert item is not None
    assert item.metadata == {"exposure": None, "lens": {"f": [None, 2.8]}}


def test_more_items_than_a_page(catalog: Catalog) -> None:
    ids = [f"i{n}" for n in range(2500)]
    catalog.put_items([make_item(item_id) for item_id in ids])
    assert [item.id for item in catalog.items()] == ids
    assert catalog.count_items() == 2500
    assert len(catalog.get_items(ids)) == 2500
    assert catalog.remove_items(ids) == 2500


def test_removing_an_item_removes_all_that_is_its(catalog: Catalog) -> None:
    encoder = fill(catalog, ["a", "b"])
    (row,) = catalog.put_texts([text("a", "a zebra")])
    catalog.put_vectors(encoder, "text", [row], unit_rows(1))
    assert catalog.remove_items(["a", "unknown"]) == 1
    assert [item.id for item in catalog.items()] == ["b"]
    assert catalog.texts_of(["a"]) == {}
    assert catalog.texts_by_row([row]) == {}
    assert catalog.search_words("zebra a", k=5) == []
    assert catalog.vectors_of(encoder, ["a"]) == {}
    assert catalog.count_vectors(encoder, "text") == 0
    assert catalog.file_states().keys() == {"/pictures/b.jpg"}
    assert catalog.verify() == []


def test_duplicates_are_of_the_same_bytes(catalog: Catalog) -> None:
    pages = [Item(f"p{n}", "page", Source("/m.pdf", "pdf", page=n), {}) for n in (1, 2)]
    same = [make_item(item_id, sha256="same") for item_id in ("a", "b")]
    catalog.put_items([*pages, same[0], make_item("c"), same[1]])
    assert catalog.duplicates() == [same]


# -- files ---------------------------------------------------------------------------------------------------


def test_file_states_by_folder(catalog: Catalog) -> None:
    paths = ["/a/b", "/a/b/c.jpg", "/a/b/d/e.jpg", "/a/b.jpg", "/a/b0", "/a/bc/f.jpg"]
    for path in paths:
        catalog.put_file(FileState(path, 1, 2, "h", "skipped", "why"))
    assert sorted(catalog.file_states()) == sorted(paths)
    assert sorted(catalog.file_states("/a/b")) == ["/a/b", "/a/b/c.jpg", "/a/b/d/e.jpg"]
    assert sorted(catalog.file_states("/a/b/")) == ["/a/b/c.jpg", "/a/b/d/e.jpg"]
    assert sorted(catalog.file_states("/a/b.jpg")) == ["/a/b.jpg"]
    assert sorted(catalog.file_states("/")) == sorted(paths)
    assert [state.path for state in catalog.files_below("/a/b")] == ["/a/b/c.jpg", "/a/b/d/e.jpg"]
    assert catalog.files_at(["/a/b0", "/nowhere"]).keys() == {"/a/b0"}


def test_a_file_state_is_replaced(catalog: Catalog) -> None:
    fill(catalog, ["a"])
    state = FileState("/pictures/a.jpg", 7, 8, "other", "ok", None, "a")
    catalog.put_file(state)
    assert catalog.file_states() == {state.path: state}
    assert catalog.files_with_hash("other") == [state]
    assert catalog.files_with_hash("hash of a") == []
    with pytest.raises(UnknownItemError):
        catalog.put_file(FileState("/x", 1, 1, "", item_id="nobody"))


def test_a_moved_file_keeps_its_item(catalog: Catalog) -> None:
    encoder = fill(catalog, ["a", "b"])
    catalog.put_texts([text("a", "a zebra")])
    before = catalog.watermark(encoder, "image")
    moved = FileState("/other/zoo.jpg", 100, 5, "hash of a", item_id="a")
    catalog.move_file("/pictures/a.jpg", moved, {"folder": "other"})
    item = catalog.get_item("a")
    assert item is not None
    assert item.source.path == "/other/zoo.jpg"
    assert item.metadata == {"number": 0, "folder": "other"}
    assert catalog.watermark(encoder, "image") == before
    assert catalog.file_states().keys() == {"/other/zoo.jpg", "/pictures/b.jpg"}
    assert [hit.item_id for hit in catalog.search_words("zoo", k=5)] == ["a"]
    assert [hit.item_id for hit in catalog.search_words("zebra", k=5)] == ["a"]
    assert catalog.search_words("a", k=5)[0].text_row is not None  # the caption, no longer the name
    assert catalog.verify() == []


def test_removing_files_removes_every_item_made_from_them(catalog: Catalog) -> None:
    pages = [Item(f"p{n}", "page", Source("/m.pdf", "pdf", page=n), {}) for n in (1, 2)]
    catalog.put_items([*pages, make_item("a")])
    catalog.put_file(FileState("/m.pdf", 1, 1, "pdf", item_id="p1"))
    catalog.put_file(FileState("/bad.jpg", 1, 1, "", "skipped", "truncated"))
    assert catalog.remove_files(["/m.pdf", "/bad.jpg", "/unknown"]) == 2
    assert [item.id for item in catalog.items()] == ["a"]
    assert catalog.file_states() == {}


# -- texts ---------------------------------------------------------------------------------------------------


def test_an_equal_text_is_not_doubled(catalog: Catalog) -> None:
    fill(catalog, ["a", "b"])
    first = catalog.put_texts([text("a", "a zebra"), text("a", "a zebra", "fr"), text("a", "a zebra")])
    assert first[0] == first[2] != first[1]
    assert catalog.put_texts([text("a", "a zebra"), text("b", "a zebra")])[0] == first[0]
    assert catalog.caption_languages() == {"en": 2, "fr": 1}
    assert catalog.texts_of(["a", "b"], "en") == {"a": [text("a", "a zebra")], "b": [text("b", "a zebra")]}
    with pytest.raises(UnknownItemError, match="nobody"):
        catalog.put_texts([text("a", "new"), text("nobody", "x")])
    assert catalog.caption_languages() == {"en": 2, "fr": 1}


def test_a_text_that_is_not_ok_cannot_be_found(catalog: Catalog) -> None:
    encoder = fill(catalog, ["a"])
    good = Text("a", "ja", "zebra", "translation", "ok", "some-model")
    bad = Text("a", "ja", "zebra", "translation", "wrong-script", "some-model", "Latin letters")
    (row,) = catalog.put_texts([good])
    catalog.put_vectors(encoder, "text", [row], unit_rows(1))
    assert catalog.search_words("zebra", k=1)[0].text_row == row
    assert catalog.put_texts([bad]) == [row]
    assert catalog.texts_by_row([row]) == {row: bad}
    assert catalog.search_words("zebra", k=1) == []
    assert catalog.count_vectors(encoder, "text") == 0
    assert catalog.put_texts([good]) == [row]
    assert catalog.search_words("zebra", k=1)[0].text_row == row
    assert catalog.verify() == []


def test_texts_are_deleted_by_origin(catalog: Catalog) -> None:
    encoder = fill(catalog, ["a", "b"])
    machine = [Text(item, "en", f"zebra {item}", "caption-model") for item in "ab"]
    rows = catalog.put_texts([*machine, text("a", "by hand")])
    catalog.put_vectors(encoder, "text", rows, unit_rows(3))
    assert catalog.delete_texts("a", ["caption-model", "ocr"]) == 1
    assert catalog.texts_of(["a", "b"]) == {"a": [text("a", "by hand")], "b": [machine[1]]}
    assert [hit.item_id for hit in catalog.search_words("zebra", k=5)] == ["b"]
    assert catalog.count_vectors(encoder, "text") == 2


# -- vectors -------------------------------------------------------------------------------------------------


def test_encoders_are_registered_once(catalog: Catalog) -> None:
    number = catalog.encoder_id(ENCODER)
    other = catalog.encoder_id(EncoderFingerprint("fake", "2", "fake-8", DIM))
    assert number != other
    assert catalog.encoder_id(ENCODER) == number
    assert catalog.encoders()[number] == ENCODER


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_vectors_come_back_with_unit_length(catalog: Catalog, dtype: str) -> None:
    encoder = fill(catalog, ["a", "b", "c"])
    rows = unit_rows(3, seed=5)
    ids = catalog.put_vectors(encoder, "image", ["a", "b", "c"], rows, dtype=dtype)
    found_ids, found = catalog.vectors_since(encoder, "image", 0)
    np.testing.assert_array_equal(found_ids, ids)
    np.testing.assert_allclose(found, rows, atol=1e-3 if dtype == "float16" else 1e-7)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    by_item = catalog.vectors_of(encoder, ["b", "nobody"])
    assert by_item.keys() == {"b"}
    np.testing.assert_array_equal(by_item["b"], found[1])


def test_precisions_can_be_mixed(catalog: Catalog) -> None:
    encoder = fill(catalog, ["a", "b"])
    catalog.put_vectors(encoder, "image", ["a"], unit_rows(1, seed=9), dtype="float32")
    _, found = catalog.vectors_since(encoder, "image", 0)
    np.testing.assert_allclose(found[1], unit_rows(1, seed=9)[0], atol=1e-6)
    assert catalog.verify() == []


def test_vectors_are_checked_before_anything_is_written(catalog: Catalog) -> None:
    encoder = fill(catalog, ["a", "b"])
    before = catalog.watermark(encoder, "image")
    rows = unit_rows(2)
    with pytest.raises(ValueError, match="unit length"):
        catalog.put_vectors(encoder, "image", ["a", "b"], rows * 2)
    with pytest.raises(ValueError, match="unit length"):
        catalog.put_vectors(encoder, "image", ["a", "b"], rows * np.nan)
    with pytest.raises(ValueError, match="shape"):
        catalog.put_vectors(encoder, "image", ["a"], rows)
    with pytest.raises(ValueError, match="twice"):
        catalog.put_vectors(encoder, "image", ["a", "a"], rows)
    with pytest.raises(ValueError, match="no encoder"):
        catalog.put_vectors(99, "image", ["a", "b"], rows)
    with pytest.raises(UnknownItemError):
        catalog.put_vectors(encoder, "image", ["a", "nobody"], rows)
    with pytest.raises(UnknownItemError):
        catalog.put_vectors(encoder, "text", [1, 2], rows)
    assert catalog.watermark(encoder, "image") == before


def test_a_replaced_vector_gets_a_new_number(catalog: Catalog) -> None:
    encoder = fill(catalog, ["a", "b"])
    assert catalog.watermark(encoder, "image") == Watermark(2, 0)
    assert catalog.put_vectors(encoder, "image", ["a"], unit_rows(1)).tolist() == [3]
    assert catalog.watermark(encoder, "image") == Watermark(3, 1)
    assert catalog.removed_since(0).tolist() == [1]
    assert catalog.removed_since(1).tolist() == []
    assert catalog.vectors_since(encoder, "image", 0)[0].tolist() == [2, 3]
    assert catalog.owners([1, 2, 3]) == {2: Owner("b", None), 3: Owner("a", None)}


def test_numbers_are_never_used_again(catalog: Catalog) -> None:
    encoder = fill(catalog, ["a", "b"])
    catalog.remove_items(["b"])
    catalog.put_items([make_item("c")])
    assert catalog.put_vectors(encoder, "image", ["c"], unit_rows(1)).tolist() == [3]
    (first,) = catalog.put_texts([text("c", "x")])
    catalog.delete_texts("c", ["human"])
    (second,) = catalog.put_texts([text("c", "y")])
    assert second > first


def test_text_and_image_vectors_are_kept_apart(catalog: Catalog) -> None:
    encoder = fill(catalog, ["a", "b"])
    rows = catalog.put_texts([text("b", "one"), text("b", "eins", "de")])
    seqs = catalog.put_vectors(encoder, "text", rows, unit_rows(2))
    assert catalog.count_vectors(encoder, "image") == catalog.count_vectors(encoder, "text") == 2
    assert catalog.items_by_seq([2, *seqs]) == {
        2: Found(make_item("b", number=1), None),
        3: Found(make_item("b", number=1), rows[0]),
        4: Found(make_item("b", number=1), rows[1]),
    }
    assert catalog.seqs_of_items(encoder, "text", ["b"]).tolist() == seqs.tolist()
    assert catalog.text_seqs_in(encoder, "de").tolist() == [4]
    assert catalog.text_rows_of(["a", "b"]) == {"b": rows}


def test_vectors_are_read_in_batches(catalog: Catalog) -> None:
    encoder = fill(catalog, [f"i{n}" for n in range(25)])
    batches = list(catalog.iter_vectors(encoder, "image", batch=10))
    assert [len(ids) for ids, _ in batches] == [10, 10, 5]
    whole = catalog.vectors_since(encoder, "image", 0)
    np.testing.assert_array_equal(np.concatenate([ids for ids, _ in batches]), whole[0])
    np.testing.assert_array_equal(np.concatenate([rows for _, rows in batches]), whole[1])
    ids, rows = catalog.vectors_since(encoder, "image", 20, limit=2)
    assert ids.tolist() == [21, 22]
    assert rows.shape == (2, DIM)
    assert catalog.vectors_since(encoder, "image", 25)[1].shape == (0, DIM)
    np.testing.assert_array_equal(catalog.vectors_by_seq([7, 3]), whole[1][[6, 2]])


def test_the_same_bytes_have_a_vector_already(catalog: Catalog) -> None:
    encoder = fill(catalog, ["a"])
    found = catalog.vector_by_hash(encoder, "hash of a")
    assert found is not None
    np.testing.assert_array_equal(found, catalog.vectors_of(encoder, ["a"])["a"])
    assert catalog.vector_by_hash(encoder, "hash of b") is None


@pytest.mark.parametrize("n", [5, 300])
def test_a_sample_is_repeatable_and_has_no_doubles(catalog: Catalog, n: int) -> None:
    encoder = fill(catalog, [f"i{i}" for i in range(200)])
    catalog.remove_items([f"i{i}" for i in range(0, 200, 3)])
    left, rows = catalog.vectors_since(encoder, "image", 0)
    ids, sample = catalog.sample_vectors(encoder, "image", n, seed=7)
    assert len(ids) == len(set(ids.tolist())) == min(n, len(left))
    np.testing.assert_array_equal(sample, rows[np.searchsorted(left, ids)])
    np.testing.assert_array_equal(catalog.sample_vectors(encoder, "image", n, seed=7)[0], ids)
    assert set(catalog.sample_vectors(encoder, "image", 5, seed=8)[0].tolist()) != set(ids.tolist())
    assert len(catalog.sample_vectors(encoder, "text", n, seed=7)[0]) == 0


def test_compacting_keeps_watermarks_and_tells_indexes_that_come_too_late(catalog: Catalog) -> None:
    encoder = fill(catalog, [f"i{n}" for n in range(2000)])
    catalog.remove_items([f"i{n}" for n in range(1000)])
    before = catalog.watermark(encoder, "image")
    assert catalog.compact(covered_removals=600) > 0
    assert catalog.watermark(encoder, "image") == before
    assert len(catalog.removed_since(600)) == 400
    with pytest.raises(CorruptIndexError, match="older"):
        catalog.removed_since(599)
    catalog.compact(covered_removals=before.removals)
    assert catalog.watermark(encoder, "image") == before
    assert catalog.removed_since(before.removals).tolist() == []
    with pytest.raises(CorruptIndexError):
        catalog.removed_since(0)
    catalog.remove_items(["i1999"])
    assert catalog.removed_since(before.removals).tolist() == [2000]
    assert catalog.verify() == []


# -- batches -------------------------------------------------------------------------------------------------


def test_a_batch_that_fails_leaves_nothing(catalog: Catalog) -> None:
    encoder = fill(catalog, ["a"])

    def batch() -> None:
        with catalog.transaction():
            catalog.remove_items(["a"])
            catalog.put_items([make_item("b")])
            assert [item.id for item in catalog.items()] == ["b"]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        batch()
    assert [item.id for item in catalog.items()] == ["a"]
    assert catalog.watermark(encoder, "image") == Watermark(1, 0)
    fill(catalog, ["b"])
    assert catalog.count_items() == 2


def test_a_batch_is_seen_by_others_only_when_it_is_done(catalog: Catalog) -> None:
    seen: list[int] = []

    def look() -> None:
        seen.append(catalog.count_items())

    def in_another_thread() -> None:
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    with catalog.transaction():
        catalog.put_items([make_item("a")])
        assert catalog.count_items() == 1
        in_another_thread()
    in_another_thread()
    assert seen == [0, 1]


def test_a_snapshot_is_of_one_moment(catalog: Catalog) -> None:
    encoder = fill(catalog, ["a"])
    with catalog.snapshot():
        assert catalog.count_items() == 1
        thread = threading.Thread(target=fill, args=(catalog, ["b", "c"]))
        thread.start()
        thread.join()
        assert catalog.count_items() == 1
        assert catalog.watermark(encoder, "image").vectors == 1
        with pytest.raises(RuntimeError):
            catalog.remove_items(["a"])
    assert catalog.count_items() == 3


def test_read_only_reads_and_does_not_write(catalog: Catalog) -> None:
    encoder = fill(catalog, ["a"])
    with Catalog.open(catalog.folder, read_only=True) as reader:
        assert reader.read_only
        assert reader.count_items() == 1
        assert reader.encoder_id(ENCODER) == encoder
        with pytest.raises(CollectionError, match="reading only"):
            reader.remove_items(["a"])
        fill(catalog, ["b"])
        assert reader.count_items() == 2
        assert reader.verify() == []


def test_a_closed_catalog_says_so(tmp_path: Path) -> None:
    with Catalog.create(tmp_path / "c", {}) as catalog:
        pass
    with pytest.raises(CollectionError, match="closed"):
        catalog.count_items()


def test_counts(catalog: Catalog) -> None:
    fill(catalog, ["a", "b"])
    catalog.put_file(FileState("/bad", 1, 1, "", "skipped", "truncated"))
    catalog.put_texts([text("a", "x"), text("a", "y", "ja")])
    assert catalog.counts() == {
        "kind": {"image": 2},
        "status": {"ok": 2, "skipped": 1},
        "language": {"en": 1, "ja": 1},
        "origin": {"human": 2},
        "text_status": {"ok": 2},
    }
