"""A reindex killed at each of its writes: searches go on, and the end is as if nothing happened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.processes import run_script


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL and fork")
def test_killed_at_every_write(tmp_path: Path) -> None:
    result = run_script(Path(__file__).with_name("killed_reindex.py"), tmp_path)
    seen = result["seen"]
    assert seen.count("old") > 10, "kills before the switch"
    assert seen.count("new") > 5, "and after it"
    assert seen == sorted(seen, key=["old", "new"].index), "one switch, and no way back"
    assert result["vectors"] == [12, 12]
    assert result["different"] == []
