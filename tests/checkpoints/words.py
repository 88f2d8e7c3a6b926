"""Tiny captioners and translators with random weights, in the layouts that are published.

``transformers`` writes the weights and configs, as it did for the originals; tokenizers are trained on the lines
below. Weights are wide enough that outputs differ from picture to picture and end at different lengths.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LINES = (
    "a red balloon in the sky",
    "two dogs run on the beach",
    "a woman reads a book under a tree",
    "an old car stands in front of a house",
    "three birds sit on a wire",
    "a child eats an apple in the garden",
    "a bowl of soup and a spoon on a table",
    "the train leaves the station at night",
)
TARGET_LINES = (
    "ein roter Ballon am Himmel",
    "zwei Hunde rennen am Strand",
    "eine Frau liest ein Buch unter einem Baum",
    "بالون أحمر في السماء",
    "كلبان يركضان على الشاطئ",
    "空に浮かぶ赤い風船",
    "浜辺を走る二匹の犬",
    "आसमान में लाल गुब्बारा",
)


def stir(model: Any, *, seed: int, end: int, pull: float, spread: float = 0.25) -> Any:
    """Random weights large enough that no two tokens are nearly as likely, and that ``end`` comes at some
    time: ``pull`` is how strongly it swings."""
    import torch

    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and parameter.requires_grad:  # Marian's positions are sines
                parameter.normal_(0.0, 0.02 if "position" in name else spread)
        getattr(model, "text_decoder", model).get_output_embeddings().weight[end] *= pull
    return model.eval()


def bert_tokenizer(folder: Path) -> Any:
    """Words, letters and continued letters of the lines: written by hand, since training breaks ties at random."""
    from transformers import BertTokenizer

    text = " ".join(LINES)
    letters = sorted(set(text) - {" "})
    first = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [word for word in sorted(set(text.split())) if len(word) > 1]
    vocabulary = [*first, *letters, *(f"##{letter}" for letter in letters), *words]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in vocabulary))
    tokenizer = BertTokenizer(vocab=str(folder / "vocab.txt"), do_lower_case=True)
    tokenizer.save_pretrained(folder)
    return tokenizer


def preprocessor(folder: Path, **settings: Any) -> None:
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))


CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def git(
    folder: Path, *, seed: int = 3, pull: float = 5, width: int = 32, layers: int = 2, image_size: int = 32
) -> Path:
    """The layout of microsoft/git-base-coco: a CLIP picture tower, BERT's tokenizer, one text decoder."""
    from transformers import GitConfig, GitForCausalLM

    tokenizer = bert_tokenizer(folder)
    size = {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": layers}
    config = GitConfig(
        vision_config={**size, "num_attention_heads": 2, "image_size": image_size, "patch_size": 16},
        vocab_size=len(tokenizer),
        **size,
        num_attention_heads=2,
        max_position_embeddings=128,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    stir(GitForCausalLM(config), seed=seed, end=tokenizer.sep_token_id, pull=pull).save_pretrained(folder)
    preprocessor(
        folder,
        crop_size={"height": image_size, "width": image_size},
        do_center_crop=True,
        do_convert_rgb=True,
        do_normalize=True,
        do_rescale=True,
        do_resize=True,
        image_mean=CLIP_MEAN,
        image_std=CLIP_STD,
        image_processor_type="CLIPImageProcessor",
        processor_class="GitProcessor",
        resample=3,
        rescale_factor=1 / 255,
        size={"shortest_edge": image_size},
    )
    return folder


def blip(folder: Path, *, seed: int = 2, pull: float = 4) -> Path:
    """The layout of Salesforce/blip-image-captioning-base; its first token lies beyond the tokenizer's."""
    from transformers import BlipConfig, BlipForConditionalGeneration

    tokenizer = bert_tokenizer(folder)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BlipConfig(
        vision_config={**size, "image_size": 32, "patch_size": 16},
        text_config={
            **size,
            "vocab_size": len(tokenizer) + 2,
            "encoder_hidden_size": 32,
            "max_position_embeddings": 64,
            "bos_token_id": len(tokenizer),
            "eos_token_id": 2,
            "pad_token_id": tokenizer.pad_token_id,
            "sep_token_id": tokenizer.sep_token_id,
        },
        projection_dim=16,
        image_text_hidden_size=16,
    )
    stir(
        BlipForConditionalGeneration(config), seed=seed, end=tokenizer.sep_token_id, pull=pull
    ).save_pretrained(folder)
    preprocessor(
        folder,
        do_normalize=True,
        do_resize=True,
        image_mean=CLIP_MEAN,
        image_std=CLIP_STD,
        image_processor_type="BlipImageProcessor",
        processor_class="BlipProcessor",
        resample=3,
        size={"height": 32, "width": 32},
    )
    return folder


def vit_gpt2(folder: Path, *, seed: int = 2, pull: float = 2) -> Path:
    """The layout of nlpconnect/vit-gpt2-image-captioning: its preprocessor file is of the old kind."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import (
        GPT2Config,
        GPT2Tokenizer,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
        ViTConfig,
    )

    folder.mkdir(parents=True, exist_ok=True)
    merges = [
        ("t", "h"),
        ("th", "e"),
        ("Ġ", "a"),
        ("a", "n"),
        ("i", "n"),
        ("o", "n"),
        ("Ġ", "the"),
        ("e", "s"),
    ]
    names = [*sorted(ByteLevel.alphabet()), *map("".join, merges), "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    tokenizer = GPT2Tokenizer(vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"))
    tokenizer.save_pretrained(folder)
    end = tokenizer.eos_token_id
    picture = ViTConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=16,
    )
    text = GPT2Config(
        vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, n_positions=64, add_cross_attention=True,
        bos_token_id=end, eos_token_id=end, is_decoder=True,
    )  # fmt: skip
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(picture, text)
    config.decoder_start_token_id = config.pad_token_id = config.eos_token_id = end
    model = VisionEncoderDecoderModel(config)
    for name in ("decoder_start_token_id", "pad_token_id", "eos_token_id"):
        setattr(model.generation_config, name, end)
    stir(model, seed=seed, end=end, pull=pull).save_pretrained(folder)
    preprocessor(
        folder,
        do_normalize=True,
        do_resize=True,
        feature_extractor_type="ViTFeatureExtractor",
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
        resample=2,
        size=32,
    )
    return folder


def pieces(lines: Sequence[str], *, size: int, **settings: Any) -> bytes:
    """A SentencePiece model."""
    import sentencepiece

    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=written, vocab_size=size, hard_vocab_limit=False,
        character_coverage=1.0, minloglevel=2, **settings,
    )  # fmt: skip
    return written.getvalue()


def vocabulary(*models: bytes) -> list[str]:
    """The pieces of SentencePiece models, each once, without their control symbols."""
    import sentencepiece

    found: dict[str, None] = {}
    for model in models:
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        ids = range(processor.get_piece_size())
        found |= {
            processor.id_to_piece(i): None
            for i in ids
            if not (processor.is_control(i) or processor.is_unknown(i))
        }
    return list(found)


def marian(
    folder: Path,
    *,
    target: str = "de",
    codes: Sequence[str] = (),
    seed: int = 2,
    pull: float = 20,
    width: int = 32,
    layers: int = 2,
) -> Path:
    """The layout of Helsinki-NLP/opus-mt-en-de; with ``codes`` that of opus-mt-en-ar (``>>ara<<``)."""
    from transformers import MarianConfig, MarianMTModel

    folder.mkdir(parents=True, exist_ok=True)
    source, into = pieces(LINES, size=120), pieces(TARGET_LINES, size=150)
    (folder / "source.spm").write_bytes(source)
    (folder / "target.spm").write_bytes(into)
    names = ["</s>", "<unk>", *vocabulary(source, into), *(f">>{code}<<" for code in codes), "<pad>"]
    (folder / "vocab.json").write_text(
        json.dumps({name: i for i, name in enumerate(names)}, ensure_ascii=False)
    )
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"target_lang": target, "source_lang": "en", "model_max_length": 512})
    )
    pad = len(names) - 1
    config = MarianConfig(
        vocab_size=len(names), decoder_vocab_size=len(names), d_model=width,
        encoder_layers=layers, decoder_layers=layers, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=2 * width, decoder_ffn_dim=2 * width, max_position_embeddings=512,
        activation_function="swish", scale_embedding=True, static_position_embeddings=True,
        eos_token_id=0, bos_token_id=0, pad_token_id=pad, decoder_start_token_id=pad, forced_eos_token_id=0,
    )  # fmt: skip
    model = stir(MarianMTModel(config), seed=seed, end=0, pull=pull)
    model.generation_config.update(
        bad_words_ids=[[pad]], num_beams=6, max_length=512, forced_eos_token_id=0, eos_token_id=0,
        pad_token_id=pad, decoder_start_token_id=pad,
    )  # fmt: skip
    model.save_pretrained(folder)
    return folder


def m2m100(folder: Path, *, seed: int = 2, pull: float = 3) -> Path:
    """The layout of facebook/m2m100_418M: a hundred language tokens after the vocabulary, and 8 that mean nothing."""
    from transformers import M2M100Config, M2M100ForConditionalGeneration, M2M100Tokenizer

    folder.mkdir(parents=True, exist_ok=True)
    model = pieces([*LINES, *TARGET_LINES], size=260)
    (folder / "sentencepiece.bpe.model").write_bytes(model)
    names = ["<s>", "<pad>", "</s>", "<unk>", *vocabulary(model)]
    (folder / "vocab.json").write_text(
        json.dumps({name: i for i, name in enumerate(names)}, ensure_ascii=False)
    )
    tokenizer = M2M100Tokenizer(str(folder / "vocab.json"), str(folder / "sentencepiece.bpe.model"))
    tokenizer.save_pretrained(folder)
    config = M2M100Config(
        vocab_size=len(names) + len(tokenizer.lang_code_to_id) + 8, d_model=32,
        encoder_layers=2, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=256, scale_embedding=True,
    )  # fmt: skip
    stir(M2M100ForConditionalGeneration(config), seed=seed, end=2, pull=pull).save_pretrained(folder)
    return folder


def nllb(folder: Path, *, seed: int = 2, pull: float = 3) -> Path:
    """The layout of facebook/nllb-200-distilled-600M: languages are tokens such as ``spa_Latn``."""
    from tokenizers import SentencePieceBPETokenizer
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    trained = SentencePieceBPETokenizer()
    first = ["<s>", "<pad>", "</s>", "<unk>"]
    trained.train_from_iterator(
        [*LINES, *TARGET_LINES], vocab_size=300, min_frequency=1, show_progress=False, special_tokens=first
    )
    bpe = json.loads(trained.to_str())["model"]
    tokenizer = NllbTokenizer(vocab=bpe["vocab"], merges=[tuple(pair) for pair in bpe["merges"]])
    tokenizer.save_pretrained(folder)
    config = M2M100Config(
        vocab_size=len(tokenizer), d_model=32, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64,
        max_position_embeddings=256, scale_embedding=True,
    )  # fmt: skip
    stir(M2M100ForConditionalGeneration(config), seed=seed, end=2, pull=pull).save_pretrained(folder)
    return folder
