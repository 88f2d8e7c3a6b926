"""transformers.js' layout: one ONNX graph a tower in ``onnx/``, beside the files of ``transformers``.

Any family of :data:`.transformers.FAMILIES`. Needs neither torch nor transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from ...errors import WeightsUnavailableError
from ..onnx import RUNTIME, image_forward, text_forward, weight_files
from ..towers import ImageTower, TextTower, Towers
from .preprocessor_config import read_json, read_preprocess
from .tokenizer_config import read_tokenizer
from .transformers import FAMILIES, Family, family_name

# What file names say of the precision, that which loses least first.
_PRECISIONS: Final = {
    "": "fp32",
    "_fp16": "fp16",
    "_int8": "int8",
    "_quantized": "int8",
    "_uint8": "uint8",
    "_q4": "4-bit",
    "_q4f16": "4-bit",
    "_bnb4": "4-bit",
}

_POOLED: Final = (
    "pooler_output"  # SigLIP has no projection behind its pooling; elsewhere this is not the vector
)


def read(folder: Path) -> Towers:
    """The towers of a folder, or the one that is there. Raises :class:`WeightsUnavailableError` that names the file and
    what is wrong.
    """
    config = read_json(folder / "config.json")
    family = FAMILIES[family_name(folder, config)]
    dim, graphs = family.dim(config), folder / "onnx"
    image = _image(folder, family, dim) if any(graphs.glob("vision_model*.onnx")) else None
    texts = config.get("text_config") or {}
    text = _text(folder, family, dim, texts) if any(graphs.glob("text_model*.onnx")) else None
    return Towers(image, text)


def _image(folder: Path, family: Family, dim: int) -> ImageTower:
    file, precision = _choose(folder / "onnx", "vision_model")
    return ImageTower(
        dim,
        read_preprocess(folder),
        weight_files(file),
        f"{RUNTIME}, {precision}",
        partial(image_forward, file, output="image_embeds" if family.masked else _POOLED, dim=dim),
    )


def _text(folder: Path, family: Family, dim: int, texts: Mapping[str, Any]) -> TextTower:
    file, precision = _choose(folder / "onnx", "text_model")
    tokenizer = partial(
        read_tokenizer,
        folder,
        max_length=min(family.text_max, int(texts.get("max_position_embeddings", family.text_max))),
        # The graphs of CLIP have no mask either, but look backwards only: what follows the end mark changes nothing.
        # The MobileCLIP that is published as CLIP sees the padding, and was trained with it.
        pad_to_max=family.pad_to_max or texts.get("model_type") is None,
        clean=family.clean,
    )
    return TextTower(
        dim,
        tokenizer,
        weight_files(file),
        f"{RUNTIME}, {precision}",
        partial(text_forward, file, output="text_embeds" if family.masked else _POOLED, dim=dim),
    )


def _choose(folder: Path, stem: str) -> tuple[Path, str]:
    """The graph of a tower, and its precision: fp32 where it is there, or else what loses least."""
    for suffix, precision in _PRECISIONS.items():
        file = folder / f"{stem}{suffix}.onnx"
        if file.is_file():
            return file, precision
    found = ", ".join(sorted(file.name for file in folder.glob(f"{stem}*.onnx")))
    known = ", ".join(f"{stem}{suffix}.onnx" for suffix in _PRECISIONS)
    raise WeightsUnavailableError(f"{folder} has {found}; known are {known}.")
