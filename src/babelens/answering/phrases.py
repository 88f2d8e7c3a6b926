"""The fixed sentences of answers in the eight languages, and the words that ask rather than mean."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from ..languages import get_language


@dataclass(frozen=True, slots=True)
class Phrases:
    """``page`` holds ``{page}``; ``quotes`` are the opening and the closing mark, with their spaces."""

    not_answerable: str
    from_documents: str
    page: str
    figure: str
    picture: str
    quotes: tuple[str, str]
    comma: str
    colon: str


@lru_cache(maxsize=8)
def phrases(language: str) -> Phrases:
    """The sentences of a language, by its tag. Raises :class:`babelens.errors.UnknownLanguageError`."""
    row = _table("phrases.toml")[get_language(language).tag]
    opening, closing = row.pop("quotes")
    return Phrases(quotes=(opening, closing), **row)


@lru_cache(maxsize=1)
def stop_words() -> dict[str, frozenset[str]]:
    """Words that ask, by language tag, as they are written."""
    return {tag: frozenset(words.split()) for tag, words in _table("stop_words.toml").items()}


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((files(__package__) / name).read_text(encoding="utf-8"))
