"""The main job, end to end, on a bundled gallery of drawings: `babelens demo`."""

from __future__ import annotations

from .run import DemoReport, run

__all__ = ["DemoReport", "run"]
