"""Full text of an older analysis is made anew once, when a catalog is first opened for writing.

In committed batches, each with how far it came: a run that is stopped goes on where it was. Until it is through, the
catalog counts as outdated, so nobody searches in half of it or writes to it.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from ..types import Progress, Text
from . import fulltext

ANALYSIS_SETTING: Final = "words_analysis"
_POSITION: Final = "words_analysed"  # of which analysis, in which table, up to which row: "2 texts 120"
_BATCH: Final = 2_000


def outdated(connection: sqlite3.Connection) -> bool:
    """Whether the full text is of another analysis than this version's."""
    return _setting(connection, ANALYSIS_SETTING) != str(fulltext.ANALYSIS)


def mark(connection: sqlite3.Connection) -> None:
    """Says that the full text is of this version's analysis."""
    _set(connection, ANALYSIS_SETTING, str(fulltext.ANALYSIS))


def run(connection: sqlite3.Connection, progress: Progress | None = None) -> None:
    """Makes the full text anew, or goes on with it. The caller holds the writer's lock.

    ``progress(done, total)`` counts texts and file names.
    """
    target = str(fulltext.ANALYSIS)
    if (_setting(connection, _POSITION) or "").split(" ")[0] != target:
        connection.execute("BEGIN IMMEDIATE")
        fulltext.clear(connection)
        _set(connection, _POSITION, f"{target} texts 0")
        connection.execute("COMMIT")
    (total,) = connection.execute(
        "SELECT (SELECT count(*) FROM texts) + (SELECT count(*) FROM items)"
    ).fetchone()
    _, table, position = (_setting(connection, _POSITION) or "").split(" ")
    done = _count_until(connection, table, int(position))
    for name in ("texts", "items")[("texts", "items").index(table) :]:
        last = int(position) if name == table else 0
        while True:
            connection.execute("BEGIN IMMEDIATE")
            last, written = _batch(connection, name, last)
            if not written:
                connection.execute("COMMIT")
                break
            _set(connection, _POSITION, f"{target} {name} {last}")
            connection.execute("COMMIT")
            done += written
            if progress is not None:
                progress(done, total)
    connection.execute("BEGIN IMMEDIATE")
    mark(connection)
    connection.execute("DELETE FROM settings WHERE key = ?", (_POSITION,))
    connection.execute("COMMIT")


def _batch(connection: sqlite3.Connection, table: str, last: int) -> tuple[int, int]:
    """Writes the rows after ``last``; the last of them, and how many there were."""
    if table == "texts":
        sql = "SELECT n, language, body, origin, status FROM texts WHERE n > ? ORDER BY n LIMIT ?"
        rows = connection.execute(sql, (last, _BATCH)).fetchall()
        fulltext.put_texts(connection, [(n, Text("", *columns)) for n, *columns in rows])
    else:
        sql = "SELECT n FROM items WHERE n > ? ORDER BY n LIMIT ?"
        rows = connection.execute(sql, (last, _BATCH)).fetchall()
        fulltext.put_file_names(connection, [n for (n,) in rows])
    return (rows[-1][0] if rows else last), len(rows)


def _count_until(connection: sqlite3.Connection, table: str, position: int) -> int:
    if table == "texts":
        sql = "SELECT count(*) FROM texts WHERE n <= ?"
    else:
        sql = "SELECT (SELECT count(*) FROM texts) + count(*) FROM items WHERE n <= ?"
    return int(connection.execute(sql, (position,)).fetchone()[0])


def _setting(connection: sqlite3.Connection, key: str) -> str | None:
    row = connection.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
    return row[0] if row else None


def _set(connection: sqlite3.Connection, key: str, value: str) -> None:
    connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, value))
