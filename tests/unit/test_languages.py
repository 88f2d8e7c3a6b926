from __future__ import annotations

import pytest

from babelens.errors import UnknownLanguageError
from babelens.languages import LANGUAGES, get_language, main_script

SAMPLES = {
    "en": "a dog on the beach",
    "es": "un perro en la playa",
    "fr": "un chien sur la plage",
    "hi": "समुद्र तट पर एक कुत्ता",
    "de": "ein Hund am Strand",
    "it": "un cane sulla spiaggia",
    "ja": "浜辺の犬",
    "ar": "كلب على الشاطئ",
}


def test_there_are_eight() -> None:
    assert list(LANGUAGES) == ["en", "es", "fr", "hi", "de", "it", "ja", "ar"]
    assert [row.tag for row in LANGUAGES.values() if row.direction == "rtl"] == ["ar"]


@pytest.mark.parametrize("tag", LANGUAGES)
def test_a_text_of_each_language_is_in_a_script_of_it(tag: str) -> None:
    assert main_script(SAMPLES[tag]) in LANGUAGES[tag].scripts


@pytest.mark.parametrize("tag", LANGUAGES)
def test_own_names_are_in_a_script_of_the_language(tag: str) -> None:
    assert main_script(LANGUAGES[tag].own_name) in LANGUAGES[tag].scripts


@pytest.mark.parametrize(
    ("typed", "tag"),
    [
        ("de", "de"),
        ("DE", "de"),
        ("de-AT", "de"),
        ("pt_br", None),
        ("deu", "de"),
        ("日本語", "ja"),
        (" Hindi ", "hi"),
    ],
)
def test_what_people_type(typed: str, tag: str | None) -> None:
    if tag:
        assert get_language(typed).tag == tag
    else:
        with pytest.raises(UnknownLanguageError, match="pt_br"):
            get_language(typed)


def test_an_unknown_language_suggests_a_near_one() -> None:
    with pytest.raises(UnknownLanguageError) as caught:
        get_language("eng-")
    assert caught.value.hint == "Did you mean en?"


def test_digits_have_no_script() -> None:
    assert main_script("2024 !") is None
