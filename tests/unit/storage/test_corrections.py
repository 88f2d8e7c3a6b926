"""Corrections of hubness in the catalog: one for each encoder, as long as it is there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from babelens.errors import CorruptCatalogError, EncoderMismatchError
from babelens.storage import Catalog
from babelens.types import EncoderFingerprint
from tests.catalogs import DIM, fill, new_catalog, text, unit_rows


def test_what_is_written_comes_back_to_the_bit(catalog: Catalog) -> None:
    encoder = fill(catalog, ["a", "b"])
    assert catalog.correction(encoder) is None
    assert catalog.correction_number(encoder) is None
    number = catalog.put_correction(encoder, '{"x": 1}', ["p", "q", "p"], unit_rows(3))
    stored = catalog.correction(encoder)
    assert stored is not None
    assert (stored.number, stored.facts, stored.owners) == (number, '{"x": 1}', ("p", "q", "p"))
    assert stored.bank.dtype == np.float32
    np.testing.assert_array_equal(stored.bank, unit_rows(3))
    assert catalog.correction_number(encoder) == number


def test_numbers_are_never_used_again(catalog: Catalog) -> None:
    encoder = fill(catalog, ["a"])
    numbers = []
    for _ in range(3):
        numbers.append(catalog.put_correction(encoder, "{}", ["p"], unit_rows(1)))
        numbers.append(catalog.put_correction(encoder, "{}", ["q"], unit_rows(1)))
        assert catalog.drop_correction(encoder) is True
        assert catalog.drop_correction(encoder) is False
    assert numbers == sorted(set(numbers))


def test_it_goes_with_its_encoder_and_cannot_come_after_it(catalog: Catalog) -> None:
    encoder = fill(catalog, ["a"])
    other = catalog.encoder_id(EncoderFingerprint("other", "1", "fake-8", DIM))
    catalog.put_correction(encoder, "{}", ["p"], unit_rows(1))
    kept = catalog.put_correction(other, "{}", ["p"], unit_rows(1))
    catalog.drop_vectors(encoder, limit=10)
    catalog.forget_encoder(encoder)
    assert catalog.correction(encoder) is None
    assert catalog.correction_number(other) == kept
    with pytest.raises(EncoderMismatchError):
        catalog.put_correction(encoder, "{}", ["p"], unit_rows(1))


def test_a_bank_that_does_not_fit_is_refused_and_a_damaged_one_reported(catalog: Catalog) -> None:
    encoder = fill(catalog, ["a"])
    for bank in (unit_rows(2), unit_rows(1, dim=DIM + 1)):
        with pytest.raises(ValueError, match="does not fit"):
            catalog.put_correction(encoder, "{}", ["p"], bank)
    catalog.put_correction(encoder, "{}", ["p"], unit_rows(1))
    with closing(sqlite3.connect(catalog.path)) as connection:
        connection.execute("UPDATE corrections SET bank = x'00'")
        connection.commit()
    with pytest.raises(CorruptCatalogError, match="bank"):
        catalog.correction(encoder)


def test_captions_of_people_with_both_vectors_and_the_picture_they_describe(tmp_path: Path) -> None:
    with new_catalog(tmp_path) as catalog:
        encoder = fill(catalog, ["a", "b", "copy of b", "c"])
        (b,) = catalog.get_items(["b"]).values()
        (copy,) = catalog.get_items(["copy of b"]).values()
        catalog.put_items([replace(copy, source=replace(copy.source, sha256=b.source.sha256))])
        catalog.put_vectors(encoder, "image", ["copy of b"], unit_rows(1))
        texts = [
            text("a", "a dog"),
            text("b", "ein Hund", "de"),
            text("copy of b", "un chien", "fr"),
            replace(text("a", "a machine's dog"), origin="caption-model", model="m"),
            replace(text("a", "no dog"), status="failed"),
            text("c", "no vector of the text"),
        ]
        rows = catalog.put_texts(texts)
        catalog.put_vectors(encoder, "text", rows[:5], unit_rows(5))
        found = catalog.human_captions(encoder)
        assert [(row.text_row, row.language) for row in found] == list(
            zip(rows[:3], ["en", "de", "fr"], strict=True)
        )
        pictures = [row.picture for row in found]
        assert pictures[0] != pictures[1] == pictures[2]
        seqs = catalog.seqs_of_items(encoder, "image", ["b", "copy of b", "a"]).tolist()
        assert sorted(catalog.pictures_by_seq([*seqs, 999]).values()) == sorted(pictures)
        assert catalog.human_captions(encoder + 1) == []
