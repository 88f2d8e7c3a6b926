"""Every word of a page lands in exactly one passage, whatever the page looks like."""

from __future__ import annotations

from collections import Counter

import pypdfium2 as pdfium
from hypothesis import given, settings
from hypothesis import strategies as st

from babelens.sources.documents.assembly import assemble
from babelens.sources.documents.layout import from_plain, to_plain
from babelens.sources.documents.pdfium import OpenPage
from babelens.sources.documents.reading import read_layout
from tests.pdfs import Pdf

PARAGRAPH = st.lists(st.integers(2, 9), min_size=1, max_size=7)  # words on each line
BLOCK = st.tuples(
    st.sampled_from(["prose", "heading", "table", "figure"]), PARAGRAPH, st.sampled_from([72, 310])
)


def draw(pages: list[list[tuple[str, list[int], int]]]) -> tuple[bytes, list[str]]:
    """A PDF of blocks, each word of it once, and these words."""
    pdf, words = Pdf(), []

    def word() -> str:
        number = len(words)
        words.append(
            "".join("bcdfgklmnprstvz"[(number // 15**k) % 15] + "aeiou"[number % 5] for k in (2, 1, 0))
        )
        return words[-1]

    for blocks in pages:
        page, y = pdf.page(), 80.0
        for kind, lines, x in blocks:
            if kind == "heading":
                page.text(x, y + 8, " ".join(word() for _ in range(2)), 16, "bold")
                y += 24
            elif kind == "table":
                for row in range(min(len(lines), 4)):
                    for column in range(3):
                        page.text(72 + 120 * column, y + 14 * row, word())
                y += 14 * 4
            elif kind == "figure":
                page.drawing(x, y, 150, 70).text(x + 60, y + 20, word())
                y += 80
            else:
                page.lines(x, y, [" ".join(word() for _ in range(min(n, 5))) for n in lines])
                y += 12 * len(lines)
            y += 20
    return pdf.bytes(), words


@settings(max_examples=40)
@given(st.lists(st.lists(BLOCK, min_size=1, max_size=4), min_size=1, max_size=2))
def test_every_word_is_in_exactly_one_passage_or_heading(
    pages: list[list[tuple[str, list[int], int]]],
) -> None:
    data, words = draw(pages)
    document = pdfium.PdfDocument(data)
    layouts = []
    for number in range(1, len(document) + 1):
        page = OpenPage(document, number)
        layouts.append(from_plain(to_plain(read_layout(page, number))))
        page.close()
    document.close()
    result = assemble(layouts)
    headings = {heading for passage in result.passages for heading in passage.headings}
    texts = [passage.body for passage in result.passages] + [
        heading for heading in headings if not any(heading == passage.body for passage in result.passages)
    ]
    found = Counter(word for text in texts for word in text.replace("|", " ").split())
    assert found == Counter(words)
