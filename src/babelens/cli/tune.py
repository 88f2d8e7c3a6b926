"""``tune``: what searches with a collection may gain from, measured on the collection itself."""

from __future__ import annotations

import click

from .tune_routing import routing


@click.group("tune")
def tune() -> None:
    """Measure what makes searches better, and use it.

    Nothing here is on until a measurement on the collection's own captions has shown that it helps.
    """


tune.add_command(routing)
