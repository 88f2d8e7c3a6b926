"""Small multilingual text towers in the layouts of sentence-transformers and M-CLIP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import transformers

from tests.checkpoints import transformers as families

WIDTH, DIM = 128, 24  # two heads of 64, the width that M-CLIP's heads have


def sentence_tower(
    folder: Path,
    *,
    pooling: str = "mean_tokens",
    activation: Any = None,
    max_length: int = 128,
    lower: bool = False,
) -> Path:
    """As clip-ViT-B-32-multilingual-v1: DistilBERT, pooling, a dense layer, described as versions 2 to 4 did."""
    folder.mkdir(parents=True)
    size = families.wordpiece(folder, tokenizer_class="DistilBertTokenizer", max_length=512, lower=False)
    config = transformers.DistilBertConfig(
        vocab_size=size, dim=WIDTH, hidden_dim=2 * WIDTH, n_layers=2, n_heads=2
    )
    model = transformers.DistilBertModel(config)
    families.stir(model)
    model.save_pretrained(folder)
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Dense": "Dense"}
    rows = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for place, (path, kind) in enumerate(kinds.items())
    ]
    modes = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")
    files = {
        "modules.json": rows,
        "sentence_bert_config.json": {"max_seq_length": max_length, "do_lower_case": lower},
        "1_Pooling/config.json": {
            "word_embedding_dimension": WIDTH,
            **{f"pooling_mode_{mode}": mode == pooling for mode in modes},
        },
    }
    for name, value in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(value), encoding="utf-8")
    return dense(folder, activation)


def dense(folder: Path, activation: Any = None) -> Path:
    """Writes ``2_Dense``: without a bias where it has no activation, as the published tower has it."""
    activation = activation or torch.nn.Identity()
    has_bias = not isinstance(activation, torch.nn.Identity)
    layer = torch.nn.Linear(WIDTH, DIM, bias=has_bias)
    families.stir(layer)
    (folder / "2_Dense").mkdir(exist_ok=True)
    config = {
        "in_features": WIDTH,
        "out_features": DIM,
        "bias": has_bias,
        "activation_function": f"{type(activation).__module__}.{type(activation).__name__}",
    }
    (folder / "2_Dense" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tensors = {f"linear.{name}": tensor for name, tensor in layer.state_dict().items()}
    safetensors.torch.save_file(tensors, folder / "2_Dense" / "model.safetensors")
    return folder


def add_onnx(folder: Path) -> Path:
    """``onnx/model.onnx`` beside the other files: the transformer alone, as the published exports are."""
    from babelens.models.onnx_export import to_onnx

    class Body(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = transformers.AutoModel.from_pretrained(folder)

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return self.inner(input_ids=ids, attention_mask=mask).last_hidden_state

    (folder / "onnx").mkdir()
    ids, mask = torch.ones(2, 9, dtype=torch.long), torch.ones(2, 9, dtype=torch.long)
    to_onnx(
        Body(),
        [ids, mask],
        ["input_ids", "attention_mask"],
        "last_hidden_state",
        {0: "n", 1: "length"},
        folder / "onnx" / "model.onnx",
    )
    return folder


def mclip_body(base: str, vocabulary: int) -> Any:
    """The transformer of a base model of M-CLIP, but small: ``xlm-roberta-…`` or ``…LaBSE``."""
    sizes = {
        "vocab_size": vocabulary,
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    if base.endswith("LaBSE"):
        return transformers.BertModel(transformers.BertConfig(**sizes, max_position_embeddings=512))
    shifted = {
        "max_position_embeddings": 514,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
        "pad_token_id": 1,
    }
    return transformers.XLMRobertaModel(transformers.XLMRobertaConfig(**sizes, **shifted))


def mclip(folder: Path, *, base: str = "xlm-roberta-large") -> Path:
    """As M-CLIP/XLM-Roberta-Large-Vit-B-32: the transformer's weights under a prefix, its configuration only named."""
    folder.mkdir(parents=True)
    if base.endswith("LaBSE"):
        size = families.wordpiece(folder, tokenizer_class="BertTokenizer", max_length=512, lower=False)
    else:
        size = families.xlm_roberta_tokenizer(folder, max_length=512)
    body, layer = mclip_body(base, size), torch.nn.Linear(WIDTH, DIM)
    families.stir(body)
    families.stir(layer)
    tensors = {f"transformer.{name}": tensor for name, tensor in body.state_dict().items()}
    positions = len(body.embeddings.position_embeddings.weight)
    tensors["transformer.embeddings.position_ids"] = torch.arange(positions)[None]
    tensors |= {f"LinearTransformation.{name}": tensor for name, tensor in layer.state_dict().items()}
    torch.save(tensors, folder / "pytorch_model.bin")
    about = {
        "model_type": "M-CLIP",
        "modelBase": base,
        "numDims": DIM,
        "transformerDimensions": WIDTH,
    }
    (folder / "config.json").write_text(json.dumps(about), encoding="utf-8")
    return folder
