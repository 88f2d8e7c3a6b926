"""The ``indexes/`` folder of a collection: one file per index, and a manifest that says which of them count.

    indexes/manifest.json      {"format": 1, "indexes": {"image": {"file": "image-7c1e....index", ...}}}
    indexes/image-7c1e....index

Everything here can be deleted at any time. A new index is written under a new name and counts from the moment the
manifest is replaced; processes that still map the old file keep it until they close it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import CollectionError, CollectionLockedError, CorruptIndexError
from . import container
from .protocol import StoredIndex

FOLDER = "indexes"
MANIFEST = "manifest.json"
FORMAT = 1
_SUFFIX = ".index"
_LOCK_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Covers:
    """How far into the catalog an index reaches: the last vector and the last removal that it knows of."""

    vectors: int
    removals: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """An index as it was written. ``facts`` are what its builder recorded, such as the measured recall."""

    index: StoredIndex
    covers: Covers
    facts: Mapping[str, Any] = field(default_factory=dict)


def _exact(path: Path) -> StoredIndex:
    from .exact import ExactIndex

    return ExactIndex.open(path)


def _faiss(path: Path) -> StoredIndex:
    from .faiss import FaissIndex

    return FaissIndex.open(path)


_OPENERS: Mapping[str, Callable[[Path], StoredIndex]] = {
    "exact": _exact,
    "flat": _faiss,
    "hnsw": _faiss,
    "hnsw-fp16": _faiss,
    "hnsw-sq8": _faiss,
}


def write(
    folder: Path, name: str, index: StoredIndex, covers: Covers, *, facts: Mapping[str, Any] | None = None
) -> None:
    """Stores ``index`` in ``folder`` (the collection's) as ``name``, such as ``"image"``, in place of the one before.

    ``facts`` must be JSON. Raises :class:`StorageFullError`; the index before then still counts.
    """
    home = folder / FOLDER
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CollectionError(f"The folder {home} cannot be made: {error.strerror}.") from error
    with _locked(home):
        try:
            entries = _manifest(home)
        except CorruptIndexError:  # a manifest that cannot be read names nothing worth keeping
            entries = {}
        path = home / f"{name}-{secrets.token_hex(8)}{_SUFFIX}"
        index.save(path)
        entries[name] = {
            "file": path.name,
            "kind": index.kind,
            "covers": {"vectors": covers.vectors, "removals": covers.removals},
            "facts": dict(facts or {}),
        }
        _replace_manifest(home, entries)
        _clean(home, entries)


def load(folder: Path, name: str) -> Loaded | None:
    """The index stored as ``name``, memory-mapped, or None when there is none.

    Raises :class:`CorruptIndexError` when it cannot be used; build it again and :func:`write` it.
    """
    home = folder / FOLDER
    seen: str | None = None
    while True:
        entry = _manifest(home).get(name)
        if entry is None:
            return None
        try:
            file, kind = str(entry["file"]), str(entry["kind"])
            covers = Covers(int(entry["covers"]["vectors"]), int(entry["covers"]["removals"]))
            facts = dict(entry["facts"])
            opener = _OPENERS[kind]
        except (KeyError, TypeError, ValueError) as error:
            raise container.damaged(home / MANIFEST, f"its entry {name!r} is not understood") from error
        path = home / file
        try:
            if path.parent != home:
                raise container.damaged(home / MANIFEST, "it names a file elsewhere")
            return Loaded(opener(path), covers, facts)
        except CorruptIndexError:
            # Another process may have put a newer index in place and cleaned this one away meanwhile.
            if file == seen or path.exists():
                raise
            seen = file


def drop(folder: Path, name: str) -> None:
    """Forgets the index ``name`` and deletes its file, if there is one."""
    home = folder / FOLDER
    if not home.is_dir():
        return
    with _locked(home):
        try:
            entries = _manifest(home)
        except CorruptIndexError:
            entries = {}
        entries.pop(name, None)
        _replace_manifest(home, entries)
        _clean(home, entries)


def check(folder: Path) -> list[str]:
    """Reads every stored index to its last byte. Returns what is wrong, in words; empty when nothing is."""
    home = folder / FOLDER
    try:
        entries = _manifest(home)
    except CorruptIndexError as error:
        return [error.message]
    problems = []
    for name, entry in entries.items():
        try:
            container.read(home / str(entry.get("file")), every_block=True)
        except CorruptIndexError as error:
            problems.append(f"{name}: {error.message}")
    return problems


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """One process writes at a time, so that neither cleans away what the other is about to name."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(home / "write.lock", timeout=_LOCK_SECONDS):
            yield
    except Timeout as error:
        raise CollectionLockedError(
            f"Another process has been writing indexes in {home} for ten minutes.",
            hint="Wait for it, or end it and try again.",
        ) from error


def _manifest(home: Path) -> dict[str, Any]:
    """The entries by name; empty when nothing was written yet."""
    path = home / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise container.damaged(path, str(error)) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise container.damaged(path, "its format is not known to this version")
    entries = manifest.get("indexes")
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise container.damaged(path, "its entries are not understood")
    return entries


def _replace_manifest(home: Path, entries: Mapping[str, Any]) -> None:
    temporary = home / (MANIFEST + container.TEMPORARY)
    text = json.dumps({"format": FORMAT, "indexes": entries}, indent=2, sort_keys=True)
    with container.writing(temporary):
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(home / MANIFEST)
        container.sync_folder(home)


def _clean(home: Path, entries: Mapping[str, Any]) -> None:
    """Deletes files that no entry names: old indexes, and what killed writers left. The lock is held."""
    named = {entry.get("file") for entry in entries.values()}
    for path in home.iterdir():
        stale = path.name.endswith((_SUFFIX, container.TEMPORARY)) and path.name not in named
        if stale:
            # Windows keeps a file that is mapped: the next write tries again.
            with contextlib.suppress(PermissionError, FileNotFoundError):
                path.unlink()
