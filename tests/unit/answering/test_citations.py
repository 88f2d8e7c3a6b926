from __future__ import annotations

import pytest

from babelens.answering import Evidence, check_citations
from babelens.answering.citations import find_markers


def evidence(number: int, body: str, *, headings: tuple[str, ...] = ()) -> Evidence:
    return Evidence(number, f"id{number}", "manual.pdf", number, "passage", body, "en", headings, 1.0, None)


PASSAGES = [
    evidence(1, "The fuse F3 feeds the pump. It is rated 5 A.", headings=("Fuses",)),
    evidence(2, "Remove the cover. The relay (see [7]) sits behind it."),
    evidence(3, "The lamp is red while it charges."),
]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("a [1] b", [(1,)]),
        ("a [1, 2]", [(1, 2)]),
        ("a [1][2]", [(1,), (2,)]),
        ("a [1]、[2]", [(1,), (2,)]),
        ("a [ 2 ; 3 ]", [(2, 3)]),
        ("a [1 2]", [(1, 2)]),
        ("a [1-3]", [(1, 2, 3)]),
        ("a [1–2, 7]", [(1, 2, 7)]),
        ("a [1-9999]", [(1, 9999)]),
        ("a [^1]", [(1,)]),
        ("أ [١، ٢]", [(1, 2)]),
        ("أ [۱۲]", [(12,)]),
        ("क [१, २]", [(1, 2)]),
        ("あ［１、２］", [(1, 2)]),
        ("あ【３】い〔4〕", [(3,), (4,)]),
        ("a 【1†manual.pdf】", [(1,)]),
        ("a [12 V] [x] [] [1.5] (1) [a1]", []),
    ],
)
def test_how_citations_are_written(text: str, numbers: list[tuple[int, ...]]) -> None:
    assert [marker.numbers for marker in find_markers(text)] == numbers


# In each language: a right quotation, one that stands elsewhere, one that stands nowhere, a number that is not there.
GOLDEN = {
    "en": (
        "The pump is fed by “F3” [1].",
        "It says “The lamp is red” [1].",
        "It says “turn it off” [2].",
        "Yes [9].",
    ),
    "es": ("La bomba usa «F3» [1].", "Dice «The lamp is red» [1].", "Dice «apáguelo» [2].", "Sí [9]."),
    "fr": (
        "La pompe : « F3 » [1].",
        "On lit « The lamp is red » [1].",
        "On lit « éteignez » [2].",
        "Oui [9].",
    ),
    "hi": ("पंप को “F3” चलाता है [१]।", "लिखा है “The lamp is red” [१]।", "लिखा है “बंद करें” [२]।", "हाँ [९]।"),
    "de": (
        "Die Pumpe hängt an „F3“ [1].",
        "Da steht „The lamp is red“ [1].",
        "Da steht „aus“ [2].",
        "Ja [9].",
    ),
    "it": ("La pompa usa «F3» [1].", "Dice «The lamp is red» [1].", "Dice «spegnere» [2].", "Sì [9]."),
    "ja": (
        "ポンプは「F3」です［１］。",
        "「The lamp is red」とある［１］。",
        "「切る」とある［２］。",
        "はい［９］。",
    ),
    "ar": ("تغذي المضخة «F3» [١].", "مكتوب «The lamp is red» [١].", "مكتوب «أطفئه» [٢].", "نعم [٩]."),
}


@pytest.mark.parametrize("tag", GOLDEN)
def test_each_language(tag: str) -> None:
    right, elsewhere, nowhere, missing = GOLDEN[tag]
    checked = check_citations(right, PASSAGES)
    assert checked.text == right
    assert [(one.number, one.quote, one.item_id, one.page) for one in checked.citations] == [
        (1, "F3", "id1", 1)
    ]
    assert checked.grounded
    assert checked.notes == ()

    checked = check_citations(elsewhere, PASSAGES)
    assert not checked.grounded
    assert find_markers(checked.text) == []
    assert "The lamp is red" in checked.text
    assert any("stands in [3], not in [1]" in note for note in checked.notes)

    checked = check_citations(nowhere, PASSAGES)
    assert not checked.grounded
    assert find_markers(checked.text) == []
    assert any("none of the passages" in note for note in checked.notes)

    checked = check_citations(missing, PASSAGES)
    assert not checked.grounded
    assert find_markers(checked.text) == []
    assert any("[9]" in note for note in checked.notes)

    between = "" if tag == "ja" else " "
    checked = check_citations(between.join([right, elsewhere, nowhere, missing]), PASSAGES)
    assert checked.text.startswith(right)
    assert len(find_markers(checked.text)) == 1
    assert [one.number for one in checked.citations] == [1]
    assert checked.grounded
    assert "Without a citation" in checked.notes[-1]


def test_only_what_is_wrong_goes() -> None:
    checked = check_citations("It is F3 [1, 9], behind the cover [9][2].", PASSAGES)
    assert checked.text == "It is F3 [1], behind the cover[2]."
    assert [one.number for one in checked.citations] == [1, 2]


def test_a_quotation_beside_a_false_one_keeps_its_own_citation() -> None:
    checked = check_citations("“F3 feeds the pump” [1] and “the cover is hot” [2].", PASSAGES)
    assert checked.text == "“F3 feeds the pump” [1] and “the cover is hot”."
    assert [one.number for one in checked.citations] == [1]


def test_a_citation_after_the_full_stop_belongs_to_the_sentence_before() -> None:
    checked = check_citations("It is “F3”. [1] The lamp is red. [3]\n\nRemove the cover.\n[2]", PASSAGES)
    assert checked.notes == ()
    assert [one.number for one in checked.citations] == [1, 3, 2]


def test_a_citation_may_begin_a_sentence() -> None:
    checked = check_citations("[1] names “F3” [1]. [3] says that the lamp is red.", PASSAGES)
    assert checked.notes == ()
    assert [(one.number, one.quote) for one in checked.citations] == [(1, "F3"), (3, None)]


def test_a_quotation_with_a_full_stop_is_one_sentence() -> None:
    checked = check_citations("It says: “It is rated 5 A.” [1] (manual.pdf, page 1)", PASSAGES)
    assert checked.notes == ()
    assert checked.citations[0].quote == "It is rated 5 A."


def test_a_citation_inside_a_quotation_is_a_citation() -> None:
    checked = check_citations("“Remove the cover [2].”", PASSAGES)
    assert checked.citations[0].quote == "Remove the cover."
    assert checked.grounded


def test_brackets_of_the_document_are_no_citations() -> None:
    text = "“The relay (see [7]) sits behind it” [2]."
    checked = check_citations(text, PASSAGES)
    assert checked.text == text
    assert [one.number for one in checked.citations] == [2]
    assert checked.notes == ()


def test_headings_and_words_of_the_question_may_be_quoted() -> None:
    checked = check_citations(
        "“Fuses” lists no “flux capacitor” [1].", PASSAGES, question="Where is the flux capacitor?"
    )
    assert checked.notes == ()
    assert [one.quote for one in checked.citations] == ["Fuses"]


def test_a_quotation_without_a_citation_is_reported() -> None:
    checked = check_citations("It is F3 [1]. “The lamp is red”.", PASSAGES)
    assert any("stands in [3], but no passage is cited" in note for note in checked.notes)


def test_what_cites_nothing_is_not_grounded() -> None:
    checked = check_citations("It is F3.", PASSAGES)
    assert not checked.grounded
    assert checked.text == "It is F3."
    assert checked.notes == ("The answer cites nothing.",)


def test_sentences_without_a_citation_are_reported() -> None:
    checked = check_citations(
        "Steps:\n- Remove the cover [2].\n- Hit it.\n# Lamp\nIt is red [3]. Paint it.", PASSAGES
    )
    assert checked.grounded
    assert checked.notes == ('Without a citation: "- Hit it." | "Paint it."',)


def test_several_quotations_of_a_passage_are_several_citations() -> None:
    checked = check_citations("“F3” is “rated 5 A” [1]. It feeds the pump [1].", PASSAGES)
    assert [(one.number, one.quote) for one in checked.citations] == [(1, "F3"), (1, "rated 5 A")]


@pytest.mark.parametrize("text", ["", "   ", "[1]", "[9]", "“”", "[1][9]\n\n[2]"])
def test_next_to_nothing(text: str) -> None:
    checked = check_citations(text, PASSAGES)
    assert "[9]" not in checked.text
    assert not checked.grounded
