"""Words of eight languages for full-text search: what a text is broken into, and how a query finds it.

Bodies and queries go through :func:`analyze` alike, so SQLite's FTS5 sees finished tokens and needs no tokenizer
of its own. No models, no word lists, and no need to know the language: folding is by character, words are looked up by
their n-grams, Japanese and Chinese by bigrams.

Overlapping n-grams do what stemming and the splitting of compounds are for: "filters", "filtro" and "Kaffeefilter"
share most of theirs with "filter" (McNamee and Mayfield 2004, "Character n-gram tokenization for European language text
retrieval", who found four letters best). `python -m benchmarks bm25` compares. Who changes what :func:`analyze` gives
raises :data:`ANALYSIS`: catalogs are then brought up to date by :mod:`.reanalysis`.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from ..types import Text

# The number of this analysis, kept among a catalog's settings: tokens of two analyses do not find each other.
ANALYSIS: Final = 2

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


# How many letters overlap. Arabic writes no short vowels and Devanagari joins them to consonants: three say as much.
_GRAM: Final = 4
_SHORT_GRAM: Final = 3
_SHORT_SCRIPTS: Final = re.compile("[\u0600-\u06ff\u0900-\u0dff]")
# Stands at both ends of a word, so that n-grams know where it begins and ends. Never part of a word itself.
_EDGE: Final = "\u00b7"


@dataclass(frozen=True, slots=True)
class Word:
    """A folded word and the tokens that it is looked up by. Of Japanese and Chinese every token is such a word."""

    form: str
    tokens: tuple[str, ...]


def analyze(text: str) -> list[str]:
    """The tokens of a text, in order: what FTS5 holds of it.

    ``"Les élèves, 24cm"`` -> ``["·les", "les·", "·ele", "elev", "leve", "eves", "ves·", "24cm"]``,
    ``"白い犬"`` -> ``["白", "白い", "い犬", "犬"]``.
    """
    return [token for word in words_of(text) for token in word.tokens]


def words_of(text: str) -> list[Word]:
    """The folded words of a text, in order, with their tokens.

    Words of one or two letters, and whatever holds a digit (years, sizes, the names of parts), are one token each: half
    of such a word means nothing.
    """
    words: list[Word] = []
    for match in _TOKENS.finditer(fold(text)):
        if match[1]:
            words.extend(Word(gram, (gram,)) for gram in _pairs(match[1]))
        else:
            form = _ARABIC_ARTICLE.sub("", match[0][:_LONGEST])
            words.append(Word(form, _grams(form)))
    return words


def fold(text: str) -> str:
    """A text without what may be written or not: case, accents, vowel signs of Arabic, the nukta, width."""
    text = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFC", _DROPPED.sub("", text)).translate(_LETTERS)


def forms_of(tokens: Iterable[str]) -> Iterator[str]:
    """The folded words that tokens of :func:`analyze` were made of, in order."""
    form: str | None = None
    for token in tokens:
        if token[0] == _EDGE:
            form = token[1:]
        elif form is None:
            yield token
        elif token[-1] == _EDGE:
            yield form
            form = None
        else:
            form += token[-1]


def _grams(form: str) -> tuple[str, ...]:
    if len(form) < 3 or any(map(str.isdigit, form)):
        return (form,)
    size = _SHORT_GRAM if _SHORT_SCRIPTS.match(form) else _GRAM
    marked = f"{_EDGE}{form}{_EDGE}"
    return tuple(marked[start : start + size] for start in range(len(marked) - size + 1))


def _pairs(run: str) -> Iterable[str]:
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


def put_file_names(connection: sqlite3.Connection, items: Iterable[int]) -> None:
    """(Re)writes the full text of the file names of items, given by row. Only pictures have one: the name of a document
    says nothing about one of its passages, and thousands of short rows would tilt what BM25 takes for a usual length.
    """
    sql = "SELECT n, path FROM items WHERE n IN (SELECT value FROM json_each(?)) AND kind = 'image'"
    rows = connection.execute(sql, (json.dumps(list(items)),)).fetchall()
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
        LEFT JOIN words ON words.rowid = 2 * items.n + 1 WHERE items.kind = 'image'
    """
    for row, path, tokens in connection.execute(sql):
        yield row, file_name_tokens(path), tokens


def rebuild(connection: sqlite3.Connection) -> None:
    """Makes the full text anew from texts and file names."""
    connection.execute("INSERT INTO words (words) VALUES ('rebuild')")
    connection.execute("""
        DELETE FROM words WHERE rowid NOT IN (
            SELECT 2 * n FROM texts WHERE status = 'ok'
            UNION ALL SELECT 2 * n + 1 FROM items WHERE kind = 'image')
    """)
    stale = [(row, wanted) for row, wanted, found in expected(connection) if wanted != found]
    connection.executemany("INSERT OR REPLACE INTO words (rowid, tokens) VALUES (?, ?)", stale)


def clear(connection: sqlite3.Connection) -> None:
    """Forgets the full text altogether, at once however large it is."""
    connection.execute("DROP TABLE vocabulary")
    connection.execute("DROP TABLE words")
    connection.execute("CREATE VIRTUAL TABLE words USING fts5 (tokens, tokenize = 'ascii')")
    connection.execute("CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, row)")
