from __future__ import annotations

import pytest

from babelens.demo.bundled import load_gallery
from babelens.language_detection import detect_language

SENTENCES = {
    "en": "a dog is running along the beach in the evening",
    "es": "un perro corre por la playa al atardecer",
    "fr": "un chien court sur la plage le soir",
    "de": "ein Hund läuft am Abend den Strand entlang",
    "it": "un cane corre sulla spiaggia alla sera",
    "hi": "शाम को समुद्र तट पर दौड़ता कुत्ता",
    "ja": "夕方の浜辺を走る犬",
    "ar": "كلب يركض على الشاطئ في المساء",
}


@pytest.mark.parametrize("tag", SENTENCES)
def test_a_sentence_shows_its_language(tag: str) -> None:
    assert detect_language(SENTENCES[tag]) == tag


@pytest.mark.parametrize("text", ["", "  ", "1234", "🐶", "Привет", "OK"])
def test_what_tells_nothing_is_no_language(text: str) -> None:
    assert detect_language(text) is None


def test_short_captions_are_rather_left_open_than_guessed_wrong() -> None:
    right = wrong = 0
    for picture in load_gallery().pictures:
        for tag, body in picture.captions.items():
            found = detect_language(body)
            right += found == tag
            wrong += found not in (tag, None)
    assert wrong <= 0.01 * right
    assert right > 0.5 * (right + wrong)
