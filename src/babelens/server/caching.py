"""Answers that are remembered as long as the collection stays as it was."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Final

_ANSWERS: Final = 512
_WEIGHT: Final = 20_000


class AnswerCache:
    """The answers last used, of one version of a collection. Safe to use from several threads.

    Bounded by ``answers`` and by ``weight``, which is how many hits or rows they hold together.
    """

    def __init__(self, answers: int = _ANSWERS, weight: int = _WEIGHT) -> None:
        self._limits = answers, weight
        self._lock = threading.Lock()
        self._version: str | None = None
        self._kept: OrderedDict[tuple[Any, ...], tuple[Any, int]] = OrderedDict()
        self._weight = 0

    def get(self, version: str, key: tuple[Any, ...]) -> Any:
        """What was answered, None when it is not known of this version."""
        with self._lock:
            if version != self._version or key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, version: str, key: tuple[Any, ...], answer: Any) -> None:
        """Remembers an answer that was asked for when the collection had ``version``."""
        weight = 1 + len(getattr(answer, "hits", answer if isinstance(answer, list) else ()))
        answers, limit = self._limits
        if weight > limit // 2:
            return
        with self._lock:
            if version != self._version:
                self._empty()
                self._version = version
            _, before = self._kept.pop(key, (None, 0))
            self._kept[key] = (answer, weight)
            self._weight += weight - before
            while len(self._kept) > answers or self._weight > limit:
                _, (_, oldest) = self._kept.popitem(last=False)
                self._weight -= oldest

    def clear(self) -> None:
        with self._lock:
            self._empty()

    def _empty(self) -> None:
        self._kept.clear()
        self._weight = 0
        self._version = None
