"""Checkpoints of `transformers`: ``config.json`` beside the weights. One row of :data:`FAMILIES` a family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from ...errors import WeightsUnavailableError
from .. import torch as runtime
from ..towers import ImageTower, TextTower, Towers
from . import mclip
from .preprocessor_config import read_json, read_preprocess
from .tokenizer_config import read_tokenizer


@dataclass(frozen=True, slots=True)
class Family:
    """``model`` is the class in transformers. ``dim`` reads the size of the shared space from the configuration.

    ``vocabulary`` is what transformers takes where the configuration does not say, as many do not. ``text_max`` and
    ``pad_to_max`` are how texts were cut and padded in training, ``pad`` with what where the tokenizer's files do not
    say; ``masked`` whether the text tower was told which ids are padding; ``clean`` what happened to texts before (see
    :class:`.subwords.SubwordTokenizer`).
    """

    model: str
    dim: Callable[[Mapping[str, Any]], int]
    vocabulary: int
    text_max: int
    pad_to_max: bool = False
    pad: str | None = None
    masked: bool = True
    clean: str = ""


def _projection(config: Mapping[str, Any]) -> int:
    return int(config.get("projection_dim", 512))


def _hidden(config: Mapping[str, Any]) -> int:
    """SigLIP pools in the towers' own width."""
    text = config.get("text_config", {})
    return int(text.get("projection_size", text.get("hidden_size", 768)))


FAMILIES: Final[dict[str, Family]] = {
    "clip": Family("CLIPModel", _projection, 49408, 77),
    "chinese_clip": Family("ChineseCLIPModel", _projection, 30522, 52),
    "altclip": Family("AltCLIPModel", _projection, 250002, 77),
    # Trained on lower-case text without punctuation: SiglipTokenizer does that in Python, so no tokenizer.json has to.
    "siglip": Family(
        "SiglipModel", _hidden, 32000, 64, pad_to_max=True, pad="</s>", masked=False, clean="canonicalize"
    ),
    # Trained on lower case, but the tokenizer of its repositories is Gemma's, which keeps capitals, and transformers
    # 5.23 leaves them to the caller.
    "siglip2": Family(
        "SiglipModel", _hidden, 32000, 64, pad_to_max=True, pad="<pad>", masked=False, clean="lower"
    ),
}


def read(folder: Path) -> Towers:
    """The towers of a folder; both share one model, which is read once."""
    config = read_json(folder / "config.json")
    if config.get("model_type") == mclip.MODEL_TYPE:
        return mclip.read(folder)
    name = family_name(folder, config)
    family = FAMILIES[name]
    files = runtime.find_weights(folder, *runtime.WEIGHTS)
    model = cache(partial(runtime.load_pretrained, family.model, folder))
    image, text = (cache(partial(_tower, model, side, family.masked)) for side in ("image", "text"))
    texts = config.get("text_config", {})
    length = int(texts.get("max_position_embeddings", family.text_max))
    preprocess = read_preprocess(folder)
    side = config.get("vision_config", {}).get("image_size", 224)  # of every family, where it does not say
    if preprocess.size != side:
        raise WeightsUnavailableError(
            f"The pictures of {folder} are made {preprocess.size} pixels wide and its tower takes {side}.",
            hint="config.json and preprocessor_config.json belong to different models: fetch the model again.",
        )
    return Towers(
        ImageTower(
            family.dim(config),
            preprocess,
            files,
            runtime.RUNTIME,
            lambda: runtime.image_forward(image()),
            module=image,
        ),
        TextTower(
            family.dim(config),
            partial(
                read_tokenizer,
                folder,
                max_length=min(family.text_max, length),
                pad_to_max=family.pad_to_max,
                pad=family.pad,
                clean=family.clean,
            ),
            files,
            runtime.RUNTIME,
            lambda: runtime.text_forward(text()),
            vocabulary=int(texts.get("vocab_size", family.vocabulary)),
            module=text,
        ),
    )


def family_name(folder: Path, config: Mapping[str, Any]) -> str:
    """SigLIP 2 with pictures of one size is published as ``siglip``; its Gemma vocabulary tells it."""
    name = config.get("model_type")
    if name not in FAMILIES:
        raise WeightsUnavailableError(
            f"{folder / 'config.json'} describes a {name!r} model, which Babelens does not know.",
            hint=f"Known are {', '.join((*FAMILIES, mclip.MODEL_TYPE))}.",
        )
    if name == "siglip2":
        raise WeightsUnavailableError(
            f"{folder} is the variant of SigLIP 2 for pictures of any shape (NaFlex), which Babelens cannot run.",
            hint="Take one of a fixed size, such as google/siglip2-base-patch16-256.",
        )
    settings = folder / "tokenizer_config.json"
    tokenizer = read_json(settings).get("tokenizer_class", "") if settings.is_file() else ""
    if name == "siglip" and tokenizer.startswith(("Gemma", "Siglip2")):
        return "siglip2"
    return str(name)


def _tower(model: Callable[[], Any], side: str, masked: bool) -> Any:
    if side == "image":
        return runtime.image_adapter(model(), _image_features)
    return runtime.text_adapter(model(), _text_features if masked else _unmasked_text_features)


def _image_features(model: Any, pixels: Any) -> Any:
    return model.get_image_features(pixel_values=pixels).pooler_output


def _text_features(model: Any, ids: Any, mask: Any) -> Any:
    return model.get_text_features(input_ids=ids, attention_mask=mask).pooler_output


def _unmasked_text_features(model: Any, ids: Any, _mask: Any) -> Any:
    return model.get_text_features(input_ids=ids).pooler_output
