"""Names of things, and captions made of them, in eight languages: CLDR's names unless concepts.toml says otherwise."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LANGUAGES = ("en", "es", "fr", "hi", "de", "it", "ja", "ar")

_WORD_FOR_AND = {"en": "and", "es": "y", "fr": "et", "hi": "और", "de": "und", "it": "e"}


@dataclass(frozen=True)
class Concept:
    """``id`` is the CLDR short name in English, ``names`` what people call the thing, by language."""

    id: str
    theme: str
    names: Mapping[str, str]
    aloft: bool = False

    @property
    def icon(self) -> str:
        """The name of its drawing: ``"four leaf clover"`` -> ``"four-leaf-clover"``."""
        return re.sub(r"[^a-z0-9]+", "-", self.id.lower().replace("’", "")).strip("-")


def read_concepts(table: Mapping[str, object], cldr: Path) -> tuple[list[Concept], list[Concept]]:
    """The things drawn and the things absent. ``cldr`` is the folder of the package cldr-annotations-full."""
    annotations = {language: _annotations(cldr, language) for language in LANGUAGES}
    characters = {row["tts"][0]: character for character, row in annotations["en"].items() if "tts" in row}
    own: Mapping[str, Mapping[str, str]] = table["names"]  # type: ignore[assignment]
    aloft: Sequence[str] = table["aloft"]  # type: ignore[assignment]

    def concept(name: str, theme: str) -> Concept:
        character = characters[name]
        names = {
            language: own.get(name, {}).get(language) or annotations[language][character]["tts"][0]
            for language in LANGUAGES
        }
        return Concept(name, theme, names, name in aloft)

    themes: Mapping[str, Sequence[str]] = table["in_gallery"]  # type: ignore[assignment]
    drawn = [concept(name, theme) for theme, names in themes.items() for name in names]
    absent = [concept(name, "absent") for name in table["absent"]]  # type: ignore[attr-defined]
    unknown = set(own) - {c.id for c in drawn + absent}
    if unknown:
        raise SystemExit(f"concepts.toml names things that are not used: {sorted(unknown)}")
    for language in LANGUAGES:
        names = [c.names[language] for c in drawn + absent]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled or any("," in name for name in names):
            raise SystemExit(f"names in {language} that are lists or not unique: {doubled}")
    return drawn, absent


def _annotations(cldr: Path, language: str) -> dict[str, dict[str, list[str]]]:
    path = cldr / "annotations" / language / "annotations.json"
    rows: dict[str, dict[str, list[str]]] = json.loads(path.read_text("utf-8"))["annotations"]["annotations"]
    return rows


def caption(names: Sequence[str], language: str) -> str:
    """One to three names as people list them.

    >>> caption(["perro", "iglesia"], "es"), caption(["كلب", "مظلة"], "ar"), caption(["犬", "傘", "車"], "ja")
    ('perro e iglesia', 'كلب ومظلة', '犬と傘と車')
    """
    if language == "ja":
        return "と".join(names)
    if language == "ar":  # the conjunction is written as part of the next word
        return " و".join(names)
    *first, last = names
    if not first:
        return last
    word = _WORD_FOR_AND[language]
    if language == "es" and re.match(r"(?i)h?i(?![aeo])", last):
        word = "e"
    if language == "it" and last.lower().startswith("e"):
        word = "ed"
    return f"{', '.join(first)} {word} {last}"
