"""A catalog whose texts are being analysed again survives `kill -9`, and goes on where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from babelens.errors import CollectionError
from babelens.storage import Catalog
from tests.old_catalogs import old_catalog

WORKER = Path(__file__).with_name("killed_reanalysis.py")


def _killed_at(folder: Path, done: int) -> list[int]:
    """What the process had done, by batch, when it was killed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, str(WORKER), str(folder), str(done)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        steps = []
        for line in process.stdout:
            steps.append(int(line))
            if steps[-1] >= done:
                process.send_signal(signal.SIGKILL)
                break
        process.wait(timeout=60)
    assert steps, "it ended before its first batch"
    return steps


def test_killed_and_gone_on_with(tmp_path: Path) -> None:
    old_catalog(tmp_path, 50)
    assert _killed_at(tmp_path, 20) == [10, 20]
    with pytest.raises(CollectionError, match="older"):
        Catalog.open(tmp_path, read_only=True)
    assert _killed_at(tmp_path, 80)[0] == 30  # the committed batches stay
    with Catalog.open(tmp_path) as catalog:
        assert catalog.verify() == []
        assert len(catalog.search_words("zebra", k=100)) == 50
