from __future__ import annotations

import pytest

from babelens.answering.sentences import sentence_spans, split_sentences

GOLDEN = {
    "en": [
        "Press ON.",
        "Wait 3.5 s.",
        "See Fig. 3-2, e.g. the relay.",
        "Is it on?",
        "Yes or no.",
        "It needs 5 A.",
        "Go!",
    ],
    "es": [
        "Pulse el botón.",
        "¿Está encendido?",
        "Véase la fig. 4 (pág. 12).",
        "¡No lo toque!",
        "El Sr. Díaz lo sabe.",
    ],
    "fr": [
        "Appuyez sur ON.",
        "Voir p. 12.",
        "Est-ce allumé ?",
        "La pression max. 5 bar suffit.",
        "N'y touchez pas !",
    ],
    "de": [
        "Öffnen Sie z. B. den Deckel.",
        "Siehe Abb. 4.",
        "Nr. 5 ist rot.",
        "Ist er an?",
        "Der Druck ist ca. 2,5 bar.",
    ],
    "it": ["Premere ON.", "Vedi fig. 3 a pag. 12.", "È acceso?", "Non toccare!", "La n. 5 è rossa."],
    "hi": ["स्विच चालू करें।", "क्या यह चालू है?", "डॉ. शर्मा से पूछें।", "मत छुएँ!", "फिर 3.5 सेकंड रुकें॥"],
    "ja": [
        "スイッチを入れる。",
        "入りましたか？",
        "「止まる。」と表示される。",
        "触らない！",
        "図3.2を見る。",
    ],
    "ar": ["اضغط الزر.", "هل يعمل؟", "انتظر 3.5 ثوانٍ.", "لا تلمسه!", "انظر الشكل 4."],
}


@pytest.mark.parametrize("tag", GOLDEN)
def test_sentences(tag: str) -> None:
    between = "" if tag == "ja" else " "
    assert split_sentences(between.join(GOLDEN[tag])) == GOLDEN[tag]


def test_a_line_of_a_page_is_no_sentence() -> None:
    page = "The relay sits\nbehind the cover. Remove\nit.\n\nParts\n- relay\n- fuse\n1. Open it."
    expected = ["The relay sits behind the cover.", "Remove it.", "Parts", "- relay", "- fuse", "1. Open it."]
    assert split_sentences(page) == expected


def test_rows_of_a_table_stay_apart() -> None:
    assert split_sentences("Fuse\tAmps\nF3\t5 A\nF4 | 7 A\nF5 | 9 A") == [
        "Fuse Amps",
        "F3 5 A",
        "F4 | 7 A",
        "F5 | 9 A",
    ]


def test_a_line_of_an_answer_is_a_sentence() -> None:
    text = "The steps:\nopen it\nclose it"
    assert [text[a:b] for a, b in sentence_spans(text, break_lines=True)] == text.split("\n")


def test_a_mark_before_a_citation_ends_the_sentence() -> None:
    assert split_sentences("It is F3.[1] It is 5 A.") == ["It is F3.", "[1] It is 5 A."]


@pytest.mark.parametrize("text", ["", "  ", "\n\n"])
def test_nothing_has_no_sentences(text: str) -> None:
    assert sentence_spans(text) == []
