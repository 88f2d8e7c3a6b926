"""The languages of the interface: choosing one, and that every one of them says everything."""

from __future__ import annotations

import io
import re
from importlib.resources import files
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import babelens.server.pages as pages
from babelens.languages import LANGUAGES
from babelens.server.pages.language import chosen, speech

FOLDER = files(pages.__name__)
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
KEYWORDS: dict[str, Any] = {"_": None, "N_": None, "n_": (1, 2)}


@pytest.fixture(scope="module")
def messages() -> set[Any]:
    """Everything that templates and code say."""
    found = extract_from_dir(str(FOLDER), METHODS, {}, keywords=KEYWORDS)
    return {message for _, _, message, _, _ in found}


def catalogue(tag: str) -> Catalog:
    return read_po(io.BytesIO((FOLDER / "locales" / f"{tag}.po").read_bytes()), locale=tag)


@pytest.mark.parametrize("tag", LANGUAGES)
def test_catalogues_say_everything_and_nothing_else(tag: str, messages: set[Any]) -> None:
    known = {message.id: message for message in catalogue(tag) if message.id}
    assert set(known) == messages
    for message in known.values():
        said = message.string if isinstance(message.string, tuple | list) else (message.string,)
        assert all(part.strip() for part in said), message.id
        assert not message.fuzzy, message.id


@pytest.mark.parametrize("tag", LANGUAGES)
def test_placeholders_survive_translation(tag: str) -> None:
    for message in catalogue(tag):
        wanted = set(re.findall(r"%\(\w+\)s", str(message.id)))
        if isinstance(message.string, str):
            assert set(re.findall(r"%\(\w+\)s", message.string)) == wanted or not message.id
        elif message.id:  # nought, one and two may be words
            assert set(re.findall(r"%\(\w+\)s", message.string[-1])) == wanted


def test_catalogues_are_translated(messages: set[Any]) -> None:
    english = {message.id: message.string for message in catalogue("en") if message.id}
    for tag in set(LANGUAGES) - {"en"}:
        same = [one.id for one in catalogue(tag) if one.id and one.string == english[one.id]]
        assert len(same) < 0.12 * len(messages), (tag, same)  # such as "Page" in French, "Text" in German


@pytest.mark.parametrize(
    ("wish", "kept", "accepted", "tag"),
    [
        (None, None, None, "en"),
        (None, None, "fr-CH, fr;q=0.9, en;q=0.8, *;q=0.5", "fr"),
        (None, None, "pt, ja;q=0.3, de;q=0.7", "de"),
        (None, None, "de;q=0, it", "it"),
        (None, None, ";;q=,,=x" * 500, "en"),
        (None, "hi", "fr", "hi"),
        ("ar", "hi", "fr", "ar"),
        ("klingon", "xx", "es", "es"),
    ],
)
def test_choosing(wish: str | None, kept: str | None, accepted: str | None, tag: str) -> None:
    assert chosen(wish, kept, accepted) == tag


def test_numbers_and_plurals_by_language() -> None:
    one, many = "%(count)s result", "%(count)s results"
    assert speech("en").plural(one, many, 1) == "1 result"
    assert speech("de").plural(one, many, 1234) == "1.234 Ergebnisse"
    assert speech("ja").plural(one, many, 2) == "2件の結果"
    arabic = {n: speech("ar").plural(one, many, n) for n in (0, 1, 2, 3, 11, 99, 100, 103)}
    assert [arabic[n] for n in (0, 1, 2)] == ["لا نتائج", "نتيجة واحدة", "نتيجتان"]
    assert arabic[3] == "3 نتائج"
    assert arabic[103] == "103 نتائج"
    items = "%(count)s item in this collection", "%(count)s items in this collection"
    assert [("عنصرًا" in speech("ar").plural(*items, n)) for n in (10, 11, 99, 100)] == [
        False,
        True,
        True,
        False,
    ]
    assert speech("ar").direction == "rtl"


def test_sizes_and_names() -> None:
    assert speech("en").size(1_234_567) == "1.2 MB"
    assert speech("en").size(12) == "12 byte"
    assert speech("fr").language_name("de") == "allemand"
    assert speech("fr").language_name("und") is None
