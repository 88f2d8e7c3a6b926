"""Published architectures in their full size and their own layout, with random weights and vocabularies of bytes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors


def clip_vit_b_32(folder: Path) -> None:
    """OpenAI's, which is a ``CLIPConfig`` as it comes."""
    folder.mkdir(parents=True)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    marks = ["<|startoftext|>", "<|endoftext|>"]
    fill = (f"unused{number}" for number in range(49_408 - 2 * len(letters) - len(marks)))
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *fill, *marks]
    tokenizer = transformers.CLIPTokenizer(
        vocab={token: place for place, token in enumerate(tokens)}, merges=[], model_max_length=77
    )
    tokenizer.save_pretrained(folder)
    ends = {"bos_token_id": 49_406, "eos_token_id": 49_407, "pad_token_id": 49_407}
    config = transformers.CLIPConfig(text_config=ends, projection_dim=512)
    rule = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 224},
        "crop_size": {"height": 224, "width": 224},
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
    }
    save(folder, transformers.CLIPModel, config, rule)


def siglip2_base(folder: Path) -> None:
    """google/siglip2-base-patch16-224: SigLIP with Gemma's vocabulary, of which 256,000 rows are kept."""
    folder.mkdir(parents=True)
    marks = ["<pad>", "<eos>", "<bos>", "<unk>"]
    vocabulary = {
        token: place for place, token in enumerate([*marks, *(f"<0x{byte:02X}>" for byte in range(256))])
    }
    tokenizer = tokenizers.Tokenizer(
        models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>", pair="$A <eos> $B <eos>", special_tokens=[("<eos>", 1)]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.add_special_tokens(marks)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "GemmaTokenizer", "model_max_length": 64, "pad_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    config = transformers.SiglipConfig(
        text_config={"vocab_size": 256_000, "max_position_embeddings": 64, "pad_token_id": 0},
        vision_config={"image_size": 224, "patch_size": 16},
    )
    rule = {
        "image_processor_type": "SiglipImageProcessor",
        "size": {"height": 224, "width": 224},
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "resample": 2,
    }
    save(folder, transformers.SiglipModel, config, rule)


def save(folder: Path, model: Any, config: Any, rule: dict[str, Any]) -> None:
    torch.manual_seed(0)
    made = model(config)
    torch.nn.init.constant_(made.logit_scale, math.log(100))  # as at the end of its training
    if hasattr(made, "logit_bias"):
        torch.nn.init.constant_(made.logit_bias, -10)
    made.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(rule), "utf-8")


MAKERS = {"clip-vit-b-32": clip_vit_b_32, "siglip2-base": siglip2_base}
