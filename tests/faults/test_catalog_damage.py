"""Damaged catalogs are refused with advice and never touched; a full disk undoes the batch and loses nothing."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from babelens.errors import CollectionError, CorruptCatalogError, StorageFullError
from babelens.storage import Catalog
from babelens.storage.export import export_catalog
from tests.catalogs import fill, make_item, new_catalog, text, unit_rows
from tests.disks import fill_the_rest


def _filled(folder: Path, items: int = 300) -> Path:
    with new_catalog(folder) as catalog:
        fill(catalog, [f"i{n}" for n in range(items)])
        catalog.put_texts([text(f"i{n}", f"zebra number {n}") for n in range(items)])
        catalog.compact()
    return folder / "catalog.db"


def _other_program(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE recipes (name)")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_text("my notes"),
    "header": lambda file: file.write_bytes(b"\0" * 100 + file.read_bytes()[100:]),
    "truncated": lambda file: os.truncate(file, file.stat().st_size // 2),
    "one page": lambda file: os.truncate(file, 5000),
    "first page": lambda file: file.write_bytes(
        file.read_bytes()[:100] + b"\xff" * 8000 + file.read_bytes()[8100:]
    ),
    "other program": _other_program,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("read_only", [False, True])
def test_a_damaged_catalog_is_refused_and_left_alone(tmp_path: Path, damage: str, read_only: bool) -> None:
    file = _filled(tmp_path)
    DAMAGES[damage](file)
    before = file.read_bytes()
    with pytest.raises(CorruptCatalogError) as caught:
        Catalog.open(tmp_path, read_only=read_only)
    assert str(file) in str(caught.value)
    assert "copy" in str(caught.value.hint)
    with pytest.raises(CollectionError, match="already"):
        Catalog.create(tmp_path, {})
    assert file.read_bytes() == before


def test_damage_inside_is_found_and_typed(tmp_path: Path) -> None:
    """Any page but the first overwritten: verify always tells, and reading fails with our error if it fails."""
    pristine = _filled(tmp_path / "c").read_bytes()
    random.seed(5)
    for page in random.sample(range(1, len(pristine) // 8192), 10):
        data = bytearray(pristine)
        data[page * 8192 : (page + 1) * 8192] = random.randbytes(8192)
        (tmp_path / "c" / "catalog.db").write_bytes(data)
        with contextlib.suppress(CorruptCatalogError), Catalog.open(tmp_path / "c") as catalog:
            assert catalog.verify() != []
            list(catalog.items())
            catalog.search_words("zebra 7", k=5)
            list(catalog.iter_vectors(1, "image"))


def test_verify_names_what_is_wrong(tmp_path: Path) -> None:
    _filled(tmp_path)
    wrong = {
        "UPDATE vectors SET vector = zeroblob(16) WHERE seq = 3": "1 vectors of fake do not have unit length",
        "UPDATE vectors SET vector = zeroblob(15) WHERE seq = 4": "1 vectors of fake do not have 8 numbers",
        "UPDATE items SET metadata = 'x{' WHERE id = 'i5'": "JSON",
        "UPDATE files SET item_id = NULL WHERE item_id = 'i6'": "belong to no item",
        "UPDATE items SET path = x'2f78' WHERE id = 'i7'": "another path",
        "INSERT INTO vectors (encoder, modality, item, vector) SELECT encoder, modality, item, vector "
        "FROM vectors WHERE seq = 8": "two vectors of one encoder",
        "INSERT INTO removals (seq) VALUES (9)": "log of removals",
        "UPDATE vectors SET item = 4711 WHERE seq = 10": "rows of vectors refer to rows of items that are gone",
        "UPDATE texts SET body = 'lion' WHERE n = 5": "full text of 2 texts",
        "DELETE FROM words WHERE rowid = 12": "full text of 3 texts",
    }
    for sql, problem in wrong.items():
        with closing(sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)) as connection:
            connection.execute(sql)
        with Catalog.open(tmp_path, read_only=True) as catalog:
            assert problem in "; ".join(catalog.verify())


def test_full_text_out_of_step_is_mended_by_compacting(tmp_path: Path) -> None:
    _filled(tmp_path)
    for sql in (
        "DELETE FROM words WHERE rowid IN (12, 13)",
        "UPDATE words SET tokens = 'lion' WHERE rowid = 14",
        "INSERT INTO words (rowid, tokens) VALUES (99999, 'ghost')",
        "DELETE FROM words_data WHERE id > 10",
    ):
        with closing(sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)) as connection:
            connection.execute(sql)
        with Catalog.open(tmp_path) as catalog:
            assert catalog.verify() != [], sql
            catalog.compact()
            assert catalog.verify() == [], sql
            assert catalog.search_words("zebra 7", k=1)[0].item_id == "i7"


# -- full disks ----------------------------------------------------------------------------------------------


def _write_until_full(catalog: Catalog, batches: int = 200) -> int:
    """Returns how many batches went in before the disk was full."""
    encoder = 1
    for batch in range(batches):
        ids = [f"more{batch}-{n}" for n in range(50)]
        try:
            with catalog.transaction():
                catalog.put_items([make_item(item_id, filler="x" * 500) for item_id in ids])
                catalog.put_vectors(encoder, "image", ids, unit_rows(50))
        except StorageFullError:
            return batch
    raise AssertionError("the disk was never full")


def test_no_more_pages(tmp_path: Path) -> None:
    with new_catalog(tmp_path) as catalog:
        fill(catalog, ["a"])
        with catalog._database.reading() as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages + 40}")
        written = _write_until_full(catalog)
        assert written > 1
        assert catalog.count_items() == 1 + 50 * written
        assert catalog.verify() == []
        with pytest.raises(StorageFullError, match="space") as caught:
            catalog.put_items([make_item(f"x{n}", filler="x" * 5000) for n in range(100)])
        assert "again" in str(caught.value.hint)

        def go_on_regardless() -> None:
            with catalog.transaction():
                try:
                    catalog.put_items([make_item(f"x{n}", filler="x" * 5000) for n in range(100)])
                except StorageFullError:
                    catalog.put_items([make_item("half")])

        with pytest.raises(CollectionError):
            go_on_regardless()
        assert catalog.get_item("half") is None
        with catalog._database.reading() as connection:
            connection.execute("PRAGMA max_page_count = 1000000")
        fill(catalog, ["b"])
        assert catalog.count_items() == 2 + 50 * written


def test_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    with new_catalog(small_disk / "c") as catalog:
        fill(catalog, ["a"])
        (small_disk / "ballast").write_bytes(b"x" * 5_500_000)
        written = _write_until_full(catalog)
        assert written > 1
        assert catalog.count_items() == 1 + 50 * written
        assert catalog.verify() == []
        assert export_catalog(catalog, tmp_path / "elsewhere", encoder=1).items == 1 + 50 * written
        with pytest.raises(StorageFullError):
            export_catalog(catalog, small_disk / "here", encoder=1)
        assert sorted(path.name for path in small_disk.iterdir()) == ["ballast", "c"]
    (small_disk / "ballast").unlink()
    with Catalog.open(small_disk / "c") as catalog:
        assert catalog.count_items() == 1 + 50 * written
        catalog.remove_items([f"more0-{n}" for n in range(10)])
        assert catalog.verify() == []


def test_a_disk_that_is_full_from_the_start(small_disk: Path) -> None:
    fill_the_rest(small_disk / "ballast")
    with pytest.raises(StorageFullError):
        new_catalog(small_disk / "c")
    (small_disk / "ballast").unlink()
    new_catalog(small_disk / "c").close()


def test_reading_from_a_disk_that_cannot_be_written(small_disk: Path) -> None:
    _filled(small_disk / "c")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with Catalog.open(small_disk / "c", read_only=True) as catalog:
        assert catalog.count_items() == 300
        assert catalog.search_words("zebra 7", k=1)[0].item_id == "i7"
    with pytest.raises(CollectionError), Catalog.open(small_disk / "c") as catalog:
        fill(catalog, ["b"])
