"""Latency against recall of a study of index settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..errors import MissingExtraError

if TYPE_CHECKING:
    from ..collection import IndexStudy
    from ..indexes.setting import Graph, Setting
    from ..metrics.statistics import Estimate
    from ..types import Modality

FILES: Final = ("latency-recall.png", "latency-recall.svg")
# Okabe and Ito's colours, without the yellow that white paper swallows; told apart by most colour-blind eyes.
_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
_TICKS: Final = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9995)
_STYLES: Final[dict[Modality, tuple[str, str]]] = {
    "text": ("-", "text queries: solid, filled"),
    "image": ("--", "image queries: dashed, hollow"),
}
_MARKERS: Final = {"hnsw": "o", "hnsw-fp16": "D", "hnsw-sq8": "s"}


def plot_study(study: IndexStudy, folder: Path) -> list[Path]:
    """Writes ``latency-recall.png`` and ``.svg`` into ``folder``, which is made; returns their paths.

    Recall is drawn by the share that is missed, on a logarithmic axis, so that 0.95 to 1 has most of the room. One line
    for each graph and kind of query, its points the beams. Raises :class:`MissingExtraError` without Matplotlib.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "eval") from error
    asked: list[Modality] = [modality for modality in _STYLES if study.queries.get(modality)]
    graphs = list(dict.fromkeys(row.graph for row in study.rows if row.graph is not None))
    figure = Figure(figsize=(5.2 * len(asked) + 2.6, 5.2), layout="constrained")
    axes = figure.subplots(1, len(asked), sharex=True, sharey=True, squeeze=False)[0]
    floor = _floor(study)
    for axis, modality in zip(axes, asked, strict=True):
        _lines(axis, study, modality, graphs, floor)
        _frame(axis, study, modality, floor)
    axes[0].set_ylabel("p50 of a query, ms (log)")
    handles = {label: handle for handle, label in zip(*axes[0].get_legend_handles_labels(), strict=True)}
    figure.legend(
        list(handles.values()), list(handles), loc="outside right center", frameon=False, fontsize=9,
        title="kind  M / efConstruction", title_fontsize=9, alignment="left",
    )  # fmt: skip
    figure.suptitle(
        f"{study.vectors:,} {study.modality} vectors of {study.encoder}: latency against recall@10",
        x=0.01, ha="left", fontsize=12,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / name for name in FILES]
    for path, canvas in zip(written, (FigureCanvasAgg, FigureCanvasSVG), strict=True):
        canvas(figure).print_figure(str(path), dpi=150)
    return written


def _lines(axis: Any, study: IndexStudy, modality: Modality, graphs: Sequence[Graph], floor: float) -> None:
    style, _ = _STYLES[modality]
    for graph, colour in zip(graphs, _colours(len(graphs)), strict=True):
        rows = sorted((row for row in study.rows if row.graph == graph), key=lambda row: row.ef_search)
        recalls = [_recall(row, modality) for row in rows]
        points = [(row, recall) for row, recall in zip(rows, recalls, strict=True) if recall is not None]
        axis.plot(
            [_missed(recall.value, floor) for _, recall in points],
            [row.p50_ms for row, _ in points],
            linestyle=style, marker=_MARKERS[graph.kind], color=colour, markersize=5, linewidth=1.4,
            markerfacecolor=colour if modality == "text" else "white",
            label=f"{graph.kind}  {graph.m} / {graph.ef_construction}",
        )  # fmt: skip
    chosen = study.chosen
    if chosen is not None and (recall := _recall(chosen, modality)) is not None:
        point = (_missed(recall.value, floor), chosen.p50_ms)
        axis.plot(
            *point, marker="o", markersize=15, markerfacecolor="none", markeredgecolor="black", linestyle="none",
            label=f"chosen, efSearch {chosen.ef_search}",
        )  # fmt: skip


def _frame(axis: Any, study: IndexStudy, modality: Modality, floor: float) -> None:
    exact = study.rows[0].p50_ms
    axis.axhline(exact, color="0.35", linewidth=1.2, linestyle=":", label="exact search")
    if study.target < 1:
        axis.axvline(
            _missed(study.target, floor),
            color="0.35",
            linewidth=1.2,
            linestyle="-.",
            label=f"target {study.target:g}",
        )
    axis.set_xscale("log")
    axis.set_yscale("log")
    missed = [1 - value for value in _recalls(study)]
    left = 1.4 * max([0.01, 1 - study.target, *missed])
    axis.set_xlim(left, floor / 1.3)  # few misses to the right
    ticks = [(1 - tick, f"{tick:g}") for tick in _TICKS if floor * 1.5 < 1 - tick <= left]
    if min(missed, default=1.0) <= 0:
        ticks.append((floor, "1"))
    axis.set_xticks([at for at, _ in ticks], [label for _, label in ticks], fontsize=9)
    axis.minorticks_off()
    low, high = axis.get_ylim()
    marks = [mark for mark in _decades(low, high) if low <= mark <= high]
    axis.set_yticks(marks, [f"{mark:g}" for mark in marks])
    axis.grid(True, color="0.9", linewidth=0.8)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.set_xlabel("recall@10 against exact search")
    axis.set_title(f"{_STYLES[modality][1]} (n = {study.queries[modality]:,})", fontsize=11)


def _recall(row: Setting, modality: Modality) -> Estimate | None:
    return row.recall_text if modality == "text" else row.recall_image


def _recalls(study: IndexStudy) -> list[float]:
    rows = [row for row in study.rows if row.graph is not None]
    return [r.value for row in rows for r in (row.recall_text, row.recall_image) if r is not None]


def _floor(study: IndexStudy) -> float:
    """Where no miss at all is drawn: a step beyond the smallest miss there is, and beyond the target."""
    misses = [1 - value for value in (*_recalls(study), study.target) if value < 1]
    return min(misses, default=0.01) / 2


def _missed(recall: float, floor: float) -> float:
    return max(1 - recall, floor)


def _colours(count: int) -> list[Any]:
    if count <= len(_COLOURS):
        return list(_COLOURS[:count])
    from matplotlib import colormaps

    return [colormaps["turbo"](share) for share in np.linspace(0.05, 0.95, count)]


def _decades(low: float, high: float) -> list[float]:
    exponents = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    return [lead * 10.0**exponent for exponent in exponents for lead in (1, 2, 5)]
