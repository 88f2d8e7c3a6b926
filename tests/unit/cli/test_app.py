from __future__ import annotations

import errno
import sys
from collections.abc import Callable

import click
import pytest

from babelens.cli import app
from babelens.cli.options import command
from babelens.errors import (
    BabelensError,
    CollectionLockedError,
    FilterError,
    UnknownItemError,
    UnknownLanguageError,
)

Failing = Callable[[BaseException], None]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    """Adds the command ``fail``, which raises what it is given."""
    raised: list[BaseException] = []

    @command("fail")
    def fail() -> None:
        raise raised[0]

    monkeypatch.setitem(app.COMMANDS, "fail", "app:_fail_for_test")
    monkeypatch.setattr(app, "_fail_for_test", fail, raising=False)
    return raised.append


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (BabelensError("It broke.", hint="Mend it."), 1, ["Error: It broke.", "Mend it."]),
        (CollectionLockedError("Another process writes."), 1, ["Error: Another process writes."]),
        (UnknownItemError("No item has the id 'x'."), 1, ["Error: No item has the id 'x'."]),
        (
            UnknownLanguageError("english!", ["en"]),
            2,
            ["Error: 'english!' is not one of the languages Babelens knows.", "Known: en."],
        ),
        (
            FilterError("a ==", 4, "a value is missing"),
            2,
            ["Error: The filter is not understood: a value is missing.", "  a ==", "      ^"],
        ),
        (OSError(errno.EACCES, "Permission denied", "/x/\udcff"), 1, ["Error: Permission denied: /x/\\xff"]),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            1,
            [
                "Error: No space left on device",
                "Free some space and run the command again; what was committed is kept.",
            ],
        ),
        (app.Interrupted("12 items are kept."), 130, ["", "Interrupted. 12 items are kept."]),
        (KeyboardInterrupt(), 130, ["", "Interrupted. Nothing that was committed is lost."]),
        (
            click.UsageError("Too many."),
            2,
            [
                "Usage: babelens fail [OPTIONS]",
                "Try 'babelens fail --help' for help.",
                "",
                "Error: Too many.",
            ],
        ),
        (BabelensError("An escape \x1b[2J in a name"), 1, ["Error: An escape \\x1b[2J in a name"]),
    ],
)
def test_every_ending_has_a_code_and_a_message(
    failing: Failing, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, lines: list[str]
) -> None:
    failing(error)
    assert app.run(["fail"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == lines


def test_a_bug_says_how_to_report_it(failing: Failing, capsys: pytest.CaptureFixture[str]) -> None:
    failing(ZeroDivisionError("division by zero"))
    assert app.run(["fail"]) == 70
    err = capsys.readouterr().err
    assert "This is a bug in Babelens: ZeroDivisionError: division by zero" in err
    assert "--debug" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [["--debug", "fail"], ["fail", "--debug"]])
def test_debug_shows_the_traceback(
    failing: Failing, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    failing(BabelensError("It broke."))
    assert app.run(arguments) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_misspelt_command_is_a_usage_error_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["serch", "dog"]) == 2
    assert "Did you mean search or serve?" in capsys.readouterr().err


def test_no_arguments_show_the_help_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run([]) == 2
    assert "Commands:" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("babelens 0.")


def test_help_imports_nothing_heavy() -> None:
    import subprocess

    script = (
        "import sys; from babelens.cli.app import run; run(['--help']);"
        "heavy = {'numpy', 'PIL', 'faiss', 'onnxruntime', 'torch', 'rich', 'sqlite3', 'platformdirs'};"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_command_says_what_it_does_in_a_line() -> None:
    context = click.Context(app.cli)
    for name in app.COMMANDS:
        found = app.cli.get_command(context, name)
        assert found is not None
        assert found.name == name
        text = found.get_short_help_str(limit=200)
        assert text.endswith(".")
        assert len(text) <= 55, f"{name}: too long for the help page: {text}"
