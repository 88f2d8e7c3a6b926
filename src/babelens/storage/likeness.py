"""Whether two folded words are forms of one word, or one is part of the other.

The index finds by n-grams and ranks what it found; this says which words were meant, where a yes or no is wanted: to
leave out texts that share only an ending with the query, to mark words in an excerpt, to tell how much of a query was
found. Rules of spelling alone, the same for every language: they err, as stemmers do.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_PARTICLES: Final = "وفبكل"  # written together with the Arabic word that follows
_SHARE: Final = 0.6  # of the longer word, that both begin with
_ENDING: Final = 3  # letters that may follow a whole word
_LONG_ENDING: Final = 4
_PART: Final = 4  # letters of a part of a compound, and of what stands around it


@lru_cache(maxsize=100_000)
def akin(one: str, other: str) -> bool:
    """Whether two folded words belong together: ``"filter"`` and ``"filters"``, ``"kaffeefilter"``."""
    if one == other:
        return True
    if len(one) < 3 or len(other) < 3 or any(map(str.isdigit, one + other)):
        return False
    if _inflected(one, other) or _compound(one, other):
        return True
    bare = [word[1:] if word[0] in _PARTICLES and len(word) > 4 else word for word in (one, other)]
    return bare != [one, other] and (bare[0] == bare[1] or _inflected(*bare))


def _inflected(one: str, other: str) -> bool:
    """They begin alike and differ by an ending."""
    short, long = sorted((one, other), key=len)
    same = next((n for n in range(len(short)) if short[n] != long[n]), len(short))
    if same < 3:
        return False
    if same >= _SHARE * len(long):
        return True
    rest = len(long) - same
    return (same == len(short) >= 4 and rest <= _ENDING) or (
        same >= len(short) - 1 >= 4 and rest <= _LONG_ENDING
    )


def _compound(one: str, other: str) -> bool:
    """The longer holds the beginning of the shorter, all of it but an ending, and enough letters besides."""
    short, long = sorted((one, other), key=len)
    if len(short) < _PART or len(long) < len(short) + _PART:
        return False
    return short[: max(_PART, -(-3 * len(short) // 4))] in long
