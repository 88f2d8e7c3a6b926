"""What can be wrong with a caption, as far as its letters tell."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ..languages import LANGUAGES, script_of

_script = lru_cache(maxsize=1 << 16)(script_of)
_LEAST_SHARE: Final = 0.25  # of a caption's letters: signs are quoted in their own script
_KANA_FREE: Final = 12  # no Japanese sentence has so many letters without kana
_ENTITY: Final = re.compile(r"&(?:[a-z][a-z0-9]{1,30}|#\d{1,7}|#x[0-9a-f]{1,6});", re.IGNORECASE)
# Lost letters, halves of characters, and control characters that are no blanks.
_NEVER: Final = re.compile("[\ufffd\ud800-\udfff\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]{2,}")
# What UTF-8 read as Windows-1252 was before: Latin letters, punctuation, and the scripts of the eight languages. An
# Italian "Ù»" could be one Arabic letter and a French "é »" one Chinese, so of these two are asked for.
_WAS: Final = re.compile(
    r"[\xa0-\u017f\u2000-\u206f\u20ac\u3000-\u30ff\u0900-\u097f]|[\u0600-\u06ff]{2}|[\u4e00-\u9fff\uff00-\uffef]{2}"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """``kind`` is ``empty-caption``, ``encoding-damage`` or ``wrong-script``; ``problem`` says it in words."""

    kind: str
    problem: str


def fault_of(text: str, language: str) -> Fault | None:
    """What is wrong with a caption in ``language``; ``None`` when nothing is."""
    damage = _damage(text)
    if damage:
        return Fault("encoding-damage", damage)
    if not any(map(str.isalnum, text)):
        return Fault("empty-caption", f"an empty caption in {language!r}")
    problem = _wrong_script(text, language)
    return Fault("wrong-script", problem) if problem else None


def _damage(text: str) -> str | None:
    if found := _NEVER.search(text):
        return f"it holds U+{ord(found[0]):04X}, {_meaning(found[0])}"
    if not text.isascii():
        for run in _NOT_ASCII.findall(text):
            was = _read_wrongly(run)
            if was is not None:
                return f"UTF-8 was read as Windows-1252: {run!r} was {was!r}"
    if "&" in text:
        for entity in _ENTITY.findall(text):
            if html.unescape(entity) != entity:
                return f"an HTML entity was left in it: {entity}"
    return None


def _meaning(character: str) -> str:
    if character == "\ufffd":
        return "which stands for letters that were lost"
    return "half a character" if character >= "\ud800" else "a control character"


def _read_wrongly(run: str) -> str | None:
    """What stood there before UTF-8 was read as Windows-1252 (``Ã©`` was ``é``); ``None`` when that is not so."""
    raw = bytearray()
    for character in run:
        try:
            raw += character.encode("cp1252")
        except UnicodeEncodeError:
            if ord(character) > 0xFF:
                return None
            raw.append(ord(character))  # five bytes that Windows-1252 gives no meaning
    try:
        was = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return was if _WAS.search(was) else None


def _wrong_script(text: str, language: str) -> str | None:
    row = LANGUAGES.get(language)
    if row is None:
        return None
    scripts = [_script(character) for character in text if character.isalpha()]
    if not scripts:
        return None
    share = sum(script in row.scripts for script in scripts) / len(scripts)
    if share < _LEAST_SHARE:
        return (
            f"{row.name} is written in {' or '.join(row.scripts)}, and {1 - share:.0%} of its letters are not"
        )
    if language == "ja" and scripts.count("Hani") >= _KANA_FREE and not {"Hira", "Kana"} & set(scripts):
        return "it has no kana, so it is Chinese"
    return None
