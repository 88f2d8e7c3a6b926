"""Rows of corrections of hubness, and what is needed to learn them: whose picture a caption describes.

A picture goes by its bytes here (hash, page, box) and not by its item: two files with the same bytes are the same
answer to every query. Functions take a connection.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from ..errors import CorruptCatalogError, EncoderMismatchError
from ..vectors import Floats
from . import embeddings
from .rows import CaptionRow, StoredCorrection

_PICTURE: Final = "items.sha256 || coalesce('#' || items.page, '') || coalesce('#' || items.box, '')"


def put(connection: sqlite3.Connection, encoder: int, facts: str, owners: Sequence[str], bank: Floats) -> int:
    """Writes the correction of an encoder in place of the one before. Returns its number."""
    if encoder not in embeddings.encoders(connection):
        raise EncoderMismatchError(
            "The encoder was changed while its hubness was measured.", hint="Run the same command again."
        )
    if bank.shape != (len(owners), embeddings.dim_of(connection, encoder)):
        raise ValueError(f"a bank of shape {bank.shape} does not fit {len(owners)} owners and the encoder")
    drop(connection, encoder)
    cursor = connection.execute(
        "INSERT INTO corrections (encoder, facts, owners, bank) VALUES (?, ?, ?, ?)",
        (encoder, facts, json.dumps(list(owners)), np.ascontiguousarray(bank, dtype="<f4").tobytes()),
    )
    return int(cursor.lastrowid or 0)


def drop(connection: sqlite3.Connection, encoder: int) -> bool:
    return connection.execute("DELETE FROM corrections WHERE encoder = ?", (encoder,)).rowcount > 0


def number(connection: sqlite3.Connection, encoder: int) -> int | None:
    row = connection.execute("SELECT n FROM corrections WHERE encoder = ?", (encoder,)).fetchone()
    return None if row is None else int(row[0])


def get(connection: sqlite3.Connection, encoder: int) -> StoredCorrection | None:
    row = connection.execute(
        "SELECT n, facts, owners, bank FROM corrections WHERE encoder = ?", (encoder,)
    ).fetchone()
    if row is None:
        return None
    owners = tuple(json.loads(row[2]))
    dim = embeddings.dim_of(connection, encoder)
    if len(row[3]) != 4 * len(owners) * dim:
        raise CorruptCatalogError(
            "The bank of the correction of hubness is damaged.",
            hint="Turn it off (babelens tune hubness --off), or measure again without --off.",
        )
    bank = np.frombuffer(row[3], dtype="<f4").reshape(len(owners), dim).astype(np.float32)
    return StoredCorrection(row[0], row[1], owners, bank)


def human_captions(connection: sqlite3.Connection, encoder: int) -> list[CaptionRow]:
    """Captions that people wrote, of status ``ok``, where both text and picture have a vector of the encoder."""
    sql = f"""
        SELECT texts.n, texts.language, {_PICTURE} FROM texts JOIN items ON items.n = texts.item
        WHERE texts.origin = 'human' AND texts.status = 'ok'
        AND EXISTS (SELECT 1 FROM vectors WHERE text = texts.n AND encoder = ?)
        AND EXISTS (SELECT 1 FROM vectors WHERE item = items.n AND encoder = ? AND modality = 0)
        ORDER BY texts.n
    """
    return [CaptionRow(*row) for row in connection.execute(sql, (encoder, encoder))]


def pictures(connection: sqlite3.Connection, seqs: Iterable[int]) -> dict[int, str]:
    """The picture behind each vector; removed ones are left out."""
    sql = f"""
        SELECT vectors.seq, {_PICTURE} FROM vectors JOIN items ON items.n = vectors.item
        WHERE vectors.seq IN (SELECT value FROM json_each(?))
    """
    return dict(connection.execute(sql, (json.dumps([int(seq) for seq in seqs]),)))
