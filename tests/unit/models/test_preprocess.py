"""What an image tower sees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from babelens.models.preprocess import Preprocess

HALF = (0.5, 0.5, 0.5)


def rule(resize: str, size: int = 8, **more: object) -> Preprocess:
    return Preprocess(size, resize, HALF, HALF, **more)  # type: ignore[arg-type]


def noise(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def test_pad_centres_the_whole_picture_on_white() -> None:
    square = rule("pad").to_pixels(Image.new("RGB", (40, 20), (0, 0, 0)))
    assert (square[:2] == 255).all()
    assert (square[2:6] == 0).all()
    assert (square[6:] == 255).all()


def test_squash_stretches_the_whole_picture() -> None:
    wide = Image.new("RGB", (40, 20), (0, 0, 0))
    wide.paste((255, 255, 255), (20, 0, 40, 20))
    square = rule("squash").to_pixels(wide).astype(int)
    assert square.shape == (8, 8, 3)
    assert (square[:, :3] < 20).all()
    assert (square[:, 5:] > 235).all()


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([7, 8, 16, 33]))
def test_crop_equals_resizing_the_whole_picture_and_cutting_the_middle(
    width: int, height: int, size: int
) -> None:
    image = noise(width, height)
    short = min(width, height)
    whole = image.resize((size * width // short, size * height // short), Image.Resampling.BICUBIC)
    for name, corner in (("crop", lambda room: room // 2), ("crop-round", lambda room: round(room / 2))):
        left, top = corner(whole.width - size), corner(whole.height - size)
        expected = np.asarray(whole.crop((left, top, left + size, top + size)))
        got = rule(name, size).to_pixels(image)
        if max(width, height) < 20 * short:
            np.testing.assert_array_equal(got, expected)
        else:  # only the middle of a strip is made; the order of rounding differs
            assert np.abs(got.astype(int) - expected.astype(int)).mean() < 8


def test_a_strip_is_cropped_without_making_it_large() -> None:
    strip = Image.new("RGB", (60_000, 2), (10, 200, 30))
    assert (rule("crop", 224).to_pixels(strip) == (10, 200, 30)).all()


def test_standardize_is_pixel_over_255_minus_mean_over_std() -> None:
    pixels = np.array([[[[0, 51, 255]]]], dtype=np.uint8)
    preprocess = Preprocess(1, "squash", (0.5, 0.2, 0.0), (0.5, 0.1, 0.25))
    np.testing.assert_allclose(preprocess.standardize(pixels).ravel(), [-1.0, 0.0, 4.0], atol=1e-6)


def test_an_encoder_refuses_transparency() -> None:
    with pytest.raises(ValueError, match="RGBA"):
        rule("pad").to_pixels(Image.new("RGBA", (4, 4)))


def test_an_unknown_rule_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="crop-round"):
        rule("stretch")
