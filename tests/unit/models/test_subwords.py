"""Subword tokenizers against the library that wrote their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from babelens.errors import WeightsUnavailableError
from babelens.models.subwords import SubwordTokenizer

TEXTS = [
    "a red car",
    "un perro en la playa",
    "犬と猫",
    "كلب أحمر",
    "लाल गाड़ी",
    "🐕‍🦺 woof",
    "",
    "word " * 10_000,
]


@pytest.fixture(scope="module")
def content() -> bytes:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=200, special_tokens=["<pad>", "<s>", "</s>", "<unk>"])
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return tokenizer.to_str().encode()


def test_ids_are_the_librarys_own_cut_with_their_marks_kept(content: bytes) -> None:
    ids, mask = SubwordTokenizer(content, max_length=12, pad=0)(TEXTS)
    reference = Tokenizer.from_buffer(content)
    reference.enable_truncation(12)
    reference.enable_padding(pad_id=0)
    for row, encoding in enumerate(reference.encode_batch(TEXTS)):
        assert ids[row].tolist() == encoding.ids
        assert mask[row].tolist() == encoding.attention_mask
    assert ids[-1][0] == 1
    assert ids[-1][-1] == 2


def test_the_count_is_that_of_the_uncut_text(content: bytes) -> None:
    tokenizer = SubwordTokenizer(content, max_length=12, pad=0)
    whole = Tokenizer.from_buffer(content)
    for text in TEXTS:
        assert tokenizer.count(text) == len(whole.encode(text).ids)


def test_padding_to_the_maximum(content: bytes) -> None:
    ids, mask = SubwordTokenizer(content, max_length=64, pad=0, pad_to_max=True)(["a car", "a"])
    assert ids.shape == (2, 64)
    assert (ids[mask == 0] == 0).all()
    assert mask.sum(axis=1).tolist() == [np.count_nonzero(row) for row in ids]


def test_no_texts_give_no_rows(content: bytes) -> None:
    assert SubwordTokenizer(content, max_length=8, pad=0)([])[0].shape[0] == 0


@pytest.mark.parametrize(
    ("clean", "written", "same"),
    [
        ("lower", "A RED Car", "a red car"),
        ("canonicalize", "  A RED,\n car!? ", "a red car"),
        ("openclip-whitespace", "  a “red”\n ｃａｒ &amp;lt;\ufeff", 'a "red" car <'),
        ("openclip-lower", "A RED\tﬁsh", "a red fish"),
        ("openclip-canonicalize", "A_RED, ‘car’!", "a red car"),
    ],
)
def test_texts_are_cleaned_as_the_model_was_trained(
    content: bytes, clean: str, written: str, same: str
) -> None:
    plain = SubwordTokenizer(content, max_length=32, pad=0)
    cleaned = SubwordTokenizer(content, max_length=32, pad=0, clean=clean)
    assert cleaned([written])[0].tolist() == plain([same])[0].tolist()
    assert plain([written])[0].tolist() != plain([same])[0].tolist()
    assert cleaned.key != plain.key


def test_padding_on_the_left(content: bytes) -> None:
    ids, mask = SubwordTokenizer(content, max_length=16, pad="<pad>", pad_to_max=True, pad_left=True)(
        ["a car"]
    )
    right, right_mask = SubwordTokenizer(content, max_length=16, pad="<pad>", pad_to_max=True)(["a car"])
    assert mask[0].tolist() == right_mask[0, ::-1].tolist()
    assert ids[0][mask[0] == 1].tolist() == right[0][right_mask[0] == 1].tolist()
    assert (ids[0][mask[0] == 0] == 0).all()


def test_what_is_saved_leads_back_to_it(content: bytes, tmp_path: Path) -> None:
    tokenizer = SubwordTokenizer(content, max_length=9, pad="<unk>", pad_to_max=True, clean="lower")
    tokenizer.save(tmp_path)
    read = SubwordTokenizer.from_config(tokenizer.to_config(), tmp_path)
    assert read.key == tokenizer.key
    assert read(["A b"])[0].tolist() == tokenizer(["A b"])[0].tolist()
    assert (read(["A b"])[0] == 3).any()


def test_a_file_that_is_no_tokenizer_is_named(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailableError, match=r"tokenizer\.json is no tokenizer"):
        SubwordTokenizer(b"{}", max_length=8)(["a"])
    with pytest.raises(WeightsUnavailableError, match=r"tokenizer\.json cannot be read"):
        SubwordTokenizer.from_config({"file": "tokenizer.json", "max_length": 8}, tmp_path)
    with pytest.raises(WeightsUnavailableError, match="'<nothing>'"):
        SubwordTokenizer(content, max_length=8, pad="<nothing>")(["a"])
