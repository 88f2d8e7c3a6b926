"""``demo``: the main jobs, end to end, on what is bundled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import Command, command, json_option

if TYPE_CHECKING:
    from ..demo import AnswerTrial, ManualsReport


class _Group(click.Group, Command):
    """A group that is a command too: without a subcommand it searches the gallery."""


@click.group("demo", cls=_Group, invoke_without_command=True)
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Keep the collection here, beside the contact sheet.  [default: only babelens-demo/contact-sheet.html]",
)
@click.option("--model", metavar="NAME|DIR", help="Another encoder than mini.")
@json_option
@click.pass_context
def demo(context: click.Context, out: str | None, model: str | None, as_json: bool) -> None:
    """Search a bundled gallery in eight languages.

    Works offline, in under two minutes: words to pictures, pictures to words, pictures to pictures, pictures with
    words, and things that are not there. Prints samples and hit rates over the whole gallery, and writes a contact
    sheet (HTML) whose path it prints. `babelens demo manuals` asks questions to bundled manuals instead.
    """
    if context.invoked_subcommand is not None:
        if out or model or as_json:
            raise click.UsageError(
                f"Options go behind the name: babelens demo {context.invoked_subcommand} …"
            )
        return
    from ..demo import run

    run(json=as_json, out=Path(out) if out else None, model=model)


@command("manuals")
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Where the collection goes.  [default: babelens-demo]",
)
@json_option
def manuals(out: str | None, as_json: bool) -> None:
    """Ask bundled manuals twelve questions in eight languages.

    Works offline, without a language model, in under a minute: indexes nine short manuals and prints what was found
    for each question, page, figure and quotation, with whether it is right. Two questions have no answer there.
    """
    from ..demo import ask_manuals
    from .progress import reporting

    with reporting("Reading the manuals", "files") as reporter:
        report = ask_manuals(Path(out) if out else None, progress=reporter.update)
    if as_json:
        _print_json(report)
    else:
        _print_table(report)


demo.add_command(manuals)


def _print_table(report: ManualsReport) -> None:
    from .render import Column, duration, print_table, shown_path

    print_table(
        [
            Column("#", "right"),
            Column("lang"),
            Column("question", crop="end"),
            Column("found"),
            Column("figure"),
            Column("quoted", crop="end"),
            Column("right"),
        ],
        [
            [
                str(number),
                trial.question.language,
                trial.question.text,
                _place(trial),
                trial.figure or "",
                (trial.shown.quote or "") if trial.shown else trial.answer.text,
                _verdict(trial),
            ]
            for number, trial in enumerate(report.trials, start=1)
        ],
    )
    answerable = [trial.right for trial in report.trials if trial.question.page is not None]
    absent = [trial.right for trial in report.trials if trial.question.page is None]
    click.echo(
        f"\n{report.pages} pages with {report.figures} figures, in {duration(report.seconds)}. Ask them more: "
        f'babelens ask -c {shown_path(str(report.collection))} "…"\n'
        f"{report.right} of {len(report.trials)} right: {sum(answerable)} of {len(answerable)} were answered, and of "
        f"{sum(absent)} of {len(absent)} it was said that no manual answers them."
    )


def _place(trial: AnswerTrial) -> str:
    shown = trial.shown
    if shown is None:
        return "nothing"
    name = shown.document.removesuffix(".pdf")
    return name if shown.page is None else f"{name}, page {shown.page}"


def _verdict(trial: AnswerTrial) -> str:
    if trial.right:
        return "✓"
    if trial.question.page is None:
        return "✗ no manual says that"
    if trial.shown is None:
        return f"✗ it is on page {trial.question.page}"
    return "✗ the page, not the answer" if trial.right_page else f"✗ it is on page {trial.question.page}"


def _print_json(report: ManualsReport) -> None:
    from .render import print_json

    for trial in report.trials:
        shown = trial.shown
        fields: dict[str, Any] = {
            "question": trial.question.text,
            "language": trial.question.language,
            "asked_of": trial.manual.path.name,
            "true_page": trial.question.page,
            "true_figure": trial.question.figure,
            "document": shown.document if shown else None,
            "page": shown.page if shown else None,
            "figure": trial.figure,
            "quote": shown.quote if shown else None,
            "grounded": trial.answer.grounded,
            "right": trial.right,
        }
        print_json(fields)
    print_json(
        {
            "summary": {
                "n": len(report.trials),
                "right": report.right,
                "pages": report.pages,
                "figures": report.figures,
                "collection": str(report.collection),
                "seconds": round(report.seconds, 2),
            }
        }
    )
