"""Finds the numbers of figures in eight languages: "Fig. 3-2", "Abbildung 4", "図 5", "الشكل ٢", "चित्र ३"."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_WORDS: Final = (
    r"\b(?:figures?|figuras?|figs?\.?|abbildung(?:en)?|abb\.?|bild(?:er)?|illustrations?|ilustraci[oó]n(?:es)?"
    r"|illustrazion[ei]|sch[eé]ma)"
    r"|図|图|圖"
    r"|(?<![\u0621-\u064a])[وفبكل]{0,2}(?:ال|ل)?(?:شكل|أشكال|اشكال|رسم)(?![\u0621-\u064a])"
    r"|(?:चित्र|आकृति)(?:ों)?"
)
# A number may have a chapter ("3-2", "A.1") and a part ("4a"). The letter of a part is never the start of a word.
_NUMBER: Final = r"(?:[A-Z][-.]?)?\d+(?:[-.:]\d+)*(?:[a-z](?![^\W\d_]))?"
_ALSO: Final = (
    r"(?:\s*(?:,|、|،|&|\band\b|\bund\b|\bet\b|\by\b|\be\b|\bo\b|\bor\b|\boder\b|\bou\b|と|و|और)\s*)"
)
_LABEL: Final = re.compile(rf"(?i:{_WORDS})[\s(\[]*({_NUMBER}(?:{_ALSO}{_NUMBER}(?![\w%]))*)")
_ORDINAL: Final = re.compile(r"第\s*(\d+(?:[-.]\d+)*)\s*図")
_ONE_NUMBER: Final = re.compile(_NUMBER)
_DASHES: Final = str.maketrans(dict.fromkeys("‐‑‒–—―−－", "-") | {"．": ".", "：": ":"})
# Of a list of contents or figures, which names a page at the end of each line.
LEADERS: Final = re.compile(r"\s*(?:(?:\.\s?){4,}|…{2,}|･{3,}|・{3,})\s*")
# What a line of running text may begin with: "(Figure 3). Then …"
_END_OF_SENTENCE: Final = re.compile(r"\s*\([^()]*\)\s*[.,;。、।]")
_AFTER_CAPTION_NUMBER: Final = re.compile(r"[)\]]?\s*(?:[:.,;|–—-]|：|。|．|、|،|$)")


def find_labels(text: str) -> tuple[str, ...]:
    """The normalised labels that ``text`` refers to, each once, in order: ``("figure 3-2", "figure 4")``."""
    plain = _plain(text)
    found = [(match.start(), match[1]) for match in _LABEL.finditer(plain)]
    found += [(match.start(), match[1]) for match in _ORDINAL.finditer(plain)]
    numbers = (number for _, group in sorted(found) for number in _ONE_NUMBER.findall(group))
    return tuple(dict.fromkeys(f"figure {number.lower()}" for number in numbers))


def caption_label(text: str) -> str | None:
    """The label that ``text`` begins with, as a caption does; ``None`` when it does not, or is a line of a list."""
    match = _opening(text)
    if match is None or LEADERS.search(text) or _END_OF_SENTENCE.match(_plain(text)):
        return None
    numbers = _ONE_NUMBER.findall(match[1])
    return f"figure {numbers[0].lower()}"


def is_certain_caption(text: str) -> bool:
    """Whether the number is set off, as in "Figure 3: The pump", and not the subject of a sentence."""
    match = _opening(text)
    return (
        match is not None
        and _AFTER_CAPTION_NUMBER.match(_plain(text).lstrip(" ([【<＜《")[match.end() :]) is not None
    )


def _opening(text: str) -> re.Match[str] | None:
    plain = _plain(text).lstrip(" ([【<＜《")
    return _LABEL.match(plain) or _ORDINAL.match(plain)


def _plain(text: str) -> str:
    """Full-width forms made narrow, dashes made one, digits of every script made ASCII; the length may change."""
    text = unicodedata.normalize("NFKC", text).translate(_DASHES)
    return "".join(
        str(unicodedata.digit(letter)) if letter.isdecimal() and not letter.isascii() else letter
        for letter in text
    )
