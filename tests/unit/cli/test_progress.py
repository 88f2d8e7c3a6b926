from __future__ import annotations

import sys
import time

import pytest

from babelens.cli import progress
from babelens.cli.progress import Pace, Reporter, reporting, waiting


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_pace_tells_rate_and_time_left() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    assert pace.describe(100) == ""
    clock.now += 2
    pace.update(50)
    assert pace.describe(150) == "25/s, 4.0 s left"
    assert pace.describe(None) == "25/s"
    assert pace.describe(50) == "25/s"


def test_pace_forgets_the_past() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    for second in range(100):
        clock.now += 1
        pace.update(min(second, 50) * 1000)  # fast, then stuck
    assert pace.describe(10**6) == ""


def test_pace_starts_anew_with_each_stretch_of_work() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    for done in (100, 200, 0, 5):
        clock.now += 1
        pace.update(done)
    assert pace.describe(None) == "5.0/s"


def test_lines_come_now_and_then_when_stderr_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    reporter = Reporter("Indexing", "files", clock=clock)
    for done in range(1, 201):
        clock.now += 0.125
        reporter.update(done, 500)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "Indexing: 80 of 500 files (8.0/s, 52 s left)",
        "Indexing: 160 of 500 files (8.0/s, 42 s left)",
    ]


def test_short_work_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with reporting("Indexing", "files") as reporter:
        reporter.update(1, 2)
        reporter.update(2, 2)
    with waiting("Searching"):
        pass
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_and_is_left_clean(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    clock = Clock()
    reporter = Reporter("Indexing", "files", clock=clock)
    for done in range(1, 21):
        clock.now += 0.1
        reporter.update(done, 500)
    reporter.close()
    out, err = capsys.readouterr()
    assert out == ""
    assert "20 of 500 files" in err
    assert "10/s, 48 s left" in err
    assert err.rstrip().endswith("\x1b[2K")  # the bar's line is erased


def test_long_work_is_named_once_when_stderr_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_WAIT", 0.01)
    with waiting("Verifying"):
        time.sleep(0.2)
    assert capsys.readouterr() == ("", "Verifying …\n")
