"""Ingestion killed at random moments: each restart finds a sound catalog, and the end is as if nothing happened."""

from __future__ import annotations

from pathlib import Path

from tests.processes import run_script

KILLS = 50


def test_killed_again_and_again(tmp_path: Path) -> None:
    result = run_script(Path(__file__).with_name("killed_ingest.py"), tmp_path, KILLS, 1)
    assert result["kills"] >= KILLS
    assert result["problems"] == []
    assert result["different"] == []
    assert result["items"] > 50
