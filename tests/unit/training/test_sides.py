from __future__ import annotations

import pytest

from babelens.training.sides import names_a_side


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "A man on the Left holds a ball."),
        ("en", "a right-handed player"),
        ("es", "Un perro a la izquierda de una niña."),
        ("es", "con el brazo derecho"),
        ("fr", "Un homme à gauche d'un chien"),
        ("fr", "la main droite levée"),
        ("hi", "बाईं ओर एक कुत्ता"),
        ("hi", "दाएँ हाथ में गेंद"),
        ("hi", "उसके दाहिने पैर पर"),
        ("hi", "बायें तरफ़"),
        ("de", "Der Mann links im Bild"),
        ("de", "mit der rechten Hand"),
        ("de", "Linkshänder beim Tennis"),
        ("it", "un cane a sinistra"),
        ("it", "la mano destra"),
        ("ja", "左側に犬がいる"),
        ("ja", "右手を上げる"),
        ("ar", "رجل على اليسار"),
        ("ar", "بيده اليمنى"),
        ("ar", "في الجانب الأيسر"),
        ("nl", "a man on the left, in a language that nobody told us"),
    ],
)
def test_left_and_right_are_found(language: str, text: str) -> None:
    assert names_a_side(text, language)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "A bright light over the cleft"),
        ("es", "una mesa redonda"),
        ("fr", "un homme debout"),
        ("hi", "एक कुत्ता और एक बाघ"),
        ("de", "ein rechteckiges Schild"),
        ("it", "un cane nero"),
        ("ja", "犬が走っている"),
        ("ar", "كلب يركض على الرمل"),
    ],
)
def test_other_words_are_not(language: str, text: str) -> None:
    assert not names_a_side(text, language)
