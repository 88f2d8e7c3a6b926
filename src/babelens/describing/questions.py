"""Questions into the languages of documents, by translators that are on this machine: a search fetches nothing."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from ..models.translators import Translator, find_translator, load_translator
from ..types import Translation
from .translations import memory_of, translate_checked

_HELD: Final = 4  # one of a pair has 300 MB


class QuestionTranslator:
    """Translates single texts, keeping the translators that were used last. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: dict[tuple[str, str], str | None] = {}
        self._held: OrderedDict[str, Translator] = OrderedDict()

    def __call__(self, text: str, source: str, target: str) -> Translation | None:
        """A checked translation; None where no translator on this machine knows the pair.

        Which one does is looked up once. Raises what :func:`load_translator` does when its files are damaged.
        """
        with self._lock:
            translator = self._translator(source, target)
            if translator is None:
                return None
            memory = memory_of(translator, source, target)
            return translate_checked([text], translator, memory, source=source, target=target)[0]

    def _translator(self, source: str, target: str) -> Translator | None:
        pair = (source, target)
        if pair not in self._names:
            self._names[pair] = find_translator(source, target)
        name = self._names[pair]
        if name is None:
            return None
        if name not in self._held:
            self._held[name] = load_translator(name, source, target)
            if len(self._held) > _HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(name)
        return self._held[name]
