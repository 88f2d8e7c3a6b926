"""What documents say: found by meaning in any language, or else by words in those that a question can be put in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..languages import LANGUAGES, main_script
from ..retrieval.query import words_of
from ..types import And, Comparison, Filter, Query, Text
from .other_languages import OtherLanguages, tell_apart
from .passages import PassageSearch
from .ranking import Ranking

if TYPE_CHECKING:
    from ..storage.catalog import Catalog

_DOCUMENTS: Final = Comparison("kind", "in", ("page", "figure", "passage"))

RankWords = Callable[[Query, str, Filter | None, int], Ranking]
"""BM25 of a query (for its language), some words, a filter and a depth."""


class DocumentSearch:
    """The rankings that the words of a query have in documents, besides those of its own words."""

    def __init__(self, catalog: Catalog, passages: PassageSearch, others: OtherLanguages) -> None:
        self._catalog = catalog
        self.passages = passages
        self._others = others

    def rankings(
        self,
        query: Query,
        others: Sequence[Ranking],
        where: Filter | None,
        depth: int,
        notes: list[str],
        rank_words: RankWords,
    ) -> list[Ranking]:
        """Passages by meaning where there are vectors of them; else a ranking for each translation of the words.

        ``others`` are the rankings that there are; ``notes`` hears what the user should know.
        """
        words = words_of(query)
        if not words or query.mode == "image":
            return []
        if query.mode != "text":
            passages = self.passages.ranking(words, query.language, where, depth, notes)
            if passages is not None:
                by_words = next((one for one in others if one.name == "words" and one.places), None)
                said = [] if by_words is None else self._stand_in(query, words, passages, by_words)
                return [passages, *said]
        if query.mode == "vector":
            return []
        inside = _DOCUMENTS if where is None else And((where, _DOCUMENTS))
        return [
            rank_words(replace(query, language=made.target), made.body, inside, depth)
            for made in self._others.translations(query, words, notes)
        ]

    def _stand_in(self, query: Query, words: str, passages: Ranking, by_words: Ranking) -> list[Ranking]:
        """What words cannot say of passages in other languages: there, meaning has their vote as well.

        Otherwise any text of the question's language that shares a word with it would come before every answer in
        another one, which stands in one ranking only.
        """
        rows = [place.text_row for place in passages.places if place.text_row is not None]
        texts = self._catalog.texts_by_row(rows)
        languages = {text.language for text in texts.values()} & LANGUAGES.keys()
        source, foreign = tell_apart(query, words, languages)
        own = (main_script(words),) if source is None else LANGUAGES[source].scripts

        def is_foreign(text: Text | None) -> bool:
            if text is None or text.language in languages:
                return text is not None and text.language in foreign
            return main_script(text.body) not in (None, *own)

        places = [
            place
            for place in passages.places
            if place.text_row is not None and is_foreign(texts.get(place.text_row))
        ]
        weight = by_words.weight
        return [Ranking("passage", places, weight, lambda shown: [1.0] * len(shown), is_reason=False)]
