"""What a run leaves to be read: ``report.json``, ``report.md``, ``report.html`` with plots, and the model's card."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MissingExtraError
from ..evaluation.html import html
from ..evaluation.markdown import markdown
from ..evaluation.plots import interpolation_curve, training_curves
from ..evaluation.report import as_json as plain
from ..evaluation.report import embedded, written
from ..evaluation.sections import Section, Table
from ..evaluation.training_log import read_training_log
from ..metrics.retrieval import CUTS
from ..metrics.statistics import Difference
from .finetune import FineTuning
from .gate import GUARDS
from .measure import DIRECTIONS, Outcome
from .run import LOG

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CARD = "README.md"


def as_json(found: FineTuning) -> dict[str, Any]:
    """Everything but single queries."""
    values = {
        field.name: plain(getattr(found, field.name))
        for field in dataclasses.fields(found)
        if field.name not in ("base", "tuned", "blended")
    }
    values["out"] = str(found.out)
    values["encoder"] = str(found.encoder) if found.encoder else None
    for name in ("base", "tuned", "blended"):
        values[name] = _outcome(getattr(found, name))
    return values


def write_report(found: FineTuning) -> tuple[Path, ...]:
    """Writes the report into the run's folder, and the card into the published one. Gives the files of the report."""
    parts = sections(found)
    try:
        plots = embedded(_plots(found), found.out / "plots")
    except MissingExtraError as error:
        plots = {}
        parts.append(Section("Plots", f"There are none: {error.message} {error.hint or ''}".strip()))
    title = f"Fine-tuning of {found.fingerprint.name}"
    texts = {
        "report.json": json.dumps(as_json(found), ensure_ascii=False, indent=1) + "\n",
        "report.md": markdown(title, parts, {name: shown for name, (_, shown) in plots.items()}),
        "report.html": html(title, parts, plots),
    }
    if found.encoder is not None:
        written(found.encoder / CARD, card(found))
    return tuple(written(found.out / name, text) for name, text in texts.items())


def card(found: FineTuning) -> str:
    """What whoever is given the folder must know: the report without its plots, under the model's name."""
    title = f"{found.out.absolute().name}, fine-tuned from {found.fingerprint.name}"
    return markdown(title, [dataclasses.replace(part, plots=()) for part in sections(found)], {})


# -- sections ----------------------------------------------------------------------------------------------------


def sections(found: FineTuning) -> list[Section]:
    """The report: the verdict first."""
    return [
        _verdict(found),
        _line(found),
        _kept(found),
        *(_gains(found, k) for k in GUARDS),
        _side_by_side(found),
        _training(found),
    ]


def _verdict(found: FineTuning) -> Section:
    text = found.verdict.why
    if found.chosen.alpha < 1:
        alone = 100 * (found.tuned.mean() - found.base.mean())
        harmed = _grouped(found.points[-1].harmed)
        text += f"\n\nThe fine-tuned weights alone find {alone:+.1f} points more on the test split"
        text += f", and harm {harmed}." if harmed else "."
    return Section("Verdict", text)


def _side_by_side(found: FineTuning) -> Section:
    rows = []
    for direction in DIRECTIONS:
        for tag in found.base.languages:
            for k in CUTS:
                name = f"{direction.replace('_', ' ')}, {tag}, hit_rate@{k}"
                estimates = [
                    outcome.recall(direction, tag, k) for outcome in (found.base, found.tuned, found.blended)
                ]
                cells = [f"{one.value:.1%} ({100 * one.low:.1f}–{100 * one.high:.1f})" for one in estimates]
                chance = estimates[0].chance or 0.0
                rows.append((name, f"{estimates[0].n:,}", *cells, f"{chance:.1%}"))
    return Section(
        "Base, fine-tuned and blended, on the test split",
        f"{found.base.pictures:,} pictures, neither trained on nor chosen by. Intervals of 95 % draw pictures. "
        f"The blend has {found.chosen.alpha:.0%} of the fine-tuned weights.",
        Table(("", "n", "base", "fine-tuned", "blended", "chance"), tuple(rows)),
    )


def _gains(found: FineTuning, k: int) -> Section:
    rows = tuple(
        (direction.replace("_", " "), tag, *_points(one))
        for direction, by_language in found.verdict.gains[k].items()
        for tag, one in by_language.items()
    )
    return Section(
        f"Gain of the blend over the base, hit_rate@{k}, in points",
        "Paired: the same queries were asked of both. An interval that includes zero is not a gain.",
        Table(("", "language", "gain", "95 % interval", "p", "n"), rows),
    )


def _points(one: Difference) -> tuple[str, ...]:
    return (
        f"{100 * one.value:+.1f}",
        f"{100 * one.low:+.1f} to {100 * one.high:+.1f}",
        f"{one.p:.3f}",
        f"{one.n:,}",
    )


def _grouped(harmed: Sequence[str]) -> str:
    """``"gallery (en, es)"`` for ``("gallery en", "gallery es")``; languages alone stand as they are."""
    by_domain: dict[str, list[str]] = {}
    for name in harmed:
        domain, _, tag = name.rpartition(" ")
        by_domain.setdefault(domain, []).append(tag)
    return ", ".join(
        f"{domain} ({', '.join(tags)})" if domain else ", ".join(tags) for domain, tags in by_domain.items()
    )


def _kept(found: FineTuning) -> Section:
    by_alpha = {point.alpha: point for point in found.points}
    before, tuned, chosen = by_alpha[0.0], found.points[-1], found.chosen
    rows = tuple(
        (f"{domain}, {tag}", *(f"{point.kept[domain][tag]:.1%}" for point in (before, tuned, chosen)))
        for domain, row in before.kept.items()
        for tag in row
    )
    text = (
        "Means of hit_rate at 1, 5 and 10 over both directions. "
        f"Tolerance in points: {100 * found.settings.tolerance:g}. "
        "The blend was chosen by these, so they are no independent figures."
    )
    if not rows:
        return Section("Other domains", "None was named: nobody knows what the encoder forgot.")
    return Section("Other domains", text, Table(("", "base", "fine-tuned", "blended"), rows))


def _line(found: FineTuning) -> Section:
    rows = tuple(
        (
            f"{point.alpha:.0%}",
            f"{point.validation:.1%}",
            *(f"{sum(row.values()) / len(row):.1%}" for row in point.kept.values()),
            _grouped(point.harmed) or "none",
        )
        for point in found.points
    )
    return Section(
        "Between base and fine-tuned weights",
        "Share of the fine-tuned weights, what it finds on the validation split and in other domains (means over "
        "languages), and what it harms.",
        Table(("share", "validation", *found.points[0].kept, "harmed"), rows),
        ("interpolation",),
    )


def _training(found: FineTuning) -> Section:
    settings, data = found.settings, found.data
    facts = {
        "base": f"{found.fingerprint.name}, revision {found.fingerprint.revision}",
        "trained": settings.parts,
        "loss": settings.loss if data["train"] else settings.parallel,
        "training pictures": f"{data['train']['pictures']:,}" if data["train"] else "none",
        "parallel texts": f"{data['parallel']:,}" if data["parallel"] else "none",
        "validation pictures": f"{data['validation']['pictures']:,}",
        "test pictures": f"{data['test']['pictures']:,}",
        "left out": f"{len(data['left_out']):,} lines or pictures (report.json names them)",
        "learning rate": f"{settings.learning_rate:g}",
        "steps": f"{found.steps:,}, the weights of step {found.best_step:,} taken; {found.seconds:.0f} s of training",
        "seed": str(settings.seed),
        "before the first step": f"{found.parity.queries:,} queries answered as when serving, "
        f"{found.parity.moved} moved by rounding; vectors differ by {found.parity.apart:.1g}",
    }
    rows = tuple(facts.items())
    return Section("Training", "", Table(("", ""), rows), ("training",))


# -- plots -------------------------------------------------------------------------------------------------------


def _plots(found: FineTuning) -> list[tuple[str, Figure, str]]:
    points = {
        "validation": {point.alpha: point.validation for point in found.points},
        **{
            domain: {
                point.alpha: sum(point.kept[domain].values()) / len(point.kept[domain])
                for point in found.points
            }
            for domain in found.points[0].kept
        },
    }
    return [
        (
            "interpolation",
            interpolation_curve(points, chosen=found.chosen.alpha),
            "What blends of both weights find on the validation split and in other domains; the table has the figures.",
        ),
        (
            "training",
            training_curves(read_training_log(found.out / LOG)),
            "Loss, learning rate and validation recall by step.",
        ),
    ]


def _outcome(found: Outcome) -> dict[str, Any]:
    return {
        "pictures": found.pictures,
        "mean": found.mean(),
        "chance": found.chance,
        "recall": {
            direction: {
                tag: {f"hit_rate@{k}": plain(found.recall(direction, tag, k)) for k in CUTS}
                for tag in found.languages
            }
            for direction in DIRECTIONS
        },
    }
