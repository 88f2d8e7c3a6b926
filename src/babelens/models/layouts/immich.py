"""Immich's layout: ``visual/model.onnx`` and ``textual/model.onnx``, exported from OpenCLIP, SigLIP and M-CLIP.

``config.json`` is OpenCLIP's model description. Needs neither torch nor transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import WeightsUnavailableError
from ..onnx import RUNTIME, image_forward, text_forward, weight_files
from ..subwords import SubwordTokenizer
from ..towers import ImageTower, TextTower, Towers
from .openclip_config import CONTEXT_LENGTH, preprocess_of, tokenizer_of
from .preprocessor_config import read_json
from .tokenizer_config import read_tokenizer


def read(folder: Path) -> Towers:
    """The towers of a folder. Raises :class:`WeightsUnavailableError` that names the file and what is wrong."""
    path, preprocess_path = folder / "config.json", folder / "visual" / "preprocess_cfg.json"
    config = read_json(path)
    try:
        dim, text_cfg = int(config["embed_dim"]), dict(config["text_cfg"])
        image_size = config["vision_cfg"].get("image_size", 224)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise WeightsUnavailableError(f"{path} is not a valid OpenCLIP description: {error!r}.") from error
    if "nllb" in f"{text_cfg.get('hf_model_name')} {text_cfg.get('hf_tokenizer_name')}":
        raise WeightsUnavailableError(
            f"{path} describes NLLB-CLIP, whose texts each start with a mark of their language; that is not supported."
        )
    image, text = folder / "visual" / "model.onnx", folder / "textual" / "model.onnx"
    runtime = f"{RUNTIME}, fp32"
    return Towers(
        ImageTower(
            dim,
            # Cropped as the model was trained, by torchvision's rule; Immich itself is up to a pixel off.
            preprocess_of(read_json(preprocess_path), image_size, preprocess_path),
            weight_files(image),
            runtime,
            partial(image_forward, image, dim=dim),
        ),
        TextTower(
            dim,
            partial(_tokenizer, text_cfg, folder / "textual"),
            weight_files(text),
            runtime,
            partial(text_forward, text, dim=dim),
        ),
    )


def _tokenizer(text_cfg: Mapping[str, Any], folder: Path) -> SubwordTokenizer:
    """Texts are padded to the full length, for which the graphs are made."""
    kind = str(read_json(folder / "tokenizer_config.json").get("tokenizer_class", ""))
    if text_cfg.get("hf_tokenizer_name") or kind.startswith("CLIP"):
        return tokenizer_of(text_cfg, folder, pad_to_max=True)
    # M-CLIP: the description is that of the OpenCLIP model whose pictures it shares, the tokenizer its own.
    limit = text_cfg.get("context_length") or CONTEXT_LENGTH
    return read_tokenizer(folder, max_length=limit, pad_to_max=True)
