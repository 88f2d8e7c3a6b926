"""Which words are forms of each other."""

from __future__ import annotations

import pytest

from babelens.storage.fulltext import words_of
from babelens.storage.likeness import akin

TOGETHER = [
    ("filter", "filters"),
    ("dog", "dogs"),
    ("charged", "charging"),
    ("filtro", "filtros"),
    ("batería", "baterías"),
    ("limpio", "limpiar"),
    ("voyant", "voyants"),
    ("nettoyer", "nettoyage"),
    ("Kette", "Ketten"),
    ("Filter", "Kaffeefilter"),
    ("Tank", "Wassertank"),
    ("entkalkt", "Entkalkungsanzeige"),
    ("spia", "spie"),
    ("फ़िल्टर", "फिल्टरों"),
    ("बत्ती", "बत्तियां"),
    ("المرشح", "مرشحات"),
    ("مصهر", "بمصهرات"),
]
APART = [
    ("nation", "station"),
    ("running", "morning"),
    ("cat", "category"),
    ("ring", "during"),
    ("a", "an"),
    ("E12", "E13"),
    ("2041", "20412"),
    ("dog", "god"),
    ("حائط", "خزان"),
]


def _form(word: str) -> str:
    (only,) = words_of(word)
    return only.form


@pytest.mark.parametrize(("one", "other"), TOGETHER)
def test_forms_of_a_word(one: str, other: str) -> None:
    assert akin(_form(one), _form(other))
    assert akin(_form(other), _form(one))


@pytest.mark.parametrize(("one", "other"), APART)
def test_other_words(one: str, other: str) -> None:
    assert not akin(_form(one), _form(other))
    assert not akin(_form(other), _form(one))
