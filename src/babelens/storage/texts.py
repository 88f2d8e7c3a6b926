"""Rows of texts: captions, translations, words read from pictures. Functions take a connection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from ..types import Origin, Text
from . import fulltext
from .items import known_rows_of, readable
from .rows import StoredText

_COLUMNS: Final = (
    "items.id, texts.language, texts.body, texts.origin, texts.status, texts.model, texts.reason"
)
_JOINED: Final = "texts JOIN items ON items.n = texts.item"
# What stands in documents and on pictures; texts of any other origin say what an item shows.
NO_CAPTIONS: Final[tuple[Origin, ...]] = ("document", "ocr")


def put(
    connection: sqlite3.Connection, texts: Iterable[Text], sources: Sequence[int | None] | None = None
) -> list[int]:
    """Row numbers, one for each text given. An equal text is not doubled: only its status, model and reason are
    brought up to date. Captions of two models are two texts. ``sources`` are the rows that translations were made
    from, one for each text.

    Raises :class:`UnknownItemError`.
    """
    batch = [replace(text, body=readable(text.body), reason=readable(text.reason)) for text in texts]
    items = known_rows_of(connection, {text.item_id for text in batch})
    rows, changed = [], []
    for text, source in zip(batch, sources or [None] * len(batch), strict=True):
        key = (items[text.item_id], text.language, text.origin, text.body, source)
        details = (text.status, text.model, text.reason)
        known = connection.execute(
            """
            SELECT n, status, model, reason FROM texts
            WHERE item = ? AND language = ? AND origin = ? AND body = ? AND source IS ?
            AND (origin <> 'caption-model' OR model IS ?)
            """,
            (*key, text.model),
        ).fetchone()
        if known is None:
            cursor = connection.execute(
                """
                INSERT INTO texts (item, language, origin, body, source, status, model, reason)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                (*key, *details),
            )
            row = int(cursor.lastrowid or 0)
        else:
            row = known[0]
            connection.execute(
                "UPDATE texts SET status = ?, model = ?, reason = ? WHERE n = ?", (*details, row)
            )
            if text.status != "ok":  # it is no longer searched by meaning
                connection.execute("DELETE FROM vectors WHERE text = ?", (row,))
        rows.append(row)
        if known is None or known[1] != text.status:
            changed.append((row, text))
    fulltext.put_texts(connection, changed)
    return rows


def of_items(
    connection: sqlite3.Connection, item_ids: Iterable[str], language: str | None
) -> dict[str, list[Text]]:
    """Texts by item, in the order they were written; items without any are left out."""
    sql = f"""
        SELECT {_COLUMNS} FROM {_JOINED} WHERE items.id IN (SELECT value FROM json_each(?))
        AND (? IS NULL OR texts.language = ?) ORDER BY texts.n
    """
    result: dict[str, list[Text]] = {}
    for row in connection.execute(sql, (json.dumps(list(item_ids)), language, language)):
        result.setdefault(row[0], []).append(Text(*row))
    return result


def by_row(connection: sqlite3.Connection, rows: Iterable[int]) -> dict[int, Text]:
    sql = f"SELECT texts.n, {_COLUMNS} FROM {_JOINED} WHERE texts.n IN (SELECT value FROM json_each(?))"
    return {n: Text(*row) for n, *row in connection.execute(sql, (_integers(rows),))}


def rows_of_items(connection: sqlite3.Connection, item_ids: Iterable[str]) -> dict[str, list[int]]:
    sql = f"SELECT items.id, texts.n FROM {_JOINED} WHERE items.id IN (SELECT value FROM json_each(?)) ORDER BY texts.n"
    result: dict[str, list[int]] = {}
    for row in connection.execute(sql, (json.dumps(list(item_ids)),)):
        result.setdefault(row[0], []).append(row[1])
    return result


def stored(connection: sqlite3.Connection, item_ids: Iterable[str]) -> dict[str, list[StoredText]]:
    """As :func:`of_items`, with row numbers."""
    sql = f"""
        SELECT texts.n, texts.source, {_COLUMNS} FROM {_JOINED}
        WHERE items.id IN (SELECT value FROM json_each(?)) ORDER BY texts.n
    """
    result: dict[str, list[StoredText]] = {}
    for row, source, *columns in connection.execute(sql, (json.dumps(list(item_ids)),)):
        result.setdefault(columns[0], []).append(StoredText(row, Text(*columns), source))
    return result


def delete(connection: sqlite3.Connection, item_id: str, origins: Sequence[str]) -> int:
    """Removes an item's texts of some origins, with their vectors and what was translated from them."""
    sql = """
        DELETE FROM texts WHERE item = (SELECT n FROM items WHERE id = ?)
        AND origin IN (SELECT value FROM json_each(?))
    """
    return connection.execute(sql, (item_id, json.dumps(list(origins)))).rowcount


def delete_rows(connection: sqlite3.Connection, rows: Iterable[int]) -> int:
    """Removes texts, with their vectors and what was translated from them."""
    sql = "DELETE FROM texts WHERE n IN (SELECT value FROM json_each(?))"
    return connection.execute(sql, (_integers(rows),)).rowcount


def caption_languages(connection: sqlite3.Connection) -> dict[str, int]:
    """How many captions of status ``ok`` there are in each language."""
    sql = """
        SELECT language, count(*) FROM texts WHERE status = 'ok' AND origin NOT IN (SELECT value FROM json_each(?))
        GROUP BY language ORDER BY language
    """
    return dict(connection.execute(sql, (json.dumps(NO_CAPTIONS),)))


def document_languages(connection: sqlite3.Connection) -> dict[str, int]:
    """How many texts of status ``ok`` pages, figures and passages have in each language, the most first."""
    sql = """
        SELECT texts.language, count(*) AS n FROM items CROSS JOIN texts ON texts.item = items.n
        WHERE items.kind <> 'image' AND texts.status = 'ok' GROUP BY texts.language ORDER BY n DESC, texts.language
    """
    return dict(connection.execute(sql))


def _integers(numbers: Iterable[Any]) -> str:
    return json.dumps([int(number) for number in numbers])
