"""How long a search takes, what it finds and what it costs, against plain FAISS and LanceDB.

Vectors are synthetic: 512 numbers, 2,000 clusters of uneven size; queries are fresh draws from the same clusters.
Plain FAISS has the same kind of index in memory (above 50 k the very graph that the collection built) and returns
row numbers; ``Collection.search`` returns items, with their metadata and a confidence. Engines take turns, a few
queries each, so that a busy moment hits all of them. Resident memory and opening are measured in processes of their
own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from babelens.collection import Collection
from babelens.collection.imports import import_rows
from babelens.indexes import files
from babelens.indexes.tuning import EXACT_LIMIT, Truth
from babelens.search import FreshIndex
from babelens.storage.catalog import Catalog
from babelens.vectors import Floats, Ids, normalize

DIM = 512
K = 10
ENCODER = "benchmark-512"
LIMIT = 1.5  # what the project promises over plain FAISS
_CLUSTERS = 2_000
_NOISE = 0.03
_CHUNK = 50_000
_TURN = 20
_LANCE_LIMIT = 100_000

Find = Callable[[Floats], Sequence[int]]


@dataclass(frozen=True)
class Row:
    """One line of the table. ``find`` maps a query (dim,) to row numbers; times are milliseconds."""

    engine: str
    find: Find
    build_s: float | None = None
    open_ms: float | None = None
    memory_mib: float | None = None
    p50: float = 0.0
    p99: float = 0.0
    recall: float = 0.0


def run(quick: bool, cache: Path, largest: int) -> dict[int, float]:
    """Prints a table for each size; returns how many times longer than plain FAISS a collection takes, by size."""
    sizes = [n for n in (1_000, 10_000, 100_000, 1_000_000) if n <= (10_000 if quick else largest)]
    count = 200 if quick else 1_000
    ratios = {}
    print(f"{'vectors':>9} {'engine':<34}{'build s':>9}{'open ms':>9}{'MiB':>7}", end="")
    print(f"{'p50 ms':>9}{'p99 ms':>9}{'recall@10':>11}{'× FAISS':>9}")
    for n in sizes:
        vectors, queries = _vectors(cache, n), _draw(np.random.default_rng(1), count, _NOISE)
        truth = _truth(vectors, queries)
        with Collection.open(_collection(cache, n, vectors)) as collection:
            rows = _turns(_engines(cache, n, vectors, collection), queries, truth)
            for row in rows:
                print(_line(n, row, rows[0]), flush=True)
            ratios[n] = next(row.p50 for row in rows if row.engine == "Collection.search") / rows[0].p50
            print(f"{'':>9} one vector added and found: {_add_one(collection):.0f} ms", flush=True)
    if importlib.util.find_spec("lancedb") is None:
        print("lancedb is not installed: skipped (pip install lancedb)")
    for n, ratio in ratios.items():
        print(
            f"overhead at {n:,}: {ratio:.2f} × plain FAISS, {'within' if ratio <= LIMIT else 'OVER'} {LIMIT}"
        )
    return ratios


# -- data --------------------------------------------------------------------------------------------------


def _draw(rng: np.random.Generator, n: int, noise: float) -> Floats:
    """Rows around cluster centres, few of which hold most. Shape: (n, DIM) unit rows."""
    centres = normalize(np.random.default_rng(0).normal(size=(_CLUSTERS, DIM)))
    which = (_CLUSTERS * rng.random(n) ** 2).astype(int)
    return normalize(centres[which] + noise * rng.standard_normal((n, DIM), dtype=np.float32))


def _vectors(cache: Path, n: int) -> np.ndarray:
    """Shape: (n, DIM) float16, memory-mapped."""
    path = cache / f"vectors-{n}.npy"
    if not path.exists():
        partial = path.with_suffix(".partial")
        rng = np.random.default_rng(n)
        out = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float16, shape=(n, DIM))
        for start in range(0, n, _CHUNK):
            out[start : start + _CHUNK] = _draw(rng, min(_CHUNK, n - start), _NOISE)
        out.flush()
        partial.rename(path)
    return np.load(path, mmap_mode="r")


def _batches(vectors: np.ndarray) -> Iterator[tuple[Ids, Floats]]:
    for start in range(0, len(vectors), _CHUNK):
        rows = vectors[start : start + _CHUNK].astype(np.float32)
        yield np.arange(start, start + len(rows)), rows


def _truth(vectors: np.ndarray, queries: Floats) -> Truth:
    truth = Truth(queries)
    for ids, rows in _batches(vectors):
        truth.see(ids, rows)
    return truth


def _collection(cache: Path, n: int, vectors: np.ndarray) -> Path:
    """A collection of ``n`` items with their index, made once; build times are kept beside it."""
    path, times = cache / f"collection-{n}", cache / f"collection-{n}.json"
    if times.exists():
        return path
    names = [f"/pictures/{row:08d}.jpg" for row in range(n)]
    progress = _Progress(f"{n:,} vectors: catalog")
    with Collection.open(path) as collection:
        collection.import_vectors(vectors[:1], names[:1], encoder=ENCODER)
    with Catalog.open(path) as catalog, catalog.writing():
        (number,) = catalog.encoders()
        import_rows(catalog, number, vectors, names, progress=progress)
        catalog_s = progress.done()
        progress = _Progress(f"{n:,} vectors: index")
        FreshIndex(catalog, number, DIM, "image").maintain(progress=progress)
    times.write_text(json.dumps({"catalog_s": catalog_s, "index_s": progress.done()}))
    return path


class _Progress:
    """Tells on stderr how far a long step is, at most every five seconds."""

    def __init__(self, step: str) -> None:
        self.step = step
        self.start = self.told = time.perf_counter()

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        now = time.perf_counter()
        if total and now - self.told >= 5:
            self.told = now
            left = (now - self.start) * (total - done) / max(done, 1)
            print(
                f"{self.step} {100 * done // total} %, {left:.0f} s left {note}", file=sys.stderr, flush=True
            )

    def done(self) -> float:
        return time.perf_counter() - self.start


# -- engines -----------------------------------------------------------------------------------------------


def _engines(cache: Path, n: int, vectors: np.ndarray, collection: Collection) -> list[Row]:
    """Plain FAISS first: the others are compared with it."""
    path = cache / f"collection-{n}"
    times = json.loads((cache / f"collection-{n}.json").read_text())
    loaded = files.load(path, "image")
    graph = loaded is not None and loaded.index.kind.startswith("hnsw")
    index = FreshIndex(
        catalog := Catalog.open(path, read_only=True), next(iter(catalog.encoders())), DIM, "image"
    )
    first = int(index.current().search(vectors[:1].astype(np.float32), 1)[1][0, 0])  # seqs go with rows

    def live(query: Floats) -> list[int]:
        return [int(seq) - first for seq in index.current().search(query[None], K)[1][0]]

    def whole(query: Floats) -> list[int]:
        return [int(hit.item.source.path[-12:-4]) for hit in collection.search(vector=query, k=K).hits]

    plain = _faiss(path, vectors, graph)
    rows = [
        replace(plain, **_probe("faiss", path if graph else cache / f"vectors-{n}.npy")),
        Row(index.current().name, live, build_s=times["index_s"], **_probe("index", path)),
        Row(
            "Collection.search",
            whole,
            build_s=times["catalog_s"] + times["index_s"],
            **_probe("collection", path),
        ),
    ]
    if importlib.util.find_spec("lancedb") is not None and n <= _LANCE_LIMIT:
        rows.append(_lancedb(cache, n, vectors))
    return rows


def _faiss(path: Path, vectors: np.ndarray, graph: bool) -> Row:
    import faiss

    start = time.perf_counter()
    if graph:
        index = faiss.read_index(str(_index_file(path)))
    else:
        index = faiss.IndexFlatIP(DIM)
        for _, rows in _batches(vectors):
            index.add(rows)
    seconds = None if graph else time.perf_counter() - start
    name = f"plain FAISS HNSW, ef {index.hnsw.efSearch}" if graph else "plain FAISS Flat"
    if graph:
        index.hnsw.efSearch = files.load(path, "image").index.parameters.ef_search
        name = f"plain FAISS HNSW, ef {index.hnsw.efSearch}"
    return Row(name, lambda query: index.search(query[None], K)[1][0].tolist(), build_s=seconds)


def _lancedb(cache: Path, n: int, vectors: np.ndarray) -> Row:
    """Exact below the limit where the collection is exact too, else its HNSW."""
    import lancedb
    import pyarrow

    start = time.perf_counter()
    rows = pyarrow.FixedSizeListArray.from_arrays(
        pyarrow.array(np.asarray(vectors, dtype=np.float32).reshape(-1)), DIM
    )
    database = lancedb.connect(str(cache / "lancedb"))
    table = database.create_table(
        f"vectors-{n}",
        pyarrow.table({"row": pyarrow.array(np.arange(n)), "vector": rows}),
        mode="overwrite",
    )
    name = "LanceDB flat"
    if n > EXACT_LIMIT:
        table.create_index("dot", vector_column_name="vector", index_type="IVF_HNSW_SQ")
        name = "LanceDB IVF_HNSW_SQ"
    seconds = time.perf_counter() - start

    def find(query: Floats) -> list[int]:
        found = table.search(query, vector_column_name="vector").distance_type("dot").limit(K)
        return [int(row) for row in found.select(["row"]).to_arrow()["row"].to_pylist()]

    return Row(name, find, build_s=seconds)


def _index_file(collection: Path) -> Path:
    (path,) = (collection / files.FOLDER).glob("image-*.index")
    return path


# -- measuring ---------------------------------------------------------------------------------------------


def _turns(rows: list[Row], queries: Floats, truth: Truth) -> list[Row]:
    times: list[list[float]] = [[] for _ in rows]
    found: list[list[Sequence[int]]] = [[] for _ in rows]
    for row in rows:  # warm up: pages in, statements prepared
        for query in queries[:_TURN]:
            row.find(query)
    for start in range(0, len(queries), _TURN):
        for row, spent, hits in zip(rows, times, found, strict=True):
            for query in queries[start : start + _TURN]:
                before = time.perf_counter()
                result = row.find(query)
                spent.append(1000 * (time.perf_counter() - before))
                hits.append(result)
    return [
        replace(
            row,
            p50=float(np.percentile(spent, 50)),
            p99=float(np.percentile(spent, 99)),
            recall=float(
                np.mean([np.isin(true, hit).mean() for true, hit in zip(truth.ids, hits, strict=True)])
            ),
        )
        for row, spent, hits in zip(rows, times, found, strict=True)
    ]


def _add_one(collection: Collection) -> float:
    """Milliseconds until a vector that comes in is found; it goes again afterwards."""
    vector = _draw(np.random.default_rng(time.time_ns()), 1, _NOISE)
    name = f"/pictures/new-{time.time_ns()}.jpg"
    start = time.perf_counter()
    collection.import_vectors(vector, [name], encoder=ENCODER)
    hits = collection.search(vector=vector[0], k=1).hits
    spent = 1000 * (time.perf_counter() - start)
    if hits[0].item.source.path != name:
        raise AssertionError("the vector that was added is not found")
    collection.remove(name)
    return spent


def _probe(engine: str, path: Path) -> dict[str, float]:
    """Opening to the first result, and resident memory after a hundred, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.search", engine, str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _probed(engine: str, path: Path) -> dict[str, float | None]:
    queries = _draw(np.random.default_rng(2), 100, _NOISE)
    if engine == "faiss":
        import faiss
    start = time.perf_counter()
    find: Callable[[Floats], Any]
    if engine == "faiss":
        if path.is_dir():
            index = faiss.read_index(str(_index_file(path)))
        else:
            index = faiss.IndexFlatIP(DIM)
            for _, rows in _batches(np.load(path, mmap_mode="r")):
                index.add(rows)
        find = lambda query: index.search(query[None], K)  # noqa: E731
    elif engine == "index":
        catalog = Catalog.open(path, read_only=True)
        fresh = FreshIndex(catalog, next(iter(catalog.encoders())), DIM, "image")
        find = lambda query: fresh.current().search(query[None], K)  # noqa: E731
    else:
        collection = Collection.open(path, read_only=True)
        find = lambda query: collection.search(vector=query, k=K)  # noqa: E731
    find(queries[0])
    opened = 1000 * (time.perf_counter() - start)
    for query in queries:
        find(query)
    return {"open_ms": opened, "memory_mib": _resident()}


def _resident() -> float | None:
    """MiB, with the pages of mapped files that are in use."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return None
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def _line(n: int, row: Row, plain: Row) -> str:
    def cell(value: float | None, width: int, digits: int) -> str:
        return f"{'' if value is None else format(value, f',.{digits}f'):>{width}}"

    return (
        f"{n:>9,} {row.engine[:33]:<34}{cell(row.build_s, 9, 1)}{cell(row.open_ms, 9, 0)}{cell(row.memory_mib, 7, 0)}"
        f"{row.p50:>9.3f}{row.p99:>9.3f}{row.recall:>11.4f}{row.p50 / plain.p50:>9.2f}"
    )


if __name__ == "__main__":
    print(json.dumps(_probed(sys.argv[1], Path(sys.argv[2]))))
