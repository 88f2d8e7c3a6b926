from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelens.models.ngrams import NgramTokenizer, normalise

TOKENIZER = NgramTokenizer()


def test_windows_and_words_by_hand() -> None:
    tokenizer = NgramTokenizer(min_n=2, max_n=3, words=True)
    # " cat ": 2-grams " c" "ca" "at" "t ", 3-grams " ca" "cat" "at ", and the word itself.
    assert len(tokenizer.ids("cat")) == 8
    assert set(tokenizer.ids("cat")) < set(tokenizer.ids("cat dog"))


def test_same_ids_in_every_process() -> None:
    texts = ["red apple", "赤いりんご", "लाल सेब", "تفاحة حمراء"]
    code = (
        "import json,sys;from babelens.models.ngrams import NgramTokenizer as T;"
        "print(json.dumps([T().ids(t) for t in json.loads(sys.argv[1])]))"
    )
    done = subprocess.run([sys.executable, "-c", code, json.dumps(texts)], capture_output=True, check=True)
    assert json.loads(done.stdout) == [TOKENIZER.ids(text) for text in texts]


def test_ids_are_part_of_the_format() -> None:
    # A change here makes every shipped text tower read nonsense.
    assert NgramTokenizer(min_n=2, max_n=2, words=False).ids("ab") == [285, 15798, 31703]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Apfel", "apfel"),
        ("ＡＢＣ", "abc"),
        ("Straße", "strasse"),
        ("ﾃﾚﾋﾞ", "テレビ"),
        ("man: beard", "man beard"),
    ],
)
def test_spellings_that_mean_the_same(left: str, right: str) -> None:
    assert TOKENIZER.ids(left) == TOKENIZER.ids(right)


@pytest.mark.parametrize(("left", "right"), [("keycap: #", "keycap: *"), ("की", "का"), ("ابن", "اين")])
def test_spellings_that_differ(left: str, right: str) -> None:
    assert TOKENIZER.ids(left) != TOKENIZER.ids(right)


def test_hindi_vowel_signs_stay() -> None:
    assert normalise("हिन्दी") == "हिन्दी"


@given(st.text(max_size=300))
def test_any_text_gives_valid_ids(text: str) -> None:
    ids = TOKENIZER.ids(text)
    assert 1 <= len(ids) <= TOKENIZER.max_length
    assert all(0 < i < TOKENIZER.buckets for i in ids)
    assert normalise(normalise(text)) == normalise(text)


@given(st.lists(st.text(max_size=40), min_size=1, max_size=6))
def test_batch_is_the_rows_padded(texts: list[str]) -> None:
    ids, mask = TOKENIZER(texts)
    assert ids.dtype == mask.dtype == np.int64
    assert ids.shape == mask.shape
    for row, keep, text in zip(ids, mask, texts, strict=True):
        assert row[keep == 1].tolist() == TOKENIZER.ids(text)
        assert not row[keep == 0].any()


def test_long_text_keeps_its_end() -> None:
    tokenizer = NgramTokenizer(max_length=50)
    end = set(tokenizer.ids("zebra"))
    assert end & set(tokenizer.ids("word " * 500 + "zebra"))


def test_buckets_are_used_evenly() -> None:
    words = [f"word{i}" for i in range(4000)]
    tokenizer = NgramTokenizer(buckets=64, min_n=8, max_n=8)
    counts = np.bincount([i for w in words for i in tokenizer.ids(w)], minlength=64)[1:]
    assert counts.min() > 0.5 * counts.mean()


def test_config_round_trip() -> None:
    tokenizer = NgramTokenizer(buckets=100, min_n=2, max_n=5, words=False, max_length=9)
    assert NgramTokenizer.from_config(tokenizer.to_config()) == tokenizer


def test_impossible_parameters() -> None:
    with pytest.raises(ValueError, match="impossible"):
        NgramTokenizer(min_n=4, max_n=2)
