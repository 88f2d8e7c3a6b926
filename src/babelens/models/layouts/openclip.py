"""OpenCLIP's layout: ``open_clip_config.json`` beside the weights of both towers in one file.

ViT image towers, with a CLIP or an XLM-RoBERTa text tower. Needs neither open_clip nor torchvision.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from ...errors import WeightsUnavailableError
from .. import torch as runtime
from ..openclip_weights import image_module, roberta_module, text_module
from ..towers import ImageTower, TextTower, Towers
from .openclip_config import preprocess_of, side, tokenizer_of
from .preprocessor_config import read_json

CONFIG_FILE: Final = "open_clip_config.json"
WEIGHTS: Final = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")

_HINT: Final = (
    "Babelens loads OpenCLIP models with a ViT image tower and a CLIP or XLM-RoBERTa text tower. SigLIP works from its "
    "own transformers repositories (google/siglip…, google/siglip2…), and others from ONNX exports."
)
_IMAGE_KEYS: Final = {"image_size", "layers", "width", "head_width", "patch_size", "mlp_ratio"}
_TEXT_KEYS: Final = {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio"}
_HF_KEYS: Final = {"context_length", "hf_model_name", "hf_proj_type", "hf_pooler_type"}
# What changes nothing: training, the tokenizer (see openclip_config), and where a norm stands that is per token.
_HARMLESS: Final = {
    "patch_dropout", "output_tokens", "final_ln_after_pool", "hf_model_pretrained", "hf_tokenizer_name",
    "tokenizer_kwargs", "tokenizer_mode", "pad_id", "eos_id", "pos_embed_type", "attn_pooler_queries",
    "attn_pooler_heads", "timm_model_pretrained", "timm_pool", "timm_proj",
}  # fmt: skip
_DEFAULTS: Final = {"pool_type": ("tok", "argmax"), "proj_type": ("linear",), "block_type": ("default",)}


def read(folder: Path) -> Towers:
    """The towers of a folder. Raises :class:`WeightsUnavailableError` that says what is not supported."""
    path = folder / CONFIG_FILE
    raw = read_json(path)
    try:
        model, preprocess = raw["model_cfg"], raw.get("preprocess_cfg") or {}
        image_cfg, text_cfg, dim = dict(model["vision_cfg"]), dict(model["text_cfg"]), int(model["embed_dim"])
        _check_supported(model, image_cfg, text_cfg, path)
        for key in ("image_size", "patch_size"):
            image_cfg[key] = side(image_cfg[key], path)
        for key in ("layers", "width"):
            image_cfg[key] = int(image_cfg[key])
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsUnavailableError(f"{path} is not a valid OpenCLIP description: {error!r}.") from error
    (weights,) = runtime.find_weights(folder, *WEIGHTS)
    quick_gelu, roberta = bool(model.get("quick_gelu", False)), bool(text_cfg.get("hf_model_name"))
    image = cache(partial(image_module, weights, image_cfg, dim=dim, quick_gelu=quick_gelu))
    if roberta:
        text = cache(partial(roberta_module, weights, text_cfg, dim=dim))
    else:
        text = cache(partial(text_module, weights, text_cfg, dim=dim, quick_gelu=quick_gelu))
    return Towers(
        ImageTower(
            dim,
            preprocess_of(preprocess, image_cfg["image_size"], path),
            (weights,),
            runtime.RUNTIME,
            lambda: runtime.image_forward(image()),
            module=image,
        ),
        TextTower(
            dim,
            partial(tokenizer_of, text_cfg, folder),
            (weights,),
            runtime.RUNTIME,
            lambda: runtime.text_forward(text()),
            vocabulary=None if roberta else text_cfg.get("vocab_size", 49408),
            module=text,
        ),
    )


def _check_supported(
    model: Mapping[str, Any], image: Mapping[str, Any], text: Mapping[str, Any], path: Path
) -> None:
    def refuse(what: str) -> None:
        raise WeightsUnavailableError(f"{path} describes {what}, which Babelens does not load.", hint=_HINT)

    if "multimodal_cfg" in model:
        refuse("a CoCa model")
    if image.get("timm_model_name"):
        refuse(f"an image tower of timm ({image['timm_model_name']})")
    if isinstance(image["layers"], list):
        refuse("a ResNet image tower")
    name = str(text.get("hf_model_name") or "")
    if name and "roberta" not in name.lower():
        refuse(f"the text tower {name}")
    if name and text.get("hf_pooler_type", "mean_pooler") != "mean_pooler":
        refuse(f"a text tower pooled by {text['hf_pooler_type']}")
    # OpenCLIP has many switches, nearly all of them off; an unknown one that is on would give wrong vectors.
    for part, cfg, known in (
        ("vision_cfg", image, _IMAGE_KEYS),
        ("text_cfg", text, _HF_KEYS if name else _TEXT_KEYS),
    ):
        for key, value in cfg.items():
            on = value and value not in _DEFAULTS.get(key, ())
            if on and key not in known and key not in _HARMLESS and not (name and key in _TEXT_KEYS):
                refuse(f"{part} with {key} = {value!r}")
