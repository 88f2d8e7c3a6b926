"""``plot``: pictures of a collection and of a training run."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from .describe import LANGUAGES
from .options import FILE, collection_option, command, json_option

if TYPE_CHECKING:
    from ..evaluation.embedding_map import MapReport
    from ..evaluation.projection import Method
    from ..metrics.statistics import Estimate

_SHOWN = 10

out_option = click.option(
    "--out", metavar="DIR", type=click.Path(file_okay=False), required=True, help="The folder to write."
)


@click.group("plot", context_settings={"help_option_names": ["-h", "--help"]})
def plot() -> None:
    """Draw a collection as a map, and training curves."""


@command("map")
@out_option
@collection_option
@click.option(
    "--method", type=click.Choice(["tsne", "umap", "pca"]), default="tsne", show_default=True,
    help="How vectors are laid out in the plane. umap needs: pip install 'babelens[umap]'",
)  # fmt: skip
@click.option(
    "--languages", metavar="TAG,…", type=LANGUAGES, help="Captions in these languages only.  [default: all there are]"
)  # fmt: skip
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=1), default=2000, show_default=True,
    help="How many points at most, pictures and captions together.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(min=0, max=2**32 - 1), default=0, show_default=True,
    help="Draws the pictures and lays them out.",
)  # fmt: skip
@json_option
def map_(
    out: str,
    collection: str,
    method: Method,
    languages: tuple[str, ...] | None,
    limit: int,
    seed: int,
    as_json: bool,
) -> int:
    """Draw pictures and captions as a map.

    Writes map.png, map.svg, and map.html: one page that shows the picture and its captions under the pointer, and
    needs no network. A map illustrates; the modality gap is printed beside it. Needs: pip install 'babelens[eval]'

    \b
    babelens plot map -c holiday --out holiday-map
    """
    from ..collection import Collection
    from ..evaluation.embedding_map import embedding_map
    from .app import INCOMPLETE, OK
    from .progress import reporting
    from .render import print_json

    with (
        Collection.open(collection, create=False, read_only=True) as opened,
        reporting("Drawing", "points") as reporter,
    ):
        report = embedding_map(
            opened,
            out,
            method=method,
            languages=languages,
            limit=limit,
            seed=seed,
            progress=reporter.update,
        )
    if as_json:
        print_json(dataclasses.asdict(report))
    else:
        _show(report)
    return INCOMPLETE if report.unreadable else OK


def _show(report: MapReport) -> None:
    from collections import Counter

    from .render import count, message, printable, shown_path, size

    texts = ", ".join(f"{tag} {n:,}" for tag, n in report.texts.items())
    click.echo(
        f"{count(report.pictures, 'picture')} and {count(sum(report.texts.values()), 'caption')}"
        f"{f' ({texts})' if texts else ''}"
    )
    parameters = ", ".join(f"{name} {value}" for name, value in report.parameters.items())
    click.echo(f"{report.method}: {parameters}, seed {report.seed}")
    if report.gap is not None:
        gap = report.gap
        click.echo(f"Modality gap {_figure(gap.distance)}")
        click.echo(f"Mean cosine with a caption's own picture {_figure(gap.matched)}")
        click.echo(f"Mean cosine with the other pictures {_figure(gap.mismatched)}")
    click.echo(f"{shown_path(str(report.html))} ({size(report.html_bytes)}; opens without a network)")
    click.echo(shown_path(str(report.png)))
    click.echo(shown_path(str(report.svg)))
    for note in report.notes:
        message(note)
    if report.blank:
        message(f"{count(len(report.blank), 'picture')} without a thumbnail:")
        for reason, number in Counter(skip.reason for skip in report.blank).most_common(_SHOWN):
            message(f"  {number:,}  {printable(reason)}")


def _figure(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}], n = {estimate.n:,}"


@command("training")
@click.argument("log", type=FILE)
@out_option
@json_option
def training(log: str, out: str, as_json: bool) -> None:
    """Draw the curves of a training run.

    LOG is the log.jsonl of `babelens train`; the run may still be going on. Writes training.png and
    training.svg: loss, learning rate, and validation recall in every language with its interval. Needs: pip install
    'babelens[eval]'
    """
    from pathlib import Path

    from ..evaluation.plots import save, training_curves
    from ..evaluation.training_log import read_training_log
    from .render import count, print_json, shown_path

    entries = read_training_log(log)
    png, svg = save(training_curves(entries), Path(out) / "training")
    steps = entries[-1]["step"]
    if as_json:
        print_json({"png": png, "svg": svg, "validations": len(entries), "steps": steps})
        return
    click.echo(f"{count(len(entries), 'validation')} in {count(steps, 'step')}")
    click.echo(shown_path(str(png)))
    click.echo(shown_path(str(svg)))


plot.add_command(map_)
plot.add_command(training)
