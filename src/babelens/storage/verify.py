"""A thorough look at a catalog: every page, every vector, every text. Finds; does not mend."""

from __future__ import annotations

import sqlite3


def problems(connection: sqlite3.Connection) -> list[str]:
    """What is wrong, in words; an empty list means all is well."""
    return [*_sqlite(connection)]


def _sqlite(connection: sqlite3.Connection) -> list[str]:
    found = [
        f"SQLite: {line}" for (line,) in connection.execute("PRAGMA integrity_check(20)") if line != "ok"
    ]
    found += [
        f"a row of {table} refers to a row of {parent} that is gone"
        for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check")
    ]
    return found
