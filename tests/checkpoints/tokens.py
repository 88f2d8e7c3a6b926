"""A BERT whose token vectors are given, so that what is made of them can be computed by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import transformers

MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def bert_of(folder: Path, vectors: Mapping[str, Sequence[float]], *, longest: int = 16) -> Path:
    """Hidden layer 0 is ``vectors`` up to length, for vectors whose numbers add up to 0: positions and types count
    nothing. The marks have directions of their own, at right angles to all words. Vectors have 4 numbers."""
    folder.mkdir(parents=True)
    words = [*MARKS, *vectors]
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    tokenizer = transformers.BertTokenizer(vocab=str(folder / "vocab.txt"), model_max_length=longest)
    tokenizer.save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        max_position_embeddings=longest,
        layer_norm_eps=1e-12,
    )
    model = transformers.BertModel(config)
    with torch.no_grad():
        for parameter in model.embeddings.parameters():
            parameter.zero_()
        model.embeddings.LayerNorm.weight.fill_(1)
        for place, word in enumerate(words):
            row = (
                torch.tensor([*vectors[word], 0, 0, 0, 0])
                if word in vectors
                else torch.tensor(
                    [0, 0, 0, 0, 1, -1, 1, -1] if word == "[CLS]" else [0, 0, 0, 0, 1, -1, -1, 1]
                )
            )
            model.embeddings.word_embeddings.weight[place] = row
    model.save_pretrained(folder)
    return folder


def rename_family(folder: Path, family: str) -> Path:
    """Says in ``config.json`` that the model is of another family."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"model_type": family}), encoding="utf-8")
    return folder
