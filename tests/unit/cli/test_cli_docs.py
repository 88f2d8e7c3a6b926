from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from babelens.cli import app

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(app.cli)
    for name in app.COMMANDS:
        command = app.cli.get_command(context, name)
        assert command is not None
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", command.commands[inner]) for inner in command.commands)


COMMANDS = dict(commands())


def section(name: str) -> str:
    match = re.search(rf"^## babelens {name}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert match, f"docs/cli.md has no section '## babelens {name}'"
    return match[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_every_command_is_documented(name: str) -> None:
    rows = [line for line in section(name).splitlines() if line.startswith("| `")]
    documented = {option for row in rows for option in re.findall(r"`(--?[\w-]+)`", row.split(" | ")[0])}
    declared = {
        option
        for parameter in COMMANDS[name].params
        if isinstance(parameter, click.Option)
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert documented == declared


def test_the_page_names_no_command_that_does_not_exist() -> None:
    assert re.findall(r"^## babelens (.+)$", PAGE, re.MULTILINE) == list(COMMANDS)


def test_the_options_of_babelens_itself_are_documented() -> None:
    for parameter in app.cli.params:
        for option in parameter.opts:
            assert f"`{option}`" in PAGE


def test_every_exit_code_is_documented() -> None:
    codes = {app.OK, app.FAILED, app.USAGE, app.INCOMPLETE, app.BUG, app.INTERRUPTED, app.PIPE_CLOSED}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)} == codes


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text(name: str) -> None:
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
