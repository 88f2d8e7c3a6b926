"""``tune``: measure, then set."""

from __future__ import annotations

import click

from .options import Command
from .tune_index import index


class _Group(click.Group, Command):
    """A group that takes ``--debug``."""


@click.group("tune", cls=_Group)
def tune() -> None:
    """Measure settings on a collection and keep the best."""


tune.add_command(index)
