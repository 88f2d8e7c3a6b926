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
from babelens.training.loop import LOG, learning_rate  # noqa: E402
from babelens.training.pictograph_run import PictographTrainer  # noqa: E402
from babelens.training.recipe import load_recipe  # noqa: E402
from babelens.training.towers import mix_style  # noqa: E402
from babelens.training.train import train  # noqa: E402


def weights(out: Path) -> dict[str, torch.Tensor]:
    state = torch.load(out / "checkpoint.pt", weights_only=True)
    return {f"{part}.{k}": v for part in ("model", "average") for k, v in state[part].items()}


def same(first: Path, second: Path) -> None:
    left, right = weights(first), weights(second)
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert torch.equal(value, right[name]), name


def test_resumed_run_ends_like_an_undisturbed_one(shapes: Path, recipe_file: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(recipe_file, out=whole, data=shapes, progress=False)
    train(recipe_file, out=parts, data=shapes, progress=False, stop_after=3)
    train(recipe_file, out=parts, data=shapes, progress=False, resume=True)
    same(whole, parts)
    steps = [json.loads(line)["step"] for line in (parts / LOG).read_text().splitlines()]
    assert steps == [0, 4, 8]


def test_resuming_in_a_later_stage_changes_nothing(shapes: Path, recipe_file: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    stages = {"widen.steps": 4, "widen.scenes": 6, "polish.steps": 3, "polish.captions": 16}
    train(recipe_file, out=whole, data=shapes, progress=False, overrides=stages)
    for steps in (10, 14):
        train(
            recipe_file,
            out=parts,
            data=shapes,
            progress=False,
            resume=True,
            overrides=stages,
            stop_after=steps,
        )
    train(recipe_file, out=parts, data=shapes, progress=False, resume=True, overrides=stages)
    same(whole, parts)


def test_killed_run_resumes(shapes: Path, recipe_file: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(recipe_file, out=whole, data=shapes, progress=False)
    code = (
        "import sys; from babelens.training.train import train; "
        "train(sys.argv[1], out=sys.argv[2], data=sys.argv[3], progress=False)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(recipe_file), str(killed), str(shapes)])
    deadline = time.monotonic() + 60
    while not (killed / "checkpoint.pt").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    train(recipe_file, out=killed, data=shapes, progress=False, resume=True)
    same(whole, killed)


def test_a_tiny_model_learns(shapes: Path, recipe_file: Path, tmp_path: Path) -> None:
    done = train(
        recipe_file,
        out=tmp_path / "run",
        data=shapes,
        progress=False,
        overrides={
            "run.steps": 150,
            "run.validate_every": 150,
            "data.held_out": ["framed"],
            "optim.lr": 2e-2,
        },
    )
    assert done.validated_on == "framed"
    # Chance is 1 / 12; a loop that does not train, or mixes up pairs, stays there.
    assert np.mean([r.text_to_image_1 for r in done.measured.values()]) > 0.4


def test_scenes_share_concepts_once_the_run_is_wide(shapes: Path, recipe_file: Path, tmp_path: Path) -> None:
    wide = {"widen.steps": 4, "widen.scenes": 6, "data.concepts": 8}
    trainer = PictographTrainer(load_recipe(recipe_file, overrides=wide), shapes, tmp_path / "run")
    for step in range(8, 12):
        batch = trainer.draw(step)
        single, scenes = batch.image_sets[:16], batch.image_sets[16:]
        named = set(scenes.flatten().tolist()) - {-1}
        assert len(named) <= 4, "two thirds as many concepts as scenes"
        assert named <= set(single[:, 0].tolist())


def test_a_held_out_style_may_lack_drawings_but_a_trained_one_may_not(
    shapes: Path, recipe_file: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(shapes, data)
    for colour in ("red", "green"):
        (data / "images" / "framed" / f"cross-{colour}.png").unlink()
    held_out = {"data.held_out": ["framed"]}
    trainer = PictographTrainer(load_recipe(recipe_file, overrides=held_out), data, tmp_path / "run")
    images, texts = trainer.vectors("framed")
    assert len(images) == len(texts["en"]) == 10
    assert all(recall.n == 10 for recall in trainer.validate().values())
    with pytest.raises(DatasetError, match="lacks drawings of 'framed'"):
        PictographTrainer(load_recipe(recipe_file), data, tmp_path / "run")


def test_loss_that_is_not_finite_stops_the_run(shapes: Path, recipe_file: Path, tmp_path: Path) -> None:
    trainer = PictographTrainer(load_recipe(recipe_file), shapes, tmp_path / "run")
    with torch.no_grad():
        trainer.model.prototypes.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"not finite at step 0.*prototype_image nan"):
        trainer.train_step()


def test_checkpoint_of_another_recipe_is_refused(shapes: Path, recipe_file: Path, tmp_path: Path) -> None:
    train(recipe_file, out=tmp_path / "run", data=shapes, progress=False, stop_after=1)
    with pytest.raises(TrainingError, match="holds a checkpoint already"):
        train(recipe_file, out=tmp_path / "run", data=shapes, progress=False)
    with pytest.raises(TrainingError, match="another recipe"):
        train(
            recipe_file,
            out=tmp_path / "run",
            data=shapes,
            progress=False,
            resume=True,
            overrides={"optim.lr": 1.0},
        )


def test_batches_depend_on_seed_and_step_alone(shapes: Path, recipe_file: Path, tmp_path: Path) -> None:
    first = PictographTrainer(load_recipe(recipe_file), shapes, tmp_path / "a")
    second = PictographTrainer(load_recipe(recipe_file), shapes, tmp_path / "b")
    second.draw(0), second.draw(1)
    left, right = first.draw(5), second.draw(5)
    assert torch.equal(left.pixels, right.pixels)
    assert torch.equal(left.ids, right.ids)
    assert not torch.equal(left.pixels, first.draw(6).pixels)


def test_batch_pairs_two_styles_and_two_captions(shapes: Path, recipe_file: Path, tmp_path: Path) -> None:
    batch = PictographTrainer(load_recipe(recipe_file), shapes, tmp_path / "run").draw(7)
    assert batch.pixels.shape == (2 * 6 + 2, 3, 24, 24)
    assert torch.equal(batch.image_sets, batch.text_sets)
    assert ((batch.image_sets >= 0).sum(1)[:12] == 1).all()
    assert ((batch.image_sets >= 0).sum(1)[12:] >= 2).all()
    assert batch.pixels.abs().max() <= 1.001


def test_learning_rate_warms_up_and_decays() -> None:
    def rate(step: int) -> float:
        return learning_rate(step, 100, lr=1.0, warmup=10)

    assert rate(0) == pytest.approx(0.1)
    assert rate(10) == pytest.approx(1.0)
    assert rate(55) == pytest.approx(0.01 + 0.99 * 0.5)
    assert rate(100) == pytest.approx(0.01)


def test_mix_style_changes_statistics_but_not_the_drawing() -> None:
    torch.manual_seed(0)
    x = torch.randn(16, 4, 6, 6) * torch.rand(16, 4, 1, 1) * 3
    y = mix_style(x, 1.0)
    assert not torch.allclose(x, y)

    def plain(z: torch.Tensor) -> torch.Tensor:
        return (z - z.mean((2, 3), keepdim=True)) / z.std((2, 3), keepdim=True)

    assert torch.allclose(plain(x), plain(y), atol=1e-3)
    assert torch.equal(mix_style(x, 0.0), x)


def test_polish_trains_the_text_tower_alone(shapes: Path, recipe_file: Path, tmp_path: Path) -> None:
    polish = {"polish.steps": 6, "polish.captions": 16}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(recipe_file, out=whole, data=shapes, progress=False, overrides=polish)
    for steps in (8, 11):
        train(
            recipe_file,
            out=parts,
            data=shapes,
            progress=False,
            resume=True,
            stop_after=steps,
            overrides=polish,
        )
        if steps == 8:
            before = weights(parts)
    after = weights(parts)
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert {name for name in changed if name.startswith("average.")} >= {"average.text.table.weight"}
    assert not any(name.startswith(("average.image", "average.prototypes")) for name in changed)
    train(recipe_file, out=parts, data=shapes, progress=False, resume=True, overrides=polish)
    same(whole, parts)
