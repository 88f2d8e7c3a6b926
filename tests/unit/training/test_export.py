from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from babelens.errors import TrainingError  # noqa: E402
from babelens.models.registry import load_encoder  # noqa: E402
from babelens.training.export import export_encoder, run_onnx  # noqa: E402
from babelens.training.pictograph_run import PictographTrainer  # noqa: E402
from babelens.training.recipe import load_recipe  # noqa: E402


@pytest.fixture
def trainer(shapes: Path, recipe_file: Path, tmp_path: Path) -> PictographTrainer:
    trainer = PictographTrainer(load_recipe(recipe_file), shapes, tmp_path / "run")
    trainer.train_step()
    return trainer


@pytest.mark.parametrize(("weights", "cosine"), [("float32", 0.99999), ("int8", 0.99)])
def test_graphs_reproduce_the_towers(
    trainer: PictographTrainer, tmp_path: Path, weights: str, cosine: float
) -> None:
    out = export_encoder(trainer, tmp_path / "encoder", weights=weights)
    rng = np.random.default_rng(0)
    for n in (1, 5):
        pixels = rng.random((n, 3, 24, 24), dtype=np.float32) * 2 - 1
        with torch.no_grad():
            expected = trainer.average.image(torch.from_numpy(pixels)).numpy()
        served = run_onnx(out / "image.onnx", {"pixel_values": pixels})
        assert served.dtype == np.float32
        assert (served * expected).sum(1).min() > cosine
        ids, mask = trainer.tokenizer(["dog", "ein sehr langer Text", "犬", "كلب", "कुत्ता"][:n])
        with torch.no_grad():
            expected = trainer.average.text(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
        served = run_onnx(out / "text.onnx", {"input_ids": ids, "attention_mask": mask})
        assert (served * expected).sum(1).min() > cosine
        assert np.allclose(np.linalg.norm(served, axis=1), 1, atol=1e-5)


def test_padding_does_not_change_a_text(trainer: PictographTrainer, tmp_path: Path) -> None:
    out = export_encoder(trainer, tmp_path / "encoder")
    together = trainer.tokenizer(["dog", "a much longer caption than the other one"])
    alone = trainer.tokenizer(["dog"])
    rows = [
        run_onnx(out / "text.onnx", {"input_ids": ids, "attention_mask": mask})[0]
        for ids, mask in (together, alone)
    ]
    assert np.allclose(rows[0], rows[1], atol=1e-5)


def test_folder_describes_itself(trainer: PictographTrainer, shapes: Path, tmp_path: Path) -> None:
    out = export_encoder(trainer, tmp_path / "encoder")
    config = json.loads((out / "encoder.json").read_text(encoding="utf-8"))
    assert (config["format"], config["dim"], config["image"]["size"]) == (1, 16, 24)
    assert config["text"]["tokenizer"] == trainer.tokenizer.to_config()
    assert set(config["calibration"]["measured"]["text_to_image"]) == {
        "matched_mean",
        "matched_std",
        "unmatched_mean",
        "unmatched_std",
        "auc",
    }
    assert config["languages"] == list(load_encoder(out).languages)


def test_unknown_weights_are_refused(trainer: PictographTrainer, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="int4"):
        export_encoder(trainer, tmp_path / "encoder", weights="int4")
