"""The languages Babelens serves: tag, names, script and writing direction. One row each; all are equal citizens."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final, Literal

from .errors import UnknownLanguageError

Direction = Literal["ltr", "rtl"]


@dataclass(frozen=True, slots=True)
class Language:
    """``tag`` is BCP 47, ``own_name`` the name in the language itself, ``scripts`` ISO 15924 codes in use."""

    tag: str
    name: str
    own_name: str
    scripts: tuple[str, ...]
    direction: Direction = "ltr"


LANGUAGES: Final[dict[str, Language]] = {
    language.tag: language
    for language in (
        Language("en", "English", "English", ("Latn",)),
        Language("es", "Spanish", "español", ("Latn",)),
        Language("fr", "French", "français", ("Latn",)),
        Language("hi", "Hindi", "हिन्दी", ("Deva",)),
        Language("de", "German", "Deutsch", ("Latn",)),
        Language("it", "Italian", "italiano", ("Latn",)),
        Language("ja", "Japanese", "日本語", ("Hira", "Kana", "Hani")),
        Language("ar", "Arabic", "العربية", ("Arab",), "rtl"),
    )
}

# Word by word what people type for a tag: names, own names, three-letter codes.
_ALIASES: Final[dict[str, str]] = {
    **{row.name.casefold(): row.tag for row in LANGUAGES.values()},
    **{row.own_name.casefold(): row.tag for row in LANGUAGES.values()},
    **{"eng": "en", "spa": "es", "fra": "fr", "fre": "fr", "hin": "hi", "deu": "de", "ger": "de"},
    **{"ita": "it", "jpn": "ja", "jp": "ja", "ara": "ar", "arb": "ar"},
}

_SCRIPT_OF_NAME: Final[dict[str, str]] = {
    "LATIN": "Latn",
    "DEVANAGARI": "Deva",
    "ARABIC": "Arab",
    "HIRAGANA": "Hira",
    "KATAKANA": "Kana",
    "CJK": "Hani",
}


def get_language(tag: str) -> Language:
    """The language of a tag: ``"de"``, also ``"de-AT"``, ``"deu"``, ``"German"`` or ``"Deutsch"``.

    Raises :class:`UnknownLanguageError` for anything else.
    """
    key = tag.strip().casefold()
    row = (
        LANGUAGES.get(key)
        or LANGUAGES.get(_ALIASES.get(key, ""))
        or LANGUAGES.get(key.replace("_", "-").split("-")[0])
    )
    if row is None:
        raise UnknownLanguageError(tag, LANGUAGES)
    return row


def script_of(character: str) -> str | None:
    """The ISO 15924 code of a letter's script, for the scripts of :data:`LANGUAGES`; ``None`` for all else."""
    if not character.isalpha():
        return None
    return _SCRIPT_OF_NAME.get(unicodedata.name(character, "").split(" ", 1)[0].split("-", 1)[0])


def main_script(text: str) -> str | None:
    """The script most letters of ``text`` belong to; ``None`` when it has no letter of a known script."""
    counts: dict[str, int] = {}
    for character in text:
        script = script_of(character)
        if script:
            counts[script] = counts.get(script, 0) + 1
    return max(counts, key=lambda script: counts[script]) if counts else None
