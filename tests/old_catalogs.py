"""Catalogs as earlier versions left them."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path, PurePath

from babelens.storage.fulltext import words_of
from babelens.types import Text
from tests.catalogs import make_item, new_catalog, text


def _tokens_of_version_1(body: str) -> str:
    return " ".join(word.form for word in words_of(body))


def _as_version_3(folder: Path, bodies: dict[int, str]) -> None:
    """Takes a catalog back to what it was before the analysis had a number."""
    with closing(sqlite3.connect(folder / "catalog.db")) as connection, connection:
        connection.execute("DELETE FROM settings WHERE key = 'words_analysis'")
        connection.execute("DROP INDEX items_of_documents")
        connection.execute("DELETE FROM words")
        rows = [(2 * row, _tokens_of_version_1(body)) for row, body in bodies.items()]
        connection.executemany("INSERT INTO words (rowid, tokens) VALUES (?, ?)", rows)
        names = connection.execute("SELECT 2 * n + 1, path FROM items").fetchall()
        connection.executemany(
            "INSERT INTO words (rowid, tokens) VALUES (?, ?)",
            [(row, _tokens_of_version_1(PurePath(os.fsdecode(path)).stem)) for row, path in names],
        )
        connection.execute("PRAGMA user_version = 3")


def old_catalog(folder: Path, n: int) -> None:
    """``n`` items and texts about zebras, with the full text of version 3: words as they are."""
    with new_catalog(folder) as catalog, catalog.transaction():
        catalog.put_items([make_item(f"i{number}", path=f"/beach{number}.jpg") for number in range(n)])
        bodies = [f"two zebras of herd {number}" for number in range(n)]
        rows = catalog.put_texts([text(f"i{number}", body) for number, body in enumerate(bodies)])
        failed = Text("i0", "de", "drei Zebras", "translation", status="failed")
        catalog.put_texts([failed])
    _as_version_3(folder, dict(zip(rows, bodies, strict=True)))
