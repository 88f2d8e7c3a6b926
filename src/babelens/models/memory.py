"""The translation memory: what a model once made of a text, so that nothing is translated twice.

One SQLite file in the user's cache directory, for all collections and processes. It holds what models gave, unchecked.
It is a cache: damage or a full disk never stops a translation, and ``notes`` says what happened.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from .paths import cache_folder

T = TypeVar("T")

_NAME: Final = "translations.db"
# Version of the file; to be raised when other settings of generation give other translations.
_VERSION: Final = 1
_BUSY_SECONDS: Final = 30.0
_ASKED: Final = 500

_SCHEMA: Final = """
CREATE TABLE translations (
    source TEXT NOT NULL, target TEXT NOT NULL, model TEXT NOT NULL, revision TEXT NOT NULL,
    text BLOB NOT NULL,    -- SHA-256 of the text
    body TEXT NOT NULL,
    PRIMARY KEY (text, source, target, model, revision)
) WITHOUT ROWID
"""


class TranslationMemory:
    """Translations of one model between two languages. Any number of threads and processes may use the file."""

    def __init__(
        self, *, source: str, target: str, model: str, revision: str, folder: Path | None = None
    ) -> None:
        self._key = (source, target, model, revision)
        self._path = (folder or cache_folder()) / _NAME
        self._lock = threading.Lock()
        self.notes: list[str] = []

    def recall(self, texts: Sequence[str]) -> dict[str, str]:
        """What is known of these texts."""
        digests = {_digest(text): text for text in texts}

        def ask(connection: sqlite3.Connection) -> dict[str, str]:
            found: dict[str, str] = {}
            keys = list(digests)
            for start in range(0, len(keys), _ASKED):
                part = keys[start : start + _ASKED]
                rows = connection.execute(
                    f"""SELECT text, body FROM translations WHERE text IN ({", ".join("?" * len(part))})
                    AND source = ? AND target = ? AND model = ? AND revision = ?""",
                    (*part, *self._key),
                )
                found |= {digests[digest]: body for digest, body in rows}
            return found

        return self._attempt(ask) or {}

    def keep(self, translations: Mapping[str, str]) -> None:
        """Remembers translations by text."""
        rows = [(*self._key, _digest(text), body) for text, body in translations.items()]

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")  # undone by closing when it does not come to the end
            connection.executemany("INSERT OR REPLACE INTO translations VALUES (?, ?, ?, ?, ?, ?)", rows)
            connection.execute("COMMIT")

        if rows:
            self._attempt(write)

    def _attempt(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Does the work, twice when the file was damaged; ``None`` when there is no cache to be had."""
        with self._lock:
            for last in (False, True):
                try:
                    with contextlib.closing(self._open()) as connection:
                        return work(connection)
                except (OSError, sqlite3.OperationalError) as error:
                    self._note(f"The cache of translations cannot be used: {error}.")
                    return None
                except sqlite3.DatabaseError as error:
                    if last:
                        self._note(f"The cache of translations cannot be used: {error}.")
                        return None
                    self._move_aside(error)
        return None

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            if _version(connection) != _VERSION:
                connection.execute("BEGIN IMMEDIATE")
                if _version(connection) != _VERSION:  # no other process was first
                    connection.execute("DROP TABLE IF EXISTS translations")
                    connection.execute(_SCHEMA)
                    connection.execute(f"PRAGMA user_version = {_VERSION}")
                connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _move_aside(self, error: sqlite3.DatabaseError) -> None:
        aside = self._path.with_name(f"{_NAME}.damaged-{os.getpid()}")
        with contextlib.suppress(FileNotFoundError):  # another process was first
            self._path.replace(aside)
            self._note(
                f"The cache of translations was damaged ({error}) and begins anew; the old one is {aside}."
            )
        Path(f"{self._path}-journal").unlink(missing_ok=True)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
