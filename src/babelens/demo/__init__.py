"""The main jobs, end to end, on what is bundled: drawings in `babelens demo`, manuals in `babelens demo manuals`."""

from __future__ import annotations

from .answers import AnswerTrial, ManualsReport, ask_manuals
from .run import DemoReport, run

__all__ = ["AnswerTrial", "DemoReport", "ManualsReport", "ask_manuals", "run"]
