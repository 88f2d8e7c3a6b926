"""Finding items by words: BM25 over the full text of :mod:`.fulltext`, quick for common words too.

SQLite's own ``bm25`` costs about a microsecond for every text that holds any token of the query. Where that is too
much, texts that hold many of the query's rarer words are nominated first (which costs a fraction, since
intersections need no ranking) and only they are ranked.

Tokens are n-grams: a text that shares no more than an ending with the query has some of its tokens, but none of its
words, and is no hit.
"""

from __future__ import annotations

import itertools
import json
import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from .fulltext import Word, forms_of, words_of
from .likeness import akin
from .rows import WordHit
from .where import EVERYTHING, Condition

EXACT_UP_TO: Final = 30_000  # matches of tokens that SQLite ranks itself
_NOMINATED: Final = 500
_NOMINATING: Final = 8  # of a long query, the rarest words
_COMMON: Final = 4

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
    """The ``k`` items with the best matching text or file name, best first: any word may match, in any form.

    ``languages`` restricts the texts; a picture's file name has no language and always counts.
    """
    words = words_of(query)
    count, frequency = counts(connection, (token for word in words for token in word.tokens))
    if not frequency or k <= 0:
        return []
    condition = _row_condition(languages, allowed)
    holds = _Holder(words)
    enough = max(_NOMINATED, 20 * k)
    if sum(frequency.values()) <= max(exact_up_to, enough):
        limit = 2 * k
        while True:
            rows = _ranked(connection, frequency, condition, limit)
            scores = {row: score for row, score, tokens in rows if holds(tokens)}
            hits = _best_of_items(connection, scores)
            if len(hits) >= k or len(rows) < limit:
                return hits[:k]
            limit *= 4  # items with many matching texts took the places
    nominated = _nominated(connection, words, frequency, condition, enough)
    idf = {token: max(math.log((count - n + 0.5) / (n + 0.5)), _LEAST_IDF) for token, n in frequency.items()}
    mean_length = _totals(connection)[1] / max(count, 1)
    scores = _bm25(idf, nominated, mean_length)
    order = sorted(scores, key=lambda row: (-scores[row], row))
    held = (row for row in order if holds(nominated[row]))
    best = {row: scores[row] for row in itertools.islice(held, 5 * k)}
    hits = _best_of_items(connection, best)
    if len(hits) < k:
        hits = _best_of_items(connection, {**best, **{row: scores[row] for row in held}})
    return hits[:k]


class _Holder:
    """Says whether a text holds any of some words, in whatever form. It remembers the words it has seen."""

    def __init__(self, words: Iterable[Word]) -> None:
        self._forms = {word.form for word in words}
        self._known: dict[str, bool] = {}

    def __call__(self, tokens: str) -> bool:
        return any(map(self._is_one, forms_of(tokens.split())))

    def _is_one(self, form: str) -> bool:
        known = self._known.get(form)
        if known is None:
            known = self._known[form] = any(akin(wanted, form) for wanted in self._forms)
        return known


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
    connection: sqlite3.Connection, tokens: Iterable[str], condition: Condition, limit: int
) -> list[tuple[int, float, str]]:
    """The best rows of ``words`` with score and tokens, best first, as SQLite ranks them."""
    sql = f"""
        SELECT rowid, -bm25(words) AS score, tokens FROM words
        WHERE words MATCH ? AND {condition.sql} ORDER BY score DESC, rowid LIMIT ?
    """
    return connection.execute(sql, (_match(" OR ", tokens), *condition.parameters, limit)).fetchall()


def _nominated(
    connection: sqlite3.Connection,
    words: Iterable[Word],
    frequency: Mapping[str, int],
    condition: Condition,
    enough: int,
) -> dict[int, str]:
    """Rows of ``words``, with their tokens, that hold as many of the rarest words as possible, or parts of them."""
    sql = f"SELECT rowid FROM words WHERE words MATCH ? AND {condition.sql} LIMIT ?"
    rarest = _known(words, frequency)[:_NOMINATING]
    spans = [(i, j) for i in range(len(rarest)) for j in range(len(rarest), i, -1)]
    runs = [[word.tokens for word in rarest[i:j]] for i, j in spans]
    # Then whatever the endings: the first half of each word's tokens, of all words and of each alone.
    halves = [word.tokens[: -(-len(word.tokens) // 2)] for word in rarest]
    runs += [halves, *([half] for half in halves)]
    # Then parts of words, but none that is in every other one ("-ing").
    runs += [[(token,)] for token, n in frequency.items() if n <= _COMMON * enough]
    rows: set[int] = set()
    for run in runs:
        tokens = dict.fromkeys(token for part in run for token in part)
        if not tokens:
            continue
        found = connection.execute(sql, (_match(" AND ", tokens), *condition.parameters, enough))
        rows.update(row for (row,) in found)
        if len(rows) >= enough:
            break
    sql = "SELECT rowid, tokens FROM words WHERE rowid IN (SELECT value FROM json_each(?))"
    return dict(connection.execute(sql, (json.dumps(sorted(rows)),)))


def _known(words: Iterable[Word], frequency: Mapping[str, int]) -> list[Word]:
    """The words that some text begins alike with, the rarest first."""
    known = [
        word
        for word in dict.fromkeys(words)
        if all(token in frequency for token in word.tokens[: -(-len(word.tokens) // 2)])
    ]
    return sorted(known, key=lambda word: min(frequency.get(token, 0) for token in word.tokens))


def _match(operator: str, tokens: Iterable[str]) -> str:
    return operator.join(f'"{token}"' for token in tokens)


def _bm25(idf: Mapping[str, float], rows: Mapping[int, str], mean_length: float) -> dict[int, float]:
    scores = {}
    for row, text in rows.items():
        tokens = text.split()
        damping = _K1 * (1 - _B + _B * len(tokens) / mean_length)
        held = Counter(token for token in tokens if token in idf)
        scores[row] = sum(idf[token] * n * (_K1 + 1) / (n + damping) for token, n in held.items())
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
