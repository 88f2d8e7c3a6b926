"""``tune hubness``: pictures that turn up for everything, and what helps against them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from .describe import LANGUAGES
from .options import collection_option, command, json_option

if TYPE_CHECKING:
    from ..metrics.hubness import Hubness
    from ..metrics.statistics import Difference
    from ..search import HubnessReport, LanguageGain


@command("hubness")
@collection_option
@click.option(
    "--languages", metavar="TAG,…", type=LANGUAGES,
    help="Only these.  [default: all with enough captions, and queries that state no language]",
)  # fmt: skip
@click.option(
    "--bank", metavar="N", type=click.IntRange(min=50), default=1000, show_default=True,
    help="How many captions stand for all queries.",
)  # fmt: skip
@click.option(
    "--seed", type=int, default=0, show_default=True, help="The seed that splits and draws the captions."
)
@click.option("--off", is_flag=True, help="Turn the correction off; nothing is measured.")
@json_option
def hubness(
    collection: str, languages: tuple[str, ...] | None, bank: int, seed: int, off: bool, as_json: bool
) -> None:
    """Keep pictures from turning up for everything.

    Some pictures lie near to all queries, whatever they show. A correction is looked for and measured on the
    collection's own captions (those that people wrote), in every language. It is turned on only where it
    finds more on pictures that were held out; elsewhere everything stays as it is.

    \b
    babelens tune hubness -c photos
    """
    from .opening import opened_to_write
    from .progress import reporting
    from .render import message, print_json

    with opened_to_write(collection, create=False) as opened:
        if off:
            was_on = opened.untune_hubness()
            if as_json:
                print_json({"collection": str(opened.path), "was_on": was_on})
            else:
                click.echo("Turned off." if was_on else "It was not on.")
            return
        with reporting("Hubness", "steps") as reporter:
            report = opened.tune_hubness(languages, bank=bank, seed=seed, progress=reporter.update)
        if as_json:
            print_json(_as_json(str(opened.path), report))
            return
        hub = None if report.hub is None else opened.get(report.hub).source.path
    _print(report, hub)
    for tag, number in report.left_out.items():
        message(f"{tag}: left out, only {number:,} pictures have a caption that a person wrote.")


def _print(report: HubnessReport, hub: str | None) -> None:
    from .render import Column, count, duration, print_table, shown_path

    correction = report.correction
    values = ", ".join(f"{name} {value:g}" for name, value in correction.parameters.items())
    click.echo(
        f"{correction.method} ({values}), learnt from {count(correction.bank, 'caption')}; measured on captions of "
        f"{report.held_out_pictures:,} other pictures among {report.searched:,} ({duration(report.seconds)})"
    )
    click.echo(f"before  {_hubness(report.before)}\nafter   {_hubness(report.after)}")
    if hub is not None:
        click.echo(f"most frequent first result before: {shown_path(hub)}")
    columns = [Column("language"), Column("captions", "right"), Column("hit_rate@1", "right")]
    columns += [Column("gain", "right"), Column("hit_rate@10", "right"), Column("gain", "right"), Column("")]
    print_table(columns, [_row(gain) for gain in correction.gains])


def _row(gain: LanguageGain) -> list[str]:
    return [
        "not stated" if gain.language == "und" else gain.language,
        f"{gain.n:,}",
        f"{gain.hit_rate_1:.1%}",
        interval(gain.gain_1),
        f"{gain.hit_rate_10:.1%}",
        interval(gain.gain_10),
        "turned on" if gain.on else "not better",
    ]


def interval(gain: Difference) -> str:
    """A difference of shares in points of per cent, with its 95 % interval."""
    return f"{100 * gain.value:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"


def _hubness(measured: Hubness) -> str:
    text = (
        f"skewness {measured.skewness:.2f} (by chance up to {measured.shuffled_skewness:.2f}), one picture first for "
        f"{measured.top_item_share:.1%} of {measured.queries:,} queries"
    )
    return f"{text}. {measured.alarm}" if measured.alarm else text


def _as_json(path: str, report: HubnessReport) -> dict[str, object]:
    fields = dataclasses.asdict(report)
    fields["correction"]["languages"] = report.correction.languages
    for side in ("before", "after"):
        del fields[side]["top_item"]  # a number that means nothing outside
    return {"collection": path, **fields}
