"""The piece of a text that is shown for a query, and what is marked in it, in all scripts."""

from __future__ import annotations

import pytest

from babelens.search.excerpts import Excerpt, excerpt
from babelens.search.function_words import subject_words

FILLER = {
    "en": "The appliance stands on a level floor. ",
    "es": "Coloque el equipo sobre un suelo plano. ",
    "fr": "Posez le produit sur un sol bien plat. ",
    "hi": "इसे समतल जगह पर रखें। ",
    "de": "Stellen Sie es auf einen ebenen Boden. ",
    "it": "Appoggiare il prodotto su un piano. ",
    "ja": "平らな場所に置いてください。",
    "ar": "ضع المنتج على سطح مستو. ",
}
CASES = {
    "en": ("How do I clean the filter?", "Cleaning: take the filters out.", ["Cleaning", "filters"]),
    "es": ("¿Cómo cargo la batería?", "Cargar las baterías dura horas.", ["Cargar", "baterías"]),
    "fr": ("Quand détartrer la machine ?", "Détartrez souvent les machines.", ["Détartrez", "machines"]),
    "hi": ("फ़िल्टर कैसे साफ़ करूँ?", "फिल्टरों को साफ करें।", ["फिल्टरों", "साफ"]),
    "de": ("Wie reinige ich den Filter?", "Die Filterreinigung dauert kurz.", ["Filterreinigung"]),
    "it": ("Perché la spia rossa lampeggia?", "Le spie rosse lampeggiano.", ["spie", "rosse", "lampeggiano"]),
    "ja": ("フィルターの掃除の仕方は?", "フィルタを外して掃除します。", ["フィルタ", "掃除"]),
    "ar": ("كيف أنظف المرشح؟", "أخرج المرشحات واشطفها.", ["المرشحات"]),
}


def _marked(found: Excerpt) -> list[str]:
    return [found.text[start:end] for start, end in found.spans]


@pytest.mark.parametrize("language", CASES)
@pytest.mark.parametrize("stated", [True, False])
def test_the_best_window_is_found_and_marked(language: str, stated: bool) -> None:
    query, sentence, words = CASES[language]
    blank = "" if language == "ja" else " "
    body = FILLER[language] * 12 + sentence + blank + FILLER[language] * 12
    found = excerpt(body, query, language if stated else None, width=60)
    assert sentence in found.text
    assert [word for word in _marked(found) if word in words] == words
    assert len(found.text) <= 62
    assert found.text[0] == "…"
    assert found.text[-1] == "…"


def test_a_short_text_is_shown_whole() -> None:
    assert excerpt(" The\nfilters. ", "filter") == Excerpt("The filters.", ((4, 11),))
    assert excerpt("", "filter") == Excerpt("", ())
    assert excerpt("Nothing of it.", "") == Excerpt("Nothing of it.", ())


def test_without_a_match_it_is_the_beginning() -> None:
    found = excerpt("one two three four five six seven", "zebra", width=13)
    assert found == Excerpt("one two three…", ())


def test_it_begins_with_the_sentence_where_there_is_room() -> None:
    body = "Some words come first. The red lamp flashes when the motor is hot. " + "Nothing more here. " * 9
    found = excerpt(body, "hot motor", width=60)
    assert found.text.startswith("…The red lamp flashes when the motor is hot.")
    assert _marked(found) == ["motor", "hot"]


def test_more_words_of_the_query_are_better_than_one_often() -> None:
    body = "filter " * 30 + "and so on " * 20 + "clean the filter now " + "and so on " * 20
    assert "clean the filter" in excerpt(body, "clean filter", "en", width=50).text


def test_function_words_are_marked_only_where_nothing_else_is_asked() -> None:
    body = "The lamp is on the table."
    assert _marked(excerpt(body, "where is the lamp", "en")) == ["lamp"]
    assert _marked(excerpt(body, "the", "en")) == ["The", "the"]


def test_letters_and_their_signs_stay_together() -> None:
    body = "कि" * 400
    found = excerpt(body, "कुछ", width=21)
    assert found.text == "कि" * 10 + "…"


def test_a_word_longer_than_the_width() -> None:
    found = excerpt("x" * 50 + " " + "Donaudampfschifffahrt" * 3 + " end", "Donaudampfschifffahrt", width=10)
    assert found.text == "…Donaudampf…"
    assert found.spans == ()
    with pytest.raises(ValueError, match="0"):
        excerpt("a", "a", width=0)


def test_katakana_shares_pairs_by_accident() -> None:
    assert _marked(excerpt("カードを入れる", "電源コード")) == []
    assert _marked(excerpt("電源コードを入れる", "電源コード")) == ["電源コード"]
    assert _marked(excerpt("白い犬が走る", "犬")) == ["犬"]


@pytest.mark.parametrize(
    ("query", "language", "forms"),
    [
        ("How do I clean the filter?", "en", ["clean", "filter"]),
        ("How do I clean the filter?", None, ["clean", "filter"]),
        ("red hat", None, ["red", "hat"]),
        ("the", "en", ["the"]),
        ("Wie wechsle ich den Filter?", None, ["wechsle", "filter"]),
        ("फ़िल्टर कैसे साफ़ करूँ?", "hi", ["फिल्टर", "साफ"]),
        ("كيف أنظف المرشح؟", "ar", ["انظف", "مرشح"]),
        ("犬は", "ja", ["犬", "犬は"]),
    ],
)
def test_subject_words(query: str, language: str | None, forms: list[str]) -> None:
    assert [word.form for word in subject_words(query, language)] == forms
