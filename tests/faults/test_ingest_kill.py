"""Ingestion killed at random moments: each restart finds a sound catalog, and the end is as if nothing happened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

KILLS = 50


def test_killed_again_and_again(tmp_path: Path) -> None:
    script = Path(__file__).with_name("killed_ingest.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), str(KILLS), "1"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["kills"] >= KILLS
    assert result["problems"] == []
    assert result["different"] == []
    assert result["items"] > 50
