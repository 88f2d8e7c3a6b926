from __future__ import annotations

import pytest

from babelens.sources.documents.writing import is_cjk, logical, mainly_rtl, plain_letters


@pytest.mark.parametrize(
    ("seen", "read"),
    [
        ("ةخضم", "مضخة"),
        ("230 ةخضم", "مضخة 230"),
        ("3.5 ةخضم", "مضخة 3.5"),
        ("ABC-12 ةخضم", "مضخة ABC-12"),
        ("mAh 2600 ةيراطب", "بطارية 2600 mAh"),
        ("USB 3 ةخضم", "مضخة USB 3"),
        ("(٢ لكشلا) ةخضم", "مضخة (الشكل ٢)"),
        (")٢ لكشلا( ةخضم", "مضخة (الشكل ٢)"),
        ("50% ةخضم", "مضخة 50%"),
        ("The pump is called ةخضم here", "The pump is called مضخة here"),
        ("The pump (ريبك ةخضم) is here", "The pump (مضخة كبير) is here"),
        ("plain words 12", "plain words 12"),
    ],
)
def test_text_as_seen_becomes_text_as_read(seen: str, read: str) -> None:
    assert logical(list(seen)) == read


def test_marks_stay_with_their_letters() -> None:
    assert logical(["بٌ", "تَ", "كِ"]) == "كِتَبٌ"


def test_the_page_decides_where_letters_of_both_kinds_balance() -> None:
    cells = list("ABCD يغرب")
    assert logical(cells, rtl_page=True) == "برغي ABCD"


def test_directions_and_scripts() -> None:
    assert mainly_rtl("مضخة ab") is True
    assert mainly_rtl("pump") is False
    assert mainly_rtl("12 + 3") is None
    assert is_cjk("図")
    assert is_cjk("。")
    assert not is_cjk("a")


def test_forms_that_fonts_give_become_plain_letters() -> None:
    assert plain_letters("eﬃcient") == "efficient"
    assert plain_letters("ﻼ") == "لا"
    assert plain_letters("⾖") == "豆"
    assert plain_letters("𝐴 = 𝑥²") == "A = x²"
    assert plain_letters("  a \n b ") == "a b"
