"""Opening, versions and typed errors."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from babelens.errors import CollectionError, CollectionLockedError, CollectionNotFoundError
from babelens.storage import Catalog, database
from tests.catalogs import fill, new_catalog


def test_a_collection_is_made_once(tmp_path: Path) -> None:
    new_catalog(tmp_path / "deep" / "er").close()
    with pytest.raises(CollectionError, match="already"):
        new_catalog(tmp_path / "deep" / "er")
    with pytest.raises(CollectionNotFoundError):
        Catalog.open(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CollectionError, match="file"):
        new_catalog(tmp_path / "file" / "collection")
    with pytest.raises(CollectionError):
        new_catalog(tmp_path / "file")


def test_odd_folder_names(tmp_path: Path) -> None:
    folder = tmp_path / "50% #1? é"
    new_catalog(folder).close()
    with Catalog.open(folder) as catalog, Catalog.open(folder, read_only=True) as reader:
        fill(catalog, ["a"])
        assert reader.count_items() == 1


def test_a_newer_catalog_is_refused_and_left_alone(tmp_path: Path) -> None:
    new_catalog(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = (tmp_path / "catalog.db").read_bytes()
    for read_only in (False, True):
        with pytest.raises(CollectionError, match="newer") as caught:
            Catalog.open(tmp_path, read_only=read_only)
        assert "upgrade" in str(caught.value.hint)
    assert (tmp_path / "catalog.db").read_bytes() == before


def test_an_older_catalog_is_brought_up_to_date_step_by_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_catalog(tmp_path) as catalog:
        fill(catalog, ["a"])
    package = tmp_path / "steps"
    package.mkdir()
    (package / "two.sql").write_text("ALTER TABLE items ADD COLUMN colour TEXT;")
    (package / "three.sql").write_text("UPDATE items SET colour = 'red'; CREATE TABLE broken (;")
    released = len(database.STEPS)
    monkeypatch.setattr(database, "STEPS", (*database.STEPS, "two.sql", "three.sql"))
    monkeypatch.setattr(database, "_step", lambda name: (package / name).read_text())
    with pytest.raises(CollectionError, match="older"):
        Catalog.open(tmp_path, read_only=True)
    with pytest.raises(sqlite3.OperationalError):
        Catalog.open(tmp_path)
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (released + 1,)
        assert connection.execute("SELECT id, colour FROM items").fetchall() == [("a", None)]
    (package / "three.sql").write_text("UPDATE items SET colour = 'red';")
    with Catalog.open(tmp_path) as catalog:
        assert catalog.count_items() == 1
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as connection:
        assert connection.execute("SELECT id, colour FROM items").fetchall() == [("a", "red")]


def test_a_half_made_collection_is_no_collection(tmp_path: Path) -> None:
    (tmp_path / "catalog.db.new-1").write_bytes(b"half")
    with pytest.raises(CollectionNotFoundError):
        Catalog.open(tmp_path)
    new_catalog(tmp_path).close()


def test_what_a_deleted_catalog_left_is_not_replayed(tmp_path: Path) -> None:
    with new_catalog(tmp_path) as catalog:
        fill(catalog, ["a"])
        wal = (tmp_path / "catalog.db-wal").read_bytes()
    assert wal
    (tmp_path / "catalog.db").unlink()
    (tmp_path / "catalog.db-wal").write_bytes(wal)
    with new_catalog(tmp_path) as catalog:
        assert catalog.count_items() == 0
        assert catalog.verify() == []


def test_one_writer_in_a_process_too(tmp_path: Path) -> None:
    with new_catalog(tmp_path) as first, Catalog.open(tmp_path) as second:
        with first.writing():
            with pytest.raises(CollectionLockedError, match=str(os.getpid())):
                fill(second, ["b"])
            with first.writing():
                fill(first, ["a"])
            with pytest.raises(CollectionLockedError):
                second.set_setting("x", "1")
        fill(second, ["b"])
        assert first.count_items() == 2


def _count(catalog: Catalog, answers: multiprocessing.Queue[int]) -> None:
    answers.put(catalog.count_items())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_opens_its_own_connections(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    with new_catalog(tmp_path) as catalog:
        fill(catalog, ["a", "b"])
        answers = context.Queue()
        child = context.Process(target=_count, args=(catalog, answers))
        child.start()
        assert answers.get(timeout=60) == 2
        child.join()
        fill(catalog, ["c"])
        assert catalog.verify() == []
