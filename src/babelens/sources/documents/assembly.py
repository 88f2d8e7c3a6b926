"""Puts the pages of a document together as they come: what repeats is dropped, passages and figures are tied."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from ...language_detection import detect_language
from ...languages import LANGUAGES, main_script, script_of
from .figures import figures_of, merged_parts, tie_passages
from .furniture import without_furniture
from .layout import PageLayout
from .outline import Outline
from .sections import Sections
from .types import Figure, Page, Passage

# Pages that are looked at before the first is cut into passages, to know the size of running text.
_AHEAD: Final = 12
_MIN_LETTERS: Final = 24
_SHARE: Final = 0.15
_TELLING: Final = {"Hira": "ja", "Kana": "ja", "Arab": "ar", "Deva": "hi"}


@dataclass(frozen=True, slots=True)
class Assembled:
    title: str | None
    pages: tuple[Page, ...]
    passages: tuple[Passage, ...]
    figures: tuple[Figure, ...]


def assemble(layouts: Iterable[PageLayout], *, on_page: Callable[[int], None] | None = None) -> Assembled:
    """Pages, passages and figures of layouts in page order. ``on_page`` hears how many pages are done."""
    outline = Outline()
    sections = Sections(outline)
    pages: list[Page] = []
    figures: list[Figure] = []
    asides: dict[str, str] = {}
    waiting: deque[PageLayout] = deque()

    def finish(layout: PageLayout) -> None:
        layout = merged_parts(layout)
        pages.append(Page(layout.number, math.ceil(layout.width), math.ceil(layout.height), layout.source))
        keys = sections.add(layout)
        found = figures_of(layout, sections, len(figures))
        boxes = {passage.key: passage.box for passage in outline.passages[-len(keys) :]} if keys else {}
        for key in keys:
            x, y = (boxes[key][0] + boxes[key][2]) // 2, (boxes[key][1] + boxes[key][3]) // 2
            for figure in found:
                if figure.box[0] <= x <= figure.box[2] and figure.box[1] <= y <= figure.box[3]:
                    asides.setdefault(figure.key, key)
        figures.extend(found)

    for layout in without_furniture(_counted(layouts, on_page)):
        sections.learn(layout)
        waiting.append(layout)
        if len(waiting) > _AHEAD:
            finish(waiting.popleft())
    while waiting:
        finish(waiting.popleft())
    outline.close()
    passages = with_languages(outline.passages)
    title = sections.first_heading[1] if sections.first_heading else None
    return Assembled(title, tuple(pages), tuple(passages), tuple(tie_passages(figures, passages, asides)))


def _counted(layouts: Iterable[PageLayout], on_page: Callable[[int], None] | None) -> Iterable[PageLayout]:
    for layout in layouts:
        if on_page is not None:
            on_page(layout.number)
        yield layout


def with_languages(passages: list[Passage]) -> list[Passage]:
    """Passages with their language; a short one in doubt has that of the document, if it is written like it."""
    detected = [_language(passage) for passage in passages]
    weights: Counter[str] = Counter()
    for passage, language in zip(passages, detected, strict=True):
        if language is not None:
            weights[language] += len(passage.body)
    main = max(weights, key=lambda tag: weights[tag]) if weights else None
    share = weights[main] / weights.total() if main else 0.0
    result = []
    for passage, language in zip(passages, detected, strict=True):
        if language is None and main is not None and share > 0.8:
            script = main_script(passage.body)
            language = main if script is None or script in LANGUAGES[main].scripts else None
        result.append(replace(passage, language=language))
    return result


def _language(passage: Passage) -> str | None:
    """The language of the words. Formulas and names in Latin letters do not hide that of a text in another script."""
    start = passage.body[:1000]
    scripts = Counter(filter(None, map(script_of, start)))
    for script, language in _TELLING.items():
        if scripts[script] > _SHARE * scripts.total():
            return language
    if main_script(start) == "Latn" and scripts.total() < _MIN_LETTERS:
        return None
    return detect_language(start)
