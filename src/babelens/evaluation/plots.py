"""One function for a plot, from plain values to a figure; :func:`~.figures.save` writes it as PNG and SVG.

No figure without n and an interval: values come as :class:`~babelens.metrics.statistics.Estimate`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..metrics.statistics import Estimate, Roc, auc
from .figures import INK, QUIET, SERIES, in_order, new_figure, save, series, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "interpolation_curve",
    "language_confusion",
    "learning_curve",
    "recall_by_language",
    "recall_curves",
    "roc_curve",
    "save",
    "score_distributions",
    "training_curves",
]

_BINS: Final = 60
# Wide apart in lightness too: the two directions, or the kinds of pairs, of one plot.
_CONTRAST: Final = (SERIES[2], SERIES[4], SERIES[0], SERIES[3])
_TERMS: Final = ("loss", "lr")


@styled
def recall_by_language(values: Mapping[str, Mapping[str, Estimate]], *, k: int) -> Figure:
    """Hit rate at ``k`` by direction (such as ``text_to_image``) and language: a dot with its 95 % interval.

    A short line under each dot is the level of chance; n stands below the language.
    """
    figure = new_figure()
    axes = figure.subplots()
    languages = in_order(tag for row in values.values() for tag in row)
    place = {tag: number for number, tag in enumerate(languages)}
    step = 0.5 / max(1, len(values))
    levels: list[tuple[float, float | None]] = []
    for number, (direction, row) in enumerate(values.items()):
        colour, marker, _ = _CONTRAST[number % len(_CONTRAST)]
        shift = (number - (len(values) - 1) / 2) * step
        known = [tag for tag in languages if tag in row]
        x = [place[tag] + shift for tag in known]
        y = [row[tag].value for tag in known]
        axes.errorbar(
            x, y, yerr=_arms([row[tag] for tag in known]), fmt=marker, color=colour, markersize=7,
            elinewidth=1.6, capsize=3, label=_words(direction),
        )  # fmt: skip
        levels += [(left, row[tag].chance) for left, tag in zip(x, known, strict=True)]
    lines = [(left, chance) for left, chance in levels if chance is not None]
    if lines:
        left, chance = (np.array(side) for side in zip(*lines, strict=True))
        axes.hlines(chance, left - 0.12, left + 0.12, color=QUIET, linewidth=1.4, label="chance")
    axes.set_xticks(range(len(languages)), [f"{tag}\n{_counts(values, tag)}" for tag in languages])
    axes.set_xlim(-0.6, len(languages) - 0.4)
    axes.grid(axis="x", visible=False)
    _shares(axes, f"hit rate@{k}")
    axes.set_title(f"Hit rate at {k} by language, with 95 % intervals")
    _legend(figure, "outside lower center", ncols=len(values) + 1)
    return figure


@styled
def recall_curves(curves: Mapping[str, Sequence[Estimate]]) -> Figure:
    """Hit rate against k, from 1 on, a line with its 95 % band for each label (a language, or a system).

    The level of chance is the dashed line, one for each that differs.
    """
    figure = new_figure()
    axes = figure.subplots()
    chances: list[list[float]] = []
    for number, label in enumerate(in_order(curves)):
        colour, marker, _ = series(label, number)
        curve = curves[label]
        k = np.arange(1, len(curve) + 1)
        # Markers at 1, 2, 3, 5, 10, 20, 30, 50 … tell lines apart without colour.
        marked = [i for i in range(len(curve)) if _round_number(i + 1)]
        axes.plot(
            k, [point.value for point in curve], color=colour, marker=marker, markevery=marked, markersize=5,
            label=f"{label}, n = {_range([point.n for point in curve])}",
        )  # fmt: skip
        low, high = [point.low for point in curve], [point.high for point in curve]
        axes.fill_between(k, low, high, color=colour, alpha=0.12, linewidth=0)
        chance = [point.chance for point in curve]
        found = [level for level in chance if level is not None]
        if found and len(found) == len(curve) and found not in chances:
            chances.append(found)
    for number, found in enumerate(chances):
        k = np.arange(1, len(found) + 1)
        named = None if number else "chance"
        axes.plot(k, found, color=QUIET, linestyle="--", linewidth=1.2, label=named)
    longest = max((len(curve) for curve in curves.values()), default=1)
    if longest > 20:
        axes.set_xscale("log")
        ticks = [value for value in range(1, longest + 1) if _round_number(value)]
        axes.set_xticks(ticks, [str(value) for value in ticks])
        axes.minorticks_off()
    else:
        axes.set_xticks(range(1, longest + 1))
    axes.set_xlabel("k")
    _shares(axes, "hit rate@k")
    axes.set_title("Hit rate among the first k, with 95 % intervals")
    _legend(figure, "outside right upper")
    return figure


@styled
def language_confusion(
    matrix: NDArray[Any],
    languages: Sequence[str],
    *,
    title: str = "Language of a picture's nearest captions",
    rows: str = "language asked for",
    columns: str = "language found",
    n: int | None = None,
) -> Figure:
    """Shares between languages as an annotated heat map; row ``i`` is ``languages[i]``. NaN stays blank.

    ``n`` is how many queries each share is over. Shape: (l, l). Raises ``ValueError`` for another or empty shape.
    """
    shares = np.asarray(matrix, dtype=np.float64)
    if not len(languages) or shares.shape != (len(languages), len(languages)):
        raise ValueError(f"a matrix of shape {shares.shape} for {len(languages)} languages")
    order = [list(languages).index(tag) for tag in in_order(languages)]
    shares, tags = shares[np.ix_(order, order)], [languages[place] for place in order]
    figure = new_figure(6.4, 5.6)
    axes = figure.subplots()
    top = float(np.nanmax(shares)) if np.isfinite(shares).any() else 1.0
    drawn = axes.imshow(shares, cmap="Blues", vmin=0, vmax=top or 1.0)
    for i, j in np.ndindex(*shares.shape):
        if np.isfinite(shares[i, j]):
            dark = shares[i, j] > 0.6 * top
            axes.text(
                j,
                i,
                f"{shares[i, j]:.2f}",
                ha="center",
                va="center",
                fontsize=9,
                color="white" if dark else INK,
            )
    axes.set_xticks(range(len(tags)), tags)
    axes.set_yticks(range(len(tags)), tags)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(columns + (f"   (n = {n:,} for each row)" if n is not None else ""))
    axes.set_ylabel(rows)
    axes.set_title(title)
    figure.colorbar(drawn, ax=axes, shrink=0.85).outline.set_visible(False)
    return figure


@styled
def score_distributions(
    scores: Mapping[str, NDArray[Any]],
    *,
    aucs: Mapping[str, Estimate] | None = None,
    unit: str = "cosine",
    title: str = "Scores of pairs",
) -> Figure:
    """Densities of scores, such as of matched pairs, mismatched pairs, and best hits where nothing matches.

    The first is what should score high. The legend says n of each, and the probability that a score of the first is
    above one of it (AUC): as given in ``aucs``, whose intervals can know which scores belong to one picture; else
    computed, with an interval that takes all scores as independent (Hanley and McNeil 1982). Shape: (n,) each.
    """
    figure = new_figure()
    axes = figure.subplots()
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in scores.items()}
    filled = [values for values in arrays.values() if len(values)]
    everything = np.concatenate(filled) if filled else np.array([0.0, 1.0])
    edges = np.histogram_bin_edges(everything, bins=_BINS)
    first = next(iter(arrays), None)
    for number, (name, values) in enumerate(arrays.items()):
        colour, line = _CONTRAST[number % len(_CONTRAST)][0], ("-", "--", ":", "-.")[number % 4]
        label = f"{name}, n = {len(values):,}"
        if name != first and first is not None and len(values) and len(arrays[first]):
            area = (aucs or {}).get(name) or _independent_auc(arrays[first], values)
            label += f"\nAUC of {first}: {area.value:.3f} [{area.low:.3f}, {area.high:.3f}]"
        if len(values):
            density, _ = np.histogram(values, bins=edges, density=True)
            axes.stairs(density, edges, fill=True, color=colour, alpha=0.14)
            axes.stairs(density, edges, color=colour, linestyle=line, linewidth=1.6, label=label)
        else:
            axes.plot([], [], color=colour, linestyle=line, label=label)
    axes.set_xlabel(unit)
    axes.set_ylabel("density")
    axes.set_yticks([])
    axes.set_title(title)
    _legend(figure, "outside lower center", ncols=min(3, max(1, len(arrays))))
    return figure


@styled
def roc_curve(curves: Mapping[str, Roc], aucs: Mapping[str, Estimate]) -> Figure:
    """ROC curves by label (a language, or a system), with the area under each, its 95 % interval and n."""
    figure = new_figure(8.4, 4.8)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=QUIET, linestyle="--", linewidth=1.2, label="chance")
    for number, label in enumerate(in_order(curves)):
        colour, marker, _ = series(label, number)
        curve, area = curves[label], aucs[label]
        axes.plot(
            curve.false_positives, curve.true_positives, color=colour, marker=marker, markersize=5,
            markevery=(0.04 + 0.01 * number, 0.12), drawstyle="steps-post",
            label=f"{label}  {area.value:.3f} [{area.low:.3f}, {area.high:.3f}], n = {area.n:,}",
        )  # fmt: skip
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_box_aspect(1)
    axes.set_xlabel("false positives (share)")
    axes.set_ylabel("true positives (share)")
    axes.set_title("Match or no match: ROC")
    figure.legend(loc="outside right upper", title="AUC with 95 % interval", alignment="left")
    return figure


@styled
def training_curves(log: Sequence[Mapping[str, Any]]) -> Figure:
    """Loss, learning rate, and validation recall@1 both ways by language with its 95 % interval, against steps.

    A dotted line is where the size of the pictures changes, and recall with it.
    ``log`` holds the entries of :func:`~.training_log.read_training_log`. Raises ``ValueError`` when there are none.
    """
    if not log:
        raise ValueError("a training log without entries")
    figure = new_figure(8.0, 6.4)
    panels = figure.subplots(2, 2, sharex=True)
    _losses(panels[0, 0], log)
    trained = [entry for entry in log if "lr" in entry["train"]]
    panels[0, 1].plot([e["step"] for e in trained], [e["train"]["lr"] for e in trained], color=INK)
    panels[0, 1].set_title("Learning rate")
    panels[0, 1].set_ylim(bottom=0)
    panels[0, 1].ticklabel_format(axis="y", style="sci", scilimits=(-2, 2))
    languages = in_order(tag for entry in log for tag in entry["recall"])
    measures = ("text_to_image_1", "image_to_text_1")
    # A model that finds one picture in twenty would be a line on the floor of a full axis; this one still starts at 0.
    highest = max(
        row[f"{name}_high"] for entry in log for row in entry["recall"].values() for name in measures
    )
    top = next((top for top in (0.1, 0.15, 0.25, 0.5) if highest <= top), 1.02)
    for axes, measure in zip(panels[1], measures, strict=True):
        _validation(axes, log, measure, languages)
        axes.set_ylim(0, top)
    for axes in panels[1]:
        axes.set_xlabel("steps")
    sizes = [(entry["step"], entry["size"]) for entry in log if "size" in entry]
    for axes in panels.flat:
        for (_, before), (step, size) in pairwise(sizes):
            if size != before:
                axes.axvline(step, color=QUIET, linestyle=":", linewidth=1.0)
    n = _range([row["n"] for entry in log for row in entry["recall"].values()])
    styles = ", ".join(dict.fromkeys(str(entry["style"]) for entry in log if "style" in entry))
    note = f"Validation{f' on {styles}' if styles else ''}: n = {n} per language, with 95 % intervals."
    if len({size for _, size in sizes}) > 1:
        note += " Dotted: pictures of another size from there on."
    figure.suptitle(note, fontsize=9.5, color=QUIET)
    handles, labels = panels[1, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=max(1, len(languages)))
    return figure


@styled
def learning_curve(points: Mapping[str, Mapping[int, Estimate]], *, measure: str = "hit rate@1") -> Figure:
    """A measure against the number of training examples, with 95 % intervals; the dotted line is without training (0).

    ``points`` are by label (a language, or a system), then by the number of examples.
    """
    figure = new_figure()
    axes = figure.subplots()
    sizes = sorted({size for row in points.values() for size in row if size > 0})
    for number, label in enumerate(in_order(points)):
        colour, marker, _ = series(label, number)
        row = points[label]
        trained = [size for size in sorted(row) if size > 0]
        axes.errorbar(
            trained, [row[size].value for size in trained], yerr=_arms([row[size] for size in trained]),
            color=colour, marker=marker, markersize=6, capsize=3, elinewidth=1.2,
            label=f"{label}, n = {_range([point.n for point in row.values()])}",
        )  # fmt: skip
        if 0 in row:
            axes.axhline(row[0].value, color=colour, linestyle=":", linewidth=1.2)
    if sizes:
        axes.set_xscale("log")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
    axes.set_xlabel("training examples")
    _shares(axes, measure)
    axes.set_title(f"{measure[:1].upper()}{measure[1:]} by training examples, with 95 % intervals")
    _legend(figure, "outside right upper")
    return figure


@styled
def interpolation_curve(points: Mapping[str, Mapping[float, float]], *, chosen: float) -> Figure:
    """What blends of two models find, against the share of the second one's weights; ``chosen`` is marked.

    ``points`` are by data set, then by share. They are what a blend is chosen by and have no intervals: the chosen one
    is to be measured on other data.
    """
    figure = new_figure()
    axes = figure.subplots()
    for number, (label, row) in enumerate(points.items()):
        colour, marker, _ = series(label, number)
        axes.plot(list(row), list(row.values()), color=colour, marker=marker, markersize=6, label=label)
    axes.axvline(chosen, color=QUIET, linestyle=":", linewidth=1.4, label=f"chosen: {chosen:.0%}")
    axes.set_xlabel("share of the fine-tuned weights")
    _shares(axes, "mean of hit rate@1, 5 and 10")
    axes.set_title("Between the base model and the fine-tuned one")
    _legend(figure, "outside right upper")
    return figure


# -- parts ----------------------------------------------------------------------------------------------------


def _legend(figure: Figure, place: str, *, ncols: int = 1) -> None:
    """A legend outside the axes, of all that has a label; matplotlib warns of one without entries."""
    if any(axes.get_legend_handles_labels()[0] for axes in figure.axes):
        figure.legend(loc=place, ncols=ncols)


def _losses(axes: Axes, log: Sequence[Mapping[str, Any]]) -> None:
    names = dict.fromkeys(name for entry in log for name in entry["train"] if name not in _TERMS)
    everywhere = [entry for entry in log if "loss" in entry["train"]]
    axes.plot(
        [e["step"] for e in everywhere], [e["train"]["loss"] for e in everywhere], color=INK, label="sum"
    )
    for number, name in enumerate(names):
        # A term that a later stage takes up again is a line with a gap, not one across it.
        values = [entry["train"].get(name, math.nan) for entry in log]
        again, which = divmod(number, len(SERIES) - 1)
        colour, marker, _ = SERIES[1 + which]
        axes.plot(
            [entry["step"] for entry in log], values, color=colour, marker=marker, markersize=3.5,
            markevery=max(1, len(log) // 6), linewidth=1.1, linestyle="--" if again else "-", label=_words(name),
        )  # fmt: skip
    axes.set_title("Training loss")
    # Losses fall, but some hardly do: room above them for the legend.
    axes.set_ylim(0, 1.35 * axes.get_ylim()[1])
    axes.legend(loc="upper right", fontsize=7, ncols=2, frameon=True, framealpha=0.85, edgecolor="none")


def _validation(axes: Axes, log: Sequence[Mapping[str, Any]], measure: str, languages: Sequence[str]) -> None:
    for number, tag in enumerate(languages):
        rows = [(entry["step"], entry["recall"][tag]) for entry in log if tag in entry["recall"]]
        steps = [step for step, _ in rows]
        colour, marker, _ = series(tag, number)
        axes.plot(
            steps, [row[measure] for _, row in rows], color=colour, marker=marker, markersize=4,
            markevery=max(1, len(rows) // 6), linewidth=1.2, label=tag,
        )  # fmt: skip
        low, high = ([row[f"{measure}_{end}"] for _, row in rows] for end in ("low", "high"))
        axes.fill_between(steps, low, high, color=colour, alpha=0.08, linewidth=0)
    _shares(axes, "recall@1")
    axes.set_title(f"Validation, {_words(measure.removesuffix('_1'))}")


def _shares(axes: Axes, label: str) -> None:
    """An axis of shares, from 0 to 1 whatever the values: a cut axis makes small differences look large."""
    from matplotlib.ticker import PercentFormatter

    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.set_ylabel(label)


def _arms(estimates: Sequence[Estimate]) -> NDArray[np.float64]:
    """Lengths of error bars, down and up; an interval need not hold the value. Shape: (2, n)."""
    return np.array(
        [
            [max(0.0, point.value - point.low) for point in estimates],
            [max(0.0, point.high - point.value) for point in estimates],
        ]
    )


def _independent_auc(higher: NDArray[Any], lower: NDArray[Any]) -> Estimate:
    area, n, m = auc(higher, lower), len(higher), len(lower)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + (n - 1) * (q1 - area**2) + (m - 1) * (q2 - area**2)) / (n * m)
    reach = 1.96 * math.sqrt(max(0.0, variance))
    return Estimate(n, area, max(0.0, area - reach), min(1.0, area + reach), 0.5)


def _counts(values: Mapping[str, Mapping[str, Estimate]], language: str) -> str:
    numbers = dict.fromkeys(row[language].n for row in values.values() if language in row)
    return "n = " + "\n/ ".join(f"{number:,}" for number in numbers)


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers, default=0), max(numbers, default=0)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _round_number(value: int) -> bool:
    """1, 2, 3, 5 and these times powers of ten."""
    while value % 10 == 0:
        value //= 10
    return value in (1, 2, 3, 5)


def _words(name: str) -> str:
    return name.replace("_", " ")
