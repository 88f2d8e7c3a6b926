"""How much of a query's words a found document holds."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from ..retrieval.calibration import coverage
from ..storage.fulltext import analyze, file_name_tokens

if TYPE_CHECKING:
    from ..storage.catalog import Catalog
    from ..storage.rows import WordHit


class Coverage:
    """Judges word hits of one query: the share of its words, weighted by rarity, that a document holds."""

    def __init__(self, catalog: Catalog, words: str) -> None:
        self._catalog = catalog
        self._words = analyze(words)
        self._idf: dict[str, float] | None = None

    def of(self, item_id: str, text_row: int | None) -> float:
        """The coverage of one text, or of the item's file name when ``text_row`` is None."""
        return coverage(self._words, self._tokens(item_id, text_row), self._rarities())

    def holds_all(self, hit: WordHit, words: str) -> bool:
        """Whether the found document holds every one of some words."""
        tokens = analyze(words)
        return bool(tokens) and set(tokens) <= set(self._tokens(hit.item_id, hit.text_row))

    def _tokens(self, item_id: str, text_row: int | None) -> list[str]:
        if text_row is not None:
            text = self._catalog.texts_by_row([text_row]).get(text_row)
            return analyze(text.body) if text else []
        item = self._catalog.get_item(item_id)
        return file_name_tokens(os.fsencode(item.source.path)).split() if item else []

    def _rarities(self) -> dict[str, float]:
        """Inverse document frequencies as BM25 has them; a word that no document holds is the rarest."""
        if self._idf is None:
            documents, counts = self._catalog.word_counts(self._words)
            self._idf = {
                word: math.log(1 + (documents - counts.get(word, 0) + 0.5) / (counts.get(word, 0) + 0.5))
                for word in set(self._words)
            }
        return self._idf
