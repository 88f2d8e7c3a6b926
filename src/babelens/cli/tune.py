"""``tune``: what searches with a collection may gain from, measured on the collection itself."""

from __future__ import annotations

import click

from .tune_hubness import hubness
from .tune_index import index
from .tune_routing import routing


@click.group("tune", context_settings={"help_option_names": ["-h", "--help"]})
def tune() -> None:
    """Measure what makes searches better, and use it.

    Nothing here is on until a measurement on the collection itself has shown that it helps.
    """


tune.add_command(hubness)
tune.add_command(index)
tune.add_command(routing)
