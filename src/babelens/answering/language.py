"""Which language a question is in, so that the answer can be in it too."""

from __future__ import annotations

import re
from typing import Final

from ..language_detection import detect_language
from .phrases import stop_words

_WORD: Final = re.compile(r"[^\W\d_]+")


def question_language(question: str) -> str:
    """The tag of the language to answer a question in: the one it is in, and ``"en"`` where that does not show."""
    return known_language(question) or "en"


def known_language(question: str) -> str | None:
    """The tag of the language a question is in, where it shows.

    By script and by :func:`babelens.language_detection.detect_language` where that is clear; else by the words that
    ask ("which", "wie", "dónde"), when one language has more of them than any other.
    """
    return detect_language(question) or _by_stop_words(question)


def _by_stop_words(question: str) -> str | None:
    words = _WORD.findall(question.casefold())
    counts = {tag: sum(word in known for word in words) for tag, known in stop_words().items()}
    most = max(counts.values())
    best = [tag for tag, count in counts.items() if count == most]
    return best[0] if most and len(best) == 1 else None
