from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from babelens.errors import DatasetError, TrainingError  # noqa: E402
from babelens.models.registry import load_encoder  # noqa: E402
from babelens.sources.images import load_image  # noqa: E402
from babelens.training.loop import LOG  # noqa: E402
from babelens.training.photograph_run import SUMMARY, PhotographTrainer  # noqa: E402
from babelens.training.recipe import load_recipe  # noqa: E402
from babelens.training.train import train  # noqa: E402
from babelens.training.validate import photograph_recall  # noqa: E402


def state(out: Path) -> dict[str, object]:
    saved: dict[str, object] = torch.load(out / "checkpoint.pt", weights_only=True)
    return saved


def same(first: Path, second: Path) -> None:
    left, right = state(first), state(second)
    for part in ("model", "average", "best"):
        values, others = left[part], right[part]
        assert isinstance(values, dict)
        assert isinstance(others, dict)
        assert values.keys() == others.keys()
        for name, value in values.items():
            assert torch.equal(value, others[name]), f"{part}.{name}"
    for key in ("best_step", "best_mean", "waited"):
        assert left[key] == right[key]


def test_resumed_run_ends_like_an_undisturbed_one(
    photographs: Path, photograph_recipe: Path, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    done = train(photograph_recipe, out=whole, data=photographs, progress=False)
    train(photograph_recipe, out=parts, data=photographs, progress=False, stop_after=5)
    resumed = train(photograph_recipe, out=parts, data=photographs, progress=False, resume=True)
    same(whole, parts)
    for name in ("image.onnx", "text.onnx"):
        assert (done.encoder / name).read_bytes() == (resumed.encoder / name).read_bytes()
    steps = [json.loads(line)["step"] for line in (parts / LOG).read_text().splitlines()]
    assert steps == [0, 4, 8]


def test_killed_run_resumes(photographs: Path, photograph_recipe: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(photograph_recipe, out=whole, data=photographs, progress=False)
    code = (
        "import sys; from babelens.training.train import train; "
        "train(sys.argv[1], out=sys.argv[2], data=sys.argv[3], progress=False)"
    )
    command = [sys.executable, "-c", code, str(photograph_recipe), str(killed), str(photographs)]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 120
    while not (killed / "checkpoint.pt").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    train(photograph_recipe, out=killed, data=photographs, progress=False, resume=True)
    same(whole, killed)


def test_a_tiny_model_learns(photographs: Path, photograph_recipe: Path, tmp_path: Path) -> None:
    done = train(
        photograph_recipe,
        out=tmp_path / "run",
        data=photographs,
        progress=False,
        overrides={
            "run.steps": 120,
            "run.validate_every": 60,
            "data.pictures": 30,
            "data.grey": 0.0,
            "loss.smoothing": 0.0,
            "optim.lr": 2e-2,
        },
    )
    assert set(done.measured) == {"en", "de", "ja"}
    for language, found in done.measured.items():
        assert found.pictures == 24
        assert found.captions == (24 if language == "de" else 48 + (language == "en"))
        estimate = found.text_to_image[5]
        # Two pictures of 24 show what a caption says, and only one of them counts.
        assert estimate.chance == pytest.approx(5 / 24)
        assert estimate.low > estimate.chance, language
        assert found.image_to_text[5].value > found.image_to_text[5].chance
    encoder = load_encoder(done.encoder)
    assert encoder.photographs
    assert encoder.languages == ("en", "de", "ja")
    rows = [json.loads(line) for line in (photographs / "val.jsonl").read_text().splitlines()]
    images = encoder.encode_prepared(
        [encoder.prepare(load_image(photographs / row["image"])) for row in rows]
    )
    bodies = [(place, body) for place, row in enumerate(rows) for body in row["captions"]["ja"]]
    texts = encoder.encode_texts([body for _, body in bodies])
    served = photograph_recall(images, texts, np.array([place for place, _ in bodies]))
    # What is shipped sees what was validated; int8 weights can move a rank or two.
    assert served.mean == pytest.approx(done.measured["ja"].mean, abs=0.05)


def test_the_best_validation_is_shipped_and_patience_ends_the_run(
    photographs: Path, photograph_recipe: Path, tmp_path: Path
) -> None:
    settings = {"run.steps": 40, "run.validate_every": 2, "stop.patience": 2, "optim.lr": 0.0}
    out = tmp_path / "run"
    done = train(photograph_recipe, out=out, data=photographs, progress=False, overrides=settings)
    log = [json.loads(line) for line in (out / LOG).read_text().splitlines()]
    means = [entry["mean"] for entry in log]
    best = int(np.argmax(means))
    assert done.steps == log[-1]["step"] == 2 * (best + 2) < 40
    assert log[-1]["best_step"] == 2 * best
    whole = float(np.mean([found.mean for found in done.measured.values()]))
    assert whole == pytest.approx(max(means), abs=1e-4)
    again = train(
        photograph_recipe, out=out, data=photographs, progress=False, overrides=settings, resume=True
    )
    assert again.steps == done.steps, "a run that has stopped does not go on"


def test_the_shipped_weights_are_those_of_the_best_step(
    photographs: Path, photograph_recipe: Path, tmp_path: Path
) -> None:
    trainer = PhotographTrainer(load_recipe(photograph_recipe), photographs, tmp_path / "run")  # type: ignore[arg-type]
    trainer.run(progress=False, stop_after=4)
    best = {name: value.clone() for name, value in trainer.shipped().state_dict().items()}
    trainer.best_mean = 2.0  # nothing will be better
    trainer.run(progress=False)
    assert trainer.step == 8
    assert all(torch.equal(value, best[name]) for name, value in trainer.shipped().state_dict().items())
    now = trainer.average.state_dict()
    assert any(not torch.equal(value, best[name]) for name, value in now.items())


def test_what_is_trained_on_and_left_out_is_on_record(
    photographs: Path, photograph_recipe: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(photographs, data)
    (data / "images" / "train-disc-red-1.png").write_bytes(b"not a picture")
    out = tmp_path / "run"
    done = train(
        photograph_recipe,
        out=out,
        data=data,
        progress=False,
        stop_after=1,
        overrides={"data.languages": ["de", "ja"], "data.limit": 30},
    )
    summary = json.loads((out / SUMMARY).read_text(encoding="utf-8"))
    assert summary["train"]["pictures"] == 30
    assert summary["train"]["captions"]["ja"] == 60
    assert summary["train"]["captions"]["de"] < 60, "German is missing for some"
    assert summary["validation"]["pictures"] == 24
    assert summary["train"]["captions_in_other_languages"]["en"] > 0
    assert [Path(one["where"]).name for one in summary["train"]["left_out"]] == ["train-disc-red-1.png"]
    assert [Path(one.where).name for one in done.left_out] == ["train-disc-red-1.png"]


def test_a_leak_is_refused_before_anything_is_trained(
    photographs: Path, photograph_recipe: Path, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=r"train-disc-red-0\.png.*same picture.*59 more"):
        train(
            photograph_recipe,
            out=tmp_path / "run",
            data=photographs,
            progress=False,
            overrides={"data.validation": "train.jsonl"},
        )
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


def test_how_often_is_validated_belongs_to_the_recipe(
    photographs: Path, photograph_recipe: Path, tmp_path: Path
) -> None:
    """The best validation decides what is shipped."""
    train(photograph_recipe, out=tmp_path / "run", data=photographs, progress=False, stop_after=1)
    with pytest.raises(TrainingError, match="another recipe"):
        train(
            photograph_recipe,
            out=tmp_path / "run",
            data=photographs,
            progress=False,
            resume=True,
            overrides={"run.validate_every": 2},
        )


def test_recall_counts_any_caption_of_a_picture() -> None:
    images = np.eye(4, 6, dtype=np.float32)
    texts = np.stack([images[0], images[1], images[0], images[3]])
    owners = np.array([0, 0, 1, 3])  # picture 2 has no caption in this language
    found = photograph_recall(images, texts, owners)
    assert (found.pictures, found.captions) == (4, 4)
    assert found.text_to_image[1].value == 0.5
    assert found.image_to_text[1].n == 3
    # Picture 0 ties with another's caption, and ties count against it; picture 1 has nothing near; picture 3 is right.
    assert found.image_to_text[1].value == pytest.approx(1 / 3)
    assert found.text_to_image[1].chance == pytest.approx(1 / 4)


def test_the_command_says_what_was_found_and_what_was_left_out(
    photographs: Path, photograph_recipe: Path, tmp_path: Path
) -> None:
    data, out = tmp_path / "data", tmp_path / "run"
    shutil.copytree(photographs, data)
    (data / "images" / "train-disc-red-1.png").write_bytes(b"not a picture")
    command = [sys.executable, "-m", "babelens", "train", str(photograph_recipe), "--data", str(data)]
    command += ["--out", str(out), "--set", "run.steps=2", "--set", "export.remark=for tests"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "train-disc-red-1.png" in done.stdout + done.stderr
    assert "24 pictures of val.jsonl" in done.stdout + done.stderr
    assert "image→text R@10" in done.stdout
    assert "for tests" in (out / "encoder" / "README.md").read_text(encoding="utf-8")
    again = subprocess.run([*command, "--resume", "--json"], capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    report = json.loads(again.stdout)
    assert report["steps"] == 2
    assert set(report["recall"]) == {"en", "de", "ja"}
    assert {"text_to_image_1", "text_to_image_10_low", "image_to_text_5_chance"} <= set(
        report["recall"]["ja"]
    )
    assert [Path(one["where"]).name for one in report["left_out"]] == ["train-disc-red-1.png"]


def test_the_log_can_be_drawn(photographs: Path, photograph_recipe: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from babelens.evaluation.plots import training_curves
    from babelens.evaluation.training_log import read_training_log

    train(photograph_recipe, out=tmp_path / "run", data=photographs, progress=False)
    entries = read_training_log(tmp_path / "run" / LOG)
    assert [entry["step"] for entry in entries] == [0, 4, 8]
    assert len(training_curves(entries).axes) == 4
