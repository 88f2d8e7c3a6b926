"""The two kinds of GELU that CLIP weights are trained with, and mixed up with."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="needs pip install 'babelens[torch]'")
pytest.importorskip("transformers", reason="needs pip install 'babelens[torch]'")

from babelens.models.registry import load_encoder
from babelens.models.torch import swapped_gelu
from tests.checkpoints.texts import SENTENCES
from tests.checkpoints.transformers import clip


def test_swapping_gives_the_vectors_of_the_other_configuration_and_ends(tmp_path: Path) -> None:
    folder = clip(tmp_path / "quick", activation="quick_gelu")
    shutil.copytree(folder, tmp_path / "exact")
    config = (folder / "config.json").read_text()
    (tmp_path / "exact" / "config.json").write_text(config.replace('"quick_gelu"', '"gelu"'))
    quick, exact = load_encoder(folder), load_encoder(tmp_path / "exact")
    drawn = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    pixels = [quick.prepare(Image.fromarray(picture)) for picture in drawn]
    texts = list(SENTENCES)
    before = quick.encode_texts(texts), quick.encode_prepared(pixels)
    other = exact.encode_texts(texts), exact.encode_prepared(pixels)
    assert np.abs(before[0] - other[0]).max() > 1e-3
    assert quick.image_tower.module is not None
    assert quick.text_tower.module is not None
    with swapped_gelu(quick.image_tower.module(), quick.text_tower.module()) as swapped:
        assert swapped
        np.testing.assert_allclose(quick.encode_texts(texts), other[0], atol=1e-6)
        np.testing.assert_allclose(quick.encode_prepared(pixels), other[1], atol=1e-6)
    np.testing.assert_array_equal(quick.encode_texts(texts), before[0])
    np.testing.assert_array_equal(quick.encode_prepared(pixels), before[1])
