"""From an RGB picture to what an image tower sees: a rule, a size and the statistics it was trained with.

A rule is one function and one row in :data:`RESIZE`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..vectors import Floats

if TYPE_CHECKING:
    from PIL.Image import Image

Triple = tuple[float, float, float]

# Pillow's numbers for them; Pillow itself is imported where it is used.
INTERPOLATION: Final = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}

_STRIP: Final = 20  # pictures longer than this, by their shorter side, are not resized as a whole


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How a tower wants its pictures. ``mean`` and ``std`` are per RGB channel, of values in 0..1.

    ``reducing_gap`` lets Pillow shrink large pictures in whole steps first: quick, at 3.0 within one grey level of
    the exact result, and not what published models were trained with.
    """

    size: int
    resize: str
    mean: Triple
    std: Triple
    interpolation: str = "bicubic"
    reducing_gap: float | None = None

    def __post_init__(self) -> None:
        if self.resize not in RESIZE or self.interpolation not in INTERPOLATION or self.size < 1:
            raise ValueError(
                f"resize rule {self.resize!r} with {self.interpolation!r} interpolation to {self.size} pixels; known "
                f"are {', '.join(RESIZE)} and {', '.join(INTERPOLATION)}"
            )

    @property
    def key(self) -> str:
        """Everything that changes a vector, in one line."""
        extra = "" if self.interpolation == "bicubic" else f" {self.interpolation}"
        return f"{self.resize}-{self.size} mean={self.mean} std={self.std}{extra}"

    def to_pixels(self, image: Image) -> NDArray[np.uint8]:
        """One RGB picture as a square of pixels. Shape: (size, size, 3) uint8.

        Raises ``ValueError`` for another mode than RGB: what lies under transparency is the decoder's decision.
        """
        if image.mode != "RGB":
            raise ValueError(f"an encoder takes RGB pictures, not {image.mode}")
        return np.asarray(RESIZE[self.resize](image, self))

    def standardize(self, pixels: NDArray[np.uint8]) -> Floats:
        """Pixels in 0..255 to the tower's input. Shape: (n, h, w, 3) uint8 -> (n, 3, h, w) float32."""
        mean, std = np.array(self.mean), np.array(self.std)
        scaled = pixels * (1.0 / (255.0 * std)).astype(np.float32) - (mean / std).astype(np.float32)
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), dtype=np.float32)


def pad(image: Image, rule: Preprocess) -> Image:
    """The whole picture inside a white square: nothing is cut off and nothing is distorted."""
    from PIL import Image as PILImage

    scale = rule.size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    fitted = image.resize((width, height), INTERPOLATION[rule.interpolation], reducing_gap=rule.reducing_gap)
    canvas = PILImage.new("RGB", (rule.size, rule.size), (255, 255, 255))
    canvas.paste(fitted, ((rule.size - width) // 2, (rule.size - height) // 2))
    return canvas


def squash(image: Image, rule: Preprocess) -> Image:
    """The whole picture made square: nothing is cut off and no border is added, but shapes are stretched."""
    return image.resize(
        (rule.size, rule.size), INTERPOLATION[rule.interpolation], reducing_gap=rule.reducing_gap
    )


def crop(image: Image, rule: Preprocess) -> Image:
    """The shorter side to ``size``, then the middle square, its corner rounded down (as ``transformers`` does)."""
    return _crop(image, rule, lambda room: room // 2)


def crop_round(image: Image, rule: Preprocess) -> Image:
    """As :func:`crop`, its corner rounded to the nearest, halves to even (as ``torchvision`` and OpenCLIP do)."""
    return _crop(image, rule, lambda room: round(room / 2))


def _crop(image: Image, rule: Preprocess, corner: Callable[[int], int]) -> Image:
    size, short = rule.size, min(image.size)
    width, height = (size * side // short for side in image.size)
    left, top = corner(width - size), corner(height - size)
    interpolation = INTERPOLATION[rule.interpolation]
    if max(width, height) <= _STRIP * size:
        whole = image.resize((width, height), interpolation, reducing_gap=rule.reducing_gap)
        return whole.crop((left, top, left + size, top + size))
    # A strip of 1 × 10,000 pixels would cost gigabytes, so only its middle is resampled. That is the same but for
    # rounding: Pillow then takes rows and columns in another order.
    across, down = image.width / width, image.height / height
    box = (left * across, top * down, (left + size) * across, (top + size) * down)
    box = (box[0], box[1], min(box[2], image.width), min(box[3], image.height))
    return image.resize((size, size), interpolation, box=box)


RESIZE: Final[dict[str, Callable[[Image, Preprocess], Image]]] = {
    "pad": pad,
    "squash": squash,
    "crop": crop,
    "crop-round": crop_round,
}
