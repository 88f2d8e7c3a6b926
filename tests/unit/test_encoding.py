"""Vectors without a collection."""

from __future__ import annotations

import numpy as np
from PIL import Image

from babelens import encode_image
from tests.conftest import FakeEncoder


def test_what_is_transparent_counts_as_white(encoder: FakeEncoder) -> None:
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    white = Image.new("RGB", (8, 8), (255, 255, 255))
    np.testing.assert_allclose(encode_image(clear, model=encoder), encode_image(white, model=encoder))
