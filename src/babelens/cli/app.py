"""The ``babelens`` command: finds the subcommand, and turns every ending into an exit code and a message.

Subcommands are named here and imported when they are asked for, and they import the library when they run, so that
``babelens --help`` answers at once.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NoReturn

import click

from ..errors import BabelensError, InvalidQueryError, UnknownItemError, near

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INCOMPLETE: Final = 3
BUG: Final = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED: Final = 130  # 128 + SIGINT
PIPE_CLOSED: Final = 141  # 128 + SIGPIPE

# Name -> where the command lives, in the order of the help page.
COMMANDS: Final[dict[str, str]] = {
    "index": "index:index",
    "search": "search:search",
    "ask": "ask:ask",
    "captions": "search:captions",
    "similar": "search:similar",
    "caption": "describe:caption",
    "translate": "describe:translate",
    "ocr": "ocr:ocr",
    "info": "manage:info",
    "verify": "manage:verify",
    "remove": "manage:remove",
    "compact": "manage:compact",
    "reindex": "reindex:reindex",
    "tune": "tune:tune",
    "duplicates": "manage:duplicates",
    "export": "manage:export",
    "import": "index:import_",
    "models": "models:models",
    "evaluate": "evaluate:evaluate",
    "score": "score:score",
    "train": "train:train",
    "finetune": "finetune:finetune",
    "dataset": "data:dataset",
    "plot": "plot:plot",
    "serve": "serve:serve",
    "mcp": "serve:mcp",
    "demo": "demo:demo",
}


class Interrupted(Exception):  # noqa: N818 (the event, not a fault)
    """Ctrl-C, with a message that says what was kept."""


class _PipeClosed(Exception):  # noqa: N818
    """The reader of stdout went away. Not an OSError, since click would answer that with exit code 1."""


class Group(click.Group):
    """A group that imports a subcommand when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"{__package__}.{module}"), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"There is no command {args[0]!r}. {near(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _PipeClosed from error


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"babelens {version('babelens')}")
        ctx.exit()


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
    help="Print the version and leave.",
)  # fmt: skip
@click.option("--debug", is_flag=True, expose_value=False, help="Print the traceback of any error.")
def cli() -> None:
    """Find pictures by meaning, in eight languages, on your own machine.

    Start with `babelens index FOLDER`, then `babelens search "a red car"`. No pictures at hand? `babelens demo`
    """


def _fail(message: str, hint: str | None = None) -> None:
    from .render import printable

    click.secho("Error: ", err=True, nl=False, fg="red", bold=True)
    # Spaces are kept: a message may indent a list, a hint may draw a caret under a place in the line above it.
    for text in filter(None, (message, hint)):
        click.echo("\n".join(printable(line, spaces=True) for line in text.split("\n")), err=True)


def _silence(stream: io.TextIOBase) -> None:
    """Sends what is left in the buffer of a closed pipe nowhere, so that the interpreter's own flush stays quiet."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; prints every error and raises none."""
    debug = "--debug" in arguments or os.environ.get("BABELENS_DEBUG", "") not in ("", "0")
    color = False if os.environ.get("NO_COLOR") else None
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Under a locale that is not UTF-8, a character that it lacks must not end the command.
            stream.reconfigure(errors="backslashreplace")
    if not debug and not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        with click.Context(cli, color=color):
            code = _run(list(arguments), color, debug)
        sys.stdout.flush()
    except (BrokenPipeError, _PipeClosed):
        _silence(sys.stdout)  # type: ignore[arg-type]
        return PIPE_CLOSED
    return code


def _run(arguments: list[str], color: bool | None, debug: bool) -> int:
    try:
        code = cli.main(arguments, prog_name="babelens", standalone_mode=False, color=color)
        return code if isinstance(code, int) else OK
    except (_PipeClosed, BrokenPipeError):
        raise
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Interrupted as error:
        click.echo(f"\nInterrupted. {error}", err=True)
        return INTERRUPTED
    except click.Abort:  # Ctrl-C; click has ended the line that the terminal's ^C stands on
        click.echo("Interrupted. Nothing that was committed is lost.", err=True)
        return INTERRUPTED
    except BabelensError as error:
        _show_traceback(debug)
        _fail(error.message, error.hint)
        usage = isinstance(error, InvalidQueryError) and not isinstance(error, UnknownItemError)
        return USAGE if usage else FAILED
    except OSError as error:
        _show_traceback(debug)
        name = f": {error.filename}" if error.filename else ""
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        _fail(
            f"{error.strerror or error}{name}",
            "Free some space and run the command again; what was committed is kept." if full else None,
        )
        return FAILED
    except Exception as error:
        _show_traceback(debug)
        _fail(
            f"This is a bug in Babelens: {type(error).__name__}: {error}",
            "Nothing that was committed is lost. Please report it with the output of `babelens --version` and of the\n"
            "same command with --debug added.",
        )
        return BUG


def _show_traceback(debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exc()


def main() -> NoReturn:
    """The console script."""
    sys.exit(run(sys.argv[1:]))
