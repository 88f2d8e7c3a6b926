"""``tune routing``: another text tower for the queries of a language."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from .options import collection_option, command, json_option

if TYPE_CHECKING:
    from ..collection import RouteTrial, RoutingReport
    from ..search import Route


@command("routing")
@collection_option
@click.option(
    "--to", metavar="NAME|DIR",
    help="The model whose text tower to try.  [default: what the catalogue names]",
)  # fmt: skip
@click.option(
    "--sample", metavar="N", type=click.IntRange(min=1), default=1000, show_default=True,
    help="How many captions to measure on, in each language, at most.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="The seed that draws them.")
@click.option("--dry-run", is_flag=True, help="Measure, and change nothing.")
@click.option("--off", is_flag=True, help="Measure nothing; take all routes away.")
@json_option
def routing(
    collection: str, to: str | None, sample: int, seed: int, dry_run: bool, off: bool, as_json: bool
) -> None:
    """Send queries of a language through another text tower.

    Models that share a picture tower differ in how well they read a language. Captions that people wrote are
    searched through both; where the other tower finds their pictures better beyond doubt, queries in that language
    (--lang) go through it from then on. No picture is encoded again.

    \b
    babelens tune routing -c holiday
    """
    from .models import fetch_for
    from .opening import opened_to_write
    from .progress import reporting
    from .render import print_json

    if off:
        if to or dry_run:
            raise click.UsageError("--off goes with neither --to nor --dry-run.")
        with opened_to_write(collection, create=False) as opened:
            _print_off(opened.stop_routing(), as_json)
        return
    fetch_for(collection, None)
    with (
        opened_to_write(collection, create=False, read_only=dry_run) as opened,
        reporting("Fetching", "MB") as fetching,
        reporting("Measuring", "texts") as measuring,
    ):

        def update(done: int, total: int | None = None, note: str = "") -> None:
            if note:  # bytes of a model
                fetching.update(done // 1_000_000, None if total is None else total // 1_000_000, note)
            else:
                fetching.close()
                measuring.update(done, total)

        report = opened.tune_routing(to, sample=sample, seed=seed, dry_run=dry_run, progress=update)
    if as_json:
        print_json({"collection": str(opened.path), **dataclasses.asdict(report)})
    else:
        _print(report)


def _print(report: RoutingReport) -> None:
    from .render import message

    for language, reason in report.skipped.items():
        message(f"{language} not measured: {reason}")
    for tried in report.trials:
        for line in _described(tried, report.dry_run):
            click.echo(line)


def _described(tried: RouteTrial, dry_run: bool) -> list[str]:
    from .render import count, printable

    trial, name = tried.trial, printable(tried.model)
    verdict = (
        f"not better through {name}; queries go through the collection's own text tower"
        if not trial.earned
        else f"better through {name}"
        + ("" if dry_run else f"; queries with --lang {tried.language} go through it now")
    )
    lines = [f"{tried.language}: {verdict}"]
    for measure, gain in trial.gain.items():
        before, after = trial.before[measure], trial.after[measure]
        lines.append(
            f"  {measure:<12}{before.value:.1%} before, {after.value:.1%} through it: "
            f"{100 * gain.value:+.1f} points (95 % interval {100 * gain.low:+.1f} to {100 * gain.high:+.1f}; "
            f"chance {before.chance or 0:.1%})"
        )
    lines.append(
        f"  {count(trial.queries, 'caption')} of {count(trial.groups, 'picture')}, among {trial.corpus:,}"
    )
    return lines


def _print_off(routes: tuple[Route, ...], as_json: bool) -> None:
    from .render import print_json, printable

    if as_json:
        print_json({"removed": [dataclasses.asdict(route) for route in routes]})
        return
    for route in routes:
        click.echo(f"{route.language}: no longer through {printable(route.model)}")
    if not routes:
        click.echo("There were no routes.")
