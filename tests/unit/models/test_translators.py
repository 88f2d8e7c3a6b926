"""Translators in the published layouts against transformers itself, token for token."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from babelens import load_translator
from babelens.errors import (
    InvalidQueryError,
    UnknownLanguageError,
    UnknownModelError,
    WeightsUnavailableError,
)
from babelens.languages import LANGUAGES
from babelens.models.translators import BEAMS, PretrainedTranslator, default_translator

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

Writers = Callable[..., Path]
TEXTS = [
    "a red balloon",
    "two dogs run on the beach and a woman reads a book under a tree",
    "three birds",
    "a cat 😀 of 12 kg, naïve “quotes”",
    "an old car.",
    "कुत्ता كلب 犬",
]


def reference(folder: Path, class_name: str, text: str, *, source: str, target: str, prefix: str = "") -> Any:
    """What the model card says to do, for one text."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = getattr(transformers, class_name).from_pretrained(folder).eval()
    extra = {}
    if class_name.startswith("M2M"):
        tokenizer.src_lang = source
        extra["forced_bos_token_id"] = tokenizer.get_lang_id(target)
    inputs = tokenizer(prefix + text, return_tensors="pt")
    size = 8
    while size < inputs["input_ids"].shape[1]:
        size *= 2
    model.generation_config.max_length = None
    tokens = model.generate(**inputs, num_beams=BEAMS, max_new_tokens=2 * size + 16, **extra)[0].tolist()
    return inputs["input_ids"][0].tolist(), tokens, tokenizer


class Watched:
    """A model that tells what it was given and what it wrote."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.given: dict[tuple[int, ...], list[int]] = {}
        self.batches: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def generate(self, **inputs: Any) -> Any:
        tokens = self._model.generate(**inputs)
        self.batches.append(len(tokens))
        rows = zip(
            inputs["input_ids"].tolist(), inputs["attention_mask"].tolist(), tokens.tolist(), strict=True
        )
        for given, mask, written in rows:
            self.given[tuple(token for token, on in zip(given, mask, strict=True) if on)] = written
        return tokens


def watched(translator: Any) -> Watched:
    assert isinstance(translator, PretrainedTranslator)
    translator._model = Watched(translator._model)
    return translator._model


def unpadded(tokens: list[int], pad: int) -> list[int]:
    """The first token is a pad, too."""
    end = len(tokens)
    while end > 1 and tokens[end - 1] == pad:
        end -= 1
    return tokens[:end]


@pytest.mark.parametrize(
    ("family", "target", "class_name", "prefix"),
    [
        ("marian", "de", "MarianMTModel", ""),
        ("marian_ar", "ar", "MarianMTModel", ">>ara<< "),
        ("m2m100", "ja", "M2M100ForConditionalGeneration", ""),
    ],
)
def test_batches_give_the_tokens_that_transformers_gives_one_at_a_time(
    family: str, target: str, class_name: str, prefix: str, writers: Writers
) -> None:
    codes = ("apc", "ara", "arz")
    folder = (
        writers("marian", family, target="ar", codes=codes, pull=3)
        if family == "marian_ar"
        else writers(family)
    )
    translator = load_translator(folder, "en", target)
    model = watched(translator)
    found = translator.translate(TEXTS, source="en", target=target)
    assert max(model.batches) > 1
    lengths = set()
    for text, translation in zip(TEXTS, found, strict=True):
        given, wanted, tokenizer = reference(
            folder, class_name, text, source="en", target=target, prefix=prefix
        )
        pad = tokenizer.pad_token_id
        assert unpadded(model.given[tuple(given)], pad) == unpadded(wanted, pad)
        lengths.add(len(wanted))
        languages = set(getattr(tokenizer, "id_to_lang_token", ())) | set(
            tokenizer.convert_tokens_to_ids([f">>{code}<<" for code in codes])
            if family == "marian_ar"
            else ()
        )
        own = [token for token in wanted if token not in languages]
        how = {} if family == "m2m100" else {"use_source_tokenizer": False}
        assert translation == " ".join(tokenizer.decode(own, skip_special_tokens=True, **how).split())
        assert [translation] == translator.translate([text], source="en", target=target)
    assert len(lengths) > 2


def test_a_model_with_several_targets_is_told_which(writers: Writers) -> None:
    folder = writers("marian", "marian_ar", target="ar", codes=("apc", "ara", "arz"), pull=3)
    translator = load_translator(folder, "en", "ar")
    model = watched(translator)
    translator.translate(["three birds"], source="en", target="ar")
    code = transformers.AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids(">>ara<<")
    assert [given[0] for given in model.given] == [code]
    assert not translator.supports("en", "es")


def test_a_group_of_languages_prefers_the_plain_code(writers: Writers) -> None:
    folder = writers("marian", "marian_romance", target="ROMANCE", codes=("es_AR", "es", "fr", "pt_BR"))
    translator = load_translator(folder, "en", "es")
    assert [tag for tag in LANGUAGES if translator.supports("en", tag)] == ["es", "fr"]
    model = watched(translator)
    translator.translate(["three birds"], source="en", target="es")
    code = transformers.AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids(">>es<<")
    assert [given[0] for given in model.given] == [code]


def test_m2m100_speaks_all_pairs_and_keeps_them_apart(writers: Writers) -> None:
    translator = load_translator(writers("m2m100"), "en", "ja")
    pairs = [(one, two) for one in LANGUAGES for two in LANGUAGES if one != two]
    assert all(translator.supports(*pair) for pair in pairs)
    german = translator.translate(TEXTS, source="en", target="de")
    japanese = translator.translate(TEXTS, source="en", target="ja")
    assert german != japanese
    assert translator.translate(TEXTS, source="en", target="de") == german
    assert "__" not in "".join(german + japanese)


def test_long_texts_are_translated_in_pieces_and_whole(writers: Writers) -> None:
    translator = load_translator(writers("marian"), "en", "de")
    model = watched(translator)
    sentence = "two dogs run on the beach."
    translator.translate([" ".join([sentence] * 300)], source="en", target="de")
    tokenizer = transformers.AutoTokenizer.from_pretrained(writers("marian"))
    one = tokenizer(sentence)["input_ids"][:-1]
    for given in model.given:  # whole sentences
        assert len(given) <= 256
        assert list(given[:-1]) == one * ((len(given) - 1) // len(one))


def test_ten_thousand_words_without_a_full_stop(writers: Writers) -> None:
    translator = load_translator(writers("marian"), "en", "de")
    model = watched(translator)
    words = [f"dog {number % 10}" for number in range(5000)]
    (result,) = translator.translate([" ".join(words)], source="en", target="de")
    assert result
    assert max(map(len, model.given)) <= 256


def test_one_word_without_end_comes_to_an_end(writers: Writers) -> None:
    translator = load_translator(writers("marian"), "en", "de")
    assert len(translator.translate(["dog" * 2000, "a cat"], source="en", target="de")) == 2


def test_nothing_gives_nothing(writers: Writers) -> None:
    translator = load_translator(writers("marian"), "en", "de")
    assert translator.translate(["", "  \n"], source="en", target="de") == ["", ""]
    assert translator.translate([], source="en", target="de") == []


# -- which model ---------------------------------------------------------------------------------------------


def test_each_pair_has_a_model_that_may_be_used_for_anything() -> None:
    assert [default_translator("en", tag) for tag in ("es", "fr", "hi", "de", "it", "ar")] == [
        f"opus-mt-en-{tag}" for tag in ("es", "fr", "hi", "de", "it", "ar")
    ]
    assert default_translator("en", "ja") == "m2m100-418m"
    assert {default_translator("hi", tag) for tag in LANGUAGES if tag != "hi"} == {"m2m100-418m"}


def test_unsupported_pairs(writers: Writers) -> None:
    with pytest.raises(InvalidQueryError, match="from English to French"):
        load_translator(writers("marian"), "en", "fr")
    with pytest.raises(InvalidQueryError, match="from Spanish to German"):
        load_translator(writers("marian"), "es", "de")
    with pytest.raises(InvalidQueryError, match="from English to English"):
        load_translator(None, "en", "English")
    with pytest.raises(UnknownLanguageError):
        load_translator(None, "en", "xx")
    translator = load_translator(writers("marian"), "en", "de")
    with pytest.raises(InvalidQueryError, match="from English to Hindi"):
        translator.translate(["a dog"], source="en", target="hi")


def test_what_is_no_translator(writers: Writers, tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match="opus-mt-en-de"):
        load_translator("opus-mt-en-dee", "en", "de")
    with pytest.raises(WeightsUnavailableError, match="'git'") as caught:
        load_translator(writers("git"), "en", "de")
    assert "marian, m2m_100" in str(caught.value.hint)
    folder = Path(shutil.copytree(writers("marian"), tmp_path / "marian"))
    (folder / "target.spm").unlink()
    with pytest.raises(WeightsUnavailableError, match=r"target\.spm"):
        load_translator(folder, "en", "de")


def test_a_tokenizer_that_is_damaged(writers: Writers, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(writers("marian"), tmp_path / "marian"))
    (folder / "source.spm").write_bytes(b"not a model")
    with pytest.raises(WeightsUnavailableError, match="cannot be loaded"):
        load_translator(folder, "en", "de")


def test_nllb_is_told_the_languages_by_its_own_codes(writers: Writers) -> None:
    folder = writers("nllb")
    translator = load_translator(folder, "hi", "ja")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, src_lang="hin_Deva")
    model = watched(translator)
    (found,) = translator.translate(["three birds"], source="hi", target="ja")
    ((given, written),) = model.given.items()
    assert list(given) == tokenizer("three birds")["input_ids"]
    assert given[0] == tokenizer.convert_tokens_to_ids("hin_Deva")
    assert written[1] == tokenizer.convert_tokens_to_ids("jpn_Jpan")
    reference = transformers.M2M100ForConditionalGeneration.from_pretrained(folder).eval()
    reference.generation_config.max_length = None
    wanted = reference.generate(
        **tokenizer("three birds", return_tensors="pt"),
        forced_bos_token_id=written[1],
        num_beams=BEAMS,
        max_new_tokens=len(written) - 1,
    )
    assert wanted[0].tolist() == written
    assert "_" not in found
    assert all(translator.supports(one, two) for one in LANGUAGES for two in LANGUAGES if one != two)
