"""Fine-tuning that is killed, or whose disk fills: what was learnt is not lost, and the end is the same."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs pip install 'babelens[torch]'")

from babelens.errors import StorageFullError  # noqa: E402
from babelens.finetuning.run import CHECKPOINT  # noqa: E402
from tests import tuning  # noqa: E402
from tests.disks import fill_the_rest  # noqa: E402
from tests.processes import run_script  # noqa: E402


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL and fork")
def test_killed_runs_end_with_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = ["all", "lora"] if find_spec("peft") else ["all"]
    monkeypatch.setenv("BABELENS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("BABELENS_DEVICE", "cpu")
    results = run_script(Path(__file__).with_name("killed_finetune.py"), tmp_path, *chosen, timeout=280)
    for name, result in results.items():
        assert result["ends"] == [True, False, False, True], name
        assert result["weights"] > 10
        assert result["same_names"]
        assert result["different"] == [], name
        assert result["logs"] == [[0, 5, 10]] * 2
        assert result["left"] == ["checkpoint.pt", "learnt.pt", "log.jsonl"], name


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
    fill_the_rest(small_disk / "ballast")
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
