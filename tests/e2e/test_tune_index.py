"""A study of index settings in a process of its own: Ctrl-C keeps what is finished."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from babelens.collection import Collection
from babelens.vectors import normalize

COMMAND = (
    sys.executable, "-m", "babelens", "tune", "index", "--dry-run", "--kinds", "hnsw", "--m", "4,24,32,48",
    "--ef-construction", "200", "--ef-search", "64", "--json",
)  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_interrupted_study_goes_on(tmp_path: Path) -> None:
    path, journal = tmp_path / "c", tmp_path / "c" / "indexes" / "study-image.json"
    vectors = normalize(np.random.default_rng(0).normal(size=(3_000, 256)))
    with Collection.open(path, model="mini") as opened:
        opened.import_vectors(vectors, [f"/p/{row}.png" for row in range(3_000)], encoder="mini")
    command = [*COMMAND, "-c", str(path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # Shells start background jobs with SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        while not journal.exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130, err
    assert out == ""
    assert "of 4 graphs are measured" in err
    assert "Traceback" not in err
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    study = json.loads(done.stdout)
    assert 1 <= study["resumed"] < 4
    assert (study["built"], len(study["rows"])) == (4, 5)
