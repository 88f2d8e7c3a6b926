"""FAISS indexes: flat, and HNSW graphs over float32, float16 or 8-bit vectors (Malkov and Yashunin, arXiv 1603.09320).

A graph walk looks at the vectors nearest to a query whatever the filter. So a filtered search takes as many
neighbours from the graph as are needed for ``k`` of them to pass, and where that is dearer than comparing the query
with all that pass, or did not yield ``k`` of them, it compares with all that pass. Either way no filter costs recall.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ..vectors import Floats, Ids, top_k
from . import container
from .rows import GrowingRows, IdTable, Mask, blank, check_queries, check_vectors

Metric = Literal["ip", "l2"]
FaissKind = Literal["flat", "hnsw", "hnsw-fp16", "hnsw-sq8"]

# One more place in the beam of a graph walk costs about as much as comparing this many rows in a straight run
# (measured at 100 k × 512: 4.7 µs against 0.1 to 0.18 µs).
_ROWS_PER_PLACE = 32
_RESCORED = 1 << 14


@dataclass(frozen=True, slots=True)
class HnswParameters:
    """``m`` links per vector (twice that on the ground floor); beam widths while building and searching."""

    m: int = 16
    ef_construction: int = 200
    ef_search: int = 64


def _library() -> Any:
    """FAISS, imported when first needed; its type stubs leave out most of what is used here."""
    import faiss

    return faiss


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """``exact`` are float16 vectors to score again with, for kinds whose own scores are coarse; else None."""

    index: Any
    storage: Any
    table: IdTable
    exact: NDArray[np.float16] | None


_FACTORIES: Mapping[str, Callable[[Any, int, int, int], Any]] = {
    "flat": lambda faiss, dim, _m, metric: faiss.IndexFlat(dim, metric),
    "hnsw": lambda faiss, dim, m, metric: faiss.IndexHNSWFlat(dim, m, metric),
    "hnsw-fp16": lambda faiss, dim, m, metric: faiss.IndexHNSWSQ(
        dim, faiss.ScalarQuantizer.QT_fp16, m, metric
    ),
    "hnsw-sq8": lambda faiss, dim, m, metric: faiss.IndexHNSWSQ(
        dim, faiss.ScalarQuantizer.QT_8bit, m, metric
    ),
}
KINDS = tuple(_FACTORIES)


class FaissIndex:
    """One FAISS index with its ids. ``add`` is for building: no other thread may search meanwhile.

    An 8-bit index learns its ranges from the first vectors added: make the first batch a fair sample.
    """

    def __init__(
        self,
        dim: int,
        kind: FaissKind = "hnsw",
        *,
        parameters: HnswParameters | None = None,
        metric: Metric = "ip",
    ) -> None:
        if kind not in _FACTORIES:
            raise ValueError(f"unknown kind {kind!r}, known: {', '.join(KINDS)}")
        faiss = _library()
        self._lock = threading.Lock()
        self._mapped = False
        self._kind: FaissKind = kind
        self._metric: Metric = metric
        self._parameters = parameters or HnswParameters()
        measure = faiss.METRIC_INNER_PRODUCT if metric == "ip" else faiss.METRIC_L2
        index = _FACTORIES[kind](faiss, dim, self._parameters.m, measure)
        if kind != "flat":
            index.hnsw.efConstruction = self._parameters.ef_construction
        self._rows = GrowingRows(np.empty((0, dim), dtype=np.float16)) if kind == "hnsw-sq8" else None
        self._take(index, IdTable.of(np.empty(0, dtype=np.int64)))

    @classmethod
    def build(
        cls,
        batches: Iterable[tuple[Ids, Floats]],
        dim: int,
        *,
        kind: FaissKind = "hnsw",
        parameters: HnswParameters | None = None,
        metric: Metric = "ip",
        progress: Callable[[int], None] | None = None,
    ) -> Self:
        """An index over all ``batches``; ``progress`` hears how many vectors are in."""
        index = cls(dim, kind, parameters=parameters, metric=metric)
        for ids, vectors in batches:
            index.add(ids, vectors)
            if progress is not None:
                progress(len(index))
        return index

    def _take(self, index: Any, table: IdTable) -> None:
        faiss = _library()
        if self._kind != "flat":
            index.hnsw.efSearch = self._parameters.ef_search
        storage = index if self._kind == "flat" else faiss.downcast_index(index.storage)
        self._now = _Snapshot(index, storage, table, None if self._rows is None else self._rows.view)

    @property
    def kind(self) -> str:
        return self._kind

    @property
    def metric(self) -> Metric:
        return self._metric

    @property
    def parameters(self) -> HnswParameters:
        return self._parameters

    @property
    def name(self) -> str:
        if self._kind == "flat":
            return "flat"
        return (
            f"{self._kind}({', '.join(f'{key}={value}' for key, value in asdict(self._parameters).items())})"
        )

    @property
    def dim(self) -> int:
        return int(self._now.index.d)

    @property
    def removed(self) -> int:
        return self._now.table.removed

    def __len__(self) -> int:
        return len(self._now.table)

    def set_ef_search(self, ef_search: int) -> None:
        """Widens or narrows the beam of a search."""
        with self._lock:
            self._parameters = replace(self._parameters, ef_search=ef_search)
            if self._kind != "flat":
                self._now.index.hnsw.efSearch = ef_search

    def add(self, ids: Ids, vectors: Floats) -> None:
        ids, vectors = check_vectors(ids, vectors, self.dim)
        with self._lock:
            table = self._now.table.extended(ids)
            if not len(ids):
                return
            if self._mapped:  # FAISS cannot add to an index that it maps from a file
                faiss = _library()
                self._take(faiss.deserialize_index(faiss.serialize_index(self._now.index)), self._now.table)
                self._mapped = False
            index = self._now.index
            if not index.is_trained:
                index.train(vectors)
            index.add(vectors)
            if self._rows is not None:
                self._rows.append(vectors.astype(np.float16))
            self._take(index, table)

    def remove(self, ids: Ids) -> int:
        with self._lock:
            before = self._now
            self._now = replace(before, table=before.table.without(ids))
            return len(before.table) - len(self._now.table)

    def contains(self, ids: Ids) -> Mask:
        return self._now.table.contains(ids)

    def search(self, queries: Floats, k: int, allowed: Ids | None = None) -> tuple[Floats, Ids]:
        now = self._now
        table = now.table
        queries = check_queries(queries, k, now.index.d)
        rows = None if allowed is None else table.passing(allowed)
        passing = len(table) if rows is None else len(rows)
        found = min(k, passing)
        if not found or not len(queries):
            return blank(len(queries), k)
        total = len(table.ids)
        # The beam that should hold `found` passing rows with room to spare, were they spread evenly.
        breadth = max(self._parameters.ef_search, 2 * found)
        breadth = -(-breadth * total // passing)
        if self._kind == "flat" or passing <= _ROWS_PER_PLACE * breadth:
            scores, at = self._scan(now, queries, found, rows)
        else:
            scores, at = self._walk(now, queries, found, breadth, rows)
            short = np.flatnonzero(at[:, -1] < 0)
            if len(short):
                scores[short], at[short] = self._scan(now, queries[short], found, rows)
        if found == k:
            return scores, table.ids[at]
        padded, places = blank(len(queries), k)
        padded[:, :found], places[:, :found] = scores, table.ids[at]
        return padded, places

    def _walk(
        self, now: _Snapshot, queries: Floats, k: int, breadth: int, rows: Ids | None
    ) -> tuple[Floats, Ids]:
        """Scores and rows from the graph; -1 in the last place of a query that found fewer than ``k``."""
        passes = now.table.alive if rows is None else _mask(rows, len(now.table.ids))
        fetched = k if passes is None and now.exact is None else breadth
        parameters = None
        if breadth != self._parameters.ef_search:
            faiss = _library()
            parameters = faiss.SearchParametersHNSW(efSearch=breadth)
        scores, at = now.index.search(queries, fetched, params=parameters)
        if self._metric == "l2":
            _to_cosines(scores)
        if fetched == k:
            return scores, at
        good = at >= 0
        if passes is not None:
            good &= passes[at]
        if now.exact is not None:
            for query, places, kept, row in zip(queries, at, good, scores, strict=True):
                row[kept] = now.exact[places[kept]].astype(np.float32) @ query
        scores[~good] = -np.inf
        at[~good] = -1
        best = top_k(scores, k)
        return np.take_along_axis(scores, best, axis=1), np.take_along_axis(at, best, axis=1)

    def _scan(self, now: _Snapshot, queries: Floats, k: int, rows: Ids | None) -> tuple[Floats, Ids]:
        """The exact best ``k`` among the passing rows, of which there are at least ``k``."""
        if rows is None and now.table.alive is not None:
            rows = np.flatnonzero(now.table.alive)
        if now.exact is not None:
            return _scan_float16(now.exact, queries, k, rows)
        faiss = _library()
        selector = None
        if rows is not None and self._kind != "hnsw-fp16":
            # For flat vectors FAISS goes straight to the rows of such a list.
            rows = np.ascontiguousarray(rows)
            selector = faiss.IDSelectorArray(len(rows), faiss.swig_ptr(rows))
        elif rows is not None:
            bits = np.packbits(_mask(rows, len(now.table.ids)), bitorder="little")
            selector = faiss.IDSelectorBitmap(len(now.table.ids), faiss.swig_ptr(bits))
        parameters = None if selector is None else faiss.SearchParameters(sel=selector)
        scores, at = now.storage.search(queries, k, params=parameters)
        if self._metric == "l2":
            _to_cosines(scores)
        return scores, at

    def save(self, path: Path) -> None:
        faiss = _library()
        now = self._now
        arrays: dict[str, NDArray[Any]] = {"ids": now.table.ids, "removed": now.table.removed_rows()}
        if now.exact is not None:
            arrays["exact"] = now.exact
        container.write(
            path,
            {"kind": self._kind, "metric": self._metric, "parameters": asdict(self._parameters)},
            arrays=arrays,
            body=lambda target: faiss.write_index(now.index, str(target)),
        )

    @classmethod
    def open(cls, path: Path) -> Self:
        faiss = _library()
        opened = container.read(path)
        kind: Any = opened.header.get("kind")
        if kind not in _FACTORIES:
            raise container.damaged(path, f"it is of kind {kind!r}, not one of FAISS's")
        self = cls.__new__(cls)
        self._lock = threading.Lock()
        self._mapped = True
        self._kind = kind
        try:
            self._metric = opened.header["metric"]
            self._parameters = HnswParameters(**opened.header["parameters"])
            self._rows = GrowingRows(opened.arrays["exact"]) if kind == "hnsw-sq8" else None
            table = IdTable.of(opened.arrays["ids"], opened.arrays["removed"])
            # Older versions of FAISS know no such flag and read the file into memory.
            index = faiss.read_index(str(path), getattr(faiss, "IO_FLAG_MMAP_IFC", 0))
            if kind != "flat":
                _check_graph(path, index)
        except (RuntimeError, AttributeError, KeyError, TypeError) as error:
            raise container.damaged(path, str(error)) from error
        if len(table.ids) != index.ntotal:
            raise container.damaged(path, "its ids are not as many as its vectors")
        self._take(index, table)
        return self


def _mask(rows: Ids, total: int) -> Mask:
    mask = np.zeros(total, dtype=np.bool_)
    mask[rows] = True
    return mask


def _to_cosines(distances: Floats) -> None:
    """Squared distances of unit vectors, in place: |a - b|² = 2 - 2 cos. Unfilled places become -inf."""
    distances *= -0.5
    distances += 1.0
    distances[distances < -2.0] = -np.inf


def _scan_float16(
    vectors: NDArray[np.float16], queries: Floats, k: int, rows: Ids | None
) -> tuple[Floats, Ids]:
    scores, at = blank(len(queries), 0)
    total = len(vectors) if rows is None else len(rows)
    for start in range(0, total, _RESCORED):
        some = (
            np.arange(start, min(start + _RESCORED, total))
            if rows is None
            else rows[start : start + _RESCORED]
        )
        scores = np.concatenate([scores, queries @ vectors[some].astype(np.float32).T], axis=1)
        at = np.concatenate([at, np.broadcast_to(some, (len(queries), len(some)))], axis=1)
        best = top_k(scores, k)
        scores, at = np.take_along_axis(scores, best, axis=1), np.take_along_axis(at, best, axis=1)
    return scores, at


def _check_graph(path: Path, index: Any) -> None:
    """Raises when the graph points outside itself: FAISS would follow it out of its memory."""
    faiss = _library()
    graph = index.hnsw
    total = int(index.ntotal)
    offsets = faiss.rev_swig_ptr(graph.offsets.data(), graph.offsets.size())
    neighbours = faiss.rev_swig_ptr(graph.neighbors.data(), graph.neighbors.size())
    sound = (
        len(offsets) == total + 1
        and graph.levels.size() == total
        and index.storage.ntotal == total
        and -1 <= graph.entry_point < total
        and bool((offsets[1:] >= offsets[:-1]).all())
        and int(offsets[-1]) == len(neighbours)
        and (not len(neighbours) or (int(neighbours.min()) >= -1 and int(neighbours.max()) < total))
    )
    if not sound:
        raise container.damaged(path, "its graph points outside itself")
