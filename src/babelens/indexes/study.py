"""How good and how fast each setting of an index is on given vectors, against exact search.

Text queries are not distributed like the pictures that a graph links, so its walks get lost more easily: recall is
measured with text and with picture queries apart. A graph is built once and searched with every beam, one query at a
time, in turns with exact search.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..metrics.statistics import Bootstrap, Estimate, Values
from ..types import Modality, Progress
from ..vectors import Floats, Ids
from .exact import ExactIndex
from .faiss import FaissIndex, HnswParameters, Metric
from .protocol import VectorIndex
from .rows import blank
from .setting import Graph, Grid, Setting, rows_of
from .tuning import Truth, memory_of

_K: Final = 10
# An 8-bit index learns its ranges from the first; after it, small ones: progress is heard and Ctrl-C is quick.
_FIRST_BATCH: Final = 10_000
_BATCH: Final = 2_000
_TURNS: Final = 10
_WARMING: Final = 3  # queries before each turn that are not timed: the other's data fill the caches
_EXACT_QUERIES: Final = 100


def study(
    batches: Iterable[tuple[Ids, Floats]],
    queries: Mapping[Modality, Floats],
    grid: Grid,
    *,
    metric: Metric = "ip",
    known: Sequence[Setting] = (),
    progress: Progress | None = None,
    seed: int = 0,
) -> Iterator[tuple[Setting, ...]]:
    """Measures every setting of ``grid``, and yields the rows of each graph when it is done; exact search comes first.

    Graphs whose rows are all in ``known`` are not built again. ``queries`` are unit rows, by what they are vectors of
    (none of them may be among the vectors: see :func:`held_out`). Everything is held in memory: the vectors, and one
    graph over them. ``progress`` hears how many vectors are in graphs. ``seed`` is of the bootstrap over queries.
    Shape of a batch: (b,), (b, dim); of queries: (n, dim). Raises ``ValueError`` when there are no queries at all.
    """
    asked = {modality: rows for modality, rows in queries.items() if len(rows)}
    if not asked:
        raise ValueError("a study needs queries")
    bench = _Bench(batches, asked, seed)
    yield (bench.baseline(),)
    waiting = []
    for graph in grid.graphs():
        rows = rows_of(known, graph, grid.beams)
        if len(rows) == len(grid.beams):
            yield tuple(rows)
        else:
            waiting.append(graph)
    for number, graph in enumerate(waiting):
        before, total = number * bench.vectors, len(waiting) * bench.vectors
        note = f"{graph}, {number + 1} of {len(waiting)}"

        def told(done: int, before: int = before, total: int = total, note: str = note) -> None:
            if progress is not None:
                progress(before + done, total, note)

        yield bench.measure(graph, grid.beams, metric=metric, progress=told)


def held_out(batches: Iterable[tuple[Ids, Floats]], queries: Ids) -> Iterator[tuple[Ids, Floats]]:
    """``batches`` without the ids in ``queries``: a picture that is in the index finds itself, and flatters it."""
    for ids, vectors in batches:
        keep = ~np.isin(ids, queries)
        yield ids[keep], vectors[keep]


@dataclass(frozen=True, slots=True)
class _Times:
    """Milliseconds of single queries, and what they found. Shape: (n,), (n, 10), (n, 10)."""

    ms: Values
    scores: Floats
    ids: Ids


class _Bench:
    """The vectors, the queries and their exact answers."""

    def __init__(
        self, batches: Iterable[tuple[Ids, Floats]], queries: Mapping[Modality, Floats], seed: int
    ) -> None:
        self._queries = np.concatenate(list(queries.values()))
        self._modalities = np.repeat(list(queries), [len(rows) for rows in queries.values()])
        self._exact = ExactIndex(self._queries.shape[1])
        self._truth = Truth(self._queries)
        for ids, vectors in batches:
            self._exact.add(ids, vectors)
            self._truth.see(ids, vectors)
        self._bootstraps = {
            modality: Bootstrap(np.arange(len(rows)), seed=seed) for modality, rows in queries.items()
        }

    @property
    def vectors(self) -> int:
        return len(self._exact)

    def baseline(self) -> Setting:
        """Exact search itself: its recall is 1 by definition, and no interval says more."""
        ms = _each(self._exact, self._sample(_EXACT_QUERIES)).ms
        recalls = {
            modality: Estimate(len(bootstrap), 1.0, 1.0, 1.0, self._chance)
            for modality, bootstrap in self._bootstraps.items()
        }
        p50 = _percentile(ms, 50)
        return Setting(
            "exact", 0, 0, 0, recalls.get("text"), recalls.get("image"), p50, _percentile(ms, 99), p50, 0.0,
            memory_of("exact", self.vectors, self._exact.dim),
        )  # fmt: skip

    def measure(
        self, graph: Graph, beams: Sequence[int], *, metric: Metric, progress: Callable[[int], None]
    ) -> tuple[Setting, ...]:
        ids, vectors = self._exact.live()
        parameters = HnswParameters(graph.m, graph.ef_construction)
        started = time.perf_counter()
        index = FaissIndex.build(
            _slices(ids, vectors), self._exact.dim, kind=graph.kind, parameters=parameters, metric=metric,
            progress=progress,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        size = memory_of(graph.kind, self.vectors, self._exact.dim, m=graph.m)
        rows = []
        for beam in beams:
            index.set_ef_search(beam)
            found, exact_ms = self._in_turns(index)
            recall = self._truth.recalls(found.scores, found.ids)
            rows.append(
                Setting(
                    graph.kind, graph.m, graph.ef_construction, beam,
                    self._estimate("text", recall), self._estimate("image", recall),
                    _percentile(found.ms, 50), _percentile(found.ms, 99), _percentile(exact_ms, 50),
                    round(seconds, 2), size,
                )
            )  # fmt: skip
        return tuple(rows)

    def _in_turns(self, index: VectorIndex) -> tuple[_Times, Values]:
        """All queries on ``index``, in turns with some on exact search: a busy moment of the machine hits both."""
        found, exact = [], []
        for mine, few in zip(
            np.array_split(self._queries, _TURNS),
            np.array_split(self._sample(_EXACT_QUERIES), _TURNS),
            strict=True,
        ):
            found.append(_each(index, mine))
            exact.append(_each(self._exact, few).ms)
        return _Times(*(np.concatenate(parts) for parts in _columns(found))), np.concatenate(exact)

    def _estimate(self, modality: Modality, recalls: Values) -> Estimate | None:
        bootstrap = self._bootstraps.get(modality)
        if bootstrap is None:
            return None
        return bootstrap.estimate(recalls[self._modalities == modality], chance=self._chance)

    @property
    def _chance(self) -> float:
        """The expected recall@10 of ten vectors drawn at random."""
        return min(1.0, _K / max(1, self.vectors))

    def _sample(self, n: int) -> Floats:
        """Evenly from all kinds of queries. Shape: (min(n, queries), dim)."""
        count = len(self._queries)
        rows: Floats = self._queries[np.linspace(0, count - 1, min(n, count)).astype(int)]
        return rows


def _each(index: VectorIndex, queries: Floats) -> _Times:
    scores, ids = blank(len(queries), _K)
    ms = np.empty(len(queries))
    for query in queries[:_WARMING]:
        index.search(query[None], _K)
    for row, query in enumerate(queries):
        started = time.perf_counter()
        scores[row], ids[row] = (found[0] for found in index.search(query[None], _K))
        ms[row] = 1000 * (time.perf_counter() - started)
    return _Times(ms, scores, ids)


def _columns(parts: Sequence[_Times]) -> Iterator[list[Any]]:
    for name in ("ms", "scores", "ids"):
        yield [getattr(part, name) for part in parts]


def _slices(ids: Ids, vectors: Floats) -> Iterator[tuple[Ids, Floats]]:
    start = 0
    while start < len(ids):
        end = start + (_FIRST_BATCH if start == 0 else _BATCH)
        yield ids[start:end], vectors[start:end]
        start = end


def _percentile(ms: Values, share: int) -> float:
    return round(float(np.percentile(ms, share)), 4)
