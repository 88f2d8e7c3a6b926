"""How much of a query's words a found document holds, and where in it they stand."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ..retrieval.calibration import coverage
from ..storage.fulltext import Word, file_name_tokens, forms_of, words_of
from ..storage.likeness import akin
from .function_words import subject_words

if TYPE_CHECKING:
    from ..storage.catalog import Catalog
    from ..storage.rows import WordHit


# Of the letters of a query's word: a document that has less of it has another word.
_WHOLE: Final = 0.6


class Coverage:
    """Judges word hits of one query: the share of its words, weighted by rarity, that a document holds in any form.

    The "how" and "does" of a question do not count, where its language is given or shows.
    """

    def __init__(self, catalog: Catalog, words: str, language: str | None = None) -> None:
        self._catalog = catalog
        self._words = subject_words(words, language)
        self._idf: dict[str, float] | None = None

    def of(self, item_id: str, text_row: int | None) -> float:
        """The coverage of one text, or of the item's file name when ``text_row`` is None."""
        return self._share(set(self._forms(item_id, text_row)))

    def of_rows(self, rows: Iterable[int]) -> float:
        """The coverage of several texts together, such as those of one page."""
        texts = self._catalog.texts_by_row(rows).values()
        return self._share({word.form for text in texts for word in words_of(text.body)})

    def _share(self, there: set[str]) -> float:
        forms = {word.form for word in self._words}
        held = [form for form in forms if form in there or any(_says(other, form) for other in there)]
        return coverage(list(forms), held, self._rarities())

    def holds_all(self, hit: WordHit, words: str) -> bool:
        """Whether the found document holds every one of some words, as they are."""
        forms = {word.form for word in words_of(words)}
        return bool(forms) and forms <= set(self._forms(hit.item_id, hit.text_row))

    def _forms(self, item_id: str, text_row: int | None) -> list[str]:
        if text_row is not None:
            text = self._catalog.texts_by_row([text_row]).get(text_row)
            return [word.form for word in words_of(text.body)] if text else []
        item = self._catalog.get_item(item_id)
        return list(forms_of(file_name_tokens(os.fsencode(item.source.path)).split())) if item else []

    def _rarities(self) -> dict[str, float]:
        """Inverse document frequencies as BM25 has them, of each word's rarest token; a word that no document holds is
        the rarest."""
        if self._idf is None:
            documents, counts = self._catalog.word_counts(
                [token for word in self._words for token in word.tokens]
            )
            self._idf = {word.form: _idf(word, documents, counts) for word in self._words}
        return self._idf


def _says(other: str, form: str) -> bool:
    """Whether a word of a document says what a word of the query does: "photos" is not all of "photosynthesis"."""
    return len(other) >= _WHOLE * len(form) and akin(form, other)


def _idf(word: Word, documents: int, counts: dict[str, int]) -> float:
    held = min(counts.get(token, 0) for token in word.tokens)
    return math.log(1 + (documents - held + 0.5) / (held + 0.5))
