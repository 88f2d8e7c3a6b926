"""Folders of sentence-transformers: ``modules.json`` lists a transformer, a pooling and dense layers.

A text tower, as the multilingual towers for CLIP's image space are published, or a whole CLIP in a subfolder. With
``onnx/model.onnx`` the transformer runs without torch, and pooling and dense layers are a few lines of NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from ...errors import WeightsUnavailableError
from ...vectors import Floats
from .. import onnx
from .. import torch as runtime
from ..towers import TextForward, TextTower, Tokens, Towers
from . import transformers
from .preprocessor_config import read_json, read_json_list
from .tokenizer_config import read_tokenizer

ONNX_FILE: Final = "onnx/model.onnx"
_MOST: Final = 512  # ids of a text, where nothing says otherwise

Pooling = Literal["mean", "cls", "max"]

_ACTIVATIONS: Final = {"Identity": None, "Tanh": "tanh", "GELU": "gelu", "ReLU": "relu"}
_POOLINGS: Final[dict[str, Pooling]] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
}


@dataclass(frozen=True, slots=True)
class Dense:
    """``activation`` is a name in ``torch.nn.functional``, or None."""

    folder: Path
    width: int
    bias: bool
    activation: str | None


@dataclass(frozen=True, slots=True)
class Modules:
    """What ``modules.json`` lists, in its order."""

    transformer: Path
    pooling: Pooling
    dense: tuple[Dense, ...]
    dim: int
    max_length: int
    clean: str


def read(folder: Path) -> Towers:
    """The text tower on PyTorch, or both towers where the folder holds a CLIP."""
    inner = _clip_folder(folder)
    if inner is not None:
        return transformers.read(inner)
    modules = _read_modules(folder)
    module = cache(partial(_module, modules))
    return _towers(folder, modules, runtime.RUNTIME, lambda: runtime.text_forward(module()), module)


def read_onnx(folder: Path) -> Towers:
    """The text tower on ONNX Runtime."""
    modules = _read_modules(folder)
    there = any((modules.transformer / name).is_file() for name in runtime.WEIGHTS)
    return _towers(
        folder,
        modules,
        onnx.RUNTIME,
        partial(_onnx_forward, folder / ONNX_FILE, modules),
        cache(partial(_module, modules)) if there else None,
    )


def _towers(
    folder: Path,
    modules: Modules,
    name: str,
    load: Callable[[], TextForward],
    module: Callable[[], Any] | None,
) -> Towers:
    config = read_json(modules.transformer / "config.json")
    weights = (
        (folder / ONNX_FILE,)
        if name == onnx.RUNTIME
        else runtime.find_weights(modules.transformer, *runtime.WEIGHTS)
    )
    dense = tuple(runtime.find_weights(layer.folder, *runtime.WEIGHTS)[0] for layer in modules.dense)
    tokenizer = partial(
        read_tokenizer, modules.transformer, max_length=modules.max_length, clean=modules.clean
    )
    tower = TextTower(
        modules.dim,
        tokenizer,
        (*weights, *dense),
        name,
        load,
        vocabulary=config.get("vocab_size"),
        module=module,
    )
    return Towers(None, tower)


def _clip_folder(folder: Path) -> Path | None:
    """The folder of a CLIP that needs nothing but normalising after it."""
    first, *others = _read_rows(folder) or [("", folder)]
    whole = first[0] == "CLIPModel" or (
        first[0] == "Transformer"
        and read_json(first[1] / "config.json").get("model_type") in transformers.FAMILIES
    )
    if not whole:
        return None
    for kind, _ in others:
        if kind != "Normalize":
            raise WeightsUnavailableError(
                f"{folder / 'modules.json'} puts a {kind} behind a CLIP, which Babelens does not know."
            )
    return first[1]


def _read_rows(folder: Path) -> list[tuple[str, Path]]:
    """The kind of each module and its folder."""
    path = folder / "modules.json"
    try:
        return [(str(row["type"]).rsplit(".", 1)[-1], folder / row["path"]) for row in read_json_list(path)]
    except KeyError as error:
        raise WeightsUnavailableError(f"{path} lists a module without its {error}.") from error


def _read_modules(folder: Path) -> Modules:
    """Raises :class:`WeightsUnavailableError` for a module that Babelens does not know."""
    transformer, pooling, dense = folder, None, []
    dim = 0
    config: dict[str, Any] = {}
    for kind, path in _read_rows(folder):
        if kind == "Transformer":
            transformer, config = path, read_json(path / "config.json")
            dim = _number(path / "config.json", config, "hidden_size", "dim")  # DistilBERT calls it dim
        elif kind == "Pooling":
            pooling = _read_pooling(path / "config.json")
        elif kind == "Dense":
            dense.append(_read_dense(path))
            dim = dense[-1].width
        elif kind != "Normalize":  # every vector is normalised in the end
            raise WeightsUnavailableError(
                f"{folder / 'modules.json'} lists a {kind}, which Babelens does not know.",
                hint="Known are Transformer, Pooling, Dense, Normalize and CLIPModel.",
            )
    if pooling is None:
        raise WeightsUnavailableError(f"{folder / 'modules.json'} lists no Pooling.")
    file = transformer / "sentence_bert_config.json"
    settings = read_json(file) if file.is_file() else {}
    length = min(int(settings.get("max_seq_length") or _MOST), _positions(config))
    return Modules(
        transformer, pooling, tuple(dense), dim, length, "lower" if settings.get("do_lower_case") else ""
    )


def _positions(config: Mapping[str, Any]) -> int:
    """How long a text the transformer can take. RoBERTa and its kin count from behind the padding's id."""
    shifted = str(config.get("model_type")).endswith(("roberta", "mpnet", "camembert"))
    used = int(config.get("pad_token_id", 1)) + 1 if shifted else 0
    return int(config.get("max_position_embeddings", _MOST + used)) - used


def _number(path: Path, config: Mapping[str, Any], *names: str) -> int:
    """The first of some settings. Raises :class:`WeightsUnavailableError` that names the file."""
    for name in names:
        if isinstance(config.get(name), int):
            return int(config[name])
    raise WeightsUnavailableError(f"{path} does not say {' or '.join(names)}.")


def _read_pooling(path: Path) -> Pooling:
    config = read_json(path)
    stated = config.get("pooling_mode")
    chosen = [name for key, name in _POOLINGS.items() if config.get(key) or stated == name]
    others = [key for key, value in config.items() if key.startswith("pooling_mode_") and value]
    if len(chosen) != 1 or len(others) > 1:
        raise WeightsUnavailableError(
            f"{path} asks for a pooling that Babelens does not know: {others or stated}."
        )
    return chosen[0]


def _read_dense(folder: Path) -> Dense:
    config = read_json(folder / "config.json")
    name = str(config.get("activation_function", "torch.nn.modules.activation.Tanh")).rsplit(".", 1)[-1]
    if name not in _ACTIVATIONS:
        raise WeightsUnavailableError(
            f"{folder / 'config.json'} asks for {name}; known are {', '.join(_ACTIVATIONS)}."
        )
    width = _number(folder / "config.json", config, "out_features")
    return Dense(folder, width, bool(config.get("bias", True)), _ACTIVATIONS[name])


# -- on PyTorch ----------------------------------------------------------------------------------------------


def _module(modules: Modules) -> Any:
    torch = runtime.import_torch()
    body = runtime.load_pretrained("AutoModel", modules.transformer, unused=("pooler.",))
    parts = torch.nn.ModuleDict({"body": body})
    for place, layer in enumerate(modules.dense):
        tensors = runtime.read_weights(runtime.find_weights(layer.folder, *runtime.WEIGHTS))
        width = tensors["linear.weight"].shape[1]
        linear = torch.nn.ModuleDict({"linear": torch.nn.Linear(width, layer.width, bias=layer.bias)})
        parts[f"dense{place}"] = runtime.fill(linear, tensors, layer.folder)
    return runtime.text_adapter(parts, partial(_encode, modules))


def _encode(modules: Modules, parts: Any, ids: Any, mask: Any) -> Any:
    functional = runtime.import_torch().nn.functional
    hidden = parts["body"](input_ids=ids, attention_mask=mask).last_hidden_state  # (n, length, width)
    kept = mask.unsqueeze(-1).to(hidden.dtype)
    if modules.pooling == "mean":
        rows = (hidden * kept).sum(1) / kept.sum(1).clamp(min=1e-9)
    elif modules.pooling == "max":
        rows = hidden.masked_fill(kept == 0, -1e9).amax(1)
    else:
        rows = hidden[:, 0]
    for place, layer in enumerate(modules.dense):
        rows = parts[f"dense{place}"]["linear"](rows)
        rows = getattr(functional, layer.activation)(rows) if layer.activation else rows
    return rows


# -- on ONNX Runtime -----------------------------------------------------------------------------------------


def _onnx_forward(file: Path, modules: Modules) -> TextForward:
    from safetensors.numpy import load_file

    if any(layer.activation not in (None, "tanh", "relu") for layer in modules.dense):
        raise WeightsUnavailableError(f"{file.parent.parent} needs PyTorch: pip install 'babelens[torch]'.")
    body = onnx.hidden_forward(file)
    layers = []
    for layer in modules.dense:
        tensors = load_file(runtime.find_weights(layer.folder, "model.safetensors")[0])
        layers.append((tensors["linear.weight"].T, tensors.get("linear.bias", 0.0), layer.activation))

    def forward(ids: Tokens, mask: Tokens) -> Floats:
        rows = _pool(body(ids, mask), mask, modules.pooling)
        for weight, bias, activation in layers:
            rows = rows @ weight + bias
            rows = np.tanh(rows) if activation == "tanh" else np.maximum(rows, 0) if activation else rows
        return np.asarray(rows, dtype=np.float32)

    return forward


def _pool(hidden: Floats, mask: Tokens, how: Pooling) -> Floats:
    """Shape: (n, length, width), (n, length) -> (n, width)."""
    if how == "cls":
        return hidden[:, 0]
    kept = mask[..., None].astype(np.float32)
    if how == "max":
        return np.asarray(np.where(kept == 0, -1e9, hidden).max(axis=1), dtype=np.float32)
    return np.asarray((hidden * kept).sum(axis=1) / np.maximum(kept.sum(axis=1), 1e-9), dtype=np.float32)
