"""``demo``: the main job, end to end, on the bundled gallery."""

from __future__ import annotations

from pathlib import Path

import click

from .options import command, json_option


@command("demo")
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Keep the collection here, beside the contact sheet.  [default: only babelens-demo/contact-sheet.html]",
)
@click.option("--model", metavar="NAME|DIR", help="Another encoder than mini.")
@json_option
def demo(out: str | None, model: str | None, as_json: bool) -> None:
    """Search a bundled gallery in eight languages.

    Works offline, in under two minutes: words to pictures, pictures to words, pictures to pictures, pictures with
    words, and things that are not there. Prints samples and hit rates over the whole gallery, and writes a contact
    sheet (HTML) whose path it prints.
    """
    from ..demo import run

    run(json=as_json, out=Path(out) if out else None, model=model)
