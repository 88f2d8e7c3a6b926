"""Ingestion with a fake encoder on real files and a real catalog."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from babelens.ingest import ingest
from babelens.storage.catalog import Catalog
from babelens.types import IngestReport
from babelens.vectors import Floats


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.create(tmp_path / "collection", {}) as catalog:
        yield catalog


class Archive:
    """A catalog, an encoder, and what is in there, by file name."""

    def __init__(self, catalog: Catalog, encoder: Any) -> None:
        self.catalog = catalog
        self.encoder = encoder

    def add(self, *paths: str | Path, **options: Any) -> IngestReport:
        report = ingest(self.catalog, self.encoder, paths, **options)
        assert self.catalog.verify() == []
        return report

    @property
    def ids(self) -> dict[str, str]:
        return {Path(item.source.path).name: item.id for item in self.catalog.items()}

    @property
    def vectors(self) -> dict[str, Floats]:
        row = self.catalog.encoder_id(self.encoder.fingerprint)
        known = self.catalog.vectors_of(row, self.ids.values())
        return {name: known[item_id] for name, item_id in self.ids.items()}

    def texts(self, name: str, origin: str = "human") -> set[tuple[str, str]]:
        texts = self.catalog.texts_of([self.ids[name]]).get(self.ids[name], [])
        return {(text.language, text.body) for text in texts if text.origin == origin}

    @property
    def text_vectors(self) -> int:
        return self.catalog.count_vectors(self.catalog.encoder_id(self.encoder.fingerprint), "text")


@pytest.fixture
def archive(catalog: Catalog, encoder: Any) -> Archive:
    return Archive(catalog, encoder)


def changed(report: IngestReport) -> dict[str, int]:
    names = ("added", "updated", "moved", "removed", "unchanged", "texts")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def touch(path: Path, seconds: int = 1) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + seconds * 1_000_000_000))
