"""Which index a collection gets, and how wide it searches: measured on the collection itself.

Exact search up to :data:`EXACT_LIMIT` vectors, an HNSW graph above, over compressed vectors when memory is short.
A setting that a study found (:mod:`.study`) takes the place of that choice as long as the collection is like the one
it was measured on. While a graph is built, the exact neighbours of sampled queries are found along the way; then its
beam is widened until recall@10 reaches the target. Queries should be what users send (text vectors for text queries):
they are not distributed like the images, and recall measured with images flatters.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..vectors import Floats, Ids, top_k
from .exact import ExactIndex
from .faiss import FaissIndex, FaissKind, HnswParameters, Metric
from .protocol import StoredIndex
from .rows import blank
from .setting import TARGET, Tuned

EXACT_LIMIT = 50_000
_K = 10
_FIRST_BEAM = 32
# Equal pictures have equal scores, and any of them is as good as another.
_TIE = 1e-6
# A tail as long as this costs about 0.2 ms a query.
_TAIL = 5_000
_REMOVED_SHARE = 0.2
_GRAPHS: tuple[FaissKind, ...] = ("hnsw", "hnsw-fp16", "hnsw-sq8")
_BYTES: Mapping[str, int] = {"hnsw-fp16": 2, "hnsw-sq8": 1}

Kind = Literal["exact"] | FaissKind


@dataclass(frozen=True, slots=True)
class Choice:
    """An index and what was measured on it. ``recall_at_10`` is against exact search; times are one query's."""

    kind: Kind
    name: str
    recall_at_10: float
    ms_per_query: float
    queries: int
    why: str

    def facts(self) -> dict[str, Any]:
        """As JSON, for the manifest."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Built:
    index: StoredIndex
    choice: Choice


class Truth:
    """The exact best ten (or ``k``) of some queries, found while batches pass by."""

    def __init__(self, queries: Floats, *, k: int = _K) -> None:
        self.queries = queries
        self._k = k
        self.scores, self.ids = blank(len(queries), 0)

    def see(self, ids: Ids, vectors: Floats) -> None:
        scores = np.concatenate([self.scores, self.queries @ vectors.T], axis=1)
        every = np.concatenate([self.ids, np.broadcast_to(ids, (len(self.queries), len(ids)))], axis=1)
        best = top_k(scores, self._k)
        self.scores, self.ids = np.take_along_axis(scores, best, 1), np.take_along_axis(every, best, 1)

    def recall(self, scores: Floats, ids: Ids) -> float:
        """The mean of :meth:`recalls`; 1 when nothing was asked or nothing is there. Shape: (n, 10), (n, 10)."""
        return float(self.recalls(scores, ids).mean()) if len(self.queries) else 1.0

    def recalls(self, scores: Floats, ids: Ids) -> NDArray[np.float64]:
        """recall@10 of each query: the share of the true ten that were found. Shape: (n, 10), (n, 10) -> (n,).

        One that scores as the true tenth does counts as found, whichever of the equals it is.
        """
        k = self.scores.shape[1]
        if not k:
            return np.ones(len(self.queries))
        found = (ids[:, :k, None] == self.ids[:, None, :]).any(axis=2)
        shares: NDArray[np.float64] = (found | (scores[:, :k] >= self.scores[:, -1:] - _TIE)).mean(axis=1)
        return shares


def memory_of(kind: Kind, n: int, dim: int, *, m: int = 16) -> int:
    """Bytes that searches touch: vectors, links and ids."""
    links = 0 if kind in ("exact", "flat") else 4 * (2 * m + 2) + 12
    return n * (dim * _BYTES.get(kind, 4) + links + 8)


def choose(
    n: int, dim: int, *, memory_budget: int | None = None, exact_limit: int = EXACT_LIMIT
) -> tuple[Kind, str]:
    """The kind for ``n`` vectors and why. ``memory_budget`` is in bytes, by default half of the machine's memory."""
    if n <= exact_limit:
        return "exact", f"{n} vectors: exact search is fast enough up to {exact_limit}"
    budget = _half_of_memory() if memory_budget is None else memory_budget
    for kind in _GRAPHS:
        needed = memory_of(kind, n, dim)
        if needed <= budget:
            break
    fits = "fits" if needed <= budget else "is the least there is for"
    return (
        kind,
        f"{n} vectors: {kind} takes {needed >> 20} MiB, which {fits} the budget of {budget >> 20} MiB",
    )


def suits(tuned: Tuned, n: int, dim: int, *, memory_budget: int | None = None) -> str | None:
    """None when a setting holds for ``n`` vectors; else why not, in words."""
    if 2 * n < tuned.vectors:
        return f"the setting in use was measured on {tuned.vectors} vectors and is not for so few"
    budget = _half_of_memory() if memory_budget is None else memory_budget
    needed = memory_of(tuned.kind, n, dim, m=tuned.setting.m)
    if needed > budget:
        return (
            f"with the setting in use it would take {needed >> 20} MiB, over the budget of {budget >> 20} MiB"
        )
    return None


def build(
    batches: Iterable[tuple[Ids, Floats]],
    n: int,
    queries: Floats,
    *,
    kind: Kind | None = None,
    metric: Metric = "ip",
    parameters: HnswParameters | None = None,
    memory_budget: int | None = None,
    target: float = TARGET,
    tuned: Tuned | None = None,
    progress: Callable[[int], None] | None = None,
) -> Built:
    """The index for ``n`` vectors that come in ``batches``, tuned on ``queries`` (100 or more; (m, dim) unit rows).

    ``kind`` overrides the choice, and so does ``tuned`` where it :func:`suits`: its beam is then the narrowest tried,
    and its target the one to reach. ``progress`` hears how many vectors are in. Shape of a batch: (b,), (b, dim).
    """
    dim = int(queries.shape[1])
    beam = _FIRST_BEAM
    unsuited = None if tuned is None else suits(tuned, n, dim, memory_budget=memory_budget)
    if kind is not None:
        why = "as asked"
    elif tuned is not None and unsuited is None:
        kind, parameters, target = tuned.kind, tuned.parameters, tuned.target
        beam = tuned.parameters.ef_search
        why = f"measured by a study of {tuned.vectors} vectors, target {target:g}"
    else:
        kind, why = choose(n, dim, memory_budget=memory_budget)
        why += f" ({unsuited})" if unsuited else ""
    index: ExactIndex | FaissIndex
    if kind == "exact":
        index = ExactIndex(dim)
    else:
        index = FaissIndex(dim, kind, parameters=parameters, metric=metric)
    truth = Truth(queries)
    done = 0
    for ids, vectors in batches:
        index.add(ids, vectors)
        if kind != "exact":
            truth.see(ids, vectors)
        done += len(ids)
        if progress is not None:
            progress(done)
    recall = 1.0 if isinstance(index, ExactIndex) else widen(index, truth, target=target, first=beam)
    return Built(index, Choice(kind, index.name, recall, _ms_per_query(index, queries), len(queries), why))


def widen(index: FaissIndex, truth: Truth, *, target: float = TARGET, first: int = _FIRST_BEAM) -> float:
    """Sets the narrowest beam from ``first`` on that reaches recall@10 of ``target``, and returns the recall measured.

    It always ends: a beam so wide that comparing with every vector is cheaper makes the search exact.
    """
    beam = first
    while True:
        index.set_ef_search(beam)
        recall = truth.recall(*index.search(truth.queries, _K))
        if recall >= target or beam >= max(len(index), first):
            return recall
        beam = max(beam + 1, beam * 3 // 2)


def due(base: StoredIndex, tail: int) -> Literal["nothing", "extend", "rebuild"]:
    """What to do about a ``base`` with ``tail`` newer vectors beside it.

    ``"extend"``: add the tail to the base (an exact base is simply built again); ``"rebuild"``: build over what is
    left, since removed vectors still take up room and lengthen every walk.
    """
    if base.removed > _REMOVED_SHARE * (len(base) + base.removed):
        return "rebuild"
    if len(base) <= EXACT_LIMIT < len(base) + tail and base.kind == "exact":
        return "rebuild"
    return "extend" if tail > max(_TAIL, len(base) // 50) else "nothing"


def _ms_per_query(index: StoredIndex, queries: Floats) -> float:
    """Median over single queries, in milliseconds."""
    times = []
    for query in queries[:100]:
        start = time.perf_counter()
        index.search(query[None], _K)
        times.append(time.perf_counter() - start)
    return round(1000 * float(np.median(times)), 4) if times else 0.0


def _half_of_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):  # not every system tells
        return 4 << 30
