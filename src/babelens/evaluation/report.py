"""Writes a report: ``report.json``, ``report.md``, ``report.html``, every query in ``queries.jsonl``, and plots."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DatasetError, MissingExtraError
from ..files import replacing
from .comparison import Comparison
from .evaluate import Evaluation
from .html import html
from .markdown import markdown
from .retrieval import DIRECTIONS, Outcomes
from .sections import PREFIXES, Section, compared, sections

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MADE_OF = {"corpus", "ranks", "ranks_deployed", "confidences"}


def check_folder(out: str | Path, *, overwrite: bool = False) -> None:
    """Raises :class:`DatasetError` when ``out`` holds a report that would be lost, before any work is done."""
    if not overwrite and (Path(out) / "report.json").exists():
        raise DatasetError(
            f"{out} holds a report already.", hint="Choose another folder, or write over it with --overwrite."
        )


def write_report(
    found: Evaluation | Comparison, out: str | Path, *, overwrite: bool = False
) -> tuple[Path, ...]:
    """Writes the report of one encoder or of two into ``out`` and returns the files.

    Raises :class:`DatasetError` when there is a report already and not ``overwrite``, ``OSError`` when it cannot be
    written.
    """
    folder = Path(out)
    check_folder(folder, overwrite=overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(found, Comparison):
        one, other = found.before.about, found.after.about
        title = f"{other.encoder.name} against {one.encoder.name} on {one.data['name']}"
        parts: list[Section] = compared(found)
        evaluations = [found.before, found.after]
    else:
        title = f"{found.about.encoder.name} on {found.about.data['name']}"
        parts = sections(found)
        evaluations = [found]
    try:
        plots = embedded(_plots(evaluations), folder / "plots")
    except MissingExtraError as error:
        plots = {}
        parts.append(Section("Plots", f"There are none: {error.message} {error.hint or ''}".strip()))
    files = {
        "report.json": json.dumps(as_json(found), ensure_ascii=False, indent=1) + "\n",
        "report.md": markdown(title, parts, {name: shown for name, (_, shown) in plots.items()}),
        "report.html": html(title, parts, plots),
    }
    paths = []
    for name, text in files.items():
        paths.append(written(folder / name, text))
    lines = (
        json.dumps({"encoder": evaluation.about.encoder.name, **row}, ensure_ascii=False) + "\n"
        for evaluation in evaluations
        for row in query_rows(evaluation)
    )
    paths.append(written(folder / "queries.jsonl", lines))
    return tuple(paths)


def as_json(found: Any) -> Any:
    """What stands in ``report.json``: dataclasses as objects, numbers that JSON lacks as null."""
    if dataclasses.is_dataclass(found):
        fields = [field.name for field in dataclasses.fields(found) if field.name not in _MADE_OF]
        return {name: as_json(getattr(found, name)) for name in fields}
    if isinstance(found, Mapping):
        return {str(key): as_json(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [as_json(value) for value in found]
    if isinstance(found, float) and not math.isfinite(found):
        return None
    return found


def query_rows(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    """One row for each query: what was asked, the ranks of its best answer (null: deeper than asked), confidence."""
    corpus = evaluation.corpus
    for direction in DIRECTIONS:
        for tag, captions in corpus.captions.items():
            exact = _first(evaluation.ranks, direction, tag)
            deployed = _first(evaluation.ranks_deployed, direction, tag)
            asked = range(len(captions)) if direction == "text_to_image" else captions.pictures.tolist()
            for place, number in enumerate(asked):
                row = int(captions.picture[number]) if direction == "text_to_image" else int(number)
                yield {
                    "direction": direction,
                    "language": tag,
                    "picture": os.fsencode(corpus.items[row].source.path).decode("utf-8", "backslashreplace"),
                    "query": captions.bodies[number] if direction == "text_to_image" else None,
                    "rank_exact": exact[place] if exact else None,
                    "rank": deployed[place] if deployed else None,
                }


def _first(outcomes: Outcomes | None, direction: Any, tag: str) -> list[int | None] | None:
    if outcomes is None:
        return None
    return [None if math.isinf(rank) else int(rank) for rank in outcomes[direction][tag].ranks.first]


def _plots(evaluations: Sequence[Evaluation]) -> Iterator[tuple[str, Figure, str]]:
    from .report_plots import draw_plots

    prefixes = PREFIXES if len(evaluations) > 1 else ("",)
    for prefix, evaluation in zip(prefixes, evaluations, strict=True):
        for name, figure, shown in draw_plots(evaluation):
            yield f"{prefix}{name}", figure, shown


def embedded(figures: Iterable[tuple[str, Figure, str]], folder: Path) -> dict[str, tuple[str, str]]:
    """Writes figures, each with its name and what it shows, into ``folder``; by name, each as a ``data:`` address and
    in words."""
    from .plots import save

    addresses = {}
    for name, figure, shown in figures:
        _, svg = save(figure, folder / name)
        encoded = base64.b64encode(svg.read_bytes()).decode("ascii")
        addresses[name] = (f"data:image/svg+xml;base64,{encoded}", shown)
    return addresses


def written(path: Path, text: str | Iterator[str]) -> Path:
    """Writes a file, whole or not at all, and gives its path."""
    with replacing(path) as file:
        for piece in [text] if isinstance(text, str) else text:
            file.write(piece.encode("utf-8", "backslashreplace"))
    return path
