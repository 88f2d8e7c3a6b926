"""The demo's findings on a terminal, or as one JSON object per line."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..languages import LANGUAGES
from ..metrics.statistics import Estimate
from .trials import Part, Trial

if TYPE_CHECKING:
    from rich.console import Console

    from .run import DemoReport

_TASKS = {
    "text_to_image": "words → pictures",
    "image_to_text": "picture → words",
    "image_to_image": "picture → pictures",
    "combined_plus": "picture + words",
    "combined_minus": "picture − words",
    "no_match": "not in the gallery",
}
_SHOWN = 3
_ISOLATE, _POP = "\u2068", "\u2069"


def print_tables(report: DemoReport, console: Console | None = None) -> None:
    """The samples with their top 3 and whether they are right, then the rates over the whole gallery."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, 150)  # in a file or a pipe, nothing need be cut
    table = Table(
        box=box.SIMPLE_HEAD,
        title="A few queries, drawn by lot",
        caption="Pictures are shown by their captions. ✓ 1 means that the first hit is right.",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("task", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("query", ratio=2)
    table.add_column("top 3", ratio=4)
    table.add_column("right", no_wrap=True)
    for task, trials in report.samples.items():
        if task == "image_to_text":  # one picture in all languages says enough here; the sheet shows more
            trials = trials[: len(LANGUAGES)]
        for number, trial in enumerate(trials):
            found = " · ".join(_isolated(_caption(trial, i)) for i in range(min(_SHOWN, len(trial.hits))))
            label = _TASKS[task] if number == 0 else ""
            table.add_row(label, trial.language, _query(trial), found, _verdict(trial))
        table.add_section()
    console.print(table)

    rates = Table(
        box=box.SIMPLE_HEAD,
        title=f"Hit rates over all captions of {report.pictures} pictures, with 95 % bootstrap intervals",
        title_justify="left",
    )
    for column in ("task", "", "n", "hit_rate@1", "hit_rate@5", "chance @1, @5"):
        rates.add_column(column, justify="left" if column in ("task", "") else "right", no_wrap=True)
    _add_rates(rates, "words → pictures", report.text_to_image)
    _add_rates(rates, "  by things named", {str(count): row for count, row in report.by_things.items()})
    _add_rates(rates, "picture → words", report.image_to_text)
    _add_rates(rates, "picture → pictures", {"": report.image_to_image})
    for name, row in report.combined.items():
        _add_rates(rates, name.lower().replace("plus", "+").replace("minus", "−"), {"": row})
    console.print(rates)
    no_match = report.no_match
    console.print(
        f"Absent things told “nothing matches”: {_share(no_match.refused)} of {no_match.refused.n} queries; "
        f"captions that do have a picture: {_share(no_match.refused_wrongly)} of {no_match.refused_wrongly.n}."
    )
    console.print(
        f"Encoder: {report.encoder}. It is made for drawings and icons; it cannot see photographs."
        if report.encoder == "mini"
        else f"Encoder: {report.encoder}."
    )
    console.print(f"{report.seconds:.1f} s. The pictures found: ", end="")
    console.print(str(report.contact_sheet), soft_wrap=True)
    if report.collection:
        console.print("The collection stays in ", end="")
        console.print(str(report.collection), soft_wrap=True)


def print_json(report: DemoReport) -> None:
    """One object per sample, then ``{"summary": …}``."""
    for trials in report.samples.values():
        for trial in trials:
            _print_line(
                {
                    "task": trial.task,
                    "language": trial.language or None,
                    "query": [_part(part) for part in trial.query],
                    "top": [
                        {"picture": hit.path.name, "caption": _caption(trial, i), "right": trial.right[i]}
                        for i, hit in enumerate(trial.hits)
                    ],
                    "right": (not trial.confident) if trial.task == "no_match" else trial.rank == 1,
                    "confident": trial.confident,
                }
            )
    _print_line({"summary": summary(report)})


def summary(report: DemoReport) -> dict[str, Any]:
    """The rates as plain values."""
    no_match = report.no_match
    return {
        "text_to_image": {language: _rates(row) for language, row in report.text_to_image.items()},
        "text_to_image_by_things": {str(count): _rates(row) for count, row in report.by_things.items()},
        "image_to_text": {language: _rates(row) for language, row in report.image_to_text.items()},
        "image_to_image": _rates(report.image_to_image),
        "combined": {name.rsplit(" ", 2)[1]: _rates(row) for name, row in report.combined.items()},
        "no_match": {
            "n": no_match.refused.n,
            "refused": round(no_match.refused.value, 4),
            "refused_interval": _interval(no_match.refused),
            "captions_refused": round(no_match.refused_wrongly.value, 4),
            "separation": round(no_match.separation, 4),
        },
        "pictures": report.pictures,
        "encoder": report.encoder,
        "version": report.version,
        "contact_sheet": str(report.contact_sheet),
        "seconds": round(report.seconds, 2),
    }


def _rates(row: Mapping[int, Estimate]) -> dict[str, Any]:
    values: dict[str, Any] = {"n": next(iter(row.values())).n}
    for k, rate in row.items():
        values[f"hit_rate@{k}"] = round(rate.value, 4)
        values[f"hit_rate@{k}_interval"] = _interval(rate)
        values[f"chance@{k}"] = round(rate.chance or 0.0, 4)
    return values


def _interval(rate: Estimate) -> list[float]:
    return [round(rate.low, 4), round(rate.high, 4)]


def _print_line(value: Mapping[str, Any]) -> None:
    ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    sys.stdout.write(json.dumps(value, ensure_ascii=ascii_only) + "\n")


def _part(part: Part) -> dict[str, Any]:
    value = (
        {"text": part.text} if part.text else {"picture": part.picture.path.name if part.picture else None}
    )
    return {**value, "minus": True} if part.minus else dict(value)


def _caption(trial: Trial, hit: int) -> str:
    return trial.hits[hit].captions[trial.language or "en"]


def _query(trial: Trial) -> str:
    text = ""
    for part in trial.query:
        shown = part.text or (f"[{part.picture.captions[trial.language or 'en']}]" if part.picture else "")
        text += (" − " if part.minus else " + " if text else "") + _isolated(shown)
    return text.replace("[", r"\[")


def _isolated(text: str) -> str:
    """Right-to-left text, isolated so that it cannot reorder the columns beside it."""
    if any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text):
        return f"{_ISOLATE}{text}{_POP}"
    return text


def _verdict(trial: Trial) -> str:
    if trial.task == "no_match":
        return "✗ claims a match" if trial.confident else "✓ says no match"
    return f"✓ {trial.rank}" if trial.rank else "✗"


def _add_rates(table: Any, task: str, rows: Mapping[str, Mapping[int, Estimate]]) -> None:
    for number, (language, row) in enumerate(rows.items()):
        cells = [
            f"{100 * rate.value:5.1f} %  ({100 * rate.low:.0f} to {100 * rate.high:.0f})"
            for rate in row.values()
        ]
        chance = ", ".join(f"{100 * (rate.chance or 0.0):.1f} %" for rate in row.values())
        table.add_row("" if number else task, language, str(row[1].n), *cells, chance)
    table.add_section()


def _share(rate: Estimate) -> str:
    return f"{100 * rate.value:.0f} % ({100 * rate.low:.0f} to {100 * rate.high:.0f})"
