"""However a catalog is opened, it gives the same answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from babelens.storage import Catalog
from babelens.types import Comparison, Text
from tests.catalogs import fill, new_catalog, text, unit_rows

HANDLES = [
    "the one that wrote",
    "opened again",
    "read only",
    "in a snapshot",
    "in a transaction",
    "compacted",
]


@pytest.fixture(params=HANDLES)
def handle(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalog]:
    with ExitStack() as stack:
        writer = stack.enter_context(new_catalog(tmp_path))
        encoder = fill(writer, ["gone", "a", "b", "c"])
        rows = writer.put_texts([text("a", "a red zebra"), text("b", "ein roter Hund", "de")])
        writer.put_vectors(encoder, "text", rows, unit_rows(2))
        writer.put_vectors(encoder, "image", ["c"], unit_rows(1))
        writer.remove_items(["gone"])
        if request.param == "compacted":
            writer.compact()
        if request.param in ("the one that wrote", "compacted"):
            yield writer
        elif request.param == "opened again":
            writer.close()
            yield stack.enter_context(Catalog.open(tmp_path))
        elif request.param == "read only":
            yield stack.enter_context(Catalog.open(tmp_path, read_only=True))
        else:
            stack.enter_context(writer.snapshot() if "snapshot" in request.param else writer.transaction())
            yield writer


def test_items(handle: Catalog) -> None:
    assert [item.id for item in handle.items()] == ["a", "b", "c"]
    assert handle.count_items() == len(handle.get_items(["a", "b", "c", "gone"])) == 3
    assert handle.file_states("/pictures").keys() == {f"/pictures/{name}.jpg" for name in "abc"}
    assert handle.matching_items(Comparison("number", ">", 1)) == {"b", "c"}


def test_vectors(handle: Catalog) -> None:
    (encoder,) = handle.encoders()
    mark = handle.watermark(encoder, "image")
    assert (mark.vectors, mark.removals) == (7, 2)
    assert handle.vectors_since(encoder, "image", 0)[0].tolist() == [2, 3, 7]
    assert handle.removed_since(0).tolist() == [4, 1]
    found = handle.items_by_seq([1, 2, 5, 6, 7])
    assert {seq: hit.item.id for seq, hit in found.items()} == {2: "a", 5: "a", 6: "b", 7: "c"}
    assert handle.matching_seqs(Comparison("number", "=", 2), encoder, "text").tolist() == [6]


def test_words(handle: Catalog) -> None:
    assert handle.texts_of(["b"]) == {"b": [Text("b", "de", "ein roter Hund", "human")]}
    assert [hit.item_id for hit in handle.search_words("zebra hund", k=5)] == ["a", "b"]
    assert handle.search_words("gone", k=5) == []
    assert handle.verify() == []
