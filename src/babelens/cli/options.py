"""Options that several commands share, and the command class they are declared on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..languages import LANGUAGES

F = TypeVar("F", bound=Callable[..., Any])


class Command(click.Command):
    """A command that also takes ``--debug`` after its name (read in :mod:`babelens.cli.app`)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(
                ["--debug"], is_flag=True, expose_value=False, help="Print the traceback of any error."
            )
        )


def command(name: str | None = None) -> Callable[[Callable[..., Any]], Command]:
    """Declares a :class:`Command`."""
    return click.command(name, cls=Command)


class LanguageType(click.ParamType[str]):
    """A language by tag or name; gives the tag. An unknown one is a usage error that suggests near tags."""

    name = "language"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from ..errors import UnknownLanguageError
        from ..languages import get_language

        try:
            return get_language(value).tag
        except UnknownLanguageError as error:
            self.fail(f"{error.message} {error.hint or ''}".strip(), param, ctx)


class KindsType(click.ParamType[tuple[str, ...]]):
    """Kinds of items with commas between them."""

    name = "kinds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        from typing import get_args

        from ..types import Kind

        kinds = tuple(dict.fromkeys(part.strip() for part in value.split(",")))
        unknown = [kind for kind in kinds if kind not in get_args(Kind)]
        if unknown:
            self.fail(f"{unknown[0]!r} is not a kind. Kinds: {', '.join(get_args(Kind))}.", param, ctx)
        return kinds


LANGUAGE = LanguageType()
KINDS = KindsType()
LANGUAGE_LIST = ", ".join(LANGUAGES)
FILE = click.Path(exists=True, dir_okay=False)

collection_option = click.option(
    "-c",
    "--collection",
    metavar="NAME|PATH",
    default="default",
    show_default=True,
    envvar="BABELENS_COLLECTION",
    show_envvar=True,
    help="The collection: a name kept in your data directory, or the path of a folder.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per line on stdout."
)
where_option = click.option(
    "--where",
    metavar="EXPR",
    help="Only items whose metadata pass, such as \"width >= 800 and folder = 'trips'\".",
)
model_option = click.option(
    "--model",
    metavar="NAME|DIR",
    help="The encoder: a name from `babelens models`, a folder, or a hub repository (owner/name). "
    "A new collection takes BABELENS_MODEL, or clip-multilingual.",
)


def k_option(default: int, help: str = "How many results at most.") -> Callable[[F], F]:
    """``-k``, at least 1."""
    return click.option(
        "-k",
        metavar="N",
        type=click.IntRange(min=1),
        default=default,
        show_default=True,
        help=help,
    )
