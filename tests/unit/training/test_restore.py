"""Towers read back from the folders they were written to."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs pip install 'babelens[torch]'")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from babelens.errors import WeightsUnavailableError  # noqa: E402
from babelens.finetuning.tunable import Tunable, take_apart  # noqa: E402
from babelens.models.onnx_export import quantise_weights  # noqa: E402
from babelens.models.registry import load_encoder  # noqa: E402
from babelens.training.restore import (  # noqa: E402
    restore_image,
    restore_text,
    with_own_convolutions,
    with_plain_convolutions,
)
from tests import tuning  # noqa: E402

TEXTS = ["a red disc", "ein blaues Quadrat", "लाल चक्र", "赤い円", "دائرة حمراء", ""]


@pytest.fixture(scope="module")
def rounded(own_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with int8 weights, as `babelens train` exports them."""
    folder = tmp_path_factory.mktemp("encoders") / "int8"
    folder.mkdir()
    (folder / "encoder.json").write_bytes((own_folder / "encoder.json").read_bytes())
    for name in ("image.onnx", "text.onnx"):
        onnx.save(quantise_weights(onnx.load(own_folder / name)), folder / name)
    return folder


def assert_serves_alike(tunable: Tunable) -> None:
    size = tunable.size
    pixels = np.random.default_rng(0).integers(0, 256, (5, size, size, 3), dtype=np.uint8)
    served = tunable.base.encode_prepared(list(pixels))
    np.testing.assert_allclose(tunable.encode_pictures(pixels), served, atol=1e-5)
    np.testing.assert_allclose(tunable.encode_texts(TEXTS), tunable.base.encode_texts(TEXTS), atol=1e-5)
    assert np.abs(served[0] - served[1]).max() > 0.01, "pictures differ"


@pytest.mark.parametrize("weights", ["own_folder", "rounded"])
def test_what_is_read_back_gives_the_vectors_that_are_served(
    weights: str, request: pytest.FixtureRequest
) -> None:
    tunable = take_apart(load_encoder(request.getfixturevalue(weights)))
    assert tunable.own
    assert_serves_alike(tunable)


def test_the_bundled_encoder_is_read_back() -> None:
    tunable = take_apart("mini")
    assert_serves_alike(tunable)
    assert sum(value.numel() for value in tunable.weights().values()) > 1_000_000


def test_float32_weights_are_read_back_exactly(own_folder: Path) -> None:
    image, text = tuning.own_towers()
    for before, after in (
        (image, restore_image(own_folder / "image.onnx", size=tuning.SIZE)),
        (text, restore_text(own_folder / "text.onnx")),
    ):
        expected = {name: v for name, v in before.state_dict().items() if "num_batches" not in name}
        found = after.state_dict()
        for name, value in expected.items():
            assert torch.equal(found[name], value), name


def test_another_architecture_is_refused(own_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailableError, match=r"text\.onnx is no tower"):
        restore_image(own_folder / "text.onnx", size=tuning.SIZE)
    with pytest.raises(WeightsUnavailableError, match=r"image\.onnx is no tower"):
        restore_text(own_folder / "image.onnx")
    # A weight that is missing, and one of another shape.
    graph = onnx.load(own_folder / "image.onnx")
    for tensor in graph.graph.initializer:
        if tensor.name == "norm.running_var":
            tensor.name = "norm.something"
    onnx.save(graph, tmp_path / "renamed.onnx")
    with pytest.raises(WeightsUnavailableError, match=r"it has no norm\.running_var"):
        restore_image(tmp_path / "renamed.onnx", size=tuning.SIZE)
    graph = onnx.load(own_folder / "text.onnx")
    for tensor in graph.graph.initializer:
        if tensor.name == "tower.norm1.bias":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros(7, dtype=np.float32), tensor.name))
    onnx.save(graph, tmp_path / "reshaped.onnx")
    with pytest.raises(WeightsUnavailableError, match=r"norm1\.bias has the shape \(7,\)"):
        restore_text(tmp_path / "reshaped.onnx")


def test_convolutions_become_others_and_come_back_bit_by_bit() -> None:
    image, _ = tuning.own_towers()
    before = copy.deepcopy(image.state_dict())
    pixels = torch.rand(3, 3, tuning.SIZE, tuning.SIZE)
    with torch.no_grad():
        expected = image(pixels)
        with_plain_convolutions(image)
        assert sum(isinstance(part, torch.nn.Conv2d) for part in image.modules()) == 9
        torch.testing.assert_close(image(pixels), expected, atol=1e-6, rtol=0)
        with_own_convolutions(image)
        assert torch.equal(image(pixels), expected)
    after = image.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], value) for name, value in before.items())
