"""Small catalogs for the tests of storage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from babelens.storage import Catalog, FileState
from babelens.types import EncoderFingerprint, Item, Source, Text
from babelens.vectors import Floats, normalize

DIM = 8
ENCODER = EncoderFingerprint("fake", "1", "fake-8", DIM)


def make_item(item_id: str, *, path: str | None = None, sha256: str | None = None, **metadata: Any) -> Item:
    source = Source(path or f"/pictures/{item_id}.jpg", sha256 or f"hash of {item_id}")
    return Item(item_id, "image", source, metadata)


def file_of(item: Item, *, mtime_ns: int = 1) -> FileState:
    return FileState(item.source.path, 100, mtime_ns, item.source.sha256, item_id=item.id)


def text(item_id: str, body: str, language: str = "en") -> Text:
    return Text(item_id, language, body, "human")


def unit_rows(n: int, *, seed: int = 0, dim: int = DIM) -> Floats:
    return normalize(np.random.default_rng(seed).normal(size=(n, dim)))


def fill(catalog: Catalog, ids: Sequence[str], *, seed: int = 0) -> int:
    """Items with files and image vectors, in one batch. Returns the encoder's number."""
    encoder = catalog.encoder_id(ENCODER)
    items = [make_item(item_id, number=number) for number, item_id in enumerate(ids)]
    with catalog.transaction():
        catalog.put_items(items)
        catalog.put_vectors(encoder, "image", list(ids), unit_rows(len(ids), seed=seed))
        for item in items:
            catalog.put_file(file_of(item))
    return encoder


def new_catalog(folder: Path) -> Catalog:
    return Catalog.create(folder, {"name": "test"})
