"""Tiny ONNX folders with random weights, as transformers.js and Immich publish them, and the models they came from."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tests.checkpoints.openclip import DIM, SIZE, OpenClip, Roberta, model_cfg, write_tokenizer
from tests.checkpoints.transformers import FAMILIES
from tests.checkpoints.transformers import SIZE as PICTURE


class Part(nn.Module):
    """One way through a model, as a module of its own, which is what the exporter wants."""

    def __init__(self, model: nn.Module, way: Any) -> None:
        super().__init__()
        self.model, self.way = model, way

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.way(self.model, *inputs)


def export(
    part: Part, file: Path, example: dict[str, torch.Tensor], output: str, *, dynamic: bool = True
) -> None:
    """By the exporter that the published folders were made with. ``dynamic`` leaves the number of rows open."""
    file.parent.mkdir(parents=True, exist_ok=True)
    axes = {name: {0: "n", **({1: "length"} if value.dim() == 2 else {})} for name, value in example.items()}
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # nn.MultiheadAttention's one has no ONNX operator
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            part.eval(),
            tuple(example.values()),
            str(file),
            input_names=list(example),
            output_names=[output],
            dynamic_axes=axes if dynamic else None,
            opset_version=17,
            dynamo=False,
        )
    torch.backends.mha.set_fastpath_enabled(fast)


def write_transformersjs(folder: Path, family: str) -> Any:
    """``family`` is clip, siglip or siglip2. Returns the ``transformers`` model; its files lie in the folder too."""
    import transformers

    from babelens.models.layouts.tokenizer_config import read_tokenizer

    FAMILIES[family](folder)
    if not (folder / "tokenizer.json").is_file():
        read_tokenizer(folder, max_length=64).save(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    outputs = ("image_embeds", "text_embeds") if family == "clip" else ("pooler_output", "pooler_output")
    export(
        Part(model, lambda model, pixels: model.get_image_features(pixel_values=pixels).pooler_output),
        folder / "onnx" / "vision_model.onnx",
        {"pixel_values": torch.randn(2, 3, PICTURE, PICTURE)},
        outputs[0],
    )
    export(
        Part(model, lambda model, ids: model.get_text_features(input_ids=ids).pooler_output),
        folder / "onnx" / "text_model.onnx",
        {"input_ids": torch.randint(3, 60, (2, 64))},
        outputs[1],
    )
    return model


def write_immich(folder: Path, kind: str, **text_options: Any) -> OpenClip:
    """``kind`` is clip (OpenCLIP's own texts), xlmr (its XLM-RoBERTa texts) or mclip (texts of another model).

    Graphs are made for one row of full length and int32 ids, as Immich's are, and give vectors of unit length.
    """
    torch.manual_seed(0)
    xlmr = {"hf_model_name": "xlm-roberta-base", "hf_tokenizer_name": "xlm-roberta-base"}
    cfg = model_cfg(text_cfg={**xlmr, **text_options}) if kind == "xlmr" else model_cfg()
    model = OpenClip(cfg).eval()
    if kind == "mclip":
        model.text = Roberta(DIM, "linear").eval()
    (folder / "visual").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(cfg), encoding="utf-8")
    preprocess = {
        "size": [SIZE, SIZE], "mode": "RGB", "mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28],
        "interpolation": "bicubic", "resize_mode": "shortest", "fill_color": 0,
    }  # fmt: skip
    (folder / "visual" / "preprocess_cfg.json").write_text(json.dumps(preprocess), encoding="utf-8")
    write_tokenizer(folder / "textual", xlmr=kind != "clip")
    unit = nn.functional.normalize
    export(
        Part(model.visual, lambda tower, pixels: unit(tower(pixels), dim=-1)),
        folder / "visual" / "model.onnx",
        {"image": torch.randn(1, 3, SIZE, SIZE)},
        "embedding",
        dynamic=False,
    )
    ids = torch.full((1, 77), 5, dtype=torch.int32)
    if kind == "mclip":
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        way = lambda tower, ids, mask: unit(tower.masked(ids, mask), dim=-1)  # noqa: E731
    else:
        inputs = {"text": ids}
        way = lambda tower, ids: unit(tower(ids), dim=-1)  # noqa: E731
    export(Part(model.text, way), folder / "textual" / "model.onnx", inputs, "embedding", dynamic=False)
    return model
