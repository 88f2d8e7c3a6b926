"""Counts that describe a data set: pictures, captions and their lengths, by split and language."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

# Words are not divided by blanks there.
_NO_BLANKS = frozenset({"ja", "zh", "th", "und"})


@dataclass(frozen=True, slots=True)
class LanguageStatistics:
    """The captions in one language. ``words`` and ``characters`` are medians per caption; ``words`` is ``None`` where
    blanks do not divide words. ``shared`` counts the captions whose wording stands under several pictures: as
    queries they have no single answer."""

    pictures: int
    captions: int
    words: float | None
    characters: float
    shared: int


def by_language(
    captions: Iterable[tuple[Path | str, Sequence[tuple[str, str]]]],
) -> dict[str, LanguageStatistics]:
    """Statistics of pictures with their (language, text) pairs, in the order in which languages come up.

    Blank texts do not count."""
    texts: dict[str, list[tuple[Path | str, str]]] = defaultdict(list)
    for picture, pairs in captions:
        for language, text in pairs:
            if text.strip():
                texts[language].append((picture, text))
    return {language: _describe(language, pairs) for language, pairs in texts.items()}


def wording(text: str) -> str:
    """What is compared when two captions may be the same: letter case and blanks do not count."""
    return " ".join(text.split()).casefold()


def _describe(language: str, pairs: Sequence[tuple[Path | str, str]]) -> LanguageStatistics:
    places: dict[str, set[Path | str]] = defaultdict(set)
    times: Counter[str] = Counter()
    for picture, text in pairs:
        places[wording(text)].add(picture)
        times[wording(text)] += 1
    blanks = language.split("-")[0] not in _NO_BLANKS
    return LanguageStatistics(
        pictures=len({picture for picture, _ in pairs}),
        captions=len(pairs),
        words=median(len(text.split()) for _, text in pairs) if blanks else None,
        characters=median(len(text.strip()) for _, text in pairs),
        shared=sum(number for body, number in times.items() if len(places[body]) > 1),
    )
