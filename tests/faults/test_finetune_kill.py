"""Fine-tuning that is killed, or whose disk fills: what was learnt is not lost, and the end is the same."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs pip install 'babelens[torch]'")

from babelens.errors import StorageFullError  # noqa: E402
from babelens.finetuning.run import CHECKPOINT  # noqa: E402
from tests import tuning  # noqa: E402


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL and fork")
def test_killed_runs_end_with_the_same_weights(tmp_path: Path) -> None:
    chosen = ["all", "lora"] if find_spec("peft") else ["all"]
    root = Path(__file__).parents[2]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "BABELENS_CACHE": str(tmp_path / "cache"),
        "BABELENS_DEVICE": "cpu",
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("killed_finetune.py")), str(tmp_path), *chosen],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    for name, result in json.loads(done.stdout).items():
        assert result["ends"] == [True, False, False, True], name
        assert result["weights"] > 10
        assert result["same_names"]
        assert result["different"] == [], name
        assert result["logs"] == [[0, 5, 10]] * 2
        assert result["left"] == ["checkpoint.pt", "learnt.pt", "log.jsonl"], name


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, check=False
        )
    except OSError:
        pytest.skip("there is no mount command")
    if mounted.returncode:
        pytest.skip("mounting a small disk needs rights that this user does not have")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as ballast:
        try:
            while ballast.write(b"x" * 4096):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def test_a_disk_that_fills_while_a_checkpoint_is_written(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BABELENS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("BABELENS_DEVICE", "cpu")
    data = tuning.write_data(tmp_path / "data", counts=(32, 20, 20))
    out, settings = small_disk / "run", tuning.settings(parts="text")
    run = tuning.begin(tuning.own(), data, out, settings)
    run.train(stop_after=5)
    saved = (out / CHECKPOINT).read_bytes()
    fill(small_disk / "ballast")
    with pytest.raises(StorageFullError, match="cannot be written") as caught:
        run.train(stop_after=10)
    assert "--resume" in str(caught.value.hint)
    assert (out / CHECKPOINT).read_bytes() == saved
    assert not list(out.glob("*.part"))
    (small_disk / "ballast").unlink()
    resumed = tuning.begin(tuning.own(), data, out, settings)
    resumed.load_checkpoint()
    assert resumed.step == 5
    resumed.train(stop_after=10)
    assert resumed.step == 10
