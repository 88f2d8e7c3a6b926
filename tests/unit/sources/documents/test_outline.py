from __future__ import annotations

from babelens.sources.documents.layout import Rect
from babelens.sources.documents.outline import Outline, count_tokens

BOX = Rect(10, 10, 100, 30)


def test_passages_follow_headings_and_never_cross_them() -> None:
    outline = Outline()
    outline.heading("One", (1.0,), 1, BOX)
    outline.paragraph("First words.", 1, BOX)
    outline.heading("Two", (2.0,), 1, BOX)
    outline.paragraph("Second words.", 1, BOX)
    outline.heading("Three", (1.0,), 1, BOX)
    outline.paragraph("Third words, see Fig. 3.", 1, BOX)
    outline.close()
    assert [(p.headings, p.body) for p in outline.passages] == [
        (("One",), "First words."),
        (("One", "Two"), "Second words."),
        (("Three",), "Third words, see Fig. 3."),
    ]
    assert outline.passages[2].mentions == ("figure 3",)


def test_a_heading_with_nothing_below_it_is_still_found() -> None:
    outline = Outline()
    outline.heading("Alone", (1.0,), 1, BOX)
    outline.heading("With text", (1.0,), 1, BOX)
    outline.paragraph("Words.", 1, BOX)
    outline.heading("Last", (1.0,), 2, BOX)
    outline.close()
    assert [p.body for p in outline.passages] == ["Alone", "Words.", "Last"]
    assert outline.passages[2].page == 2


def test_passages_have_between_two_and_four_hundred_tokens() -> None:
    outline = Outline()
    for number in range(40):
        outline.paragraph(" ".join(f"word{number}" for _ in range(50)) + ".", 1, BOX)
    outline.close()
    sizes = [count_tokens(p.body) for p in outline.passages]
    assert all(200 <= size <= 400 for size in sizes)
    assert sum(sizes) == 2000


def test_a_long_paragraph_is_cut_at_its_sentences() -> None:
    sentences = [f"Sentence number {n} says that the pump is running well." for n in range(100)]
    outline = Outline()
    outline.paragraph(" ".join(sentences), 1, BOX)
    outline.close()
    assert len(outline.passages) > 2
    assert all(p.body.endswith(".") and count_tokens(p.body) <= 400 for p in outline.passages)
    assert " ".join(p.body.replace("\n", " ") for p in outline.passages) == " ".join(sentences)


def test_japanese_without_full_stops_is_cut_all_the_same() -> None:
    text = "日本語" * 1000
    outline = Outline()
    outline.paragraph(text, 1, BOX)
    outline.close()
    assert all(count_tokens(p.body) <= 400 for p in outline.passages)
    assert "".join(p.body.replace("\n", "") for p in outline.passages) == text


def test_passages_end_with_the_page_and_tables_stand_alone() -> None:
    outline = Outline()
    outline.paragraph("On page one.", 1, BOX)
    outline.paragraph("On page two.", 2, BOX)
    outline.table("a | b\n1 | 2", 2, BOX)
    outline.paragraph("After it.", 2, BOX)
    outline.close()
    assert [(p.page, p.table) for p in outline.passages] == [(1, False), (2, False), (2, True), (2, False)]
    assert len({p.key for p in outline.passages}) == 4


def test_tokens_are_words_or_half_the_characters() -> None:
    assert count_tokens("three small words") == 3
    assert count_tokens("日本語です") == 3
    assert count_tokens("USB を使う") == 3
