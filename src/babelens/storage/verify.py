"""A thorough look at a catalog: every page, vector and text. It reads, it finds, and it mends nothing."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from . import fulltext
from .embeddings import encoders

_BATCH: Final = 10_000
_NORM_TOLERANCE: Final = 2e-3  # four times what rounding to float16 can do
_SHOWN: Final = 3


def problems(connection: sqlite3.Connection) -> list[str]:
    """What is wrong, in words; an empty list means all is well."""
    found: list[str] = []
    checks: tuple[Callable[[sqlite3.Connection], Iterator[str]], ...] = (_pages, _rows, _vectors, words)
    for check in checks:
        try:
            found += check(connection)
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:  # damaged values are of any type
            found.append(f"{check.__name__.strip('_')} cannot be read: {error}")
    return found


def _pages(connection: sqlite3.Connection) -> Iterator[str]:
    for (line,) in connection.execute("PRAGMA integrity_check(20)"):
        if line != "ok":
            yield f"SQLite: {line}"
    gone = Counter((table, parent) for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check"))
    for (table, parent), n in gone.items():
        yield f"{n} rows of {table} refer to rows of {parent} that are gone"


# What each query finds should not be there.
_IMPOSSIBLE: Final = {
    "items whose metadata is not a JSON object": "SELECT id FROM items WHERE NOT json_valid(metadata)",
    "files that were read but belong to no item": """
        SELECT path FROM files WHERE status = 'ok' AND item_id IS NULL AND NOT (
            coalesce(reason, '') LIKE 'document%' AND EXISTS (SELECT 1 FROM items WHERE items.path = files.path))""",
    "files whose item is made from another path": """
        SELECT files.path FROM files JOIN items ON items.id = files.item_id
        WHERE items.path <> files.path AND files.reason IS NOT 'captions'""",  # captions beside a picture name its item
    "vectors on the wrong side (a picture's with a text, or a text's without)": """
        SELECT seq FROM vectors WHERE (modality = 1) <> (text IS NOT NULL)""",
    "text vectors that name another item than their text does": """
        SELECT seq FROM vectors JOIN texts ON texts.n = vectors.text WHERE texts.item <> vectors.item""",
    "pictures with two vectors of one encoder": """
        SELECT min(seq) FROM vectors WHERE modality = 0 GROUP BY item, encoder, modality HAVING count(*) > 1""",
    "texts with two vectors of one encoder": """
        SELECT min(seq) FROM vectors WHERE text IS NOT NULL GROUP BY text, encoder HAVING count(*) > 1""",
    "vectors that the log of removals says are gone": "SELECT seq FROM removals JOIN vectors USING (seq)",
}


def _rows(connection: sqlite3.Connection) -> Iterator[str]:
    for what, sql in _IMPOSSIBLE.items():
        found = [row[0] for row in connection.execute(sql)]
        if found:
            yield f"{len(found)} {what}, such as {', '.join(map(repr, found[:_SHOWN]))}"


def _vectors(connection: sqlite3.Connection) -> Iterator[str]:
    for number, encoder in encoders(connection).items():
        wrong_size, wrong_norm = 0, 0
        rows = connection.execute("SELECT vector FROM vectors WHERE encoder = ?", (number,))
        while batch := rows.fetchmany(_BATCH):
            for bytes_each, dtype in ((2, "<f2"), (4, "<f4")):
                blobs = [blob for (blob,) in batch if len(blob) == bytes_each * encoder.dim]
                vectors = np.frombuffer(b"".join(blobs), dtype=dtype).reshape(len(blobs), encoder.dim)
                norms = np.linalg.norm(vectors.astype(np.float32), axis=1)
                # Written so that NaN counts as wrong.
                wrong_norm += int((~(np.abs(norms - 1) <= _NORM_TOLERANCE)).sum())
            wrong_size += sum(len(blob) not in (2 * encoder.dim, 4 * encoder.dim) for (blob,) in batch)
        if wrong_size:
            yield f"{wrong_size} vectors of {encoder.name} do not have {encoder.dim} numbers"
        if wrong_norm:
            yield f"{wrong_norm} vectors of {encoder.name} do not have unit length"


def words_need_mending(connection: sqlite3.Connection) -> bool:
    """Whether the full text is out of step or cannot even be read; it can always be made anew."""
    try:
        return any(words(connection))
    except sqlite3.DatabaseError:
        return True


def words(connection: sqlite3.Connection) -> Iterator[str]:
    """Compares the full text with what texts and file names say it should be, and its index with both."""
    counted: Counter[str] = Counter()
    stale = 0
    for _, wanted, found in fulltext.expected(connection):
        stale += wanted != found
        counted.update(wanted.split())
    if stale:
        yield f"the full text of {stale} texts and file names is out of step"
        return
    indexed = dict(connection.execute("SELECT term, cnt FROM vocabulary"))
    if indexed != dict(counted):
        wrong = [token for token in indexed.keys() | counted if indexed.get(token) != counted.get(token)]
        yield f"the full-text index counts {len(wrong)} words wrongly"
