"""Notes of searches in the languages of the page."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import babelens
from babelens.server.pages.language import speech
from babelens.server.pages.remarks import SAID, Remark, remark_of
from babelens.types import Note


def test_the_page_has_words_for_every_note_of_a_search() -> None:
    codes = set()
    for path in (Path(babelens.__file__).parent / "search").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Note":
                assert isinstance(node.args[1], ast.Constant)
                codes.add(node.args[1].value)
    assert codes == set(SAID)


@pytest.mark.parametrize("tag", ["en", "es", "fr", "hi", "de", "it", "ja", "ar"])
def test_every_note_is_said_whole(tag: str) -> None:
    values = {"model": "the-model", "language": "fr", "languages": ("fr", "de"), "text": "pompe"}
    for code, message in SAID.items():
        wanted = {name: value for name, value in values.items() if f"%({name})s" in message}
        said = remark_of(Note("In English.", code, **wanted), speech(tag))
        assert said.language is None
        assert "%" not in said.text
        if "language" in wanted:
            assert str(speech(tag).language_name("fr")) in said.text


def test_other_notes_stay_english_and_say_so() -> None:
    assert remark_of("A remark.", speech("ja")) == Remark("A remark.", "en")
    assert remark_of(Note("A remark.", "of-tomorrow"), speech("ja")) == Remark("A remark.", "en")
