"""A collection in a bad world: damage, two writers, a process killed between vectors and index."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from babelens.collection import Collection
from babelens.errors import CollectionLockedError, CorruptCatalogError
from babelens.search import upkeep
from tests.conftest import FakeEncoder

HOLD = """
import sys, time
from babelens.storage import Catalog
with Catalog.open(sys.argv[1]) as catalog, catalog.writing():
    print("held", flush=True)
    time.sleep(60)
"""

IMPORT = """
import sys, numpy as np
from pathlib import Path
from babelens.collection import Collection
rows = np.random.default_rng(0).normal(size=(12_000, 8)).astype(np.float32)
with Collection.open(Path(sys.argv[1])) as collection:
    say = lambda done, *_: print(done, flush=True)
    collection.import_vectors(rows, [f"/p/{n}.jpg" for n in range(len(rows))], encoder="elsewhere", progress=say)
"""


@pytest.mark.parametrize("damage", ["garbage", "cut", "empty"])
def test_a_damaged_catalog_is_refused_with_advice_and_left_alone(
    tmp_path: Path, pictures: Path, encoder: FakeEncoder, damage: str
) -> None:
    with Collection.open(tmp_path / "c", model=encoder) as collection:
        collection.add(pictures)
    path = tmp_path / "c" / "catalog.db"
    whole = path.read_bytes()
    broken = {"garbage": b"x" * 4096 + whole[4096:], "cut": whole[:700], "empty": b""}[damage]
    path.write_bytes(broken)
    for read_only in (True, False):
        with pytest.raises(CorruptCatalogError) as caught:
            Collection.open(tmp_path / "c", model=encoder, read_only=read_only)
        assert caught.value.hint
    assert path.read_bytes() == broken


def test_a_second_writer_is_told_who_writes_and_may_search_meanwhile(
    tmp_path: Path, pictures: Path, encoder: FakeEncoder
) -> None:
    with Collection.open(tmp_path / "c", model=encoder) as collection:
        collection.add(pictures)
        with subprocess.Popen(
            [sys.executable, "-c", HOLD, str(collection.path)], stdout=subprocess.PIPE, text=True
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(CollectionLockedError, match=str(holder.pid)):
                collection.add(pictures)
            with pytest.raises(CollectionLockedError):
                collection.remove(pictures)
            assert collection.search("red").hits
            holder.kill()
        assert collection.add(pictures).unchanged == 8


def test_index_files_may_vanish_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "FILE_LIMIT", 10)
    rows = np.random.default_rng(0).normal(size=(50, 8))
    with Collection.open(tmp_path / "c") as collection:
        collection.import_vectors(rows, [f"/p/{n}.jpg" for n in range(50)], encoder="elsewhere")
        assert collection.info().indexes["image"].stored
        before = [hit.item.id for hit in collection.search(vector=rows[7], mode="vector").hits]
        shutil.rmtree(tmp_path / "c" / "indexes")
        assert [hit.item.id for hit in collection.search(vector=rows[7], mode="vector").hits] == before
        with Collection.open(tmp_path / "c", read_only=True) as other:
            assert [hit.item.id for hit in other.search(vector=rows[7], mode="vector").hits] == before
            assert other.verify().problems == ()


def test_a_damaged_index_file_is_named_by_verify_and_mended_by_compact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "FILE_LIMIT", 10)
    rows = np.random.default_rng(0).normal(size=(50, 8))
    with Collection.open(tmp_path / "c") as collection:
        collection.import_vectors(rows, [f"/p/{n}.jpg" for n in range(50)], encoder="elsewhere")
    (path,) = (tmp_path / "c" / "indexes").glob("*.index")
    path.write_bytes(path.read_bytes()[:-100])
    with Collection.open(tmp_path / "c") as collection:
        result = collection.search(vector=rows[7], mode="vector")
        assert result.hits[0].item.source.path == "/p/7.jpg"
        assert any("compact" in note for note in result.notes)
        assert not collection.verify().ok
        collection.compact()
        assert collection.verify().problems == ()
        assert collection.info().indexes["image"].stored


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_an_import_killed_half_way_keeps_what_it_committed_and_can_be_repeated(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", IMPORT, str(tmp_path / "c")], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        first = int(running.stdout.readline())
        time.sleep(0.05)
        running.send_signal(signal.SIGKILL)
    with Collection.open(tmp_path / "c") as collection:
        kept = len(collection)
        assert kept >= first
        assert collection.verify().problems == ()
        assert collection.search(vector=np.ones(8), mode="vector").hits
    done = subprocess.run([sys.executable, "-c", IMPORT, str(tmp_path / "c")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with Collection.open(tmp_path / "c") as collection:
        assert len(collection) == 12_000
        assert collection.info().indexes["image"].vectors == 12_000
