"""What is shown of an answer while it comes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from babelens.answering import Answer
from babelens.cli.ask import _streamed
from babelens.errors import GenerationError


def _answer(text: str) -> Answer:
    return Answer(text, "en", (), True, False, "parrot", ())


def test_a_text_that_stands_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    _streamed(iter(["It is ", "F3 [1].", _answer("It is F3 [1].")]))
    assert capsys.readouterr().out == "It is F3 [1].\n"


def test_a_text_that_was_changed_is_shown_again(capsys: pytest.CaptureFixture[str]) -> None:
    answer = _streamed(iter(["It is F3 [1] ", "or F9 [8].\nYes.", _answer("It is F3 [1] or F9.\nYes.")]))
    out = capsys.readouterr().out
    assert out.startswith("It is F3 [1] or F9 [8].\nYes.\n")
    assert out.endswith("It is F3 [1] or F9.\nYes.\n")
    assert answer.text == "It is F3 [1] or F9.\nYes."


def test_nothing_that_a_terminal_acts_on_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    text = "Press \x1b[2J and \u202eevil\u202c"
    _streamed(iter([text, _answer(text)]))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_an_error_stands_on_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    def pieces() -> Iterator[str | Answer]:
        yield "It is"
        raise GenerationError("The reply broke off.")

    with pytest.raises(GenerationError):
        _streamed(pieces())
    assert capsys.readouterr().out == "It is\n"
