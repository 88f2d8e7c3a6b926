"""Words of eight languages for full-text search: what a text is broken into, and how a query finds it.

Bodies and queries go through :func:`analyze` alike, so SQLite's FTS5 sees finished tokens and needs no tokenizer
of its own. No models and no word lists: folding is by character, Japanese and Chinese by bigrams.
"""

from __future__ import annotations

import os
import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Final

from ..types import Text

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
_LONGEST: Final = 100  # characters; beyond that it is no word, and FTS5 has a limit too
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
            tokens.append(_ARABIC_ARTICLE.sub("", match[0][:_LONGEST]))
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


def tokens_of(body: str) -> str:
    """What is indexed of a text."""
    return " ".join(analyze(body))


def file_name_tokens(path: bytes) -> str:
    """What is indexed of an item's path: the words of the file's name without its last suffix."""
    return tokens_of(PurePath(os.fsdecode(path)).stem.encode(errors="replace").decode())


def put_texts(connection: sqlite3.Connection, rows: Iterable[tuple[int, Text]]) -> None:
    """(Re)writes the full text of texts by row; only texts of status ``ok`` can be found."""
    rows = list(rows)
    connection.executemany(
        "INSERT OR REPLACE INTO words (rowid, tokens) VALUES (?, ?)",
        [(2 * row, tokens_of(text.body)) for row, text in rows if text.status == "ok"],
    )
    connection.executemany(
        "DELETE FROM words WHERE rowid = ?", [(2 * row,) for row, text in rows if text.status != "ok"]
    )


def put_file_names(connection: sqlite3.Connection, rows: Iterable[tuple[int, bytes]]) -> None:
    """(Re)writes the full text of the file names of items, given by row and path."""
    connection.executemany(
        "INSERT OR REPLACE INTO words (rowid, tokens) VALUES (?, ?)",
        [(2 * n + 1, file_name_tokens(path)) for n, path in rows],
    )


def expected(connection: sqlite3.Connection) -> Iterator[tuple[int, str, str | None]]:
    """Row, tokens it should have, tokens it has, for every text and file name that is to be found."""
    sql = """
        SELECT 2 * texts.n, texts.body, words.tokens FROM texts LEFT JOIN words ON words.rowid = 2 * texts.n
        WHERE texts.status = 'ok'
    """
    for row, body, tokens in connection.execute(sql):
        yield row, tokens_of(body), tokens
    sql = """
        SELECT 2 * items.n + 1, items.path, words.tokens FROM items
        LEFT JOIN words ON words.rowid = 2 * items.n + 1
    """
    for row, path, tokens in connection.execute(sql):
        yield row, file_name_tokens(path), tokens


def rebuild(connection: sqlite3.Connection) -> None:
    """Makes the full text anew from texts and file names."""
    connection.execute("INSERT INTO words (words) VALUES ('rebuild')")
    connection.execute("""
        DELETE FROM words WHERE rowid NOT IN (
            SELECT 2 * n FROM texts WHERE status = 'ok' UNION ALL SELECT 2 * n + 1 FROM items)
    """)
    stale = [(row, wanted) for row, wanted, found in expected(connection) if wanted != found]
    connection.executemany("INSERT OR REPLACE INTO words (rowid, tokens) VALUES (?, ?)", stale)
