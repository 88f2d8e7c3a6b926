"""The language of the interface: which one, its texts, its numbers and lists.

Catalogues are gettext's, read from their ``.po`` files when a language is first asked for, so there is nothing to
compile and nothing that can be stale.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from babel.support import NullTranslations, Translations

from ...errors import UnknownLanguageError
from ...languages import LANGUAGES, Language, get_language

DEFAULT: Final = "en"
DOMAIN: Final = "babelens"
COOKIE: Final = "babelens_language"
_UNITS: Final = ("byte", "kilobyte", "megabyte", "gigabyte", "terabyte")


def N_(message: str) -> str:  # noqa: N802 -- gettext's name for what is translated later
    """Marks a text for the catalogues."""
    return message


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """How the interface speaks one language."""

    language: Language
    locale: Locale
    translations: NullTranslations

    @property
    def tag(self) -> str:
        return self.language.tag

    @property
    def direction(self) -> str:
        return self.language.direction

    def text(self, message: str, **values: object) -> str:
        """A text of the interface. Values stand in it as ``%(name)s``."""
        return self._filled(self.translations.gettext(message), values)

    def plural(self, one: str, many: str, count: int, **values: object) -> str:
        """A text that depends on a number, which stands in it as ``%(count)s``, written as the language does."""
        said = self.translations.ngettext(one, many, count)
        return self._filled(said, {"count": self.number(count), **values})

    def number(self, value: float, digits: int = 3) -> str:
        return format_decimal(round(value, digits), locale=self.locale)

    def percent(self, value: float) -> str:
        return format_percent(value, locale=self.locale)

    def moment(self, value: object) -> str | None:
        """A day, with the time where it has one; None for what is neither."""
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            return None
        if "T" not in str(value):
            return format_date(moment, locale=self.locale)
        return format_datetime(moment, locale=self.locale)

    def size(self, count: int) -> str:
        """Bytes, in the unit that leaves the fewest digits."""
        from babel.units import format_unit

        step, value = 0, float(count)
        while value >= 1000 and step < len(_UNITS) - 1:
            value, step = value / 1000, step + 1
        return format_unit(round(value, 1), f"digital-{_UNITS[step]}", "short", locale=self.locale)

    def listed(self, values: Sequence[str]) -> str:
        return format_list(list(values), locale=self.locale) if values else ""

    def language_name(self, tag: str) -> str | None:
        """What a language is called; None for one that is not known."""
        name = self.locale.languages.get(tag.split("-")[0])
        return None if tag == "und" or name is None else str(name)

    @staticmethod
    def _filled(message: str, values: dict[str, Any]) -> str:
        return message % values if values else message


@cache
def speech(tag: str) -> Speech:
    """How the interface speaks one of :data:`~babelens.languages.LANGUAGES`."""
    return Speech(LANGUAGES[tag], Locale.parse(tag), _translations(tag))


def chosen(wish: str | None, kept: str | None, accepted: str | None) -> str:
    """The tag to speak: what the address asks for, else what was chosen before, else what the browser prefers."""
    for tag in (wish, kept):
        known = _known(tag)
        if known is not None:
            return known
    for tag in _by_preference(accepted or ""):
        known = _known(tag)
        if known is not None:
            return known
    return DEFAULT


def _known(tag: str | None) -> str | None:
    if not tag or len(tag) > 40:
        return None
    try:
        return get_language(tag).tag
    except UnknownLanguageError:
        return None


def _by_preference(header: str) -> list[str]:
    """The tags of an ``Accept-Language`` header, the most wanted first."""
    wanted: list[tuple[float, str]] = []
    for part in header[:1000].split(","):
        tag, _, parameters = part.strip().partition(";")
        try:
            weight = float(parameters.strip().removeprefix("q=")) if parameters else 1.0
        except ValueError:
            weight = 0.0
        if tag and 0 < weight <= 1:
            wanted.append((weight, tag))
    return [tag for _, tag in sorted(wanted, key=lambda pair: -pair[0])]


def _translations(tag: str) -> NullTranslations:
    source = files(__package__) / "locales" / f"{tag}.po"
    compiled = io.BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=tag))
    compiled.seek(0)
    return Translations(compiled, domain=DOMAIN)
