"""``tune index``: which index setting is the smallest that finds what exact search does."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import FILE, collection_option, command, json_option

if TYPE_CHECKING:
    from ..collection import Collection, IndexStudy
    from ..indexes.setting import Grid


class Numbers(click.ParamType[tuple[int, ...]]):
    """Whole numbers with commas between them."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        try:
            return tuple(int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of whole numbers such as 8,16,32.", param, ctx)


NUMBERS = Numbers()


@command("index")
@collection_option
@click.option(
    "--modality", type=click.Choice(["image", "text"]), default="image", show_default=True,
    help="Whose index: the one that finds pictures, or the one that finds captions.",
)  # fmt: skip
@click.option(
    "--target", metavar="R", type=click.FloatRange(0, 1, min_open=True), default=0.99, show_default=True,
    help="The recall@10 to reach, against exact search.",
)  # fmt: skip
@click.option(
    "--grid", type=click.Choice(["small", "full"]), default="small", show_default=True,
    help="The settings to try: 6 graphs or 36.",
)  # fmt: skip
@click.option(
    "--kinds", metavar="LIST", help="Kinds of graph instead of the grid's: hnsw,hnsw-fp16,hnsw-sq8."
)
@click.option("--m", "m", metavar="LIST", type=NUMBERS, help="Links per vector instead of the grid's.")
@click.option(
    "--ef-construction", metavar="LIST", type=NUMBERS, help="Beams while building, instead of the grid's."
)
@click.option(
    "--ef-search", metavar="LIST", type=NUMBERS, help="Beams while searching, instead of the grid's."
)
@click.option(
    "--queries", metavar="N", type=click.IntRange(min=1), default=500, show_default=True,
    help="How many texts, and how many pictures, to ask.",
)  # fmt: skip
@click.option(
    "--query-file", metavar="FILE", type=FILE,
    help="Texts to ask in place of the collection's own, one to a line (UTF-8).",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="The seed that draws them.")
@click.option(
    "--out", metavar="DIR", type=click.Path(file_okay=False),
    help="Write index-study.json, index-study.md and latency-recall.png and .svg there.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only measure; the collection keeps its setting.")
@click.option("--reset", is_flag=True, help="Forget the setting: size and memory choose again.")
@json_option
def index(
    collection: str,
    modality: Any,
    target: float,
    grid: str,
    kinds: str | None,
    m: tuple[int, ...] | None,
    ef_construction: tuple[int, ...] | None,
    ef_search: tuple[int, ...] | None,
    queries: int,
    query_file: str | None,
    seed: int,
    out: str | None,
    dry_run: bool,
    reset: bool,
    as_json: bool,
) -> None:
    """Find the smallest index setting that is good enough.

    Builds graphs over the collection's own vectors and asks them with its texts and pictures, against exact search.
    The setting with the least memory, then the fastest, whose recall@10 reaches the target for texts and for pictures
    becomes the collection's: `info` shows it, and every later build uses it. Run the same command again when it was
    stopped: finished graphs are kept.

    \b
    babelens tune index -c shop --out study
    """
    from ..collection import StudyPlan
    from .app import Interrupted
    from .opening import opened_to_write
    from .progress import reporting

    if reset and dry_run:
        raise click.UsageError("--reset changes the setting and --dry-run does not: give one of them.")
    tried = _grid(grid, kinds=kinds, m=m, ef_construction=ef_construction, ef_search=ef_search)
    texts = None if query_file is None else _lines(query_file)
    with opened_to_write(collection, create=False, read_only=dry_run) as opened:
        if reset:
            _reset(opened, modality, as_json)
            return
        plan = StudyPlan(modality, tried, target, queries, texts, seed)
        latest: list[IndexStudy] = []

        def on_rows(study: IndexStudy) -> None:
            latest[:] = [study]
            if out is not None:
                _write(study, Path(out))

        try:
            with reporting("Building graphs", "vectors") as reporter:
                study = opened.tune_index(plan, apply=not dry_run, on_rows=on_rows, progress=reporter.update)
        except KeyboardInterrupt:
            raise Interrupted(_kept(latest)) from None
        files = [] if out is None else [*_write(study, Path(out)), *_plot(study, Path(out))]
    _print(study, files, as_json=as_json, dry_run=dry_run)


def _grid(name: str, **given: Any) -> Grid:
    from ..indexes.setting import GRIDS

    changes = {field: value for field, value in given.items() if value is not None}
    if "kinds" in changes:
        changes["kinds"] = tuple(part.strip() for part in changes["kinds"].split(","))
    try:
        return dataclasses.replace(GRIDS[name], **changes)
    except ValueError as error:
        raise click.UsageError(f"The grid makes no sense: {error}.") from error


def _lines(path: str) -> list[str]:
    from ..errors import UnreadableFileError

    try:
        return Path(path).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UnreadableFileError(path, "it is not UTF-8", hint="Save the queries as UTF-8.") from error


def _reset(collection: Collection, modality: Any, as_json: bool) -> None:
    from .progress import reporting
    from .render import print_json

    with reporting("Building the index", "vectors") as reporter:
        there_was = collection.reset_index(modality=modality, progress=reporter.update)
    if as_json:
        print_json({"collection": str(collection.path), "modality": modality, "reset": there_was})
    elif there_was:
        click.echo(f"The setting of the {modality} index is forgotten; size and memory choose it again.")
    else:
        click.echo(f"The {modality} index had no setting of its own.")


def _write(study: IndexStudy, folder: Path) -> list[Path]:
    from ..evaluation.index_report import write_report

    return write_report(study, folder, command=["babelens", *sys.argv[1:]])


def _plot(study: IndexStudy, folder: Path) -> list[Path]:
    """The plot's files; without Matplotlib none, and a message says so."""
    from ..errors import MissingExtraError
    from ..evaluation.index_plot import plot_study
    from .render import message

    try:
        return plot_study(study, folder)
    except MissingExtraError as error:
        message(f"The plot is left out. {error.message} {error.hint}")
        return []


def _print(study: IndexStudy, files: Sequence[Path], *, as_json: bool, dry_run: bool) -> None:
    from ..evaluation.index_report import asked, table
    from .render import Column, duration, message, print_json, print_table, printable, shown_path

    if as_json:
        print_json({**dataclasses.asdict(study), "files": [str(path) for path in files]})
        return
    titles, rows = table(study)
    print_table([Column(title, "left" if title in ("kind", "") else "right") for title in titles], rows)
    for note in study.notes:
        message(note)
    again = f", {study.resumed} of {study.planned} graphs measured before" if study.resumed else ""
    message(
        f"{study.vectors:,} vectors, {asked(study)}, 95 % intervals ({duration(study.seconds)}{again}). "
        "Times are of this machine, with what else it was doing."
    )
    for path in files:
        message(f"written: {shown_path(str(path))}")
    if study.applied:
        end = " It is the collection's setting now."
    elif study.chosen is not None and dry_run:
        end = " Nothing is set (--dry-run)."
    else:
        end = " Nothing is set."
    click.echo(printable(study.why) + end)


def _kept(latest: Sequence[IndexStudy]) -> str:
    if not latest:
        return "No graph was finished."
    study = latest[0]
    if study.built == study.planned:
        return "Everything is measured; run the same command again to set what was found."
    return f"{study.built} of {study.planned} graphs are measured. Run the same command again to go on from here."
