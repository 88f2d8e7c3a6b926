"""Small checkpoints with random weights, laid out as the published ones are: written by transformers itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import tokenizers
import torch
import transformers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers.utils import logging

from tests.checkpoints.texts import SENTENCES

logging.set_verbosity_error()
logging.disable_progress_bar()

SIZE, DIM, WIDTH = 30, 24, 32

_CLIP_PICTURES: dict[str, Any] = {
    "crop_size": SIZE,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "size": SIZE,
}
_SIGLIP_PICTURES: dict[str, Any] = {
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "SiglipImageProcessor",
    "image_std": [0.5, 0.5, 0.5],
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": SIZE, "width": SIZE},
}
_TOWER = {
    "hidden_size": WIDTH,
    "intermediate_size": 2 * WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
_VISION = {**_TOWER, "image_size": SIZE, "patch_size": 10}


def _write(folder: Path, name: str, value: Any) -> None:
    (folder / name).write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def stir(model: Any, seed: int = 0) -> None:
    """Random weights under which inputs differ: the libraries' own start is so small that every text looks alike."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn_like(parameter)
            if parameter.ndim > 1:
                parameter.copy_(2 * noise / parameter[0].numel() ** 0.5)
            else:  # biases, and the scales of norms around one
                parameter.add_(0.1 * noise)


def _save(folder: Path, model: Any, pictures: dict[str, Any]) -> Path:
    stir(model)
    model.save_pretrained(folder)
    _write(folder, "preprocessor_config.json", pictures)
    return folder


def clip_tokenizer(folder: Path) -> int:
    """``tokenizer.json`` and what lies beside it, as in OpenAI's repositories. Returns the vocabulary's size."""
    marks = ["<|startoftext|>", "<|endoftext|>"]
    blank = transformers.CLIPTokenizer(vocab={mark: place for place, mark in enumerate(marks)}, merges=[])
    tokenizer = blank.backend_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        end_of_word_suffix="</w>",
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    learnt = json.loads(tokenizer.to_str())["model"]
    vocab = learnt["vocab"]
    # Every byte also ends a word, and the marks come last: <|endoftext|> has the highest id, as it must.
    for letter in sorted(pre_tokenizers.ByteLevel.alphabet()):
        for form in (letter, f"{letter}</w>"):
            vocab.setdefault(form, len(vocab))
    for mark in marks:
        vocab.pop(mark, None)
    vocab = {token: place for place, token in enumerate(vocab)}
    for mark in marks:
        vocab[mark] = len(vocab)
    merges = [tuple(pair) for pair in learnt["merges"]]
    made = transformers.CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=77)
    made.backend_tokenizer.save(str(folder / "tokenizer.json"))
    _write(folder, "vocab.json", vocab)
    (folder / "merges.txt").write_text(
        "#version: 0.2\n" + "\n".join(" ".join(pair) for pair in merges), encoding="utf-8"
    )
    _write(
        folder,
        "tokenizer_config.json",
        {
            "tokenizer_class": "CLIPTokenizer",
            "model_max_length": 77,
            "bos_token": marks[0],
            "eos_token": marks[1],
            "pad_token": marks[1],
            "unk_token": marks[1],
        },
    )
    return len(vocab)


def clip(folder: Path, *, activation: str = "quick_gelu") -> Path:
    folder.mkdir(parents=True)
    size = clip_tokenizer(folder)
    text = {
        **_TOWER,
        "vocab_size": size,
        "hidden_act": activation,
        "bos_token_id": size - 2,
        "eos_token_id": size - 1,
        "pad_token_id": size - 1,
    }
    config = transformers.CLIPConfig(
        text_config=text, vision_config={**_VISION, "hidden_act": activation}, projection_dim=DIM
    )
    _save(folder, transformers.CLIPModel(config), _CLIP_PICTURES)
    # OpenAI's files still hold buffers that newer versions compute.
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    for side, count in (("text", 77), ("vision", 10)):
        tensors[f"{side}_model.embeddings.position_ids"] = torch.arange(count)[None]
    safetensors.torch.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def siglip(folder: Path) -> Path:
    """With a SentencePiece vocabulary alone, as the first repositories had."""
    folder.mkdir(parents=True)
    size = sentencepiece(folder / "spiece.model", lower=True)
    _write(
        folder,
        "tokenizer_config.json",
        {
            "tokenizer_class": "SiglipTokenizer",
            "model_max_length": 64,
            "do_lower_case": True,
            "pad_token": "</s>",
        },
    )
    text = {**_TOWER, "vocab_size": size, "max_position_embeddings": 64}
    config = transformers.SiglipConfig(text_config=text, vision_config=_VISION)
    return _save(folder, transformers.SiglipModel(config), _SIGLIP_PICTURES)


def siglip2(folder: Path) -> Path:
    """One fixed size of pictures: published as ``siglip`` with Gemma's tokenizer."""
    folder.mkdir(parents=True)
    marks = ["<pad>", "<eos>", "<bos>", "<unk>"]
    tokenizer = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer.train_from_iterator(
        [text.lower() for text in SENTENCES],
        trainers.BpeTrainer(vocab_size=700, special_tokens=[*marks, *fallback], show_progress=False),
    )
    made = json.loads(tokenizer.to_str())
    made["added_tokens"] = [token for token in made["added_tokens"] if token["content"] in marks]
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(made))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>", pair="$A <eos> $B <eos>", special_tokens=[("<eos>", 1)]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    _write(
        folder,
        "tokenizer_config.json",
        {
            "tokenizer_class": "GemmaTokenizer",
            "model_max_length": 64,
            "padding_side": "right",
            "bos_token": "<bos>",
            "eos_token": "<eos>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "add_bos_token": False,
            "add_eos_token": True,
        },
    )
    text = {**_TOWER, "vocab_size": tokenizer.get_vocab_size(), "max_position_embeddings": 64}
    config = transformers.SiglipConfig(text_config=text, vision_config=_VISION)
    return _save(folder, transformers.SiglipModel(config), _SIGLIP_PICTURES)


def wordpiece(folder: Path, *, tokenizer_class: str, max_length: int, lower: bool) -> int:
    """A BERT vocabulary, as multilingual DistilBERT and Chinese-CLIP have. Returns its size."""
    tokenizer = tokenizers.BertWordPieceTokenizer(lowercase=lower, strip_accents=False)
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(SENTENCES, vocab_size=500, special_tokens=marks, show_progress=False)
    tokenizer.post_processor = processors.BertProcessing(
        *((mark, tokenizer.token_to_id(mark)) for mark in ("[SEP]", "[CLS]"))
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer.save_model(str(folder))
    _write(
        folder,
        "tokenizer_config.json",
        {
            "tokenizer_class": tokenizer_class,
            "model_max_length": max_length,
            "do_lower_case": lower,
            "strip_accents": False,
            "pad_token": "[PAD]",
            "unk_token": "[UNK]",
            "cls_token": "[CLS]",
            "sep_token": "[SEP]",
            "mask_token": "[MASK]",
        },
    )
    return int(tokenizer.get_vocab_size())


def chinese_clip(folder: Path) -> Path:
    folder.mkdir(parents=True)
    size = wordpiece(folder, tokenizer_class="BertTokenizer", max_length=52, lower=True)
    config = transformers.ChineseCLIPConfig(
        text_config={**_TOWER, "vocab_size": size, "max_position_embeddings": 64},
        vision_config=_VISION,
        projection_dim=DIM,
    )
    pictures = {**_CLIP_PICTURES, "size": {"height": SIZE, "width": SIZE}, "do_center_crop": False}
    pictures.pop("crop_size")
    return _save(folder, transformers.ChineseCLIPModel(config), pictures)


def xlm_roberta_tokenizer(folder: Path, *, max_length: int) -> int:
    """A Unigram vocabulary with fairseq's marks. Returns its size."""
    marks = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer = tokenizers.Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(tokenizers.Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(
        SENTENCES,
        trainers.UnigramTrainer(
            vocab_size=400, special_tokens=[*marks, "<mask>"], unk_token="<unk>", show_progress=False
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.save(str(folder / "tokenizer.json"))
    _write(
        folder,
        "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": max_length,
            "bos_token": "<s>",
            "eos_token": "</s>",
            "cls_token": "<s>",
            "sep_token": "</s>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "mask_token": "<mask>",
        },
    )
    return int(tokenizer.get_vocab_size())


def altclip(folder: Path) -> Path:
    folder.mkdir(parents=True)
    size = xlm_roberta_tokenizer(folder, max_length=77)
    text = {
        **_TOWER,
        "vocab_size": size,
        "max_position_embeddings": 90,
        "project_dim": DIM,
        "pad_token_id": 1,
    }
    config = transformers.AltCLIPConfig(
        text_config=text, vision_config={**_VISION, "projection_dim": DIM}, projection_dim=DIM
    )
    return _save(folder, transformers.AltCLIPModel(config), _CLIP_PICTURES)


def sentencepiece(file: Path, *, lower: bool = False) -> int:
    """A SentencePiece model. Returns the size of its vocabulary."""
    import io

    import sentencepiece as library

    model = io.BytesIO()
    library.SentencePieceTrainer.train(
        sentence_iterator=iter([text.lower() if lower else text for text in SENTENCES] * 4),
        model_writer=model,
        vocab_size=220,
        model_type="unigram",
        character_coverage=1.0,
        hard_vocab_limit=False,
        pad_id=-1,
        bos_id=-1,
        eos_id=1,
        unk_id=2,
        control_symbols=["<pad>"],
        minloglevel=2,
    )
    file.write_bytes(model.getvalue())
    return int(library.SentencePieceProcessor(model_proto=model.getvalue()).get_piece_size())


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "clip": clip,
    "siglip": siglip,
    "siglip2": siglip2,
    "chinese_clip": chinese_clip,
    "altclip": altclip,
}
