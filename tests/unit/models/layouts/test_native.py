"""The vocabulary that an encoder of this project's own layout may bring."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from babelens.errors import WeightsUnavailableError
from babelens.models.encoder import TwoTowerEncoder
from babelens.models.export import write_towers
from babelens.models.registry import load_encoder
from babelens.vectors import is_unit

MINI = Path(str(resources.files("babelens"))) / "models" / "mini"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``mini``, with files of its own where a test changes them."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("image.onnx", "text.onnx"):
        (copy / name).symlink_to(MINI / name)
    for name in ("encoder.json", "vocabulary.npy"):
        (copy / name).write_bytes((MINI / name).read_bytes())
    return copy


def encoder_in(folder: Path) -> TwoTowerEncoder:
    encoder = load_encoder(folder)
    assert isinstance(encoder, TwoTowerEncoder)
    return encoder


def test_the_vocabulary_of_mini_is_made_by_its_own_text_tower() -> None:
    mini = load_encoder("mini")
    assert mini.vocabulary.shape == (1200, 256)
    assert mini.vocabulary.dtype == np.float32
    assert is_unit(mini.vocabulary)
    # Names of most pictographs are among the words.
    names = ["octopus", "guitar", "red apple", "banana", "volcano", "umbrella", "cow", "kite", "tent", "crab"]
    found = (mini.encode_texts([*names, "qqq zzz xxx"]) @ mini.vocabulary.T).max(axis=1)
    assert (found[:-1] > 0.999).sum() >= 4
    assert found[-1] < 0.9


def test_an_encoder_without_a_vocabulary_has_an_empty_one_and_the_same_fingerprint(folder: Path) -> None:
    about = json.loads((folder / "encoder.json").read_text("utf-8"))
    del about["vocabulary"]
    (folder / "encoder.json").write_text(json.dumps(about), "utf-8")
    (folder / "vocabulary.npy").unlink()
    without = encoder_in(folder)
    assert without.vocabulary.shape == (0, 256)
    assert without.fingerprint == load_encoder("mini").fingerprint


def test_a_missing_vocabulary_is_said_at_once(folder: Path) -> None:
    (folder / "vocabulary.npy").unlink()
    with pytest.raises(WeightsUnavailableError, match=r"vocabulary\.npy is missing"):
        load_encoder(folder)


def _half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1000])


@pytest.mark.parametrize(
    "damage",
    [
        _half,
        lambda file: file.write_bytes(b"not an array"),
        lambda file: file.write_bytes(b""),
        lambda file: np.save(file, np.eye(255, dtype=np.float16)),
        lambda file: np.save(file, np.zeros(256, dtype=np.float16)),
        lambda file: np.save(file, np.eye(256, dtype=np.int8)),
        lambda file: np.save(file, 2 * np.eye(256, dtype=np.float16)),
        lambda file: np.save(file, np.full((3, 256), np.nan, dtype=np.float16)),
    ],
    ids=["cut", "text", "empty", "narrow", "flat", "whole numbers", "long rows", "not numbers"],
)
def test_a_damaged_vocabulary_is_an_error_that_names_the_file(
    folder: Path, damage: Callable[[Path], None]
) -> None:
    damage(folder / "vocabulary.npy")
    encoder = load_encoder(folder)  # read when it is first asked for
    with pytest.raises(WeightsUnavailableError, match=r"vocabulary\.npy"):
        _ = encoder.vocabulary


def test_an_export_carries_the_vocabulary_over(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    original = encoder_in(folder)
    write_towers(original, out, "fp32")
    exported = encoder_in(out)
    np.testing.assert_allclose(exported.vocabulary, original.vocabulary, atol=1e-3)
    assert exported.calibration == original.calibration
    assert exported.fingerprint == original.fingerprint
