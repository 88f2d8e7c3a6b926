from __future__ import annotations

import pytest

from babelens.answering import Evidence, check_citations, extractive_answer
from babelens.answering.phrases import phrases
from babelens.answering.quotes import quote_spans
from babelens.languages import LANGUAGES
from babelens.types import Kind


def evidence(number: int, body: str, language: str, kind: Kind = "passage", page: int | None = 4) -> Evidence:
    return Evidence(number, f"id{number}", "manual.pdf", page, kind, body, language, (), 1.0, None)


# Question, a passage with three sentences, and the one of them that answers.
MANUALS = {
    "en": (
        "How do I clean the burrs?",
        ["Unplug the grinder first.", "Clean the burrs with a dry brush.", "Store it dry."],
    ),
    "es": (
        "¿Cómo limpio las muelas?",
        ["Desenchufe el molinillo.", "Limpie las muelas con un cepillo seco.", "Guárdelo seco."],
    ),
    "fr": (
        "Comment nettoyer les meules ?",
        ["Débranchez le moulin.", "Les meules se nettoient avec une brosse sèche.", "Rangez-le au sec."],
    ),
    "hi": ("चक्की के पाट कैसे साफ करें?", ["पहले प्लग निकालें।", "पाट को सूखे ब्रश से साफ करें।", "इसे सूखी जगह रखें।"]),
    "de": (
        "Wie reinige ich das Mahlwerk?",
        [
            "Ziehen Sie zuerst den Stecker.",
            "Das Mahlwerk reinigt ein trockener Pinsel.",
            "Lagern Sie es trocken.",
        ],
    ),
    "it": (
        "Come pulisco le macine?",
        ["Staccare prima la spina.", "Pulire le macine con un pennello asciutto.", "Conservare asciutto."],
    ),
    "ja": (
        "臼の掃除はどうしますか？",
        ["まずプラグを抜いてください。", "臼は乾いたブラシで掃除します。", "乾いた場所に保管します。"],
    ),
    "ar": ("كيف أنظف الطواحين؟", ["افصل القابس أولاً.", "تُنظَّف الطواحين بفرشاة جافة.", "احفظها في مكان جاف."]),
}


@pytest.mark.parametrize("tag", MANUALS)
def test_the_sentence_that_answers_is_quoted_with_its_page(tag: str) -> None:
    question, sentences = MANUALS[tag]
    passage = evidence(7, ("" if tag == "ja" else " ").join(sentences), tag)
    result = extractive_answer(question, [evidence(3, "…", tag), passage], tag)
    say = phrases(tag)
    heading, *lines = result.text.split("\n")
    assert heading == say.from_documents
    assert sentences[1] in lines[0]
    assert "[7]" in lines[0]
    assert say.page.format(page=4) in lines[0]
    assert (result.citations[0].number, result.citations[0].quote) == (7, sentences[1])
    assert result.grounded
    assert result.extractive
    assert result.model is None
    assert result.language == tag


@pytest.mark.parametrize("tag", LANGUAGES)
def test_an_extract_passes_the_check_of_citations(tag: str) -> None:
    passages = [
        evidence(1, 'Burrs: "hard" «steel» “parts” of 5" 「刃」.', "en"),
        evidence(2, "The burrs [4] wear.", "en", page=None),
        evidence(3, "Figure 2. The burrs", "en", "figure"),
    ]
    result = extractive_answer("Burrs?", passages, tag)
    checked = check_citations(result.text, passages)
    assert checked.notes == ()
    assert checked.text == result.text
    assert checked.citations == result.citations
    assert len(result.citations) == 3


def test_at_most_three_sentences_and_none_twice() -> None:
    body = " ".join(f"The burrs number {n} wear." for n in range(9))
    result = extractive_answer("burrs", [evidence(1, body, "en"), evidence(2, body, "en")], "en")
    quotes = [citation.quote for citation in result.citations]
    assert len(quotes) == len(set(quotes)) == 3


def test_what_says_far_less_is_left_out() -> None:
    body = "Clean the upper burrs with the brush. The grinder has burrs. Coffee is a drink."
    result = extractive_answer("Which brush cleans the upper burrs?", [evidence(1, body, "en")], "en")
    assert [citation.quote for citation in result.citations] == ["Clean the upper burrs with the brush."]


def test_figures_are_named_with_caption_and_page() -> None:
    figure = evidence(2, "Burrs and brush", "en", "figure", page=9)
    result = extractive_answer("Wo sind burrs?", [figure], "de")
    assert result.text.split("\n")[1] == "Abbildung: „Burrs and brush“ [2] (manual.pdf, Seite 9)"
    named = evidence(2, "Fig. 3-2: Burrs", "en", "figure", page=9)
    assert "Abbildung:" not in extractive_answer("burrs", [named], "de").text


def test_other_languages_get_the_best_passage_and_a_note() -> None:
    passages = [evidence(1, "Das Mahlwerk ist scharf. Es mahlt.", "de"), evidence(2, "Es ist rot.", "de")]
    result = extractive_answer("Is it sharp?", passages, "en")
    assert result.citations[0].quote == "Das Mahlwerk ist scharf."
    assert result.notes


def test_words_that_only_ask_choose_nothing() -> None:
    body = "Here is how it does what it does if it does. A lamp that blinks is broken."
    result = extractive_answer(
        "How is it that it does what it does if the lamp blinks?", [evidence(1, body, "en")], "en"
    )
    assert result.citations[0].quote == "A lamp that blinks is broken."


def test_a_sentence_without_end_is_cut_where_it_still_tells() -> None:
    table = "; ".join(f"part {n} costs {n * 7} francs" for n in range(200))
    result = extractive_answer("What does part 150 cost?", [evidence(1, table, "en")], "en")
    quote = result.citations[0].quote
    assert quote is not None
    assert "part 150 costs" in quote
    assert len(quote) <= 400


@pytest.mark.parametrize("body", ["x" * 5000, "電" * 5000, "burrs " * 5000])
def test_texts_without_a_pause_end_too(body: str) -> None:
    result = extractive_answer("burrs", [evidence(1, body, "en")], "en")
    assert all(len(one.quote or "") <= 400 for one in result.citations)


@pytest.mark.parametrize("bodies", [[], [""], ["…", " \n"]])
def test_nothing_to_quote(bodies: list[str]) -> None:
    result = extractive_answer("burrs", [evidence(n, body, "en") for n, body in enumerate(bodies, 1)], "fr")
    assert result.text == phrases("fr").not_answerable
    assert not result.grounded
    assert result.citations == ()


def test_the_closing_mark_stands_where_the_quotation_ends() -> None:
    result = extractive_answer("burrs", [evidence(1, "The «burrs» wear “out” slowly.", "en")], "ar")
    line = result.text.split("\n")[1]
    start, end = quote_spans(line)[0]
    assert line[start:end] == "The «burrs» wear “out” slowly."


def test_a_figure_that_the_passage_refers_to_is_named_too() -> None:
    passage = evidence(1, "Remove the lid as in Figure 3-2. Clean the burrs.", "en")
    other = evidence(2, "Figure 3-20: Hopper", "en", "figure", page=8)
    shown = evidence(3, "Figure 3-2: Lid", "en", "figure", page=9)
    result = extractive_answer("How are burrs cleaned?", [passage, other, shown], "en")
    assert [one.number for one in result.citations] == [1, 3]
    assert result.text.endswith("“Figure 3-2: Lid” [3] (manual.pdf, page 9)")


def test_a_table_of_contents_answers_nothing() -> None:
    contents = "Burrs ........... 12\n2.1 Cleaning the burrs . . . . . . . 27\nThe burrs are of steel."
    result = extractive_answer("Cleaning the burrs?", [evidence(1, contents, "en")], "en")
    assert [one.quote for one in result.citations] == ["The burrs are of steel."]


def test_words_that_stand_together_say_more() -> None:
    body = "Code 7 has 5 parts. Code 5 means heat. Code 6 has 5 parts."
    result = extractive_answer("What is code 5?", [evidence(1, body, "en")], "en")
    assert result.citations[0].quote == "Code 5 means heat."
