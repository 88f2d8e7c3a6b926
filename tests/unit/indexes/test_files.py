from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from babelens.errors import CorruptIndexError
from babelens.indexes import files
from babelens.indexes.exact import ExactIndex
from babelens.indexes.faiss import FaissIndex
from babelens.indexes.files import Covers
from babelens.vectors import Floats, normalize

DIM = 4


def rows(n: int) -> Floats:
    return normalize(np.random.default_rng(n).normal(size=(n, DIM)))


def exact(n: int) -> ExactIndex:
    index = ExactIndex(DIM)
    index.add(np.arange(1, n + 1), rows(n))
    return index


def stored(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "indexes").glob("*.index"))


def test_nothing_was_written_yet(tmp_path: Path) -> None:
    assert files.load(tmp_path, "image") is None
    assert files.check(tmp_path) == []
    files.drop(tmp_path, "image")
    assert list(tmp_path.iterdir()) == []


def test_comes_back_with_what_it_covers(tmp_path: Path) -> None:
    files.write(tmp_path, "image", exact(5), Covers(17, 3), facts={"recall_at_10": 1.0})
    files.write(tmp_path, "text", FaissIndex.build([(np.arange(3), rows(3))], DIM), Covers(2, 0))
    image, text = files.load(tmp_path, "image"), files.load(tmp_path, "text")
    assert image is not None
    assert text is not None
    assert isinstance(image.index, ExactIndex)
    assert (len(image.index), image.covers, image.facts) == (5, Covers(17, 3), {"recall_at_10": 1.0})
    assert isinstance(text.index, FaissIndex)
    assert (len(text.index), text.covers, text.facts) == (3, Covers(2, 0), {})
    assert files.check(tmp_path) == []


def test_a_newer_one_takes_the_place_while_the_older_is_in_use(tmp_path: Path) -> None:
    files.write(tmp_path, "image", exact(5), Covers(5, 0))
    older = files.load(tmp_path, "image")
    files.write(tmp_path, "image", exact(9), Covers(9, 0))
    newer = files.load(tmp_path, "image")
    assert older is not None
    assert newer is not None
    assert (len(older.index), len(newer.index)) == (5, 9)
    np.testing.assert_array_equal(older.index.search(rows(5), 1)[1][:, 0], np.arange(1, 6))
    assert len(stored(tmp_path)) == 1


def test_what_killed_writers_left_is_cleaned_away(tmp_path: Path) -> None:
    files.write(tmp_path, "image", exact(5), Covers(5, 0))
    home = tmp_path / "indexes"
    for name in ("text-0123.index", "image-4567.index.partial", "manifest.json.partial"):
        (home / name).write_bytes(b"half")
    (home / "README").write_text("not ours")
    files.write(tmp_path, "image", exact(6), Covers(6, 0))
    assert len(stored(tmp_path)) == 1
    assert not list(home.glob("*.partial"))
    assert (home / "README").exists()


def test_drop_forgets_one(tmp_path: Path) -> None:
    files.write(tmp_path, "image", exact(5), Covers(5, 0))
    files.write(tmp_path, "text", exact(6), Covers(6, 0))
    files.drop(tmp_path, "image")
    assert files.load(tmp_path, "image") is None
    assert files.load(tmp_path, "text") is not None
    assert len(stored(tmp_path)) == 1


def test_a_reader_that_lost_a_race_reads_the_newer_one(tmp_path: Path) -> None:
    """It read the manifest, then a writer put a newer index in place and cleaned the older away."""
    files.write(tmp_path, "image", exact(5), Covers(5, 0))
    manifest = tmp_path / "indexes" / "manifest.json"
    older = manifest.read_text()
    files.write(tmp_path, "image", exact(9), Covers(9, 0))
    newer = manifest.read_text()

    class Racing(type(tmp_path)):  # type: ignore[misc]
        """A path whose manifest is the older one when first read."""

        reads = 0

        def read_text(self, *args: object, **kwargs: object) -> str:
            Racing.reads += 1
            return older if Racing.reads == 1 else newer

    loaded = files.load(Racing(tmp_path), "image")
    assert loaded is not None
    assert len(loaded.index) == 9
    assert Racing.reads == 2


@pytest.mark.parametrize(
    "change",
    [
        {"file": "../outside.index"},
        {"file": "/etc/passwd"},
        {"kind": "tree"},
        {"covers": {"vectors": "many"}},
        {"covers": None},
    ],
)
def test_an_entry_that_makes_no_sense_is_an_error(tmp_path: Path, change: dict[str, object]) -> None:
    files.write(tmp_path, "image", exact(5), Covers(5, 0))
    path = tmp_path / "indexes" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["indexes"]["image"].update(change)
    path.write_text(json.dumps(manifest))
    with pytest.raises(CorruptIndexError):
        files.load(tmp_path, "image")


def test_a_manifest_of_a_newer_version_is_not_guessed_at(tmp_path: Path) -> None:
    files.write(tmp_path, "image", exact(5), Covers(5, 0))
    path = tmp_path / "indexes" / "manifest.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(CorruptIndexError, match="format"):
        files.load(tmp_path, "image")
