"""What documents say: found by meaning in any language, or else by words in those that a question can be put in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ..retrieval.query import words_of
from ..types import And, Comparison, Filter, Query
from .other_languages import OtherLanguages
from .passages import PassageSearch
from .ranking import Ranking

_DOCUMENTS: Final = Comparison("kind", "in", ("page", "figure", "passage"))

RankWords = Callable[[Query, str, Filter | None, int], Ranking]
"""BM25 of a query (for its language), some words, a filter and a depth."""


class DocumentSearch:
    """The rankings that the words of a query have in documents, besides those of its own words."""

    def __init__(self, passages: PassageSearch, others: OtherLanguages) -> None:
        self.passages = passages
        self._others = others

    def rankings(
        self, query: Query, where: Filter | None, depth: int, notes: list[str], rank_words: RankWords
    ) -> list[Ranking]:
        """Passages by meaning where there are vectors of them; else a ranking for each translation of the words.

        ``notes`` hears what the user should know of either.
        """
        words = words_of(query)
        if not words or query.mode == "image":
            return []
        if query.mode != "text":
            passages = self.passages.ranking(words, query.language, where, depth, notes)
            if passages is not None:
                return [passages]
        if query.mode == "vector":
            return []
        inside = _DOCUMENTS if where is None else And((where, _DOCUMENTS))
        return [
            rank_words(replace(query, language=made.target), made.body, inside, depth)
            for made in self._others.translations(query, words, notes)
        ]
