"""From an RGB picture to what an image tower sees. A rule is one function and one row in :data:`RESIZE`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..vectors import Floats

if TYPE_CHECKING:
    from PIL.Image import Image


def pad(image: Image, size: int) -> Image:
    """The whole picture inside a white square: nothing is cut off and nothing is distorted."""
    from PIL import Image as PILImage

    # Fit the longer side. Reducing in whole steps first (reducing_gap) is quick on large pictures, and at 3.0
    # differs from a full bicubic by less than one grey level.
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    fitted = image.resize((width, height), PILImage.Resampling.BICUBIC, reducing_gap=3.0)
    canvas = PILImage.new("RGB", (size, size), (255, 255, 255))
    canvas.paste(fitted, ((size - width) // 2, (size - height) // 2))
    return canvas


def squash(image: Image, size: int) -> Image:
    """The whole picture made square: nothing is cut off and no border is added, but shapes are stretched."""
    from PIL import Image as PILImage

    return image.resize((size, size), PILImage.Resampling.BICUBIC, reducing_gap=3.0)


RESIZE: Final[dict[str, Callable[[Image, int], Image]]] = {"pad": pad, "squash": squash}


def to_pixels(image: Image, rule: str, size: int) -> NDArray[np.uint8]:
    """One RGB picture as a square of pixels. Shape: (size, size, 3) uint8.

    Raises ``ValueError`` for another mode than RGB: what lies under transparency is the decoder's decision.
    """
    if image.mode != "RGB":
        raise ValueError(f"an encoder takes RGB pictures, not {image.mode}")
    return np.asarray(RESIZE[rule](image, size))


def standardize(pixels: NDArray[np.uint8], mean: Floats, std: Floats) -> Floats:
    """Pixels in 0..255 to the tower's input. Shape: (n, h, w, 3) uint8 -> (n, 3, h, w) float32.

    ``mean`` and ``std`` are per channel, of values in 0..1.
    """
    scaled = pixels * (1.0 / (255.0 * std)).astype(np.float32) - (mean / std).astype(np.float32)
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), dtype=np.float32)
