"""Index files that are cut short, overwritten, missing, or whose writer was killed: an error or the index before."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import faiss
import numpy as np
import pytest

from babelens.errors import CorruptIndexError, StorageFullError
from babelens.indexes import container, files
from babelens.indexes.exact import ExactIndex
from babelens.indexes.faiss import KINDS, FaissIndex, FaissKind, HnswParameters
from babelens.indexes.files import Covers
from babelens.indexes.protocol import StoredIndex
from babelens.vectors import normalize

DIM = 16
N = 600


def build(kind: str) -> StoredIndex:
    vectors = normalize(np.random.default_rng(0).normal(size=(N, DIM)))
    small = HnswParameters(m=8, ef_construction=40)
    index = ExactIndex(DIM) if kind == "exact" else FaissIndex(DIM, as_kind(kind), parameters=small)
    index.add(np.arange(N), vectors)
    return index


def as_kind(kind: str) -> FaissKind:
    assert kind in KINDS
    return kind  # type: ignore[return-value]


@pytest.fixture(params=["exact", *KINDS])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    files.write(tmp_path, "image", build(request.param), Covers(N, 0))
    return tmp_path


def index_file(folder: Path) -> Path:
    (path,) = (folder / "indexes").glob("*.index")
    return path


def test_a_file_cut_short_anywhere_is_noticed(folder: Path) -> None:
    path = index_file(folder)
    whole = path.read_bytes()
    for length in [0, 1, 7, 100, len(whole) // 2, len(whole) - 100, len(whole) - 21, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(CorruptIndexError) as error:
            files.load(folder, "image")
        assert "rebuilt" in str(error.value)
        assert len(files.check(folder)) == 1


def test_bytes_that_changed_anywhere_are_noticed(folder: Path) -> None:
    path = index_file(folder)
    whole = path.read_bytes()
    rng = random.Random(0)
    for _ in range(40):
        at = rng.randrange(len(whole))
        broken = bytearray(whole)
        broken[at] ^= 1 << rng.randrange(8)
        path.write_bytes(broken)
        with pytest.raises(CorruptIndexError):
            files.load(folder, "image")


@pytest.mark.parametrize("content", [b"", b"garbage", b"\0" * 100_000, os.urandom(100_000)])
def test_another_file_in_its_place_is_noticed(folder: Path, content: bytes) -> None:
    index_file(folder).write_bytes(content)
    with pytest.raises(CorruptIndexError):
        files.load(folder, "image")


def test_a_missing_file_is_noticed_and_written_anew(folder: Path) -> None:
    index_file(folder).unlink()
    with pytest.raises(CorruptIndexError, match="missing"):
        files.load(folder, "image")
    files.write(folder, "image", build("exact"), Covers(N, 0))
    loaded = files.load(folder, "image")
    assert loaded is not None
    assert len(loaded.index) == N


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 1, "indexes": [1]}', b"\xff"]
)
def test_a_damaged_manifest_is_noticed_and_written_anew(folder: Path, content: bytes) -> None:
    (folder / "indexes" / "manifest.json").write_bytes(content)
    with pytest.raises(CorruptIndexError):
        files.load(folder, "image")
    assert len(files.check(folder)) == 1
    files.write(folder, "image", build("exact"), Covers(N, 0))
    assert files.check(folder) == []
    index_file(folder)  # the one before was cleaned away


def test_a_large_file_is_read_in_part_when_opened_and_whole_when_checked(tmp_path: Path) -> None:
    vectors = normalize(np.random.default_rng(0).normal(size=(60_000, DIM)))
    index = ExactIndex(DIM)
    index.add(np.arange(60_000), vectors)
    files.write(tmp_path, "image", index, Covers(1, 0))
    path = index_file(tmp_path)
    blocks = path.stat().st_size // container._BLOCK
    assert blocks > container._SAMPLED
    with path.open("r+b") as file:  # in a block that an opening does not read
        file.seek(container._BLOCK + 5)
        file.write(b"\x42\x42\x42")
    files.load(tmp_path, "image")
    (problem,) = files.check(tmp_path)
    assert "block 1 " in problem
    with path.open("r+b") as file:
        file.write(b"\x42\x42\x42")
    with pytest.raises(CorruptIndexError, match="block 0 "):
        files.load(tmp_path, "image")


@pytest.mark.parametrize("place", ["neighbour", "offset", "entry"])
def test_a_graph_that_points_outside_itself_is_not_followed(tmp_path: Path, place: str) -> None:
    """Damage that no checksum shows: FAISS itself would read outside its memory."""
    index = build("hnsw")
    assert isinstance(index, FaissIndex)
    graph = index._now.index.hnsw
    if place == "neighbour":
        faiss.rev_swig_ptr(graph.neighbors.data(), graph.neighbors.size())[5] = 10**6
    elif place == "offset":
        faiss.rev_swig_ptr(graph.offsets.data(), graph.offsets.size())[5] = 10**6
    else:
        graph.entry_point = 10**6
    index.save(tmp_path / "one.index")
    with pytest.raises(CorruptIndexError):
        FaissIndex.open(tmp_path / "one.index")


def test_a_file_of_another_kind_is_not_opened(tmp_path: Path) -> None:
    build("exact").save(tmp_path / "exact.index")
    build("hnsw").save(tmp_path / "hnsw.index")
    with pytest.raises(CorruptIndexError, match="kind"):
        FaissIndex.open(tmp_path / "exact.index")
    with pytest.raises(CorruptIndexError, match="kind"):
        ExactIndex.open(tmp_path / "hnsw.index")


@pytest.mark.parametrize("kind", ["exact", *KINDS])
def test_a_file_without_its_parts_is_not_opened(tmp_path: Path, kind: str) -> None:
    container.write(tmp_path / "one.index", {"kind": kind}, arrays={})
    with pytest.raises(CorruptIndexError):
        (ExactIndex if kind == "exact" else FaissIndex).open(tmp_path / "one.index")


WRITER = """
import sys
from pathlib import Path
import numpy as np
from babelens.indexes import files
from babelens.indexes.exact import ExactIndex
from babelens.indexes.faiss import FaissIndex, HnswParameters
from babelens.indexes.files import Covers

folder, kind, n = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
vectors = np.random.default_rng(0).normal(size=(n, 16)).astype(np.float32)
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
small = HnswParameters(m=4, ef_construction=8)
index = ExactIndex(16) if kind == "exact" else FaissIndex(16, kind, parameters=small)
index.add(np.arange(n), vectors)
"""
FOREVER = """
files.write(folder, "image", index, Covers(1, 0))
print("written", flush=True)
while True:
    files.write(folder, "image", index, Covers(2, 0))
"""
ONCE = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), int(sys.argv[4])))
from babelens.errors import StorageFullError
try:
    files.write(folder, "image", index, Covers(2, 0))
except StorageFullError as error:
    print("full:", error.hint)
"""


@pytest.mark.parametrize("kind", ["exact", "flat"])
def test_a_killed_writer_leaves_the_index_before(tmp_path: Path, kind: str) -> None:
    """SIGKILL at random moments of a process that does nothing but write."""
    rng = random.Random(1)
    for _ in range(4):
        arguments = [sys.executable, "-W", "ignore", "-c", WRITER + FOREVER, str(tmp_path), kind, "20000"]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"written\n"
            time.sleep(rng.uniform(0, 0.08))
            writer.send_signal(signal.SIGKILL)
        loaded = files.load(tmp_path, "image")
        assert loaded is not None
        assert len(loaded.index) == 20_000
        assert loaded.covers.vectors in (1, 2)
        assert files.check(tmp_path) == []
    files.write(tmp_path, "image", build("exact"), Covers(1, 0))
    assert sorted(path.name for path in (tmp_path / "indexes").iterdir()) == sorted(
        ["manifest.json", "write.lock", index_file(tmp_path).name]
    )


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file sizes are a POSIX matter")
@pytest.mark.parametrize("kind", ["exact", "hnsw-sq8"])
@pytest.mark.parametrize("limit", [0, 50_000])
def test_no_room_is_an_error_and_the_index_before_counts(tmp_path: Path, kind: str, limit: int) -> None:
    files.write(tmp_path, "image", build("exact"), Covers(1, 0))
    before = sorted(path.name for path in (tmp_path / "indexes").iterdir())
    arguments = [sys.executable, "-W", "ignore", "-c", WRITER + ONCE, str(tmp_path), kind, "2000", str(limit)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert "full: Free some space" in done.stdout
    loaded = files.load(tmp_path, "image")
    assert loaded is not None
    assert loaded.covers == Covers(1, 0)
    assert sorted(path.name for path in (tmp_path / "indexes").iterdir()) == before


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "indexes").write_text("a file stands where the folder should be")
    with pytest.raises(files.CollectionError, match="indexes"):
        files.write(tmp_path, "image", build("exact"), Covers(1, 0))


def test_full_disk_errors_know_what_they_are() -> None:
    with pytest.raises(StorageFullError), container.writing(Path("/anywhere/x.index")):
        raise OSError(28, "No space left on device")
