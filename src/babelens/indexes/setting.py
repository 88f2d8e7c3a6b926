"""What an HNSW index can be set to, what was measured on a setting, and which of them a collection should take.

The rule (:func:`choose_setting`): of the settings that reach the target and are faster than exact search, the one that
needs the least memory; of those, the fastest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, Final, Literal, Self, get_args

from ..metrics.statistics import Estimate
from .faiss import FaissKind, HnswParameters

GraphKind = Literal["hnsw", "hnsw-fp16", "hnsw-sq8"]
GRAPH_KINDS: Final[tuple[GraphKind, ...]] = get_args(GraphKind)
TARGET: Final = 0.99


@dataclass(frozen=True, slots=True, order=True)
class Graph:
    """What has to be built: any number of beams can then be searched with."""

    kind: GraphKind
    m: int
    ef_construction: int

    def __str__(self) -> str:
        return f"{self.kind} M={self.m} efConstruction={self.ef_construction}"


@dataclass(frozen=True, slots=True)
class Grid:
    """The settings to try: every graph, searched with every beam. Raises ``ValueError`` on what makes no graph."""

    kinds: tuple[GraphKind, ...] = ("hnsw", "hnsw-sq8")
    m: tuple[int, ...] = (8, 16, 32)
    ef_construction: tuple[int, ...] = (200,)
    ef_search: tuple[int, ...] = (32, 64, 128, 256, 512)

    def __post_init__(self) -> None:
        unknown = set(self.kinds) - set(GRAPH_KINDS)
        if unknown:
            raise ValueError(f"{', '.join(sorted(unknown))}: kinds are {', '.join(GRAPH_KINDS)}")
        if not (self.kinds and self.m and self.ef_construction and self.ef_search):
            raise ValueError("every part of the grid needs at least one value")
        if min(self.m) < 2 or min(self.ef_construction) < 1 or min(self.ef_search) < 1:
            raise ValueError("M is at least 2, beams are at least 1")

    def graphs(self) -> list[Graph]:
        """What is to be built, each once, the quickest to build first within a kind."""
        return [Graph(*parts) for parts in dict.fromkeys(product(self.kinds, self.m, self.ef_construction))]

    @property
    def beams(self) -> list[int]:
        return sorted(set(self.ef_search))


GRIDS: Final[Mapping[str, Grid]] = {
    "small": Grid(),
    "full": Grid(
        kinds=GRAPH_KINDS,
        m=(8, 16, 32, 48),
        ef_construction=(100, 200, 400),
        ef_search=(24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768),
    ),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting and what was measured on it; ``kind`` ``"exact"`` has no graph, and its numbers are 0.

    Recalls are recall@10 against exact search, by kind of query; None where there were no such queries. Times are of
    single queries; ``exact_p50_ms`` is exact search in turns with them, so that what slows one slows the other. On a
    busy machine a long search is interrupted more often than a short one, and exact search looks slower than it is.
    ``bytes`` is the memory that searches work on (:func:`.tuning.memory_of`).
    """

    kind: Literal["exact"] | GraphKind
    m: int
    ef_construction: int
    ef_search: int
    recall_text: Estimate | None
    recall_image: Estimate | None
    p50_ms: float
    p99_ms: float
    exact_p50_ms: float
    build_seconds: float
    bytes: int

    @property
    def graph(self) -> Graph | None:
        return None if self.kind == "exact" else Graph(self.kind, self.m, self.ef_construction)

    @property
    def name(self) -> str:
        return "exact" if self.graph is None else f"{self.graph} efSearch={self.ef_search}"

    @property
    def times_exact(self) -> float:
        """How many times as long as exact search a query takes."""
        return self.p50_ms / self.exact_p50_ms if self.exact_p50_ms else math.nan

    def reaches(self, target: float) -> bool:
        """Whether recall@10 reaches ``target`` for each kind of query: the lower end of its 95 % interval does.

        Where there are fewer than :func:`queries_needed`, no interval could; then the mean decides.
        """
        recalls = [recall for recall in (self.recall_text, self.recall_image) if recall is not None]
        enough = queries_needed(target)
        return bool(recalls) and all((r.low if r.n >= enough else r.value) >= target for r in recalls)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """What ``dataclasses.asdict`` made of one."""
        recalls = {
            name: None if facts[name] is None else Estimate(**facts[name])
            for name in ("recall_text", "recall_image")
        }
        return cls(**{**facts, **recalls})


@dataclass(frozen=True, slots=True)
class Tuned:
    """The setting of a collection, as it is kept in the catalog: measured on so many ``vectors``, at ``when`` (UTC)."""

    setting: Setting
    target: float
    vectors: int
    when: str

    @property
    def kind(self) -> FaissKind:
        """Never ``"exact"``: that is what a collection does by itself."""
        graph = self.setting.graph
        assert graph is not None
        return graph.kind

    @property
    def key(self) -> str:
        """Tells one from another: an index that was built by another is due."""
        return f"{self.setting.name}, {self.when}"

    @property
    def parameters(self) -> HnswParameters:
        setting = self.setting
        return HnswParameters(setting.m, setting.ef_construction, setting.ef_search)

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        return cls(**{**facts, "setting": Setting.of(facts["setting"])})


@dataclass(frozen=True, slots=True)
class Verdict:
    """The setting to take and why; None when exact search is the better choice, or none reaches the target."""

    setting: Setting | None
    why: str


def queries_needed(target: float) -> int:
    """With fewer queries than this, even when all are answered rightly, a 95 % interval reaches below ``target``.

    The n from which 0.025 ** (1 / n) ≥ target (Clopper and Pearson 1934).
    """
    return math.ceil(math.log(0.025) / math.log(target)) if target < 1 else 1


def choose_setting(rows: Sequence[Setting], target: float = TARGET) -> Verdict:
    """The setting with the least memory, then the fastest, of those that reach ``target`` faster than exact search."""
    graphs = [row for row in rows if row.kind != "exact"]
    reaching = [row for row in graphs if row.reaches(target)]
    if not reaching:
        best = max((_least(row) for row in graphs), default=math.nan)
        tried = f"the best has {best:.4f}" if graphs else "none was measured"
        return Verdict(None, f"No setting reaches recall@10 of {target:g}; {tried}.")
    faster = [row for row in reaching if row.p50_ms < row.exact_p50_ms]
    if not faster:
        quickest = min(reaching, key=lambda row: row.times_exact)
        return Verdict(
            None,
            f"Exact search wins: the fastest setting that reaches {target:g} takes {quickest.times_exact:.1f} times "
            "as long.",
        )
    chosen = min(faster, key=lambda row: (row.bytes, row.p50_ms, row.ef_search))
    return Verdict(
        chosen,
        f"{chosen.name}: the least memory, then the fastest, of {len(faster)} settings that reach recall@10 of "
        f"{target:g} faster than exact search.",
    )


def _least(row: Setting) -> float:
    return min((r.value for r in (row.recall_text, row.recall_image) if r is not None), default=math.nan)


def rows_of(rows: Iterable[Setting], graph: Graph, beams: Sequence[int]) -> list[Setting]:
    """The rows of a graph for these beams, in order; fewer when some are missing."""
    known = {row.ef_search: row for row in rows if row.graph == graph}
    return [known[beam] for beam in beams if beam in known]
