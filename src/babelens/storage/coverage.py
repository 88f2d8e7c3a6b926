"""Which items and texts an encoder has vectors of, and taking all vectors of an encoder away.

Functions take a connection.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from ..types import Item
from . import embeddings, items

# A picture is whatever is not made of words; a text is searched by meaning when nothing is wrong with it. What was read
# from documents and pictures is not meant for the encoder of pictures: it is long, or it is not about what they show.
_NO_PICTURE: Final = """
    FROM items WHERE kind <> 'passage' AND n > ? AND NOT EXISTS (
        SELECT 1 FROM vectors WHERE item = items.n AND encoder = ? AND modality = 0)
"""
_NO_TEXT: Final = """
    FROM texts WHERE status = 'ok' AND origin NOT IN ('document', 'ocr') AND n > ? AND NOT EXISTS (
        SELECT 1 FROM vectors WHERE text = texts.n AND encoder = ?)
"""
# That is for the encoder of passages.
_NO_PASSAGE: Final = """
    FROM texts WHERE status = 'ok' AND origin IN ('document', 'ocr') AND n > ? AND NOT EXISTS (
        SELECT 1 FROM vectors WHERE text = texts.n AND encoder = ?)
"""


def items_without(
    connection: sqlite3.Connection, encoder: int, after: int, *, limit: int, drawn: bool = False
) -> list[tuple[int, Item]]:
    """Pictures that are files of their own, or those that are ``drawn`` from a document."""
    sql = f"SELECT n, {items.COLUMNS} {_NO_PICTURE} AND (kind = 'image') <> ? ORDER BY n LIMIT ?"
    rows = connection.execute(sql, (after, encoder, drawn, limit))
    return [(row[0], items.from_row(row[1:])) for row in rows]


def texts_without(
    connection: sqlite3.Connection, encoder: int, after: int, *, limit: int, passages: bool = False
) -> list[tuple[int, str]]:
    sql = f"SELECT n, body {_NO_PASSAGE if passages else _NO_TEXT} ORDER BY n LIMIT ?"
    return connection.execute(sql, (after, encoder, limit)).fetchall()


def count_without(connection: sqlite3.Connection, encoder: int) -> tuple[int, int]:
    pictures, texts = (
        connection.execute(f"SELECT count(*) {sql}", (0, encoder)).fetchone()[0]
        for sql in (_NO_PICTURE, _NO_TEXT)
    )
    return pictures, texts


def count_passages_without(connection: sqlite3.Connection, encoder: int) -> int:
    return int(connection.execute(f"SELECT count(*) {_NO_PASSAGE}", (0, encoder)).fetchone()[0])


def count_lost(connection: sqlite3.Connection, old: int, new: int) -> int:
    """Pictures with a vector of ``old`` and none of ``new``."""
    sql = """
        SELECT count(*) FROM vectors AS had WHERE had.encoder = ? AND had.modality = 0 AND NOT EXISTS (
            SELECT 1 FROM vectors WHERE item = had.item AND encoder = ? AND modality = 0)
    """
    return int(connection.execute(sql, (old, new)).fetchone()[0])


def drop_vectors(connection: sqlite3.Connection, encoder: int, *, limit: int) -> int:
    """Removes up to ``limit`` vectors of an encoder that nobody searches with. Returns how many.

    No index holds them, so the log of removals keeps only the first: without a gap at its start, and without a
    million entries that every reader would go through.
    """
    last = embeddings.last(connection, "removals")
    sql = "DELETE FROM vectors WHERE seq IN (SELECT seq FROM vectors WHERE encoder = ? LIMIT ?)"
    dropped = connection.execute(sql, (encoder, limit)).rowcount
    connection.execute("DELETE FROM removals WHERE n > ?", (last + 1,))
    return dropped


def forget_encoder(connection: sqlite3.Connection, encoder: int) -> None:
    """Its number is never given out again: who still holds it finds nothing, and not another encoder's vectors."""
    connection.execute("DELETE FROM encoders WHERE n = ?", (encoder,))
