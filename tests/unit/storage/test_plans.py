"""What looks up a few rows must not walk over all of them, whatever SQLite's planner thinks without statistics."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from babelens.storage import coverage, embeddings
from babelens.storage.where import compile_filter
from babelens.types import Comparison
from tests.catalogs import fill, new_catalog, text

_LOOKUPS: dict[str, Callable[[sqlite3.Connection], Any]] = {
    "by_hash, known": lambda c: embeddings.by_hash(c, 1, _digest(c)),
    "by_hash, new": lambda c: embeddings.by_hash(c, 1, "0" * 64),
    "of_items": lambda c: embeddings.of_items(c, 1, ["i7"]),
    "seqs_of_items": lambda c: embeddings.seqs_of_items(c, 1, "image", ["i7"]),
    "matching one path": lambda c: embeddings.matching(
        c, 1, "image", compile_filter(Comparison("path", "=", "/pictures/i7.jpg"))
    ),
    "in_language": lambda c: embeddings.in_language(c, 1, "hi"),
    "found": lambda c: embeddings.found(c, [1, 2, 3]),
    "owners": lambda c: embeddings.owners(c, [1, 2, 3]),
    "of_texts": lambda c: embeddings.of_texts(c, 1, [1]),
    "items_without, a page": lambda c: coverage.items_without(c, 2, 0, limit=3),
    "texts_without, a page": lambda c: coverage.texts_without(c, 2, 0, limit=3),
    "drop_vectors, a batch": lambda c: coverage.drop_vectors(c, 1, limit=3),
    "by_seq": lambda c: embeddings.by_seq(c, [1, 2, 3]),
    "watermark": lambda c: embeddings.watermark(c, 1, "image"),
}


def _digest(connection: sqlite3.Connection) -> str:
    return str(connection.execute("SELECT sha256 FROM items WHERE id = 'i7'").fetchone()[0])


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One catalog of 20 items and one of 2,000, each with one Hindi caption."""
    folders = []
    for n in (20, 2_000):
        folder = tmp_path_factory.mktemp("plans") / str(n)
        with new_catalog(folder) as catalog:
            fill(catalog, [f"i{number}" for number in range(n)])
            catalog.put_texts([text("i7", "बाघ", language="hi")])
        folders.append(folder)
    return folders


@pytest.mark.parametrize("name", _LOOKUPS)
def test_a_lookup_takes_as_many_steps_in_a_large_catalog(name: str, catalogs: list[Path]) -> None:
    steps = []
    for folder in catalogs:
        connection = sqlite3.connect(folder / "catalog.db")
        count = 0

        def step() -> int:
            nonlocal count
            count += 1
            return 0

        _LOOKUPS[name](connection)  # the schema is read at the first statement
        connection.set_progress_handler(step, 10)
        _LOOKUPS[name](connection)
        steps.append(count)
        connection.close()
    small, large = steps
    assert large <= small + 10, f"{10 * small} steps among 20 items, {10 * large} among 2,000"
