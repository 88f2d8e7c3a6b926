"""``tune``: what searches with a collection may gain from, measured on the collection itself."""

from __future__ import annotations

import click

from .tune_routing import routing


@click.group("tune")
def tune() -> None:
    """Measure what would make a collection's searches better, and use it where it does.

    Nothing here is on until a measurement on the collection's own captions has shown that it helps.
    """


tune.add_command(routing)
