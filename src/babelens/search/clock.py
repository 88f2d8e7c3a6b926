"""How long the steps of a search take."""

from __future__ import annotations

import time


class Clock:
    """Milliseconds by step."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self._laps[step] = round(1000 * (now - self._last), 4)
        self._last = now

    def laps(self) -> dict[str, float]:
        return {**self._laps, "total": round(1000 * (time.perf_counter() - self._start), 4)}
