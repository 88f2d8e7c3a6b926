"""M-CLIP: a multilingual transformer and one linear layer, in a repository without the transformer's configuration.

Its sizes are read from the weights themselves (heads are 64 wide in all of them).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from ...errors import WeightsUnavailableError
from .. import torch as runtime
from ..towers import TextTower, Towers
from .preprocessor_config import read_json
from .tokenizer_config import read_tokenizer

MODEL_TYPE: Final = "M-CLIP"

_HEAD: Final = 64
_BODY: Final = "transformer."
_LAYER: Final = "LinearTransformation."
# The classes of transformers by what the name of the base model holds, and how far its positions are shifted.
_BASES: Final = {"xlm-roberta": ("XLMRoberta", 2), "labse": ("Bert", 0), "bert": ("Bert", 0)}


def read(folder: Path) -> Towers:
    """The text tower of a folder."""
    config = read_json(folder / "config.json")
    base = str(config.get("modelBase", "")).lower()
    if not isinstance(config.get("numDims"), int):
        raise WeightsUnavailableError(
            f"{folder / 'config.json'} does not say numDims, the size of the vectors."
        )
    family = next((row for part, row in _BASES.items() if part in base), None)
    if family is None:
        raise WeightsUnavailableError(
            f"{folder / 'config.json'} names the base model {base!r}, which Babelens does not know.",
            hint="Known are XLM-RoBERTa, LaBSE and BERT.",
        )
    files = runtime.find_weights(folder, *runtime.WEIGHTS)
    dim = config["numDims"]
    module = cache(partial(_module, folder, files, dim, *family))
    return Towers(
        None,
        TextTower(
            dim,
            partial(read_tokenizer, folder, max_length=512),
            files,
            runtime.RUNTIME,
            lambda: runtime.text_forward(module()),
            module=module,
        ),
    )


def _module(folder: Path, files: tuple[Path, ...], dim: int, family: str, shift: int) -> Any:
    torch = runtime.import_torch()
    tensors = runtime.read_weights(files)
    body = {name.removeprefix(_BODY): tensor for name, tensor in tensors.items() if name.startswith(_BODY)}
    layer = {name.removeprefix(_LAYER): tensor for name, tensor in tensors.items() if name.startswith(_LAYER)}
    if not body or "weight" not in layer or len(body) + len(layer) != len(tensors):
        raise WeightsUnavailableError(
            f"{files[0]} does not hold a transformer and one linear layer, as M-CLIP does."
        )
    width = layer["weight"].shape
    if width[0] != dim:
        raise WeightsUnavailableError(
            f"{files[0]} gives vectors of {width[0]} numbers, and config.json says {dim}."
        )
    try:
        sizes = _sizes(body, shift)
    except KeyError as error:
        raise WeightsUnavailableError(f"{files[0]} lacks {_BODY}{error.args[0]}.") from error
    with runtime.quiet_transformers() as transformers:
        config = getattr(transformers, f"{family}Config")(**sizes)
        model = getattr(transformers, f"{family}Model")(config, add_pooling_layer=False)
    parts = torch.nn.ModuleDict(
        {
            "body": runtime.fill(model, body, folder, unused=("pooler.", "embeddings.position_ids")),
            "linear": runtime.fill(torch.nn.Linear(width[1], width[0]), layer, folder),
        }
    )
    return runtime.text_adapter(parts, _encode)


def _sizes(body: Mapping[str, Any], shift: int) -> dict[str, float]:
    words, width = body["embeddings.word_embeddings.weight"].shape
    layers = {name.split(".")[2] for name in body if name.startswith("encoder.layer.")}
    sizes: dict[str, float] = {
        "vocab_size": words,
        "hidden_size": width,
        "num_hidden_layers": len(layers),
        "num_attention_heads": width // _HEAD,
        "intermediate_size": body["encoder.layer.0.intermediate.dense.weight"].shape[0],
        "max_position_embeddings": body["embeddings.position_embeddings.weight"].shape[0],
        "type_vocab_size": body["embeddings.token_type_embeddings.weight"].shape[0],
    }
    return {**sizes, "pad_token_id": 1, "layer_norm_eps": 1e-5} if shift else sizes


def _encode(parts: Any, ids: Any, mask: Any) -> Any:
    hidden = parts["body"](input_ids=ids, attention_mask=mask).last_hidden_state  # (n, length, width)
    kept = mask.unsqueeze(-1).to(hidden.dtype)
    return parts["linear"]((hidden * kept).sum(1) / kept.sum(1))
