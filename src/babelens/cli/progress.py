"""Progress on stderr: a bar on a terminal, an occasional line elsewhere, nothing for work that is over at once."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .render import count, duration, message

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_SHOW_AFTER = 0.7  # seconds; a bar that flashes up and goes is noise
_LINE_EVERY = 10.0
_RATE_WINDOW = 20.0
_WAIT = 2.0

Clock = Callable[[], float]


class Pace:
    """How fast things go lately, and how long the rest will take."""

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._marks: deque[tuple[float, int]] = deque([(clock(), 0)])

    def update(self, done: int) -> None:
        now = self._clock()
        if done < self._marks[-1][1]:  # another stretch of work begins
            self._marks.clear()
        self._marks.append((now, done))
        while len(self._marks) > 2 and now - self._marks[1][0] >= _RATE_WINDOW:
            self._marks.popleft()

    def describe(self, total: int | None) -> str:
        """``"35/s, 2 min 10 s left"``; empty while nothing is known."""
        (start, first), (end, last) = self._marks[0], self._marks[-1]
        if last <= first or end <= start:
            return ""
        rate = (last - first) / (end - start)
        text = f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
        if total is not None and total > last:
            text += f", {duration((total - last) / rate)} left"
        return text


class Reporter:
    """Call ``update(done, total)`` as often as you like; it decides what to show."""

    def __init__(self, verb: str, unit: str, *, clock: Clock = time.monotonic) -> None:
        self._verb, self._unit, self._clock = verb, unit, clock
        self._pace = Pace(clock=clock)
        self._started = self._last_line = clock()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def update(self, done: int, total: int | None = None, note: str = "") -> None:
        self._pace.update(done)
        now = self._clock()
        if now - self._started < _SHOW_AFTER:
            return
        detail = ", ".join(part for part in (self._pace.describe(total), note) if part)
        if sys.stderr.isatty():
            self._draw(done, total, detail)
        elif now - self._last_line >= _LINE_EVERY:
            self._last_line = now
            of = f" of {total:,}" if total is not None else ""
            message(f"{self._verb}: {done:,}{of} {self._unit}" + (f" ({detail})" if detail else ""))

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _draw(self, done: int, total: int | None, detail: str) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=30),
                TextColumn("{task.fields[detail]}"),
                console=Console(stderr=True),
                transient=True,  # the summary that follows says it better
            )
            self._task = self._bar.add_task(self._verb, total=None, detail="")
            self._bar.start()
        assert self._task is not None
        text = f"{done:,} of {total:,} {self._unit}" if total is not None else count(done, "", self._unit)
        self._bar.update(self._task, completed=done, total=total, detail=f"{text.strip()}  {detail}")


@contextmanager
def reporting(verb: str, unit: str) -> Iterator[Reporter]:
    """A reporter that leaves the terminal as it found it."""
    reporter = Reporter(verb, unit)
    try:
        yield reporter
    finally:
        reporter.close()


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Says what is going on, and for how long, while work that reports no progress takes its time."""
    done = threading.Event()
    thread = threading.Thread(target=_tick, args=(text, done), name="babelens-waiting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _tick(text: str, done: threading.Event) -> None:
    started = time.monotonic()
    if done.wait(_WAIT):
        return
    if not sys.stderr.isatty():
        message(f"{text} …")
        done.wait()
        return
    from rich.console import Console

    with Console(stderr=True).status(text) as status:
        while not done.wait(1.0):
            status.update(f"{text} ({duration(time.monotonic() - started)})")
