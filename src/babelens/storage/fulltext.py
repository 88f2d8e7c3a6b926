"""Words of eight languages for full-text search: what a text is broken into, and how a query finds it.

Bodies and queries go through :func:`analyze` alike, so SQLite's FTS5 sees finished tokens and needs no tokenizer
of its own. No models and no word lists: folding is by character, Japanese and Chinese by bigrams.
"""

from __future__ import annotations

import json
import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Final

from ..types import Text
from .rows import WordHit
from .where import EVERYTHING, Condition

# Changes when analyze() gives other tokens than before: full text written by another version is rebuilt.
ANALYZER_VERSION: Final = "1"

# Accents, Arabic vowel signs and tatweel, the Devanagari nukta, joiners, the soft hyphen: written or not at will.
_DROPPED: Final = re.compile("[\u0300-\u036f\u0640\u064b-\u065f\u0670\u06d6-\u06ed\u093c\u00ad\u200b-\u200f]")

# Letters with several spellings that Unicode does not decompose.
_LETTERS: Final = str.maketrans(
    {
        **dict(zip("ðđħıĸłŋøŧ", "ddhiklnot", strict=True)),
        **{"æ": "ae", "œ": "oe", "þ": "th"},
        **dict(zip("ٱىیکةے", "ايي\u0643هي", strict=True)),
        "\u0901": "\u0902",  # candrabindu is often written as anusvara
        **{chr(zero + digit): str(digit) for zero in (0x660, 0x6F0, 0x966) for digit in range(10)},
    }
)

_CJK: Final = (
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_KANA: Final = re.compile("[\u3041-\u30ff\u31f0-\u31ff]")
# Vowel signs of Indic scripts belong to words, but not to Python's \w; U+0964 and U+0965 are full stops.
_INDIC: Final = "\u0900-\u0963\u0966-\u0dff"
_TOKENS: Final = re.compile(f"([{_CJK}]+)|(?:(?![{_CJK}])[^\\W_]|[{_INDIC}])+")

# The Arabic article, alone or after one of the particles that are written together with it.
_ARABIC_ARTICLE: Final = re.compile("^(?:[وبكف]?ال|لل)(?=[\u0620-\u064a]{3})")


def analyze(text: str) -> list[str]:
    """The tokens of a text, in order: folded words; for Japanese and Chinese every pair of neighbours and ideograph.

    ``"Les Élèves"`` -> ``["les", "eleves"]``, ``"白い犬"`` -> ``["白", "白い", "い犬", "犬"]``.
    """
    text = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    text = unicodedata.normalize("NFC", _DROPPED.sub("", text)).translate(_LETTERS)
    tokens: list[str] = []
    for match in _TOKENS.finditer(text):
        if match[1]:
            tokens.extend(_grams(match[1]))
        else:
            tokens.append(_ARABIC_ARTICLE.sub("", match[0]))
    return tokens


def _grams(run: str) -> Iterable[str]:
    if len(run) == 1:
        yield run
        return
    for position, character in enumerate(run):
        if not _KANA.match(character):
            yield character
        if position + 1 < len(run):
            yield run[position : position + 2]


def file_name_tokens(path: str) -> str:
    """What is indexed of an item's path: the words of the file's name without its last suffix."""
    stem = PurePath(path).stem.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return " ".join(analyze(stem))


def put_texts(connection: sqlite3.Connection, rows: Iterable[tuple[int, Text]]) -> None:
    """(Re)writes the full text of texts by row; only texts of status ``ok`` can be found."""
    rows = list(rows)
    connection.executemany(
        "INSERT OR REPLACE INTO words (rowid, tokens) VALUES (?, ?)",
        [(2 * row, " ".join(analyze(text.body))) for row, text in rows if text.status == "ok"],
    )
    connection.executemany(
        "DELETE FROM words WHERE rowid = ?", [(2 * row,) for row, text in rows if text.status != "ok"]
    )


def put_file_names(connection: sqlite3.Connection, rows: Iterable[tuple[int, str]]) -> None:
    """(Re)writes the full text of the file names of items, given by row and path."""
    connection.executemany(
        "INSERT OR REPLACE INTO words (rowid, tokens) VALUES (?, ?)",
        [(2 * n + 1, file_name_tokens(path)) for n, path in rows],
    )


def search(
    connection: sqlite3.Connection,
    query: str,
    *,
    k: int,
    languages: Sequence[str] | None = None,
    allowed: Condition = EVERYTHING,
) -> list[WordHit]:
    """The ``k`` items with the best matching text or file name, best first. Any word may match; BM25 ranks.

    ``languages`` restricts the texts; a file name has no language and always counts.
    """
    tokens = list(dict.fromkeys(analyze(query)))
    if not tokens or k <= 0:
        return []
    match = " OR ".join(f'"{token}"' for token in tokens)
    condition, parameters = _row_condition(languages, allowed)
    limit = 2 * k
    while True:
        rows = connection.execute(
            f"""
            SELECT items.id, texts.n, best.score
            FROM (SELECT rowid AS row, -bm25(words) AS score FROM words
                  WHERE words MATCH ? {condition} ORDER BY score DESC, row LIMIT ?) AS best
            LEFT JOIN texts ON best.row & 1 = 0 AND texts.n = best.row >> 1
            JOIN items ON items.n = iif(best.row & 1, best.row >> 1, texts.item)
            ORDER BY best.score DESC, best.row
            """,
            (match, *parameters, limit),
        ).fetchall()
        hits: dict[str, WordHit] = {}
        for item_id, text_row, score in rows:
            hits.setdefault(item_id, WordHit(item_id, text_row, score))
        if len(hits) >= k or len(rows) < limit:
            return list(hits.values())[:k]
        limit *= 4  # items with many matching texts took the places


def counts(connection: sqlite3.Connection, tokens: Iterable[str]) -> tuple[int, dict[str, int]]:
    """About how many texts and file names there are (counting them all takes long), and how many hold each token."""
    (total,) = connection.execute(
        "SELECT ifnull(sum(seq), 0) FROM sqlite_sequence WHERE name IN ('texts', 'items')"
    ).fetchone()
    matching = "SELECT count(*) FROM words WHERE words MATCH ?"
    return total, {token: connection.execute(matching, (f'"{token}"',)).fetchone()[0] for token in set(tokens)}


def _row_condition(languages: Sequence[str] | None, allowed: Condition) -> tuple[str, list[object]]:
    """The condition on rows of ``words`` that languages and items put, with its parameters."""
    if languages is None and allowed is EVERYTHING:
        return "", []
    spoken = "" if languages is None else "AND texts.language IN (SELECT value FROM json_each(?))"
    sql = f"""
        AND CASE WHEN words.rowid & 1
        THEN EXISTS (SELECT 1 FROM items WHERE items.n = words.rowid >> 1 AND {allowed.sql})
        ELSE EXISTS (SELECT 1 FROM texts JOIN items ON items.n = texts.item
                     WHERE texts.n = words.rowid >> 1 {spoken} AND {allowed.sql}) END
    """
    tags = [] if languages is None else [json.dumps(list(languages))]
    return sql, [*allowed.parameters, *tags, *allowed.parameters]
