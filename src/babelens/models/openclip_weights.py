"""OpenCLIP's weights in the modules of ``transformers``: the same arithmetic under other names.

Every weight of the file is accounted for: one that is left over or missing is an error that names it, because a tower
that ignores a weight still gives vectors, only wrong ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from ..errors import WeightsUnavailableError
from . import torch as runtime

Weights = Mapping[str, Any]
"""Names to tensors."""

_LAYER: Final = re.compile(r".+\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")
_PARTS: Final = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
_THIRDS: Final = {"self_attn.q_proj": 0, "self_attn.k_proj": 1, "self_attn.v_proj": 2}  # of in_proj

_IMAGE: Final = {
    "vision_model.embeddings.class_embedding": "class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "positional_embedding",
    "vision_model.pre_layrnorm.weight": "ln_pre.weight",
    "vision_model.pre_layrnorm.bias": "ln_pre.bias",
    "vision_model.post_layernorm.weight": "ln_post.weight",
    "vision_model.post_layernorm.bias": "ln_post.bias",
    "visual_projection.weight": "proj",
}
_TEXT: Final = {
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
    "text_projection.weight": "text_projection",
}
# The scale of the scores, and constants that some files carry: no part of a tower.
_BESIDE: Final = re.compile(r"logit_scale|logit_bias|(.+\.)?(attn_mask|position_ids|token_type_ids)")
_OPENAI: Final = frozenset({"input_resolution", "context_length", "vocab_size"})


def image_module(path: Path, cfg: Mapping[str, Any], *, dim: int, quick_gelu: bool) -> Any:
    """The image tower of a file, pixels in and vectors out: a ``CLIPVisionModelWithProjection``."""
    weights = _read(path, image=True)
    _check_gelu(weights, quick_gelu, path)
    width = cfg["width"]
    config = {
        "hidden_size": width,
        "intermediate_size": int(width * cfg.get("mlp_ratio", 4.0)),
        "num_hidden_layers": cfg["layers"],
        "num_attention_heads": width // cfg.get("head_width", 64),
        "image_size": cfg["image_size"],
        "patch_size": cfg["patch_size"],
        "projection_dim": dim,
        "hidden_act": "quick_gelu" if quick_gelu else "gelu",
    }
    model = _filled(
        "CLIPVision", "ModelWithProjection", config, _own(weights), _source_in(_IMAGE, "visual."), path
    )
    return runtime.image_adapter(model, lambda model, pixels: model(pixel_values=pixels).image_embeds)


def text_module(path: Path, cfg: Mapping[str, Any], *, dim: int, quick_gelu: bool) -> Any:
    """The text tower of a file, ids and mask in and vectors out: a ``CLIPTextModelWithProjection``."""
    weights = _read(path, image=False)
    _check_gelu(weights, quick_gelu, path)
    width = cfg.get("width", 512)
    config = {
        "vocab_size": cfg.get("vocab_size", 49408),
        "hidden_size": width,
        "intermediate_size": int(width * cfg.get("mlp_ratio", 4.0)),
        "num_hidden_layers": cfg.get("layers", 12),
        "num_attention_heads": cfg.get("heads", 8),
        "max_position_embeddings": cfg.get("context_length", 77),
        "projection_dim": dim,
        "hidden_act": "quick_gelu" if quick_gelu else "gelu",
        "eos_token_id": 2,  # to transformers: take the place of the largest id, as OpenCLIP does
        "bos_token_id": None,
    }
    prefix = "text." if "text.positional_embedding" in weights else ""
    model = _filled("CLIPText", "ModelWithProjection", config, _own(weights), _source_in(_TEXT, prefix), path)
    # The tower looks backwards only and takes the vector of the end mark, so padding needs no mask.
    return runtime.text_adapter(model, lambda model, ids, _mask: model(input_ids=ids).text_embeds)


def roberta_module(path: Path, cfg: Mapping[str, Any], *, dim: int) -> Any:
    """The text tower of a file: an ``XLMRobertaModel``, the mean of its last states, and one or two matrices.

    Its sizes are read off the weights: the folder only names it ("xlm-roberta-base"), and what that name stands for
    lies elsewhere.
    """
    inner, outer = "text.transformer.", "text.proj."
    weights = _own(_read(path, image=False))
    body = {name: tensor for name, tensor in weights.items() if not name.startswith(outer)}
    try:
        vocabulary, width = body[f"{inner}embeddings.word_embeddings.weight"].shape
        config = {
            "vocab_size": vocabulary,
            "hidden_size": width,
            "num_attention_heads": width // 64,  # in every RoBERTa
            "num_hidden_layers": len({name.split(".")[4] for name in body if ".encoder.layer." in name}),
            "intermediate_size": len(body[f"{inner}encoder.layer.0.intermediate.dense.bias"]),
            "max_position_embeddings": len(body[f"{inner}embeddings.position_embeddings.weight"]),
            "type_vocab_size": len(body[f"{inner}embeddings.token_type_embeddings.weight"]),
            "layer_norm_eps": 1e-5,
            "pad_token_id": 1,
        }
    except KeyError as error:
        raise WeightsUnavailableError(f"{path} lacks the weight {error}.") from error
    model = _filled(
        "XLMRoberta", "Model", config, body, lambda key: (inner + key, None), path, add_pooling_layer=False
    )
    middle = (width + dim) // 2
    shapes = {
        "mlp": {f"{outer}0.weight": (middle, width), f"{outer}2.weight": (dim, middle)},
        "linear": {f"{outer}weight": (dim, width)},
        # OpenCLIP's default is "mlp"; None is for a tower that already has as many numbers as the pictures' vectors.
    }.get(cfg.get("hf_proj_type", "mlp"), {})
    projection = {name: tensor for name, tensor in weights.items() if name.startswith(outer)}
    _check(shapes, projection, path)
    nn = runtime.import_torch().nn
    steps = nn.Sequential()
    for name, (out, into) in shapes.items():
        if len(steps):
            steps.append(nn.GELU())
        linear = nn.Linear(into, out, bias=False)
        linear.weight = nn.Parameter(projection[name].float())
        steps.append(linear)
    return runtime.text_adapter(nn.ModuleDict({"body": model, "projection": steps}), _mean_of_roberta)


def _mean_of_roberta(parts: Any, ids: Any, mask: Any) -> Any:
    states = parts["body"](input_ids=ids, attention_mask=mask).last_hidden_state  # (n, length, width)
    kept = mask.unsqueeze(-1).to(states.dtype)
    return parts["projection"]((states * kept).sum(1) / kept.sum(1))


def _read(path: Path, *, image: bool) -> dict[str, Any]:
    """Names to tensors of one tower; the other's are not read."""

    def wanted(name: str) -> bool:
        return name.startswith("visual.") == image or name in _OPENAI

    if path.suffix != ".safetensors":
        return {name: tensor for name, tensor in runtime.read_weights((path,)).items() if wanted(name)}
    runtime.import_torch()
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys() if wanted(name)}  # noqa: SIM118
    except SafetensorError as error:
        raise WeightsUnavailableError(
            f"{path} is damaged or not what its name says: {error}", hint="Fetch the model again."
        ) from error


def _check_gelu(weights: Weights, quick_gelu: bool, path: Path) -> None:
    """The weights of OpenAI were trained with QuickGELU, and in a model without it they only look right.

    Weights do not show which GELU they were trained with, so the ``quick_gelu`` of the description decides, as it
    does in OpenCLIP. Only OpenAI's own files, saved as they came, are known by three numbers among the weights.
    """
    if not quick_gelu and weights.keys() >= _OPENAI:
        raise WeightsUnavailableError(
            f"{path} holds the weights of OpenAI, and the description beside it lacks quick_gelu.",
            hint='They were trained with QuickGELU: put "quick_gelu": true into model_cfg.',
        )


def _own(weights: Weights) -> dict[str, Any]:
    return {
        name: tensor for name, tensor in weights.items() if not (name in _OPENAI or _BESIDE.fullmatch(name))
    }


def _source_in(top: Mapping[str, str], prefix: str) -> Callable[[str], tuple[str, int | None]]:
    """Where a weight of ``transformers`` lies in OpenCLIP's file: its name, and which third of it."""

    def source(key: str) -> tuple[str, int | None]:
        layer = _LAYER.fullmatch(key)
        if layer is None:
            return prefix + top[key], None
        block, part, kind = f"{prefix}transformer.resblocks.{layer[1]}.", layer[2], layer[3]
        if part in _THIRDS:
            return f"{block}attn.in_proj_{kind}", _THIRDS[part]
        return f"{block}{_PARTS[part]}.{kind}", None

    return source


def _filled(
    family: str,
    kind: str,
    config: Mapping[str, Any],
    weights: Weights,
    source: Callable[[str], tuple[str, int | None]],
    path: Path,
    **options: Any,
) -> Any:
    """A model of ``transformers`` with the weights that ``source`` finds, all of them, in float32."""
    torch = runtime.import_torch()
    with runtime.quiet_transformers() as transformers:
        made = getattr(transformers, f"{family}Config")(**config)
        cls = getattr(transformers, f"{family}{kind}")
        with torch.device("meta"):
            wanted = cls(made, **options).state_dict()
        shapes: dict[str, tuple[int, ...]] = {}
        for key, tensor in wanted.items():
            name, third = source(key)
            first, *rest = tensor.shape[::-1] if _is_projection(key) else tensor.shape
            shapes[name] = (first if third is None else 3 * first, *rest)
        _check(shapes, weights, path)
        filled = {}
        for key in wanted:
            name, third = source(key)
            tensor = weights[name].float()
            tensor = tensor if third is None else tensor.chunk(3)[third]
            filled[key] = (tensor.T if _is_projection(key) else tensor).contiguous()
        return cls.from_pretrained(None, config=made, state_dict=filled, dtype=torch.float32, **options)


def _is_projection(key: str) -> bool:
    return key in ("visual_projection.weight", "text_projection.weight")


def _check(shapes: Mapping[str, tuple[int, ...]], weights: Weights, path: Path) -> None:
    problems = [f"lacks {name}" for name in shapes if name not in weights]
    problems += [
        f"has {name}, which its description does not ask for" for name in weights if name not in shapes
    ]
    for name in shapes.keys() & weights.keys():
        if tuple(weights[name].shape) != shapes[name]:
            problems.append(f"has {name} of shape {tuple(weights[name].shape)} instead of {shapes[name]}")
    if problems:
        more = f", and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise WeightsUnavailableError(
            f"{path} does not fit the description beside it: it {'; '.join(problems[:5])}{more}.",
            hint="Fetch both files again, from the same place.",
        )
