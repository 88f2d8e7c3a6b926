"""What a model must do to take part: few methods, batch only.

Decoding and encoding overlap in :mod:`babelens.ingest`, so an image encoder splits its work in two:
``prepare`` (cheap, thread-safe, run in the decoding threads) and ``encode_prepared`` (the tower itself).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..types import EncoderFingerprint
from ..vectors import Floats

if TYPE_CHECKING:
    from PIL.Image import Image


@runtime_checkable
class ImageEncoder(Protocol):
    """``image_size`` is the side in pixels that ``prepare`` brings pictures to: decoders may stop at twice that."""

    @property
    def fingerprint(self) -> EncoderFingerprint: ...

    @property
    def image_size(self) -> int: ...

    def prepare(self, image: Image) -> NDArray[np.uint8]:
        """One RGB picture as the tower sees it. Shape: (height, width, 3) uint8."""

    def encode_prepared(self, pixels: Sequence[NDArray[np.uint8]]) -> Floats:
        """Shape: n × (height, width, 3) -> (n, dim) float32, rows of unit length."""


@runtime_checkable
class TextEncoder(Protocol):
    """``max_tokens`` is where the tower cuts a text; ``count_tokens`` tells how long texts are before that."""

    @property
    def fingerprint(self) -> EncoderFingerprint: ...

    @property
    def languages(self) -> tuple[str, ...]: ...

    @property
    def max_tokens(self) -> int: ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]: ...

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Shape: n texts -> (n, dim) float32, rows of unit length."""


@runtime_checkable
class Encoder(ImageEncoder, TextEncoder, Protocol):
    """Both towers in one space.

    ``photographs`` is False for an encoder that was not trained on photographs. ``calibration`` holds what its
    card measured about scores (see :mod:`babelens.retrieval.calibration`); empty when nothing is known. ``vocabulary``
    are the vectors of common words, (v, dim) float32 of unit rows, for what else a picture could be called; (0, dim)
    where the encoder brings none.
    """

    @property
    def photographs(self) -> bool: ...

    @property
    def calibration(self) -> dict[str, float]: ...

    @property
    def vocabulary(self) -> Floats: ...
