"""Full text against other ways of breaking texts into tokens, on questions and passages in eight languages.

    python -m benchmarks bm25                  questions as of a manual, written by hand, against their passages
    python -m benchmarks.bm25 NTREX-128        the same among news, and sentences asked for by some of their words

`data/questions.jsonl` holds 20 questions per language, each in other words or forms than its passage. NTREX-128
(Federmann et al. 2022) is a folder of 1,997 sentences in many languages, one file each. Of 400 of them every third
word is asked for, as it stands or as another word of the corpus that begins alike; "long" passages are neighbours
joined up to 300 words. The last column is what the catalog does; the others are tokens in an FTS5 table of their own.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babelens.metrics.ranking import rank_lists
from babelens.metrics.retrieval import hit_rate, reciprocal_rank
from babelens.metrics.statistics import Bootstrap
from babelens.search.function_words import subject_words
from babelens.storage import Catalog
from babelens.storage.fulltext import analyze, words_of
from babelens.types import Item, Source, Text

QUESTIONS = Path(__file__).parent / "data" / "questions.jsonl"
SEED = 7
_FILES = {
    **{"en": "src.eng", "es": "ref.spa", "fr": "ref.fra", "hi": "ref.hin"},
    **{"de": "ref.deu", "it": "ref.ita", "ja": "ref.jpn", "ar": "ref.arb"},
}
_DEPTH = 20
_ASKED = 400  # of the sentences, drawn by chance
_PARAGRAPH = 300
_STEMMERS = {
    **{"en": "english", "es": "spanish", "fr": "french", "hi": "hindi"},
    **{"de": "german", "it": "italian", "ar": "arabic"},
}

Tokens = Callable[[str], list[str]]


@dataclass(frozen=True, slots=True)
class Task:
    """Queries in one language, and the passage that each asks for."""

    name: str
    language: str
    queries: list[str]
    passages: list[str]
    answers: list[int]


def run(quick: bool = False) -> None:
    """Prints tables of MRR and hit_rate@1 and @3, and of size and time."""
    questions = list(hand_written())
    _compare(questions)
    _cost([passage for task in questions for passage in task.passages], 2_000 if quick else 50_000)


def hand_written() -> Iterator[Task]:
    """The questions of each language, its own passages alone to choose from."""
    by_language: dict[str, list[dict[str, str]]] = {}
    for line in QUESTIONS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        by_language.setdefault(row["language"], []).append(row)
    for language, rows in by_language.items():
        yield Task(
            "questions",
            language,
            [row["question"] for row in rows],
            [row["passage"] for row in rows],
            list(range(len(rows))),
        )


def _news(folder: Path) -> Iterator[Task]:
    for task in hand_written():
        language = task.language
        sentences = _sentences(folder, language)
        paragraphs, owner = _paragraphs(sentences)
        yield Task("questions in news", language, task.queries, task.passages + sentences, task.answers)
        yield Task("… in long passages", language, task.queries, task.passages + paragraphs, task.answers)
        places = sorted(random.Random(SEED).sample(range(len(sentences)), min(_ASKED, len(sentences))))
        thirds = [_every_third(sentences[place], language) for place in places]
        yield Task("every third word", language, thirds, sentences, places)
        yield Task("… of long passages", language, thirds, paragraphs, [owner[place] for place in places])
        if language != "ja":
            yield Task("… in other forms", language, _other_forms(thirds, sentences), sentences, places)


def _sentences(folder: Path, language: str) -> list[str]:
    path = folder / f"newstest2019-{_FILES[language]}.txt"
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _paragraphs(sentences: list[str]) -> tuple[list[str], list[int]]:
    """Neighbours joined up to :data:`_PARAGRAPH` words, and which of them each sentence is in."""
    joined: list[list[str]] = [[]]
    owner, length = [], 0
    for sentence in sentences:
        words = len(words_of(sentence))
        if joined[-1] and length + words > _PARAGRAPH:
            joined.append([])
            length = 0
        joined[-1].append(sentence)
        length += words
        owner.append(len(joined) - 1)
    return [" ".join(part) for part in joined], owner


def _every_third(sentence: str, language: str) -> str:
    if language == "ja":
        return " ".join(sentence[start : start + 2] for start in range(0, len(sentence) - 1, 6)) or sentence
    return " ".join(sentence.split()[::3])


def _other_forms(queries: list[str], sentences: list[str]) -> list[str]:
    """Each word in place of another one of the corpus that begins alike, by a rule that knows no language."""
    draw = random.Random(SEED)
    known = sorted({word.form for sentence in sentences for word in words_of(sentence)})
    by_beginning: dict[str, list[str]] = {}
    for form in known:
        by_beginning.setdefault(form[:4], []).append(form)

    def other(form: str) -> str:
        shared = max(4, len(form) - 3)
        near = [
            candidate
            for candidate in by_beginning.get(form[:4], [])
            if candidate != form and candidate[:shared] == form[:shared] and len(candidate) <= len(form) + 3
        ]
        return draw.choice(near) if len(form) > 4 and near else form

    return [" ".join(other(word.form) for word in words_of(query)) for query in queries]


# -- systems -----------------------------------------------------------------------------------------------


def _systems(language: str) -> dict[str, tuple[Tokens, Tokens]]:
    """What is indexed and what is asked for, by system; the first is what version 1 of the analysis did."""
    systems: dict[str, tuple[Tokens, Tokens]] = {"words": (_forms, _forms)}
    stem = _stemmer(language)
    if stem is not None:
        systems["stems"] = (stem, stem)
    systems["- function words"] = (
        analyze,
        lambda query: [token for word in subject_words(query, language) for token in word.tokens],
    )
    return systems


def _forms(text: str) -> list[str]:
    return [word.form for word in words_of(text)]


def _stemmer(language: str) -> Tokens | None:
    """Snowball's, where `pip install snowballstemmer` has been done."""
    try:
        import snowballstemmer
    except ImportError:
        return None
    if language not in _STEMMERS:
        return _forms
    stem = lru_cache(maxsize=200_000)(snowballstemmer.stemmer(_STEMMERS[language]).stemWord)
    return lambda text: [stem(form) for form in _forms(text)]


def _fts5(task: Task, indexed: Tokens, asked: Tokens) -> NDArray[np.int64]:
    """What FTS5 ranks first, given finished tokens. Shape: (queries, depth), filled up with -1."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE words USING fts5 (tokens, tokenize = 'ascii')")
        rows = [(place, " ".join(indexed(passage))) for place, passage in enumerate(task.passages)]
        connection.executemany("INSERT INTO words (rowid, tokens) VALUES (?, ?)", rows)
        sql = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY bm25(words), rowid LIMIT ?"
        found = []
        for query in task.queries:
            match = " OR ".join(f'"{token}"' for token in dict.fromkeys(asked(query)))
            found.append([row for (row,) in connection.execute(sql, (match or '""', _DEPTH))])
    return _filled(found)


def _catalog(task: Task) -> NDArray[np.int64]:
    """What the catalog finds: tokens, BM25 and what it leaves out."""
    with (
        tempfile.TemporaryDirectory(prefix="babelens-bm25-") as folder,
        Catalog.create(folder, {}) as catalog,
        catalog.transaction(),
    ):
        names = [f"p{place}" for place in range(len(task.passages))]
        catalog.put_items([Item(name, "passage", Source("/manual.pdf", name)) for name in names])
        catalog.put_texts(
            [
                Text(name, task.language, passage, "human")
                for name, passage in zip(names, task.passages, strict=True)
            ]
        )
        found = [
            [int(hit.item_id[1:]) for hit in catalog.search_words(query, k=_DEPTH)] for query in task.queries
        ]
    return _filled(found)


def _filled(found: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    result = np.full((len(found), _DEPTH), -1, dtype=np.int64)
    for row, places in enumerate(found):
        result[row, : len(places)] = places
    return result


# -- tables ------------------------------------------------------------------------------------------------


def _compare(tasks: Sequence[Task]) -> None:
    """MRR@20 of each system with its 95 % interval, and how much more the catalog has than words as they are."""
    print(
        f"{'':<20}{'':<4}{'n':>6}  "
        + "".join(f"{name:<22}" for name in ("words", "stems", "- function words")),
        end="",
    )
    print(f"{'catalog':<22}hit@1  hit@3  catalog over words (MRR)")
    totals: dict[str, dict[str, list[NDArray[np.float64]]]] = {}
    for task in tasks:
        found = {name: _fts5(task, *tokens) for name, tokens in _systems(task.language).items()}
        found["catalog"] = _catalog(task)
        _line(task.name, task.language, _ranked(task, found), totals.setdefault(task.name, {}))
    for name, columns in totals.items():
        _line(name, "all", {key: np.concatenate(values) for key, values in columns.items()}, None)


def _ranked(task: Task, found: dict[str, NDArray[np.int64]]) -> dict[str, NDArray[np.float64]]:
    columns = {}
    for name, places in found.items():
        ranks = rank_lists(places, [[answer] for answer in task.answers], corpus=len(task.passages))
        columns[name] = np.stack([reciprocal_rank(ranks), hit_rate(ranks, 1), hit_rate(ranks, 3)], axis=1)
    return columns


def _line(
    name: str, language: str, columns: dict[str, NDArray[np.float64]], totals: dict[str, list[Any]] | None
) -> None:
    n = len(columns["catalog"])
    bootstrap = Bootstrap(np.arange(n))
    cells = []
    for key in ("words", "stems", "- function words", "catalog"):
        if key not in columns:
            cells.append(f"{'-':<22}")
            continue
        estimate = bootstrap.estimate(columns[key][:, 0])
        cells.append(f"{f'{estimate.value:.3f} ({estimate.low:.3f}-{estimate.high:.3f})':<22}")
        if totals is not None:
            totals.setdefault(key, []).append(columns[key])
    change = bootstrap.difference(columns["words"][:, 0], columns["catalog"][:, 0])
    at_1, at_3 = columns["catalog"][:, 1].mean(), columns["catalog"][:, 2].mean()
    print(
        f"{name:<20}{language:<4}{n:>6}  {''.join(cells)}{at_1:.3f}  {at_3:.3f}  "
        f"{change.value:+.3f} ({change.low:+.3f} to {change.high:+.3f}, p {change.p:.4f})",
        flush=True,
    )


def _cost(passages: list[str], n: int) -> None:
    """Size and time of words as they are against the catalog's tokens, on texts spliced from ``passages``."""
    draw = random.Random(SEED)
    sentences = [part for passage in passages for part in re.split(r"(?<=[.。।])\s*", passage) if part]
    texts = [draw.choice(sentences) for _ in range(n)]
    queries = [draw.choice(sentences) for _ in range(50)]
    print(f"\n{n:,} texts of one sentence each, {len(queries)} queries of a sentence")
    figures = {
        name: _measured(texts, queries, tokens) for name, tokens in (("words", _forms), ("n-grams", analyze))
    }
    for name, (seconds, size, milliseconds) in figures.items():
        print(f"{name:<10}{n / seconds:>10,.0f} texts/s{size / 1e6:>10.1f} MB{milliseconds:>10.2f} ms/query")
    ratios = [after / before for before, after in zip(figures["words"], figures["n-grams"], strict=True)]
    print("ratio     {:>10.2f} time   {:>10.2f}   {:>10.2f}".format(*ratios))


def _measured(texts: list[str], queries: list[str], tokens: Tokens) -> tuple[float, int, float]:
    """Seconds to analyse and write, bytes on disk, milliseconds for a query."""
    with tempfile.TemporaryDirectory(prefix="babelens-bm25-") as folder:
        path = Path(folder) / "words.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE VIRTUAL TABLE words USING fts5 (tokens, tokenize = 'ascii')")
            start = time.perf_counter()
            for first in range(0, len(texts), 1_000):
                rows = [(" ".join(tokens(text)),) for text in texts[first : first + 1_000]]
                with connection:
                    connection.executemany("INSERT INTO words (tokens) VALUES (?)", rows)
            seconds = time.perf_counter() - start
            with connection:
                connection.execute("INSERT INTO words (words) VALUES ('optimize')")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            size = path.stat().st_size
            sql = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY bm25(words) LIMIT 10"
            start = time.perf_counter()
            for query in queries:
                match = " OR ".join(f'"{token}"' for token in dict.fromkeys(tokens(query)))
                connection.execute(sql, (match,)).fetchall()
            return seconds, size, 1000 * (time.perf_counter() - start) / len(queries)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bm25", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("ntrex", type=Path, help="the folder NTREX-128")
    _compare(list(_news(parser.parse_args().ntrex)))
