"""What a model must do to take part: few methods, batch only.

Decoding and encoding overlap in :mod:`babelens.ingest`, so an image encoder splits its work in two:
``prepare`` (cheap, thread-safe, run in the decoding threads) and ``encode_prepared`` (the tower itself).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


@runtime_checkable
class PassageEncoder(Protocol):
    """Questions and passages in one space of texts, whatever languages they are in.

    ``max_tokens`` is where it cuts a text; ``count_tokens`` tells how long passages are before that. ``calibration`` is
    as :class:`Encoder` has it.
    """

    @property
    def fingerprint(self) -> EncoderFingerprint: ...

    @property
    def languages(self) -> tuple[str, ...]: ...

    @property
    def max_tokens(self) -> int: ...

    @property
    def calibration(self) -> dict[str, float]: ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]: ...

    def encode_passages(self, texts: Sequence[str]) -> Floats:
        """Shape: n texts -> (n, dim) float32, rows of unit length."""

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        """Shape: n questions -> (n, dim) float32, rows of unit length, near to the passages that answer them."""


@dataclass(frozen=True, slots=True)
class OcrLine:
    """One line of text that an engine read in a picture.

    ``box`` is ``(x0, y0, x1, y1)`` in pixels of the picture from its top left, also where the text stands on its side
    or on its head. ``confidence`` is the engine's own, in [0, 1]; see :func:`babelens.models.ocr.usable`.
    """

    text: str
    box: tuple[int, int, int, int]
    confidence: float


@runtime_checkable
class OcrEngine(Protocol):
    """Reads the text in pictures. Engines may be shared by threads."""

    @property
    def name(self) -> str: ...

    def read(self, image: Image, languages: Sequence[str] = ()) -> list[OcrLine]:
        """The lines of a picture in reading order; none where it holds no text.

        ``languages`` are tags of those that the text may be in; without them the engine finds out.
        Raises :class:`WeightsUnavailableError` when the engine, or what it needs for a language, is not installed.
        """
