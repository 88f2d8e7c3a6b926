from __future__ import annotations

import pytest

from babelens.answering.quotes import has_words, quote_spans, stands_in

PASSAGE = (
    "Do NOT touch the blade. Fuse F3 is rated 2.5 A at -5 °C. You can't open the non-return valve; "
    "10² Ω. Hyphen-\nation and Pressthebutton now. Contains sulphite."
)


@pytest.mark.parametrize(
    "quote",
    [
        "Do NOT touch the blade.",
        "do not  touch\nthe blade",
        "touch the blade, fuse F3",  # punctuation is not compared
        "2.5 A",
        "2.5A",
        "-5 °C",
        "−5 °C",
        "Ｆｕｓｅ Ｆ３",
        "10² Ω",
        "can’t open",
        "non-return valve",
        "Hyphenation",
        "Press the button now",
        "Do NOT touch … F3 is rated",
        "Do NOT touch [...] F3 is rated",
    ],
)
def test_what_stands_there(quote: str) -> None:
    assert stands_in(quote, PASSAGE)


@pytest.mark.parametrize(
    "quote",
    [
        "Do touch the blade",
        "5 A",  # 2.5 A
        "2.5 A at 5 °C",  # -5
        "2",
        "return valve",  # non-return
        "You can",  # can't
        "102 Ω",  # 10²
        "sulphate",
        "lade",
        "F3 is rated … Do NOT touch",  # the wrong way round
        "F3 … a",  # nothing
        "…",
        "",
        "Contains sulphite. Or not",
    ],
)
def test_what_does_not(quote: str) -> None:
    assert not stands_in(quote, PASSAGE)


@pytest.mark.parametrize(
    ("quote", "passage"),
    [
        ("المضخة", "شغِّل المَضَخّة الآن"),  # vowel signs
        ("شغّل المضخة", "شغل المضـــخة"),  # tatweel
        ("درجة 25", "درجة ٢٥ مئوية"),
        ("फ़्यूज़ बदलें", "फ्यूज बदलें।"),  # nukta
        ("तापमान 25", "तापमान २५ है"),
        ("ヒューズ", "ﾋｭｰｽﾞはここ"),  # half width
        ("電源を入れる", "電源を\n入れる。"),
        ("MASSE PRÜFEN", "Masse prüfen"),
        ("Straße", "STRASSE"),
        ("Café", "Cafe\u0301"),
        ("office", "oﬃce"),
    ],
)
def test_spellings_that_mean_the_same(quote: str, passage: str) -> None:
    assert stands_in(quote, passage)
    assert stands_in(passage, passage)


@pytest.mark.parametrize(
    ("quote", "passage"),
    [
        ("पान", "पानी पिएँ"),
        ("papa", "el papá"),
        ("schon", "Es ist schön"),
        ("مضخة", "المضخة"),
        ("電池", "電源を入れる"),
    ],
)
def test_other_words(quote: str, passage: str) -> None:
    assert not stands_in(quote, passage)


@pytest.mark.parametrize(
    ("text", "quotes"),
    [
        ("She says “a b” and „c d“, „e“ or „f”.", ["a b", "c d", "e", "f"]),
        ("« a » et «b», »c«", [" a ", "b", "c"]),
        ("「電源」と『入』", ["電源", "入"]),
        ('Say "yes" to a 5" pipe and "no"', ["yes", "no"]),
        ("She doesn’t; it’s 'fine'", []),
        ("“not closed\n\n and “then” it is", ["then"]),
        ("“two\nlines”", ["two\nlines"]),
        ('"" “”', ["", ""]),
        ("", []),
    ],
)
def test_where_quotations_stand(text: str, quotes: list[str]) -> None:
    assert [text[start:end] for start, end in quote_spans(text)] == quotes


def test_what_can_be_compared() -> None:
    assert has_words("5")
    assert not has_words(" … -")


def test_numbers_do_not_grow_together() -> None:
    assert not stands_in("25 A", "Use 2 5 A fuses")
    assert not stands_in("2 5 A", "Use 25 A fuses")
