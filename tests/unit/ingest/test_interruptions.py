from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from babelens.errors import (
    StorageFullError,
)
from babelens.ingest import ingest
from babelens.ingest import pictures as pictures_module
from babelens.storage.catalog import Catalog
from babelens.vectors import Floats
from tests.unit.ingest.conftest import Archive, changed


class Interrupted:
    """Presses Ctrl-C at its n-th batch."""

    def __init__(self, inner: Any, *, at: int) -> None:
        self._inner = inner
        self._left = at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def encode_prepared(self, pixels: Sequence[NDArray[np.uint8]]) -> Floats:
        self._left -= 1
        if not self._left:
            raise KeyboardInterrupt
        vectors: Floats = self._inner.encode_prepared(pixels)
        return vectors


@pytest.fixture
def many(tmp_path: Path) -> Path:
    folder = tmp_path / "many"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for place in range(200):
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{place:03}.png")
    return folder


def test_ctrl_c_commits_what_is_encoded(catalog: Catalog, encoder: Any, many: Path) -> None:
    archive = Archive(catalog, Interrupted(encoder, at=3))
    with pytest.raises(KeyboardInterrupt):
        archive.add(many)
    assert catalog.count_items() == 128
    assert catalog.verify() == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("babelens-decode")]
    rest = Archive(catalog, type(encoder)())
    assert changed(rest.add(many)) == {"added": 72, "unchanged": 128}
    assert rest.encoder.images_encoded == 72


class FullDisk:
    """A catalog whose disk is full from the n-th transaction on."""

    def __init__(self, catalog: Catalog, *, at: int) -> None:
        self._catalog = catalog
        self._left = at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._catalog, name)

    def transaction(self) -> Any:
        self._left -= 1
        if self._left < 0:
            raise StorageFullError("No space is left.")
        return self._catalog.transaction()


def test_a_full_disk_keeps_what_was_committed(
    catalog: Catalog, encoder: Any, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures_module, "_COMMIT_SECONDS", 0.0)
    with pytest.raises(StorageFullError):
        ingest(FullDisk(catalog, at=2), encoder, [many])  # type: ignore[arg-type]
    assert 0 < catalog.count_items() < 200
    assert catalog.verify() == []
    rest = Archive(catalog, type(encoder)())
    assert catalog.count_items() + changed(rest.add(many))["added"] == 200 + changed(rest.add(many)).get(
        "added", 0
    )
