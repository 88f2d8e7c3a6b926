"""The ONNX runtime on a tiny encoder folder made on the spot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from babelens.errors import UnknownModelError, WeightsUnavailableError
from babelens.models.protocols import Encoder
from babelens.models.registry import load_encoder
from babelens.vectors import is_unit

onnx = pytest.importorskip("onnx", reason="writing a test model needs onnx: pip install 'babelens[torch]'")

SIZE, DIM, BUCKETS = 8, 3, 97


def write_encoder(folder: Path, **changes: object) -> Path:
    """image_embeds = mean colour per channel; text_embeds = masked mean of a random table."""
    from onnx import TensorProto, helper, numpy_helper

    folder.mkdir(parents=True, exist_ok=True)
    image = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["pixel_values"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["image_embeds"]),
        ],
        "image",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("image_embeds", TensorProto.FLOAT, ["n", DIM])],
    )
    table = np.random.default_rng(0).normal(size=(BUCKETS, DIM)).astype(np.float32)
    axes = np.array([1], dtype=np.int64)
    text = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
            helper.make_node("Mul", ["rows", "wide"], ["kept"]),
            helper.make_node("ReduceSum", ["kept", "axes"], ["text_embeds"], keepdims=0),
        ],
        "text",
        [
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", "length"]),
            helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["n", "length"]),
        ],
        [helper.make_tensor_value_info("text_embeds", TensorProto.FLOAT, ["n", DIM])],
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(axes, "axes"),
            numpy_helper.from_array(np.array([2], dtype=np.int64), "last"),
        ],
    )
    for name, graph in (("image", image), ("text", text)):
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, str(folder / f"{name}.onnx"))
    config = {
        "format": 1,
        "name": "tiny",
        "revision": "1",
        "dim": DIM,
        "image": {"file": "image.onnx", "size": SIZE, "resize": "pad", "mean": [0.5] * 3, "std": [0.5] * 3},
        "text": {"file": "text.onnx", "tokenizer": {"type": "ngrams", "buckets": BUCKETS}},
        "languages": ["en", "ja"],
        **changes,
    }
    (folder / "encoder.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_images_are_encoded_as_their_standardised_mean_colour(tmp_path: Path) -> None:
    encoder = load_encoder(write_encoder(tmp_path))
    pixels = [encoder.prepare(Image.new("RGB", (20, 20), colour)) for colour in [(255, 0, 0), (0, 255, 255)]]
    vectors = encoder.encode_prepared(pixels)
    expected = np.array([[1, -1, -1], [-1, 1, 1]]) / np.sqrt(3)
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    assert vectors.dtype == np.float32


def test_a_text_has_the_same_vector_alone_and_in_a_batch(tmp_path: Path) -> None:
    encoder = load_encoder(write_encoder(tmp_path))
    texts = ["a red car", "犬", "x" * 300, "", *map(str, range(600))]
    together = encoder.encode_texts(texts)
    assert is_unit(together)
    for row in (0, 1, 2, 3, 599):
        np.testing.assert_allclose(encoder.encode_texts([texts[row]])[0], together[row], atol=1e-5)


def test_no_input_gives_no_rows(tmp_path: Path) -> None:
    encoder = load_encoder(write_encoder(tmp_path))
    assert encoder.encode_texts([]).shape == (0, DIM)
    assert encoder.encode_prepared([]).shape == (0, DIM)


def test_it_keeps_the_protocol_and_tells_its_fingerprint(tmp_path: Path) -> None:
    encoder = load_encoder(write_encoder(tmp_path / "a"))
    other_text = {"file": "text.onnx", "tokenizer": {"type": "ngrams", "buckets": 5}}
    assert isinstance(encoder, Encoder)
    other = load_encoder(write_encoder(tmp_path / "b", text=other_text))
    assert encoder.fingerprint.dim == DIM
    assert encoder.fingerprint != other.fingerprint


def test_long_texts_are_counted(tmp_path: Path) -> None:
    encoder = load_encoder(write_encoder(tmp_path))
    short, long = encoder.count_tokens(["ab", "word " * 500])
    assert short < encoder.max_tokens < long


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2"),
        ({"dim": "many"}, "not a valid encoder description"),
        (
            {"image": {"file": "gone.onnx", "size": 8, "resize": "pad", "mean": [0] * 3, "std": [1] * 3}},
            "gone.onnx is missing",
        ),
    ],
)
def test_a_broken_folder_says_what_is_wrong(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(WeightsUnavailableError, match=message):
        load_encoder(write_encoder(tmp_path, **change))


def test_a_damaged_weights_file_is_named(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path)
    (folder / "image.onnx").write_bytes(b"not a model")
    encoder = load_encoder(folder)
    with pytest.raises(WeightsUnavailableError, match=r"image\.onnx"):
        encoder.encode_prepared([np.zeros((SIZE, SIZE, 3), dtype=np.uint8)])


def test_an_unknown_name_suggests_a_near_one() -> None:
    with pytest.raises(UnknownModelError, match="mini"):
        load_encoder("minni")
