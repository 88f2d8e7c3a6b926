"""Small passage encoders as multilingual E5 is published: BERT with XLM-R's kind of tokenizer, mean, unit length."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers
from tokenizers import models, normalizers, pre_tokenizers, processors

from tests.checkpoints import transformers as families
from tests.vocabulary import MEANINGS, directions

WIDTH = 64


def e5(folder: Path, *, max_length: int = 512) -> Path:
    """Random weights: what it makes of a text depends on all of the text."""
    folder.mkdir(parents=True)
    size = families.xlm_roberta_tokenizer(folder, max_length=max_length)
    model = transformers.BertModel(_config(size, layers=2), add_pooling_layer=False)
    families.stir(model)
    return _save(folder, model, max_length)


def thesaurus(folder: Path) -> Path:
    """No layers, and for each word of :mod:`tests.vocabulary` the direction of the thing that it stands for: a text is
    the mean of the things it names, in whatever language."""
    folder.mkdir(parents=True)
    marks = ["<s>", "<pad>", "</s>", "<unk>"]
    ids = {token: number for number, token in enumerate([*marks, *MEANINGS])}
    tokenizer = tokenizers.Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Replace(tokenizers.Regex(r"[.,:;!?¿؟。、#]"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "unk_token": "<unk>"}
    _write(folder, "tokenizer_config.json", {**about, "model_max_length": 512})
    model = transformers.BertModel(_config(len(ids), layers=0), add_pooling_layer=False)
    rows = directions(WIDTH)
    with torch.no_grad():
        for table in (model.embeddings.position_embeddings, model.embeddings.token_type_embeddings):
            table.weight.zero_()
        words = model.embeddings.word_embeddings.weight.zero_()
        for token, thing in MEANINGS.items():
            words[ids[token]] = torch.from_numpy(rows[thing])
        # Words that name nothing are near to nothing, but a text of them still has a direction.
        words[ids["<unk>"]] = torch.linspace(-0.01, 0.01, WIDTH)
    return _save(folder, model, 512)


def add_onnx(folder: Path) -> Path:
    """``onnx/model.onnx`` beside the other files, with the three inputs that published exports have."""
    from babelens.models.onnx_export import to_onnx

    class Body(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = transformers.AutoModel.from_pretrained(folder)

        def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
            made = self.inner(input_ids=ids, attention_mask=mask, token_type_ids=types)
            return made.last_hidden_state

    (folder / "onnx").mkdir()
    ones, zeros = torch.ones(2, 9, dtype=torch.long), torch.zeros(2, 9, dtype=torch.long)
    to_onnx(
        Body(),
        [ones, ones.clone(), zeros],
        ["input_ids", "attention_mask", "token_type_ids"],
        "last_hidden_state",
        {0: "n", 1: "length"},
        folder / "onnx" / "model.onnx",
    )
    return folder


def _config(size: int, *, layers: int) -> Any:
    return transformers.BertConfig(
        vocab_size=size,
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=512,
    )


def _save(folder: Path, model: Any, max_length: int) -> Path:
    model.save_pretrained(folder)
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    _write(
        folder,
        "modules.json",
        [
            {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for place, (path, kind) in enumerate(kinds.items())
        ],
    )
    _write(folder, "sentence_bert_config.json", {"max_seq_length": max_length, "do_lower_case": False})
    (folder / "1_Pooling").mkdir()
    modes = {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    _write(folder / "1_Pooling", "config.json", {"word_embedding_dimension": WIDTH, **modes})
    (folder / "2_Normalize").mkdir()
    return folder


def _write(folder: Path, name: str, value: Any) -> None:
    (folder / name).write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
