from __future__ import annotations

from dataclasses import replace

from babelens.storage import Catalog
from babelens.types import EncoderFingerprint
from tests.catalogs import DIM, ENCODER, fill, make_item, text, unit_rows

OTHER = EncoderFingerprint("other", "1", "other-8", DIM)
IDS = ["a", "b", "c", "d"]


def test_items_and_texts_without_a_vector_come_page_by_page(catalog: Catalog) -> None:
    fill(catalog, IDS)
    catalog.put_items([replace(make_item("p"), kind="passage")])
    rows = catalog.put_texts(
        [text("a", "one"), text("b", "two"), replace(text("c", "three"), status="failed")]
    )
    other = catalog.encoder_id(OTHER)
    assert catalog.count_without(other) == (4, 2)
    catalog.put_vectors(other, "image", ["b"], unit_rows(1))
    catalog.put_vectors(other, "text", [rows[0]], unit_rows(1))
    first = catalog.items_without(other, 0, limit=2)
    assert [item.id for _, item in first] == ["a", "c"]
    rest = catalog.items_without(other, first[-1][0], limit=2)
    assert [item.id for _, item in rest] == ["d"]
    assert catalog.items_without(other, rest[-1][0], limit=2) == []
    assert catalog.texts_without(other, 0, limit=5) == [(rows[1], "two")]
    assert catalog.count_without(other) == (3, 1)


def test_lost_are_those_that_only_the_old_encoder_has(catalog: Catalog) -> None:
    old = fill(catalog, IDS)
    other = catalog.encoder_id(OTHER)
    catalog.put_items([make_item("new")])
    catalog.put_vectors(other, "image", ["a", "b", "new"], unit_rows(3))
    assert (catalog.count_lost(old, other), catalog.count_lost(other, old)) == (2, 1)


def test_an_item_whose_bytes_change_loses_the_vectors_of_every_encoder(catalog: Catalog) -> None:
    old = fill(catalog, IDS)
    other = catalog.encoder_id(OTHER)
    catalog.put_vectors(other, "image", IDS, unit_rows(4))
    (row,) = catalog.put_texts([text("a", "one")])
    catalog.put_vectors(other, "text", [row], unit_rows(1))
    catalog.put_items(
        [make_item("a", sha256="new bytes"), make_item("b", path="/moved/b.jpg", sha256="hash of b")]
    )
    for encoder in (old, other):
        assert sorted(catalog.vectors_of(encoder, IDS)) == ["b", "c", "d"]
    assert list(catalog.text_vectors(other, [row])) == [row]


def test_dropped_vectors_leave_one_entry_a_batch_in_the_log_and_no_gap(catalog: Catalog) -> None:
    """What an index knows of the log stays enough, whether entries came before, and whether they were forgotten."""
    old = fill(catalog, IDS)
    other = catalog.encoder_id(OTHER)
    catalog.put_vectors(other, "image", IDS, unit_rows(4))
    catalog.remove_items(["d"])
    known = catalog.watermark(other, "image").removals
    for forget in (False, True):
        if forget:
            catalog.compact(covered_removals=known)
        assert catalog.drop_vectors(old, limit=2) == (1 if forget else 2)
        assert len(catalog.removed_since(known)) == 1
        known = catalog.watermark(other, "image").removals
        assert len(catalog.removed_since(known)) == 0
    assert catalog.drop_vectors(old, limit=2) == 0
    catalog.remove_items(["a"])
    assert len(catalog.removed_since(known)) == 1
    catalog.forget_encoder(old)
    assert list(catalog.encoders().values()) == [OTHER]
    assert catalog.encoder_id(ENCODER) > other
    assert catalog.verify() == []


def test_passages_are_for_an_encoder_of_their_own(catalog: Catalog) -> None:
    fill(catalog, IDS)
    catalog.put_items([replace(make_item("p"), kind="passage")])
    rows = catalog.put_texts(
        [
            text("a", "a caption"),
            replace(text("a", "printed"), origin="ocr"),
            replace(text("p", "une phrase", "fr"), origin="document"),
            replace(text("p", "####"), origin="document", status="failed"),
        ]
    )
    other = catalog.encoder_id(OTHER)
    assert catalog.count_passages_without(other) == 2
    assert catalog.count_without(other)[1] == 1
    catalog.put_vectors(other, "text", [rows[1]], unit_rows(1))
    assert catalog.texts_without(other, 0, limit=9, passages=True) == [(rows[2], "une phrase")]
    assert catalog.texts_without(other, 0, limit=9) == [(rows[0], "a caption")]
    assert catalog.texts_without(other, rows[2], limit=9, passages=True) == []
    assert catalog.count_passages_without(other) == 1
    assert catalog.document_languages() == {"fr": 1}
    before = catalog.text_state()
    catalog.put_texts([replace(text("p", "noch eine", "de"), origin="document")])
    assert catalog.text_state() != before
