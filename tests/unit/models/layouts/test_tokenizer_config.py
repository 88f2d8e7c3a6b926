"""What is read from tokenizer.json and tokenizer_config.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from babelens.errors import WeightsUnavailableError
from babelens.models.layouts.tokenizer_config import read_tokenizer

CONFIG = {"model_max_length": 77, "pad_token": "<pad>", "tokenizer_class": "XLMRobertaTokenizer"}


def write(folder: Path, config: dict[str, Any] | None = CONFIG, *, padding: bool = False) -> Path:
    words = {word: place for place, word in enumerate(["<s>", "</s>", "<pad>", "<unk>", "a", "red", "car"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if padding:
        tokenizer.enable_padding(pad_id=2, pad_token="<pad>")
    tokenizer.save(str(folder / "tokenizer.json"))
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("said", "limit", "cut"), [(77, 512, 77), (512, 77, 77), (10**30, 64, 64), (None, 64, 64)]
)
def test_texts_are_cut_at_the_smaller_limit(tmp_path: Path, said: int | None, limit: int, cut: int) -> None:
    config = {**CONFIG, "model_max_length": said}
    assert read_tokenizer(write(tmp_path, config), max_length=limit).max_length == cut


@pytest.mark.parametrize("token", ["<pad>", {"content": "<pad>", "special": True}])
def test_the_padding_is_that_of_the_config(tmp_path: Path, token: Any) -> None:
    tokenizer = read_tokenizer(write(tmp_path, {**CONFIG, "pad_token": token}), max_length=8)
    assert tokenizer(["a", "a red"])[0].tolist() == [[4, 2], [4, 5]]


def test_or_of_the_tokenizer_itself_or_of_the_map_of_special_tokens(tmp_path: Path) -> None:
    tokenizer = read_tokenizer(write(tmp_path, None, padding=True), max_length=8)
    assert tokenizer(["a", "a red"])[0].tolist() == [[4, 2], [4, 5]]
    write(tmp_path, {"model_max_length": 8})
    special = {"pad_token": {"content": "<pad>"}}
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(special), encoding="utf-8")
    assert read_tokenizer(tmp_path, max_length=8)(["a", "a red"])[0].tolist() == [[4, 2], [4, 5]]


def test_padding_on_the_left(tmp_path: Path) -> None:
    tokenizer = read_tokenizer(write(tmp_path, {**CONFIG, "padding_side": "left"}), max_length=8)
    assert tokenizer(["a", "a red"])[0].tolist() == [[2, 4], [4, 5]]


def test_a_padding_token_that_is_not_in_the_vocabulary_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path, {**CONFIG, "pad_token": "[PAD]"})
    with pytest.raises(WeightsUnavailableError, match=r"'\[PAD\]'"):
        read_tokenizer(folder, max_length=8)(["a"])


@pytest.mark.parametrize("left", [(), ("vocab.json",)])
def test_no_vocabulary_or_half_of_one_is_an_error(tmp_path: Path, left: tuple[str, ...]) -> None:
    """``transformers`` would make an empty one in silence."""
    write(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    for name in left:
        (tmp_path / name).write_text("{}", encoding="utf-8")
    with pytest.raises(WeightsUnavailableError, match=r"there is no tokenizer\.json"):
        read_tokenizer(tmp_path, max_length=8)


def test_a_vocabulary_that_nothing_describes_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    (tmp_path / "sentencepiece.bpe.model").write_bytes(b"not one")
    with pytest.raises(WeightsUnavailableError, match="makes none of the vocabulary there"):
        read_tokenizer(tmp_path, max_length=8)
