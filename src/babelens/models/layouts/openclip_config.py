"""What OpenCLIP's model descriptions say of pictures and texts, in its own folders and in Immich's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ...errors import WeightsUnavailableError
from ..preprocess import Preprocess, Triple
from ..subwords import SubwordTokenizer
from .tokenizer_config import read_tokenizer

CONTEXT_LENGTH: Final = 77

_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
_STD: Final = (0.26862954, 0.26130258, 0.27577711)
# torchvision's rules. "longest" pads with black, and no published model was trained so.
_RESIZE: Final = {"shortest": "crop-round", "squash": "squash"}
_INTERPOLATION: Final = {"bicubic": "bicubic", "bilinear": "bilinear", "random": "bicubic"}


def preprocess_of(config: Mapping[str, Any], image_size: Any, path: Path) -> Preprocess:
    """From a ``preprocess_cfg``, with OpenCLIP's own defaults. ``path`` is named in errors."""
    mode, interpolation = config.get("resize_mode") or "shortest", config.get("interpolation") or "bicubic"
    if mode not in _RESIZE or interpolation not in _INTERPOLATION:
        raise WeightsUnavailableError(
            f"{path}: pictures resized by {mode!r} with {interpolation!r} interpolation are not supported; known are "
            f"{', '.join(_RESIZE)} and {', '.join(_INTERPOLATION)}."
        )
    size = side(config.get("size") or image_size, path)
    mean, std = _three(config.get("mean") or _MEAN), _three(config.get("std") or _STD)
    return Preprocess(size, _RESIZE[mode], mean, std, _INTERPOLATION[interpolation])


def tokenizer_of(text_cfg: Mapping[str, Any], folder: Path, *, pad_to_max: bool = False) -> SubwordTokenizer:
    """The tokenizer of a folder, with the cleaning that OpenCLIP's training did."""
    options = text_cfg.get("tokenizer_kwargs") or {}
    refused = [key for key in ("strip_sep_token", "language") if options.get(key)]
    if refused or text_cfg.get("tokenizer_mode"):
        raise WeightsUnavailableError(
            f"{folder}: the tokenizer option {(refused or ['tokenizer_mode'])[0]} is not supported."
        )
    clean = options.get("clean") or ("whitespace" if text_cfg.get("hf_tokenizer_name") else "lower")
    limit = text_cfg.get("context_length") or CONTEXT_LENGTH
    return read_tokenizer(folder, max_length=limit, pad_to_max=pad_to_max, clean=f"openclip-{clean}")


def side(size: Any, path: Path) -> int:
    """One side of a square, of a number or of two."""
    sides = set(size) if isinstance(size, list | tuple) else {size}
    if len(sides) != 1 or not all(isinstance(each, int) for each in sides):
        raise WeightsUnavailableError(f"{path}: a size of {size} is no square.")
    return int(sides.pop())


def _three(values: Any) -> Triple:
    red, green, blue = values if isinstance(values, list | tuple) else (values,) * 3
    return float(red), float(green), float(blue)
