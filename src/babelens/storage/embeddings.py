"""Rows of vectors and encoders. Functions take a connection.

A vector's sequence number is its name in every index. It is never reused: a vector that changes gets a new one, and
the old one goes to the log of removals (a trigger writes it, so that cascading deletions are in it too).

Where a few items or texts lead to their vectors, the join is a CROSS JOIN: SQLite then keeps its order. Otherwise,
without statistics, it starts from `vectors_by_encoder`, which is all vectors there are.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptCatalogError, CorruptIndexError, UnknownItemError
from ..types import EncoderFingerprint, Modality
from ..vectors import Floats, Ids, is_unit
from . import items
from .rows import Found, Owner, Watermark
from .where import Condition

Precision = Literal["float16", "float32"]

MODALITIES: Final[dict[Modality, int]] = {"image": 0, "text": 1}
_DTYPES: Final[dict[str, str]] = {"float16": "<f2", "float32": "<f4"}
_SCALE_FREE: Final = 1e-12


# -- encoders ------------------------------------------------------------------------------------------------


def find_encoder(connection: sqlite3.Connection, fingerprint: EncoderFingerprint) -> int | None:
    row = connection.execute(
        "SELECT n FROM encoders WHERE name = ? AND revision = ? AND preprocess = ? AND dim = ?",
        (fingerprint.name, fingerprint.revision, fingerprint.preprocess, fingerprint.dim),
    ).fetchone()
    return row[0] if row else None


def register_encoder(connection: sqlite3.Connection, fingerprint: EncoderFingerprint) -> int:
    cursor = connection.execute(
        "INSERT INTO encoders (name, revision, preprocess, dim) VALUES (?, ?, ?, ?)",
        (fingerprint.name, fingerprint.revision, fingerprint.preprocess, fingerprint.dim),
    )
    return int(cursor.lastrowid or 0)


def encoders(connection: sqlite3.Connection) -> dict[int, EncoderFingerprint]:
    rows = connection.execute("SELECT n, name, revision, preprocess, dim FROM encoders ORDER BY n")
    return {n: EncoderFingerprint(*row) for n, *row in rows}


def dim_of(connection: sqlite3.Connection, encoder: int) -> int:
    row = connection.execute("SELECT dim FROM encoders WHERE n = ?", (encoder,)).fetchone()
    if row is None:
        raise ValueError(f"no encoder has the number {encoder}")
    return int(row[0])


# -- writing -------------------------------------------------------------------------------------------------


def put(
    connection: sqlite3.Connection,
    encoder: int,
    modality: Modality,
    owners: Sequence[str] | Sequence[int],
    vectors: NDArray[Any],
    *,
    dtype: Precision,
) -> Ids:
    """Writes one vector for each owner, in place of the one it has. Returns their sequence numbers."""
    dim = dim_of(connection, encoder)
    vectors = np.asarray(vectors)
    if vectors.shape != (len(owners), dim):
        raise ValueError(f"expected vectors of shape {(len(owners), dim)}, got {vectors.shape}")
    if len(set(owners)) != len(owners):
        raise ValueError("an owner is named twice")
    if not is_unit(vectors):
        raise ValueError("vectors must have unit length")
    if not len(owners):
        return np.empty(0, dtype=np.int64)
    kind = MODALITIES[modality]
    if modality == "image":
        rows = items.known_rows_of(connection, [str(owner) for owner in owners])
        targets: list[tuple[int, int | None]] = [(rows[str(owner)], None) for owner in owners]
        connection.executemany(
            "DELETE FROM vectors WHERE item = ? AND encoder = ? AND modality = ?",
            [(item, encoder, kind) for item, _ in targets],
        )
    else:
        of_text = _items_of_texts(connection, [int(owner) for owner in owners])
        targets = [(of_text[int(owner)], int(owner)) for owner in owners]
        connection.executemany(
            "DELETE FROM vectors WHERE text = ? AND encoder = ? AND modality = ?",
            [(text, encoder, kind) for _, text in targets],
        )
    blobs = np.ascontiguousarray(vectors, dtype=_DTYPES[dtype])
    newest = last(connection, "vectors")
    connection.executemany(
        "INSERT INTO vectors (seq, encoder, modality, item, text, vector) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (newest + place, encoder, kind, item, text, blob.tobytes())
            for place, ((item, text), blob) in enumerate(zip(targets, blobs, strict=True), start=1)
        ],
    )
    return np.arange(newest + 1, newest + 1 + len(owners), dtype=np.int64)


def _items_of_texts(connection: sqlite3.Connection, rows: Sequence[int]) -> dict[int, int]:
    sql = "SELECT n, item FROM texts WHERE n IN (SELECT value FROM json_each(?))"
    known = dict(connection.execute(sql, (json.dumps(rows),)))
    missing = sorted(set(rows) - known.keys())
    if missing:
        raise UnknownItemError(f"No text has the row {missing[0]}.")
    return known


# -- reading -------------------------------------------------------------------------------------------------


def last(connection: sqlite3.Connection, table: str) -> int:
    """The last key ever given out in a table, whether its row still stands or not."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return int(row[0]) if row else 0


def watermark(connection: sqlite3.Connection, encoder: int, modality: Modality) -> Watermark:
    sql = """
        SELECT (SELECT max(seq) FROM vectors WHERE encoder = ? AND modality = ?),
               (SELECT seq FROM sqlite_sequence WHERE name = 'removals')
    """
    vectors, removals = connection.execute(sql, (encoder, MODALITIES[modality])).fetchone()
    return Watermark(vectors or 0, removals or 0)


def since(
    connection: sqlite3.Connection, encoder: int, modality: Modality, seq: int, *, limit: int | None
) -> tuple[Ids, Floats]:
    rows = connection.execute(
        "SELECT seq, vector FROM vectors WHERE encoder = ? AND modality = ? AND seq > ? ORDER BY seq LIMIT ?",
        (encoder, MODALITIES[modality], seq, -1 if limit is None else limit),
    ).fetchall()
    return np.array([row[0] for row in rows], dtype=np.int64), decode(
        [row[1] for row in rows], dim_of(connection, encoder)
    )


def decode(blobs: Sequence[bytes], dim: int) -> Floats:
    """Shape: n blobs -> (n, dim) float32, made unit again after the rounding to float16."""
    sizes = {len(blob) for blob in blobs}
    if len(sizes) <= 1:
        dtype = "<f2" if sizes == {2 * dim} else "<f4"
        if sizes - {2 * dim, 4 * dim}:
            raise CorruptCatalogError(f"A vector has {sizes.pop()} bytes, which {dim} numbers do not have.")
        result = np.frombuffer(b"".join(blobs), dtype=dtype).reshape(len(blobs), dim).astype(np.float32)
    else:
        result = np.concatenate([decode([blob], dim) for blob in blobs])
    norms = np.sqrt(np.einsum("ij,ij->i", result, result))
    result /= np.maximum(norms, _SCALE_FREE)[:, None]
    return result


def removed_since(connection: sqlite3.Connection, n: int) -> Ids:
    """Sequence numbers that were removed after entry ``n`` of the log."""
    row = connection.execute("SELECT min(n) FROM removals").fetchone()
    forgotten = row[0] - 1 if row[0] is not None else last(connection, "removals")
    if n < forgotten:
        raise CorruptIndexError(
            "An index is older than the catalog's log of removals.", hint="It is rebuilt."
        )
    rows = connection.execute("SELECT seq FROM removals WHERE n > ? ORDER BY n", (n,))
    return np.array([seq for (seq,) in rows], dtype=np.int64)


def count(connection: sqlite3.Connection, encoder: int, modality: Modality) -> int:
    sql = "SELECT count(*) FROM vectors WHERE encoder = ? AND modality = ?"
    return int(connection.execute(sql, (encoder, MODALITIES[modality])).fetchone()[0])


def of_items(connection: sqlite3.Connection, encoder: int, item_ids: Iterable[str]) -> dict[str, Floats]:
    sql = """
        SELECT items.id, vectors.vector FROM items CROSS JOIN vectors ON vectors.item = items.n
        WHERE items.id IN (SELECT value FROM json_each(?)) AND vectors.encoder = ? AND vectors.modality = 0
    """
    rows = connection.execute(sql, (json.dumps(list(item_ids)), encoder)).fetchall()
    vectors = decode([blob for _, blob in rows], dim_of(connection, encoder))
    return {item_id: vector for (item_id, _), vector in zip(rows, vectors, strict=True)}


def of_texts(connection: sqlite3.Connection, encoder: int, rows: Iterable[int]) -> dict[int, Floats]:
    sql = """
        SELECT texts.n, vectors.vector FROM texts CROSS JOIN vectors ON vectors.text = texts.n
        WHERE texts.n IN (SELECT value FROM json_each(?)) AND vectors.encoder = ?
    """
    found = connection.execute(sql, (_integers(rows), encoder)).fetchall()
    vectors = decode([blob for _, blob in found], dim_of(connection, encoder))
    return {text: vector for (text, _), vector in zip(found, vectors, strict=True)}


def by_hash(connection: sqlite3.Connection, encoder: int, sha256: str) -> Floats | None:
    sql = """
        SELECT vectors.vector FROM items CROSS JOIN vectors ON vectors.item = items.n
        WHERE items.sha256 = ? AND items.kind = 'image' AND items.box IS NULL
        AND vectors.encoder = ? AND vectors.modality = 0 LIMIT 1
    """
    row = connection.execute(sql, (sha256, encoder)).fetchone()
    return decode([row[0]], dim_of(connection, encoder))[0] if row else None


def sample(
    connection: sqlite3.Connection, encoder: int, modality: Modality, n: int, *, seed: int
) -> tuple[Ids, Floats]:
    """``n`` vectors drawn without replacement; the same ones for the same seed and catalog."""
    generator = np.random.default_rng(seed)
    chosen = _probe(connection, encoder, modality, n, generator)
    if chosen is None:
        sql = "SELECT seq FROM vectors WHERE encoder = ? AND modality = ? ORDER BY seq"
        rows = connection.execute(sql, (encoder, MODALITIES[modality]))
        seqs = np.array([seq for (seq,) in rows], dtype=np.int64)
        chosen = generator.choice(seqs, size=min(n, len(seqs)), replace=False)
    found = dict(
        connection.execute(
            "SELECT seq, vector FROM vectors WHERE seq IN (SELECT value FROM json_each(?))",
            (json.dumps(chosen.tolist()),),
        )
    )
    return chosen, decode([found[seq] for seq in chosen.tolist()], dim_of(connection, encoder))


def _probe(
    connection: sqlite3.Connection, encoder: int, modality: Modality, n: int, generator: np.random.Generator
) -> Ids | None:
    """Draws among all sequence numbers and keeps the hits; ``None`` when too few numbers are taken for that."""
    low, high = (
        connection.execute(
            f"SELECT {end}(seq) FROM vectors WHERE encoder = ? AND modality = ?",
            (encoder, MODALITIES[modality]),
        ).fetchone()[0]
        for end in ("min", "max")
    )
    if low is None or high - low < 16 * n:
        return None
    drawn = np.unique(generator.integers(low, high + 1, size=4 * n))
    rows = connection.execute(
        """SELECT seq FROM vectors WHERE seq IN (SELECT value FROM json_each(?)) AND encoder = ? AND modality = ?""",
        (json.dumps(drawn.tolist()), encoder, MODALITIES[modality]),
    )
    hits = np.array([seq for (seq,) in rows], dtype=np.int64)
    return generator.permutation(np.sort(hits))[:n] if len(hits) >= n else None


def owners(connection: sqlite3.Connection, seqs: Iterable[int]) -> dict[int, Owner]:
    sql = """
        SELECT vectors.seq, items.id, vectors.text FROM vectors JOIN items ON items.n = vectors.item
        WHERE vectors.seq IN (SELECT value FROM json_each(?))
    """
    rows = connection.execute(sql, (_integers(seqs),))
    return {seq: Owner(item_id, text) for seq, item_id, text in rows}


def found(connection: sqlite3.Connection, seqs: Iterable[int]) -> dict[int, Found]:
    sql = f"""
        SELECT vectors.seq, vectors.text, {items.COLUMNS} FROM vectors JOIN items ON items.n = vectors.item
        WHERE vectors.seq IN (SELECT value FROM json_each(?))
    """
    return {
        seq: Found(items.from_row(row), text)
        for seq, text, *row in connection.execute(sql, (_integers(seqs),))
    }


def matching(connection: sqlite3.Connection, encoder: int, modality: Modality, condition: Condition) -> Ids:
    """Sequence numbers of the vectors whose items meet a condition, ascending."""
    sql = f"""
        SELECT vectors.seq FROM items CROSS JOIN vectors ON vectors.item = items.n
        WHERE vectors.encoder = ? AND vectors.modality = ? AND {condition.sql}
    """
    rows = connection.execute(sql, (encoder, MODALITIES[modality], *condition.parameters))
    return np.sort(np.array([seq for (seq,) in rows], dtype=np.int64))


def seqs_of_items(
    connection: sqlite3.Connection, encoder: int, modality: Modality, item_ids: Iterable[str]
) -> Ids:
    condition = Condition("items.id IN (SELECT value FROM json_each(?))", (json.dumps(list(item_ids)),))
    return matching(connection, encoder, modality, condition)


def by_kind(connection: sqlite3.Connection, encoder: int) -> dict[str, Ids]:
    """The numbers of picture vectors by the kind of their items, ascending; nothing where all are pictures."""
    sql = """
        SELECT items.kind, vectors.seq FROM items JOIN vectors ON vectors.item = items.n
        WHERE items.kind <> 'image' AND vectors.encoder = ? AND vectors.modality = 0 ORDER BY vectors.seq
    """
    found: dict[str, list[int]] = {}
    for kind, seq in connection.execute(sql, (encoder,)):
        found.setdefault(kind, []).append(seq)
    if not found:
        return {}
    others = np.array(sorted(seq for seqs in found.values() for seq in seqs), dtype=np.int64)
    rows = connection.execute(
        "SELECT seq FROM vectors WHERE encoder = ? AND modality = 0 ORDER BY seq", (encoder,)
    )
    pictures = np.setdiff1d(np.array([seq for (seq,) in rows], dtype=np.int64), others, assume_unique=True)
    kinds = {kind: np.array(seqs, dtype=np.int64) for kind, seqs in found.items()}
    return {"image": pictures, **kinds} if len(pictures) else kinds


def in_language(connection: sqlite3.Connection, encoder: int, language: str) -> Ids:
    """Sequence numbers of the vectors of all texts in a language, ascending."""
    sql = """
        SELECT vectors.seq FROM texts CROSS JOIN vectors ON vectors.text = texts.n
        WHERE texts.language = ? AND vectors.encoder = ?
    """
    return np.sort(np.array([seq for (seq,) in connection.execute(sql, (language, encoder))], dtype=np.int64))


def by_seq(connection: sqlite3.Connection, seqs: Sequence[int]) -> Floats:
    """Vectors of one encoder in the order of their numbers. Shape: n -> (n, dim)."""
    sql = "SELECT seq, encoder, vector FROM vectors WHERE seq IN (SELECT value FROM json_each(?))"
    rows = {seq: (encoder, blob) for seq, encoder, blob in connection.execute(sql, (_integers(seqs),))}
    if not seqs:
        return np.empty((0, 0), dtype=np.float32)
    return decode([rows[seq][1] for seq in seqs], dim_of(connection, rows[seqs[0]][0]))


def forget_removals(connection: sqlite3.Connection, up_to: int) -> None:
    connection.execute("DELETE FROM removals WHERE n <= ?", (up_to,))


def _integers(numbers: Iterable[Any]) -> str:
    return json.dumps([int(number) for number in numbers])
