"""Finding items by words: BM25 over the full text of :mod:`.fulltext`, quick for common words too.

SQLite's own ``bm25`` costs about a microsecond for every text that holds any word of the query. Where that is too
much, texts that hold many of the query's rarer words are nominated first (which costs a fraction, since
intersections need no ranking) and only they are ranked.
"""

from __future__ import annotations

import heapq
import json
import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from .fulltext import analyze
from .rows import WordHit
from .where import EVERYTHING, Condition

EXACT_UP_TO: Final = 10_000  # matches that SQLite ranks itself
_NOMINATED: Final = 500
_NOMINATING: Final = 8  # of a long query, the rarest words

# Robertson & Zaragoza (2009), "The Probabilistic Relevance Framework: BM25 and Beyond"; the values of FTS5.
_K1: Final = 1.2
_B: Final = 0.75
_LEAST_IDF: Final = 1e-6


def search(
    connection: sqlite3.Connection,
    query: str,
    *,
    k: int,
    languages: Sequence[str] | None = None,
    allowed: Condition = EVERYTHING,
    exact_up_to: int = EXACT_UP_TO,
) -> list[WordHit]:
    """The ``k`` items with the best matching text or file name, best first. Any word may match; BM25 ranks.

    ``languages`` restricts the texts; a file name has no language and always counts.
    """
    count, frequency = counts(connection, analyze(query))
    if not frequency or k <= 0:
        return []
    condition = _row_condition(languages, allowed)
    enough = max(_NOMINATED, 20 * k)
    if sum(frequency.values()) <= max(exact_up_to, enough):
        limit = 2 * k
        while True:
            scores = _ranked(connection, frequency, condition, limit)
            hits = _best_of_items(connection, scores)
            if len(hits) >= k or len(scores) < limit:
                return hits[:k]
            limit *= 4  # items with many matching texts took the places
    nominated = _nominated(connection, frequency, condition, enough)
    idf = {token: max(math.log((count - n + 0.5) / (n + 0.5)), _LEAST_IDF) for token, n in frequency.items()}
    mean_length = _totals(connection)[1] / max(count, 1)
    scores = _bm25(idf, nominated, mean_length)
    best = dict(heapq.nlargest(5 * k, scores.items(), key=lambda pair: (pair[1], -pair[0])))
    hits = _best_of_items(connection, best)
    return (hits if len(hits) >= k else _best_of_items(connection, scores))[:k]


def counts(connection: sqlite3.Connection, tokens: Iterable[str]) -> tuple[int, dict[str, int]]:
    """How many texts and file names there are, and how many of them hold each token; those in none are left out."""
    wanted = json.dumps(list(dict.fromkeys(tokens)))
    sql = "SELECT term, doc FROM vocabulary WHERE term IN (SELECT value FROM json_each(?)) ORDER BY doc, term"
    return _totals(connection)[0], dict(connection.execute(sql, (wanted,)))


def _totals(connection: sqlite3.Connection) -> tuple[int, int]:
    """How many rows and tokens FTS5 holds: the first two numbers of the record it keeps for its own bm25.

    https://sqlite.org/fts5.html#the_data_table: record 1, a list of SQLite's variable-length integers.
    """
    row = connection.execute("SELECT block FROM words_data WHERE id = 1").fetchone()
    numbers, number = [], 0
    for byte in row[0] if row else b"":
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(number)
            number = 0
    return (numbers[0], numbers[1]) if len(numbers) > 1 else (0, 0)


def _row_condition(languages: Sequence[str] | None, allowed: Condition) -> Condition:
    """The condition that languages and items put on rows of ``words``."""
    if languages is None and allowed is EVERYTHING:
        return EVERYTHING
    spoken = "1" if languages is None else "texts.language IN (SELECT value FROM json_each(?))"
    tags = [] if languages is None else [json.dumps(list(languages))]
    sql = f"""
        CASE WHEN words.rowid & 1
        THEN EXISTS (SELECT 1 FROM items WHERE items.n = words.rowid >> 1 AND {allowed.sql})
        ELSE EXISTS (SELECT 1 FROM texts JOIN items ON items.n = texts.item
                     WHERE texts.n = words.rowid >> 1 AND {spoken} AND {allowed.sql}) END
    """
    return Condition(sql, (*allowed.parameters, *tags, *allowed.parameters))


def _ranked(
    connection: sqlite3.Connection, tokens: Mapping[str, int], condition: Condition, limit: int
) -> dict[int, float]:
    """Scores of the best rows of ``words``, best first, as SQLite ranks them."""
    sql = f"""
        SELECT rowid, -bm25(words) AS score FROM words
        WHERE words MATCH ? AND {condition.sql} ORDER BY score DESC, rowid LIMIT ?
    """
    match = " OR ".join(f'"{token}"' for token in tokens)
    return dict(connection.execute(sql, (match, *condition.parameters, limit)))


def _nominated(
    connection: sqlite3.Connection, tokens: Mapping[str, int], condition: Condition, enough: int
) -> dict[int, str]:
    """Rows of ``words``, with their tokens, that hold as many of the rarest tokens as possible."""
    sql = f"SELECT rowid FROM words WHERE words MATCH ? AND {condition.sql} LIMIT ?"
    rarest = list(tokens)[:_NOMINATING]
    rows: set[int] = set()
    for first, end in ((i, j) for i in range(len(rarest)) for j in range(len(rarest), i, -1)):
        match = " AND ".join(f'"{token}"' for token in rarest[first:end])
        rows.update(row for (row,) in connection.execute(sql, (match, *condition.parameters, enough)))
        if len(rows) >= enough:
            break
    sql = "SELECT rowid, tokens FROM words WHERE rowid IN (SELECT value FROM json_each(?))"
    return dict(connection.execute(sql, (json.dumps(sorted(rows)),)))


def _bm25(idf: Mapping[str, float], rows: Mapping[int, str], mean_length: float) -> dict[int, float]:
    scores = {}
    for row, text in rows.items():
        words = text.split()
        damping = _K1 * (1 - _B + _B * len(words) / mean_length)
        times = ((weight, words.count(token)) for token, weight in idf.items())
        scores[row] = sum(weight * n * (_K1 + 1) / (n + damping) for weight, n in times)
    return scores


def _best_of_items(connection: sqlite3.Connection, scores: Mapping[int, float]) -> list[WordHit]:
    """One hit for each item, by its best row; equal scores keep the order in which rows were written."""
    sql = """
        SELECT found.value, items.id, texts.n FROM json_each(?) AS found
        LEFT JOIN texts ON found.value & 1 = 0 AND texts.n = found.value >> 1
        JOIN items ON items.n = iif(found.value & 1, found.value >> 1, texts.item)
    """
    owners = {row: owner for row, *owner in connection.execute(sql, (json.dumps(list(scores)),))}
    hits: dict[str, WordHit] = {}
    for row, score in sorted(scores.items(), key=lambda pair: (-pair[1], pair[0])):
        if row in owners:
            item_id, text_row = owners[row]
            hits.setdefault(item_id, WordHit(item_id, text_row, score))
    return list(hits.values())
