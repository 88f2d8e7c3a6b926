"""Connections to ``catalog.db``: opening, versions, transactions, typed errors. Knows nothing of items or vectors.

SQLite in WAL mode gives many readers and one writer. A killed process loses at most the batch it was in; a
power cut may lose the last batches, and never damages the file. Connections are pooled, so any thread may use a
:class:`Database`, and a forked child opens its own.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sqlite3
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path
from typing import Final

from ..errors import (
    CollectionError,
    CollectionLockedError,
    CollectionNotFoundError,
    CorruptCatalogError,
    StorageFullError,
)
from ..types import Progress
from . import reanalysis

CATALOG_NAME: Final = "catalog.db"
APPLICATION_ID: Final = 0x42424C4E  # "BBLN", in the file's header

# Step i brings a catalog from version i to i + 1. Released steps are never edited, only followed.
STEPS: Final = ("schema.sql", "step_002.sql", "step_003.sql", "step_004.sql")

_PAGE_BYTES: Final = 8192  # seven 512-d float16 vectors a page, with little waste
_BUSY_SECONDS: Final = 30.0
_MAPPED_BYTES: Final = (
    1 << 28
)  # scattered reads of a large catalog are ten times quicker through a memory map
_NEARLY_FULL_BYTES: Final = 1 << 20


def typed_error(error: sqlite3.Error, path: Path) -> Exception:
    """The error of :mod:`babelens.errors` that an error of SQLite means; a mistake of ours stays as it is."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if code is not None else None
    if primary == sqlite3.SQLITE_FULL or (
        primary in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
        and path.parent.is_dir()
        and shutil.disk_usage(path.parent).free < _NEARLY_FULL_BYTES
    ):
        return StorageFullError(
            f"No space is left for {path}.",
            hint="Everything committed before is kept. Free some space and run the same command again.",
        )
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return corrupt(path, str(error))
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return CollectionLockedError(
            f"{path} stayed locked for {_BUSY_SECONDS:.0f} s.", hint="Wait for the other process to finish."
        )
    if primary == sqlite3.SQLITE_READONLY:
        return CollectionError(f"{path} is open for reading only.")
    if primary in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return CollectionError(
            f"{path} cannot be read or written: {error}.", hint="Check disk and permissions."
        )
    return error


def corrupt(path: Path, reason: str) -> CorruptCatalogError:
    return CorruptCatalogError(
        f"{path} is damaged or not a catalog: {reason}.",
        hint="It was left as it is. Restore it from a copy, or recover what can be read with\n"
        f"  sqlite3 {path} .recover | sqlite3 recovered.db\n"
        "or move the folder away and index the files again.",
    )


@contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """Turns an ``OSError`` about ``path`` into a typed error."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFullError(f"No space is left for {path}.", hint="Free some space first.") from error
        raise CollectionError(f"{path} cannot be written: {error.strerror}.") from error


class Database:
    """A pool of connections to one catalog file. Open with :meth:`open`, make a new one with :meth:`create`."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self._immutable = False
        self._idle: list[sqlite3.Connection] = []  # last in, first out; append and pop are atomic
        self._local = threading.local()
        self._process = os.getpid()
        self._closed = False
        self._watcher: sqlite3.Connection | None = None
        self._watching = threading.Lock()

    # -- opening -------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path, settings: Mapping[str, str]) -> None:
        """Writes a new catalog at ``path``: all of it or, when the process dies, nothing."""
        if path.exists():
            raise CollectionError(f"{path.parent} already holds a collection.")
        draft = path.with_name(f"{path.name}.new-{os.getpid()}")
        with os_errors(path):
            draft.unlink(missing_ok=True)
            for suffix in (
                "-wal",
                "-shm",
            ):  # of a catalog that somebody deleted: SQLite would replay it into ours
                Path(f"{path}{suffix}").unlink(missing_ok=True)
        try:
            with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
                connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                migrate(connection)
                reanalysis.mark(connection)
                connection.executemany("INSERT INTO settings VALUES (?, ?)", settings.items())
            with os_errors(path):
                draft.replace(path)
        except sqlite3.Error as error:
            raise typed_error(error, path) from error
        finally:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{draft}{suffix}").unlink(missing_ok=True)

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Database:
        """Opens a catalog in milliseconds: header, version and schema are looked at, never the whole file."""
        if not path.is_file():
            raise CollectionNotFoundError(
                f"There is no collection in {path.parent}.", hint="Make one with: babelens index PATH -c NAME"
            )
        with os_errors(path), path.open("rb") as stream:
            if stream.read(16) != b"SQLite format 3\0":
                raise corrupt(path, "it does not begin as a SQLite file does")
        database = cls(path, read_only=read_only)
        try:
            with database.reading() as connection:
                database._check(connection)
        except BaseException:
            database.close()
            raise
        return database

    def _check(self, connection: sqlite3.Connection) -> None:
        if _pragma(connection, "application_id") != APPLICATION_ID:
            raise corrupt(self.path, "it is a SQLite file of another program")
        version = _pragma(connection, "user_version")
        if version > len(STEPS):
            raise CollectionError(
                f"{self.path} was written by a newer Babelens (catalog version {version}, "
                f"this one reads up to {len(STEPS)}).",
                hint="Upgrade with: pip install --upgrade babelens",
            )
        if self.read_only and self._outdated(connection):
            raise CollectionError(
                f"{self.path} is of an older version and open for reading only.",
                hint=f"Bring it up to date with: babelens compact -c {self.path.parent}",
            )
        connection.execute("SELECT count(*) FROM settings").fetchone()

    @property
    def outdated(self) -> bool:
        with self.reading() as connection:
            return self._outdated(connection)

    def _outdated(self, connection: sqlite3.Connection) -> bool:
        return _pragma(connection, "user_version") < len(STEPS) or reanalysis.outdated(connection)

    def upgrade(self, progress: Progress | None = None) -> None:
        """Runs the steps that are missing, and analyses texts again where that is due. The caller holds the writer's
        lock. ``progress(done, total)`` counts texts and file names."""
        with self.reading() as connection:
            migrate(connection)
            if reanalysis.outdated(connection):
                reanalysis.run(connection, progress)

    # -- connections ---------------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        mode = "ro" if self.read_only else "rw"
        uri = f"file:{urllib.parse.quote(os.fsencode(self.path.absolute()))}?mode={mode}"
        if self._immutable:
            uri += "&immutable=1"
        connection = sqlite3.connect(
            uri,
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA cache_size = -16000")
            connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
            if not self.read_only:
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute("PRAGMA secure_delete = OFF")
                connection.execute("PRAGMA journal_size_limit = 67108864")
            else:
                connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _take(self) -> sqlite3.Connection:
        if self._closed:
            raise CollectionError(f"{self.path.parent} is closed.")
        if self._process != os.getpid():  # forked: the parent's connections are not ours to use, nor to close
            self._process = os.getpid()
            self._idle = []
            self._local = threading.local()
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return self._connect()
        except sqlite3.OperationalError:
            # A WAL catalog on a disk that cannot be written: nobody can change it, so it needs no locks either.
            if not self.read_only or self._immutable or _writable(self.path.parent):
                raise
            self._immutable = True
            return self._connect()

    def _give(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            try:
                connection.execute("ROLLBACK")
            except sqlite3.Error:
                connection.close()  # rolls back as well; the error that led here is on its way up
                return
        if self._closed:
            connection.close()
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Closes all connections; one still lent to another thread closes when it comes back."""
        self._closed = True
        with self._watching:
            if self._watcher is not None and self._process == os.getpid():
                self._watcher.close()
            self._watcher = None
        while self._idle and self._process == os.getpid():
            self._idle.pop().close()

    def version(self) -> str:
        """Another text after every commit, of any process.

        SQLite counts, for each connection, the commits of all others; a connection that never commits counts them all.
        The state of the files stands for what was committed before this process opened them.
        """
        with self._watching:
            if self._watcher is None:
                self._watcher = self._borrow()
            try:
                commits = _pragma(self._watcher, "data_version")
            except sqlite3.Error as error:
                raise typed_error(error, self.path) from error
        seen = hashlib.blake2b(digest_size=9)
        for path in (self.path, Path(f"{self.path}-wal")):
            try:
                status = path.stat()
            except FileNotFoundError:  # a write-ahead log comes and goes
                continue
            seen.update(f"{status.st_ino} {status.st_size} {status.st_mtime_ns} ".encode())
        return f"{seen.hexdigest()}-{commits}"

    # -- reading and writing -------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with: this thread's transaction or snapshot when it is in one."""
        pinned = self._pinned()
        connection = pinned or self._borrow()
        try:
            yield connection
        except sqlite3.Error as error:
            raise typed_error(error, self.path) from error
        finally:
            if pinned is None:
                self._give(connection)

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Everything this thread reads inside sees one state of the catalog."""
        with self._pinning("BEGIN") as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. Inside another transaction of this thread it becomes part of that one."""
        if self._pinned() is not None and not self._local.writes:
            raise RuntimeError("a snapshot is for reading")
        with self._pinning("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _pinning(self, begin: str) -> Iterator[sqlite3.Connection]:
        pinned = self._pinned()
        if pinned is not None:
            if not pinned.in_transaction:
                # A full disk makes SQLite roll back by itself: going on would commit half a batch.
                raise CollectionError("This batch was rolled back already and takes nothing more.")
            try:
                yield pinned
            except sqlite3.Error as error:
                raise typed_error(error, self.path) from error
            return
        connection = self._borrow()
        try:
            connection.execute(begin)
            self._local.connection, self._local.writes = connection, begin != "BEGIN"
            yield connection
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise typed_error(error, self.path) from error
        finally:
            self._local.connection = None
            self._give(connection)

    def _pinned(self) -> sqlite3.Connection | None:
        if self._process != os.getpid():
            return None
        return getattr(self._local, "connection", None)

    def _borrow(self) -> sqlite3.Connection:
        try:
            return self._take()
        except sqlite3.Error as error:
            raise typed_error(error, self.path) from error


def migrate(connection: sqlite3.Connection) -> None:
    """Brings a catalog to the newest version, one committed step at a time."""
    while True:
        version = _pragma(connection, "user_version")
        if version >= len(STEPS):
            return
        script = _step(STEPS[version])
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {version + 1};\nCOMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _step(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK)
