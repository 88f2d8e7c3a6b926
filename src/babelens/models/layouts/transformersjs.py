"""transformers.js' layout: one ONNX graph a tower in ``onnx/``, beside the files of ``transformers``.

Any family of :data:`.transformers.FAMILIES`. Needs neither torch nor transformers.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from ...errors import WeightsUnavailableError
from ..onnx import RUNTIME, image_forward, text_forward, weight_files
from ..towers import ImageTower, TextTower, Towers
from .preprocessor_config import read_json, read_preprocess
from .tokenizer_config import read_tokenizer
from .transformers import FAMILIES, family_name

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


def read(folder: Path) -> Towers:
    """The towers of a folder. Raises :class:`WeightsUnavailableError` that names the file and what is wrong."""
    config = read_json(folder / "config.json")
    family = FAMILIES[family_name(folder, config)]
    dim, texts = family.dim(config), config.get("text_config") or {}
    image_file, image_precision = _choose(folder / "onnx", "vision_model")
    text_file, text_precision = _choose(folder / "onnx", "text_model")
    # SigLIP has no projection behind its pooling. Elsewhere the pooled vector is not that of the shared space.
    outputs = ("image_embeds", "text_embeds") if family.masked else ("pooler_output", "pooler_output")
    tokenizer = partial(
        read_tokenizer,
        folder,
        max_length=min(family.text_max, int(texts.get("max_position_embeddings", family.text_max))),
        # The graphs of CLIP have no mask either, but look backwards only: what follows the end mark changes nothing.
        # The MobileCLIP that is published as CLIP sees the padding, and was trained with it.
        pad_to_max=family.pad_to_max or texts.get("model_type") is None,
        clean=family.clean,
    )
    return Towers(
        ImageTower(
            dim,
            read_preprocess(folder),
            weight_files(image_file),
            f"{RUNTIME}, {image_precision}",
            partial(image_forward, image_file, output=outputs[0], dim=dim),
        ),
        TextTower(
            dim,
            tokenizer,
            weight_files(text_file),
            f"{RUNTIME}, {text_precision}",
            partial(text_forward, text_file, output=outputs[1], dim=dim),
        ),
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
