"""Vectors of pictures and texts, without a collection."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from .models.registry import default_model, load_encoder
from .vectors import Floats

if TYPE_CHECKING:
    from PIL.Image import Image

    from .models.protocols import Encoder

_BATCH: Final = 64
_loaded: dict[str, Encoder] = {}


def encode_image(
    images: Image | str | Path | Sequence[Image | str | Path], *, model: str | Path | Encoder | None = None
) -> Floats:
    """The vectors of pictures: one or many, files or Pillow images. They compare with :func:`encode_text`'s.

    Shape: (n, dim) float32, rows of unit length; n is 1 for a single picture. ``model`` is
    a name, a folder, a hub repository or an encoder; without it, what new collections are made with. Raises
    :class:`UnreadableFileError`, :class:`UnknownModelError`, :class:`WeightsUnavailableError`.
    """
    from .sources.images import as_rgb

    encoder = _encoder(model)
    pictures = list(images) if isinstance(images, Sequence) and not isinstance(images, str) else [images]
    parts = [np.empty((0, encoder.fingerprint.dim), dtype=np.float32)]
    for start in range(0, len(pictures), _BATCH):
        batch = [as_rgb(picture, encoder.image_size) for picture in pictures[start : start + _BATCH]]
        parts.append(encoder.encode_prepared([encoder.prepare(picture) for picture in batch]))
    return np.concatenate(parts)


def encode_text(texts: str | Sequence[str], *, model: str | Path | Encoder | None = None) -> Floats:
    """The vectors of texts, one or many, in any of the encoder's languages.

    Shape: (n, dim) float32, rows of unit length; n is 1 for a single text. ``model`` is as for
    :func:`encode_image`. Raises :class:`UnknownModelError`, :class:`WeightsUnavailableError`.
    """
    encoder = _encoder(model)
    bodies = [texts] if isinstance(texts, str) else list(texts)
    return (
        encoder.encode_texts(bodies) if bodies else np.empty((0, encoder.fingerprint.dim), dtype=np.float32)
    )


def _encoder(model: str | Path | Encoder | None) -> Encoder:
    """Encoders by name are kept: loading costs more than encoding a picture."""
    if model is not None and not isinstance(model, str | Path):
        return model
    key = str(model or default_model())
    if key not in _loaded:
        _loaded[key] = load_encoder(key)
    return _loaded[key]
