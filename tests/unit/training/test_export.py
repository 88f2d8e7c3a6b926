from __future__ import annotations

import io
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
from babelens.training.recalibrate import recalibrate  # noqa: E402
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


def test_an_encoder_brings_the_words_it_was_trained_on(trainer: PictographTrainer, tmp_path: Path) -> None:
    out = export_encoder(trainer, tmp_path / "encoder", weights="float32")
    served = load_encoder(out)
    names = [concept.names["en"][0] for concept in trainer.full.concepts]
    assert served.vocabulary.shape == (len(names), 16)
    found = (served.encode_texts(names) @ served.vocabulary.T).max(axis=1)
    assert found.min() > 0.999


def test_fitting_anew_repeats_the_calibration_of_the_run(
    trainer: PictographTrainer, shapes: Path, tmp_path: Path
) -> None:
    trainer.step = trainer.recipe.run.steps  # at the end, when pictures have their full size
    out = export_encoder(trainer, tmp_path / "encoder", weights="float32")
    config = json.loads((out / "encoder.json").read_text(encoding="utf-8"))
    expected, words = config["calibration"], (out / "vocabulary.npy").read_bytes()
    (out / "vocabulary.npy").unlink()
    stripped = {key: value for key, value in config.items() if key != "vocabulary"}
    stripped["calibration"] = {key: expected[key] for key in ("style", "style_seen_in_training")}
    (out / "encoder.json").write_text(json.dumps(stripped), encoding="utf-8")

    assert recalibrate(out, shapes).keys() == expected.keys()
    again = json.loads((out / "encoder.json").read_text(encoding="utf-8"))
    measured, before = again["calibration"].pop("measured"), expected.pop("measured")
    assert measured["text_to_image"] == pytest.approx(before["text_to_image"], abs=0.01)
    assert {key: value for key, value in again.items() if key != "calibration"} == {
        key: value for key, value in config.items() if key != "calibration"
    }
    rows, known = np.load(out / "vocabulary.npy"), np.load(io.BytesIO(words))
    np.testing.assert_allclose(rows, known, atol=2e-3)
    # What was fitted is the same too, as far as the runtimes round alike.
    for key, value in expected.items():
        assert again["calibration"][key] == (
            value if isinstance(value, str) else pytest.approx(value, abs=0.2)
        )


def test_an_encoder_of_no_drawing_style_is_not_fitted_anew(
    trainer: PictographTrainer, shapes: Path, tmp_path: Path
) -> None:
    out = export_encoder(trainer, tmp_path / "encoder")
    config = json.loads((out / "encoder.json").read_text(encoding="utf-8"))
    del config["calibration"]["style"]
    (out / "encoder.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(TrainingError, match="names no drawing style"):
        recalibrate(out, shapes)
