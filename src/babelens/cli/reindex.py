"""``reindex``: another encoder for a collection."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from .options import collection_option, command, json_option

if TYPE_CHECKING:
    from ..collection import Collection, ReindexReport


@command("reindex")
@collection_option
@click.option(
    "--model", metavar="NAME|DIR", required=True,
    help="The new encoder: a name from `babelens models`, or a folder.",
)  # fmt: skip
@click.option(
    "--no-switch", is_flag=True, help="Encode and compare only; the same command without it switches."
)
@click.option(
    "--allow-missing", is_flag=True,
    help="Switch even when more than 1 % of the pictures cannot be read any more.",
)  # fmt: skip
@click.option("--keep-old", is_flag=True, help="Keep the vectors before, for a quick way back.")
@click.option(
    "--queries", metavar="N", type=click.IntRange(min=1), default=200, show_default=True,
    help="How many texts of the collection to compare results on.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="The seed that draws them.")
@json_option
def reindex(
    collection: str,
    model: str,
    no_switch: bool,
    allow_missing: bool,
    keep_old: bool,
    queries: int,
    seed: int,
    as_json: bool,
) -> int:
    """Change a collection's encoder.

    Pictures and texts are encoded beside the vectors that are there, and searches go on with those until all is
    done. Run the same command again when it was stopped: what is encoded is kept. Says how many results change,
    then switches at one stroke and removes the vectors before.

    \b
    babelens reindex --model siglip2-b32 -c shop
    """
    from .app import INCOMPLETE, OK, Interrupted
    from .opening import opened_to_write
    from .progress import reporting
    from .render import print_json

    with opened_to_write(collection, create=False) as opened:
        try:
            with reporting("Encoding", "vectors") as reporter:

                def before_switch(report: ReindexReport) -> None:
                    reporter.close()  # a bar would be drawn over the lines
                    _announce(report)

                report = opened.reindex(
                    model,
                    allow_missing=allow_missing,
                    keep_old=keep_old,
                    switch=not no_switch,
                    queries=queries,
                    seed=seed,
                    before_switch=before_switch,
                    progress=reporter.update,
                )
        except KeyboardInterrupt:
            raise Interrupted(_kept(opened)) from None
        if as_json:
            print_json({"collection": str(opened.path), **dataclasses.asdict(report)})
        else:
            click.echo(_summary(report, no_switch=no_switch))
    return INCOMPLETE if report.skipped else OK


def _announce(report: ReindexReport) -> None:
    """What to know before the switch."""
    from .index import print_skipped
    from .render import count, message, printable

    for note in report.notes:
        message(note)
    print_skipped(report.skipped)
    if report.lost:
        pictures = count(report.searchable, "picture")
        message(f"{report.lost:,} of {pictures} will not be found by meaning with {printable(report.model)}.")
    changes = report.changes
    if changes is not None:
        message(
            f"Results on {changes.queries:,} {changes.asked} of the collection: overlap@10 with those before is "
            f"{changes.overlap_at_10:.1%}; {changes.top_changed:.1%} have another first result."
        )


def _summary(report: ReindexReport, *, no_switch: bool) -> str:
    from .render import count, duration, printable

    name = printable(report.model)
    done = f"{count(report.pictures, 'picture')} and {count(report.texts, 'text')} encoded ({duration(report.seconds)})"
    if report.switched:
        return f"{done}; searches use {name} now"
    return f"{done}; " + ("not switched" if no_switch else f"{name} is the encoder of the collection already")


def _kept(collection: Collection) -> str:
    from .render import printable

    pending = collection.info().reindex
    if pending is None:
        return "The switch is done or was never begun; what is left to tidy, the next command that writes tidies."
    return (
        f"{pending.encoded:,} of {pending.total:,} vectors of {printable(pending.model)} are kept. "
        "Searches go on as before.\nRun the same command again to go on from here."
    )
