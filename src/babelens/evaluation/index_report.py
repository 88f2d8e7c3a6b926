"""A study of index settings as files: JSON for programs, Markdown to read, a plot of latency against recall."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import replace_text

if TYPE_CHECKING:
    from ..collection import IndexStudy
    from ..indexes.setting import Setting
    from ..metrics.statistics import Estimate

NAME = "index-study"
RULE = (
    "The rule: of the settings whose recall@10 reaches the target for every kind of query (the lower end of its 95 % "
    "interval does; with too few queries for any interval to, the mean) and that are faster than exact search, the one "
    "that needs the least memory; of those, the fastest."
)
# What bounds the threads of exact search, where it was set.
_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
_COLUMNS = (
    "kind", "M", "efConstruction", "efSearch", "recall@10 text", "recall@10 image", "p50 ms", "p99 ms", "× exact",
    "build s", "MiB", "",
)  # fmt: skip


def write_report(study: IndexStudy, folder: Path, *, command: Sequence[str]) -> list[Path]:
    """Writes ``index-study.json`` and ``index-study.md`` into ``folder``, which is made; returns their paths.

    ``command`` is what was typed, for the record.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts = {**asdict(study), "machine": _machine(), "command": list(command)}
    paths = []
    for suffix, text in (
        (".json", json.dumps(facts, ensure_ascii=False, indent=1) + "\n"),
        (".md", "\n".join(_markdown(study, command)) + "\n"),
    ):
        paths.append(folder / (NAME + suffix))
        replace_text(paths[-1], text, errors="backslashreplace")
    return paths


def table(study: IndexStudy) -> tuple[tuple[str, ...], list[list[str]]]:
    """The column titles, and a row for each setting."""
    return _COLUMNS, [_cells(row, study.chosen) for row in study.rows]


def recall(estimate: Estimate | None) -> str:
    """``"0.9934 [0.9911, 0.9955]"``; a dash where nothing was asked."""
    return "–" if estimate is None else f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"


def asked(study: IndexStudy) -> str:
    """``"500 text and 500 image queries"``."""
    return " and ".join(f"{n:,} {kind}" for kind, n in study.queries.items()) + " queries"


def _cells(row: Setting, chosen: Setting | None) -> list[str]:
    exact = row.graph is None
    numbers = ["–"] * 3 if exact else [str(n) for n in (row.m, row.ef_construction, row.ef_search)]
    return [
        row.kind, *numbers,
        "1 (by definition)" if exact else recall(row.recall_text),
        "1 (by definition)" if exact else recall(row.recall_image),
        f"{row.p50_ms:.3f}", f"{row.p99_ms:.3f}", f"{row.times_exact:.3f}",
        "–" if exact else f"{row.build_seconds:.1f}", f"{row.bytes / 2**20:.1f}",
        "chosen" if row == chosen else "",
    ]  # fmt: skip


def _markdown(study: IndexStudy, command: Sequence[str]) -> Iterator[str]:
    yield "# Index study"
    yield ""
    yield (
        f"{study.vectors:,} {study.modality} vectors of {study.encoder}, {study.dim} numbers, metric {study.metric}; "
        f"{asked(study)}, seed {study.seed}. {study.held_out:,} queries are vectors of the collection that were kept "
        "out of the indexes. Recall is recall@10 against exact search with its 95 % interval (bootstrap over queries); "
        f"chance is {min(1.0, 10 / max(1, study.vectors)):.2g}. Times are of one query at a time, text and image "
        "queries together; `× exact` is the ratio of medians to exact search, measured in turns with it. Where other "
        "work ran on the machine, exact search looks slower than it is, since long searches are interrupted more often."
        " MiB is what searches work on: vectors, links and ids; hnsw-sq8 also reads the float16 rows of what it found "
        "from the index file, which are not counted."
    )
    yield ""
    if study.built < study.planned:
        yield f"**Unfinished: {study.built} of {study.planned} graphs.**"
        yield ""
    yield f"**Target {study.target:g}.** {study.why}" + (
        " It is the collection's setting now." if study.applied else ""
    )
    yield ""
    yield RULE
    yield ""
    titles, rows = table(study)
    yield f"| {' | '.join(titles)} |"
    yield "|---" + "|--:" * (len(titles) - 2) + "|---|"
    for cells in rows:
        yield f"| {' | '.join(cells)} |"
    yield ""
    for note in study.notes:
        yield f"- {note}"
    if study.notes:
        yield ""
    yield "; ".join(f"{key} {value}" for key, value in _machine().items()) + "."
    yield ""
    yield f"    {' '.join(command)}"


def _machine() -> dict[str, Any]:
    packages = {}
    for name in ("babelens", "faiss-cpu", "numpy"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "unknown"
    threads = {name: os.environ[name] for name in _THREADS if name in os.environ}
    return {
        "cores": os.cpu_count(),
        "system": platform.machine(),
        "Python": platform.python_version(),
        **packages,
        **threads,
    }
