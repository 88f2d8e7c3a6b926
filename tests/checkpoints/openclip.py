"""Tiny OpenCLIP checkpoints with random weights, in the published layout.

The architecture is stated here once more, plainly, so that the loader is proven where open_clip cannot be installed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tests.checkpoints.texts import TEXTS
from tests.checkpoints.transformers import clip_tokenizer, xlm_roberta_tokenizer

DIM, WIDTH, SIZE = 48, 128, 32
VISION: dict[str, Any] = {"image_size": SIZE, "layers": 2, "width": WIDTH, "patch_size": 8}
TEXT: dict[str, Any] = {"context_length": 77, "vocab_size": 1200, "width": 64, "heads": 4, "layers": 2}
# With what OpenCLIP's cleaning changes.
SAMPLES = (*TEXTS, "L’été “rouge” &amp; bleu", "ｆｕｌｌ　ｗｉｄｔｈ", "a_b")
XLMR: dict[str, Any] = {
    "hf_model_name": "xlm-roberta-base",
    "hf_tokenizer_name": "xlm-roberta-base",
    "hf_pooler_type": "mean_pooler",
}


class QuickGelu(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    def __init__(self, width: int, heads: int, ratio: float, quick_gelu: bool) -> None:
        super().__init__()
        inner = int(width * ratio)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, inner))
        self.mlp.add_module("gelu", QuickGelu() if quick_gelu else nn.GELU())
        self.mlp.add_module("c_proj", nn.Linear(inner, width))

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))


class Blocks(nn.Module):
    def __init__(self, width: int, layers: int, heads: int, ratio: float, quick_gelu: bool) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList([Block(width, heads, ratio, quick_gelu) for _ in range(layers)])

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        for block in self.resblocks:
            x = block(x, mask)
        return x


class Visual(nn.Module):
    def __init__(self, cfg: dict[str, Any], dim: int, quick_gelu: bool) -> None:
        super().__init__()
        width, patch = cfg["width"], cfg["patch_size"]
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width))
        self.positional_embedding = nn.Parameter(torch.randn((cfg["image_size"] // patch) ** 2 + 1, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        heads = width // cfg.get("head_width", 64)
        self.transformer = Blocks(width, cfg["layers"], heads, cfg.get("mlp_ratio", 4.0), quick_gelu)
        self.proj = nn.Parameter(torch.randn(width, dim))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = self.conv1(pixels).flatten(2).transpose(1, 2)  # (B, patches, width)
        x = torch.cat([self.class_embedding.expand(len(x), 1, -1), x], dim=1) + self.positional_embedding
        return self.ln_post(self.transformer(self.ln_pre(x)))[:, 0] @ self.proj


class Textual(nn.Module):
    def __init__(self, cfg: dict[str, Any], dim: int, quick_gelu: bool) -> None:
        super().__init__()
        width = cfg["width"]
        self.token_embedding = nn.Embedding(cfg["vocab_size"], width)
        self.positional_embedding = nn.Parameter(torch.randn(cfg["context_length"], width))
        self.transformer = Blocks(width, cfg["layers"], cfg["heads"], cfg.get("mlp_ratio", 4.0), quick_gelu)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.randn(width, dim))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        length = ids.shape[1]
        mask = torch.full((length, length), float("-inf")).triu(1)
        x = self.token_embedding(ids) + self.positional_embedding[:length]
        x = self.ln_final(self.transformer(x, mask))
        return x[torch.arange(len(x)), ids.argmax(dim=-1)] @ self.text_projection


class Roberta(nn.Module):
    """An XLM-RoBERTa, its mean, and a projection."""

    def __init__(self, dim: int, projection: str | None) -> None:
        super().__init__()
        from transformers import XLMRobertaConfig, XLMRobertaModel

        config = XLMRobertaConfig(
            vocab_size=450, hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=2, intermediate_size=96,
            max_position_embeddings=90, type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5,
        )  # fmt: skip
        self.transformer = XLMRobertaModel(config, add_pooling_layer=False)
        middle = (WIDTH + dim) // 2
        self.proj: nn.Module = nn.Identity()
        if projection == "linear":
            self.proj = nn.Linear(WIDTH, dim, bias=False)
        elif projection == "mlp":
            self.proj = nn.Sequential(
                nn.Linear(WIDTH, middle, bias=False), nn.GELU(), nn.Linear(middle, dim, bias=False)
            )

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.masked(ids, (ids != 1).long())

    def masked(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        states = self.transformer(input_ids=ids, attention_mask=mask).last_hidden_state
        return self.proj((states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))


class OpenClip(nn.Module):
    """``visual`` beside the text tower's own names, or, where ``custom``, beside ``text``."""

    def __init__(self, model_cfg: dict[str, Any]) -> None:
        super().__init__()
        dim, quick = model_cfg["embed_dim"], model_cfg.get("quick_gelu", False)
        text_cfg = model_cfg["text_cfg"]
        self.visual = Visual(model_cfg["vision_cfg"], dim, quick)
        if "hf_model_name" in text_cfg:
            self.text: nn.Module = Roberta(dim, text_cfg.get("hf_proj_type", "mlp"))
        else:
            self.text = Textual(text_cfg, dim, quick)
        self.custom = "hf_model_name" in text_cfg or model_cfg.get("custom_text", False)
        self.logit_scale = nn.Parameter(torch.tensor(2.66))

    def published(self) -> dict[str, torch.Tensor]:
        """The state as OpenCLIP names it."""
        return {
            name if self.custom else name.removeprefix("text."): tensor.detach().clone()
            for name, tensor in self.state_dict().items()
        }


def write_tokenizer(folder: Path, *, xlmr: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if xlmr:
        xlm_roberta_tokenizer(folder, max_length=512)
    else:
        clip_tokenizer(folder)


def model_cfg(**changes: Any) -> dict[str, Any]:
    return {"embed_dim": DIM, "vision_cfg": VISION, "text_cfg": TEXT, **changes}


def write_openclip(
    folder: Path,
    cfg: dict[str, Any],
    *,
    preprocess: dict[str, Any] | None = None,
    weights: dict[str, torch.Tensor] | None = None,
    binary: bool = False,
) -> OpenClip:
    """Writes a folder and returns the model that it holds; ``weights`` are written in place of its own."""
    torch.manual_seed(0)
    model = OpenClip(cfg).eval()
    folder.mkdir(parents=True, exist_ok=True)
    described = {"model_cfg": cfg, "preprocess_cfg": preprocess or {}}
    (folder / "open_clip_config.json").write_text(json.dumps(described), encoding="utf-8")
    state = model.published() if weights is None else weights
    if binary:
        torch.save(state, folder / "open_clip_pytorch_model.bin")
    else:
        from safetensors.torch import save_file

        save_file(
            {name: tensor.contiguous() for name, tensor in state.items()},
            folder / "open_clip_model.safetensors",
        )
    write_tokenizer(folder, xlmr="hf_model_name" in cfg["text_cfg"])
    return model
