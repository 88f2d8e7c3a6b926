"""Rows of items and files. Functions take a connection; batches and locks are the catalog's affair."""

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, overload

from ..errors import UnknownItemError
from ..types import Item, Source
from . import fulltext
from .rows import FileState
from .where import EVERYTHING, Condition

COLUMNS: Final = "items.id, items.kind, items.path, items.sha256, items.page, items.box, items.metadata"
_FILE_COLUMNS: Final = "path, size, mtime_ns, sha256, status, reason, item_id"


# A third of the time of `json.loads`, which looks for spaces around the document first; ours has none.
_decode = json.JSONDecoder().raw_decode


def from_row(row: Sequence[Any]) -> Item:
    item_id, kind, path, sha256, page, box, metadata = row
    source = Source(os.fsdecode(path), sha256, page, tuple(json.loads(box)) if box else None)
    return Item(item_id, kind, source, _decode(metadata)[0])


def to_json(metadata: Mapping[str, Any]) -> str:
    """Metadata as JSON. NaN and infinity, which cameras do write and JSON lacks, become null."""
    try:
        text = json.dumps(dict(metadata), ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(metadata), ensure_ascii=False, allow_nan=False)
    return text if _is_utf8(text) else json.dumps(json.loads(text))


@overload
def readable(text: str) -> str: ...
@overload
def readable(text: None) -> None: ...
def readable(text: str | None) -> str | None:
    """``text`` with ``?`` for what is no character: the surrogates of file names that are not UTF-8."""
    return text if text is None or _is_utf8(text) else text.encode(errors="replace").decode()


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(member) for key, member in value.items()}
    return [_finite(member) for member in value] if isinstance(value, list | tuple) else value


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def rows_of(connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, int]:
    """The row numbers of items by id; ids without an item are left out."""
    sql = "SELECT id, n FROM items WHERE id IN (SELECT value FROM json_each(?))"
    return dict(connection.execute(sql, (json.dumps(list(ids)),)))


def known_rows_of(connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, int]:
    """As :func:`rows_of`. Raises :class:`UnknownItemError` when an item is missing."""
    wanted = set(ids)
    rows = rows_of(connection, wanted)
    missing = sorted(wanted - rows.keys())
    if missing:
        raise UnknownItemError(f"No item has the id {missing[0]!r}.")
    return rows


# -- items ---------------------------------------------------------------------------------------------------


def put(connection: sqlite3.Connection, items: Iterable[Item]) -> None:
    batch = list({item.id: item for item in items}.values())
    ids = json.dumps([item.id for item in batch])
    known = "SELECT id, path, sha256 FROM items WHERE id IN (SELECT value FROM json_each(?))"
    before = {item_id: (path, sha256) for item_id, path, sha256 in connection.execute(known, (ids,))}
    # A picture that changed has no vector any more, of whichever encoder; the caller brings the new one.
    changed = [
        item.id for item in batch if before.get(item.id, (b"", item.source.sha256))[1] != item.source.sha256
    ]
    connection.execute(
        """DELETE FROM vectors WHERE modality = 0 AND item IN (
            SELECT n FROM items WHERE id IN (SELECT value FROM json_each(?)))""",
        (json.dumps(changed),),
    )
    connection.executemany(
        """
        INSERT INTO items (id, kind, path, sha256, page, box, metadata) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, path = excluded.path, sha256 = excluded.sha256,
            page = excluded.page, box = excluded.box, metadata = excluded.metadata
        """,
        [
            (
                item.id,
                item.kind,
                os.fsencode(item.source.path),
                item.source.sha256,
                item.source.page,
                json.dumps(item.source.box) if item.source.box else None,
                to_json(item.metadata),
            )
            for item in batch
        ],
    )
    renamed = [item for item in batch if before.get(item.id, (None,))[0] != os.fsencode(item.source.path)]
    rows = rows_of(connection, [item.id for item in renamed])
    fulltext.put_file_names(connection, [rows[item.id] for item in renamed])


def get(connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, Item]:
    sql = f"SELECT {COLUMNS} FROM items WHERE id IN (SELECT value FROM json_each(?))"
    return {row[0]: from_row(row) for row in connection.execute(sql, (json.dumps(list(ids)),))}


def page(
    connection: sqlite3.Connection, after: int, *, limit: int, kinds: Sequence[str] | None
) -> list[tuple[int, Item]]:
    """The next ``limit`` items after row ``after``, by row."""
    sql = f"""
        SELECT n, {COLUMNS} FROM items
        WHERE n > ? AND (? IS NULL OR kind IN (SELECT value FROM json_each(?))) ORDER BY n LIMIT ?
    """
    wanted = None if kinds is None else json.dumps(list(kinds))
    return [(row[0], from_row(row[1:])) for row in connection.execute(sql, (after, wanted, wanted, limit))]


def matching(connection: sqlite3.Connection, condition: Condition = EVERYTHING) -> set[str]:
    rows = connection.execute(f"SELECT id FROM items WHERE {condition.sql}", condition.parameters)
    return {item_id for (item_id,) in rows}


def remove(connection: sqlite3.Connection, ids: Iterable[str]) -> int:
    cursor = connection.execute(
        "DELETE FROM items WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(ids)),)
    )
    return cursor.rowcount


def kinds_of(connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, str]:
    """The kinds of items by id; nothing where all items are pictures, which costs a look into an index."""
    if connection.execute("SELECT 1 FROM items WHERE kind <> 'image' LIMIT 1").fetchone() is None:
        return {}
    sql = "SELECT id, kind FROM items WHERE id IN (SELECT value FROM json_each(?))"
    return dict(connection.execute(sql, (json.dumps(list(ids)),)))


def paged_documents(connection: sqlite3.Connection) -> list[str]:
    """The paths of the documents that have pages. Where all items are pictures it costs a look into an index."""
    sql = "SELECT DISTINCT path FROM items WHERE kind <> 'image' AND kind = 'page'"
    return [os.fsdecode(path) for (path,) in connection.execute(sql)]


def duplicates(connection: sqlite3.Connection) -> list[list[Item]]:
    """Groups of items made of the same bytes (and the same page and box of them), first come first."""
    sql = f"""
        SELECT items.n, {COLUMNS} FROM items JOIN (
            SELECT sha256 FROM items WHERE kind <> 'passage' GROUP BY sha256 HAVING count(*) > 1
        ) USING (sha256) WHERE kind <> 'passage' ORDER BY items.n
    """
    groups: dict[object, list[Item]] = {}
    for row in connection.execute(sql):
        item = from_row(row[1:])
        groups.setdefault((item.source.sha256, item.kind, item.source.page, item.source.box), []).append(item)
    return [group for group in groups.values() if len(group) > 1]


def counts(connection: sqlite3.Connection) -> dict[str, dict[str, int]]:
    columns = {
        "kind": ("kind", "items"),
        "status": ("status", "files"),
        "language": ("language", "texts WHERE status = 'ok'"),
        "origin": ("origin", "texts WHERE status = 'ok'"),
        "text_status": ("status", "texts"),
    }
    return {
        name: dict(connection.execute(f"SELECT {column}, count(*) FROM {table} GROUP BY 1 ORDER BY 1"))
        for name, (column, table) in columns.items()
    }


# -- files ---------------------------------------------------------------------------------------------------


def _file_from_row(row: Sequence[Any]) -> FileState:
    return FileState(os.fsdecode(row[0]), *row[1:])


def file_states(connection: sqlite3.Connection, under: str | None) -> dict[str, FileState]:
    sql, parameters = f"SELECT {_FILE_COLUMNS} FROM files", tuple[bytes, ...]()
    if under is not None:
        sql += " WHERE path = ? OR (path >= ? AND path < ?)"
        parameters = (os.fsencode(under), *_range(under))
    states = (_file_from_row(row) for row in connection.execute(sql, parameters))
    return {state.path: state for state in states}


def files_at(connection: sqlite3.Connection, paths: Iterable[str]) -> dict[str, FileState]:
    sql = f"SELECT {_FILE_COLUMNS} FROM files WHERE path IN ({{}})"
    wanted, result = [os.fsencode(path) for path in paths], {}
    for start in range(0, len(wanted), 500):  # older SQLite takes 999 parameters
        part = wanted[start : start + 500]
        for row in connection.execute(sql.format(", ".join("?" * len(part))), part):
            state = _file_from_row(row)
            result[state.path] = state
    return result


def file_page(connection: sqlite3.Connection, under: str, after: str, *, limit: int) -> list[FileState]:
    """The next ``limit`` files below a folder, by path."""
    folder, beyond = _range(under)
    sql = f"SELECT {_FILE_COLUMNS} FROM files WHERE path >= ? AND path < ? AND path > ? ORDER BY path LIMIT ?"
    rows = connection.execute(sql, (folder, beyond, os.fsencode(after), limit))
    return [_file_from_row(row) for row in rows]


def _range(under: str) -> tuple[bytes, bytes]:
    """The paths below a folder are those from the first, up to the second."""
    folder = os.fsencode(under).rstrip(os.fsencode(os.sep)) + os.fsencode(os.sep)
    return folder, folder[:-1] + bytes([folder[-1] + 1])


def files_with_hash(connection: sqlite3.Connection, sha256: str) -> list[FileState]:
    sql = f"SELECT {_FILE_COLUMNS} FROM files WHERE sha256 = ? ORDER BY path"
    return [_file_from_row(row) for row in connection.execute(sql, (sha256,))]


def put_file(connection: sqlite3.Connection, state: FileState) -> None:
    if state.item_id is not None:
        known_rows_of(connection, [state.item_id])
    connection.execute(
        f"""
        INSERT INTO files ({_FILE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (path) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns,
            sha256 = excluded.sha256, status = excluded.status, reason = excluded.reason, item_id = excluded.item_id
        """,
        (
            os.fsencode(state.path),
            state.size,
            state.mtime_ns,
            state.sha256,
            state.status,
            readable(state.reason),
            state.item_id,
        ),
    )


def move_file(connection: sqlite3.Connection, old: str, new: FileState, metadata: Mapping[str, Any]) -> None:
    """Everything made from ``old`` is from now on made from ``new.path``, with ``metadata`` laid over its own."""
    connection.execute("DELETE FROM files WHERE path = ?", (os.fsencode(old),))
    put_file(connection, new)
    rows = connection.execute("SELECT n, metadata FROM items WHERE path = ?", (os.fsencode(old),)).fetchall()
    path = os.fsencode(new.path)
    connection.executemany(
        "UPDATE items SET path = ?, metadata = ? WHERE n = ?",
        [(path, to_json({**json.loads(known), **metadata}), n) for n, known in rows],
    )
    fulltext.put_file_names(connection, [n for n, _ in rows])


def remove_files(connection: sqlite3.Connection, paths: Iterable[str]) -> int:
    """Forgets files, and every item made from them. Returns how many files were known."""
    encoded = [os.fsencode(path) for path in paths]
    known = len(files_at(connection, map(os.fsdecode, encoded)))
    connection.executemany("DELETE FROM items WHERE path = ?", [(path,) for path in encoded])
    connection.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in encoded])
    return known
