"""Words for left and right in the eight languages: a picture whose caption has one must not be mirrored.

Rather too many matches than too few: a picture that is never mirrored costs little, "on the left" under a mirrored
one teaches the wrong thing. So "right" counts in every meaning, and so does "droit" (straight).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from babelens.models.ngrams import normalise

# Whole words where words have spaces; anywhere in Japanese and Arabic, which writes prefixes together with a word, and
# in Hindi, whose vowel signs end a word for regular expressions.
_PATTERNS: Final[dict[str, str]] = {
    "en": r"\b(?:left|right)(?:s|y|ies|most|wards?|hand|handed|hander|side)?\b",
    "es": r"\b(?:izquierd|derech|diestr|siniestr|zurd)[oa]s?\b",
    "fr": r"\b(?:gauch|droit|droiti)(?:e|es|s|er|ers|ère|ères)?\b",
    "hi": r"बा(?:ए|ये|यी|ई|या)[ंँ]|दा(?:ए|ये|यी|ई|या)[ंँ]|दाहिन|वामावर्त|दक्षिणावर्त",
    "de": r"\b(?:(?:links|rechts)\w*|(?:linke|rechte)(?:[rnms]|rhand)?)\b",
    "it": r"\b(?:sinistr|destr|mancin)[aeio]\b",
    "ja": r"[左右]|ひだり|みぎ",
    "ar": r"يسار|يمين|[أا]يسر|[أا]يمن|يسر[ىي]|يمن[ىي]",
}


@lru_cache(maxsize=1)
def _sides() -> dict[str, re.Pattern[str]]:
    # Captions are normalised before they are searched, and so are the patterns: some letters have two spellings.
    return {
        language: re.compile(unicodedata.normalize("NFKC", pattern))
        for language, pattern in _PATTERNS.items()
    }


def names_a_side(text: str, language: str) -> bool:
    """Whether a caption says left or right. In a language that is not one of the eight, all word lists are tried."""
    plain, sides = normalise(text), _sides()
    patterns = [sides[language]] if language in sides else list(sides.values())
    return any(pattern.search(plain) for pattern in patterns)
