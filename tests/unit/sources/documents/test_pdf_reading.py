"""What is read from well-made PDFs: order, headings, tables, figures, captions."""

from __future__ import annotations

from pathlib import Path

import pytest

from babelens.sources.documents import Document, PageRenderer, read_document, render_box, render_page
from tests.pdfs import Page, Pdf

LEFT = [f"Left column line number {n} of the text" for n in range(12)]
RIGHT = [f"Right column line number {n} of the text" for n in range(12)]


def read(pdf: Pdf, tmp_path: Path) -> Document:
    return read_document(pdf.save(tmp_path / "manual.pdf"))


def body_text(page: Page, y: float, lines: int = 6) -> Page:
    return page.lines(72, y, ["The pump is fed by the fuse behind the cover of the box."] * lines)


def test_headings_come_from_size_and_weight(tmp_path: Path) -> None:
    pdf = Pdf(title="The manual")
    page = pdf.page()
    page.text(72, 80, "Chapter one", 18, "bold").text(72, 110, "First part", 10, "bold")
    body_text(page, 130).text(72, 230, "Second part", 10, "bold")
    body_text(page, 250).text(72, 350, "Chapter two", 18, "bold")
    body_text(page, 380)
    document = read(pdf, tmp_path)
    assert document.title == "The manual"
    assert [p.headings for p in document.passages] == [
        ("Chapter one", "First part"),
        ("Chapter one", "Second part"),
        ("Chapter two",),
    ]
    assert document.pages[0].source == "text"
    assert (document.pages[0].width, document.pages[0].height) == (1240, 1755)
    assert len(document.sha256) == 64


def test_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    pdf = Pdf()
    page = pdf.page().text(72, 80, "A heading across both of the columns", 18, "bold")
    page.lines(72, 110, LEFT).lines(310, 110, RIGHT)
    words = read(pdf, tmp_path).passages[0].body
    assert words.split() == " ".join([*LEFT, *RIGHT]).split()


def test_hyphens_at_line_ends_are_joined_but_not_those_of_compounds(tmp_path: Path) -> None:
    pdf = Pdf()
    pdf.page().lines(
        72,
        100,
        [
            "Before you write an e-mail about the main-",
            "tenance of this machine, look whether an e-",
            "mail was written; the Ein- und Ausgabe and Ein-",
            "und Ausgabe of the state-of-the-",
            "art pump are on the long line which ends here.",
        ],
    )
    body = read(pdf, tmp_path).passages[0].body
    assert "maintenance" in body
    assert "an e-mail was" in body
    assert "Ein- und Ausgabe of" in body
    assert "state-of-the-art" in body


def test_running_heads_and_page_numbers_are_dropped(tmp_path: Path) -> None:
    pdf = Pdf()
    for number in range(1, 8):
        page = pdf.page().text(72, 40, "The Pump Company Manual").text(290, 810, str(number))
        page.text(400, 40, f"Section {'abcdefg'[number // 3]} title   {number}")
        body_text(page, 100).text(72, 300, f"Only on page {number}.")
    document = read(pdf, tmp_path)
    text = "\n".join(p.body for p in document.passages)
    assert "Company" not in text
    assert "Section" not in text
    assert all(f"Only on page {number}." in text for number in range(1, 8))
    assert not any(line.strip().isdecimal() for line in text.split("\n"))


def test_a_line_on_two_of_many_pages_is_no_running_head(tmp_path: Path) -> None:
    pdf = Pdf()
    for number in range(8):
        body_text(pdf.page(), 200).text(
            72, 40, "Warning!" if number in (2, 5) else f"{'abcdefgh'[number]} stands alone"
        )
    text = "\n".join(p.body for p in read(pdf, tmp_path).passages)
    assert text.count("Warning!") == 2


@pytest.mark.parametrize("ruled", [True, False])
def test_tables_keep_their_cells_in_order(tmp_path: Path, ruled: bool) -> None:
    pdf = Pdf()
    page = body_text(pdf.page(), 80)
    rows = [
        ("Part", "Count", "Colour"),
        ("Fuse F3", "2", "red"),
        ("Pump", "1", "blue"),
        ("Cover", "1", "grey"),
    ]
    for number, cells in enumerate(rows):
        for x, cell in zip((80, 220, 320), cells, strict=True):
            page.text(x, 200 + 20 * number, cell)
            if ruled:
                page.rect(x - 5, 187 + 20 * number, 140 if x == 80 else 100, 20)
    body_text(page, 320)
    document = read(pdf, tmp_path)
    tables = [p for p in document.passages if p.table]
    assert [t.body for t in tables] == ["\n".join(" | ".join(row) for row in rows)]
    assert document.figures == ()
    assert [p.table for p in document.passages] == [False, True, False]


def test_a_cell_of_several_lines_stays_one(tmp_path: Path) -> None:
    pdf = Pdf()
    page = pdf.page()
    for number, (name, lines) in enumerate(
        [("Fuse", ["feeds the pump", "and the lamp"]), ("Pump", ["moves water"])]
    ):
        page.text(80, 200 + 40 * number, name).lines(220, 200 + 40 * number, lines)
        page.rect(75, 187 + 40 * number, 140, 40).rect(215, 187 + 40 * number, 140, 40)
    (table,) = (p for p in read(pdf, tmp_path).passages if p.table)
    assert table.body == "Fuse | feeds the pump and the lamp\nPump | moves water"


def test_figures_have_their_captions_and_passages(tmp_path: Path) -> None:
    pdf = Pdf()
    page = pdf.page().text(72, 80, "Wiring", 18, "bold")
    page.lines(72, 110, ["The fuse that Figure 3-2 shows feeds the pump."])
    page.drawing(100, 300, 200, 120).text(170, 330, "F3").text(150, 440, "Figure 3-2: The wiring")
    page.image(350, 300, 120, 110).text(350, 440, "Fig. 3-3. The box")
    pdf.page().text(72, 80, "Parts", 18, "bold").lines(72, 110, ["On the other page, Fig. 3-3 is mentioned."])
    document = read(pdf, tmp_path)
    drawing, picture = document.figures
    assert (drawing.label, drawing.caption, drawing.vector) == ("figure 3-2", "Figure 3-2: The wiring", True)
    assert (picture.label, picture.caption, picture.vector) == ("figure 3-3", "Fig. 3-3. The box", False)
    bodies = {p.key: p.body for p in document.passages}
    assert "The fuse that Figure 3-2 shows" in bodies[drawing.passages[0]]
    assert "F3" in [bodies[key] for key in drawing.passages]
    assert any("On the other page" in bodies[key] for key in picture.passages)
    scale = 150 / 72
    for found, placed in zip(drawing.box, (100, 300, 300, 420), strict=True):
        assert abs(found - placed * scale) < 12


def test_rules_frames_and_logos_are_no_figures(tmp_path: Path) -> None:
    pdf = Pdf()
    for _ in range(5):
        page = body_text(pdf.page(), 120, 20)
        page.rect(20, 20, 555, 802)  # the page's frame
        page.line(72, 60, 520, 60)  # a rule
        page.rect(66, 108, 400, 250)  # a box around text
        page.rect(30, 30, 540, 400, fill=False)
        page.drawing(480, 30, 60, 40)  # a logo
    document = read(pdf, tmp_path)
    assert document.figures == ()


def test_different_figures_at_one_place_are_no_logo(tmp_path: Path) -> None:
    pdf = Pdf()
    for number in range(5):
        page = body_text(pdf.page(), 120)
        page.drawing(100, 300, 200, 120)
        for ring in range(number + 1):
            page.circle(200, 360, 8 + 7 * ring)
    assert len(read(pdf, tmp_path).figures) == 5


def test_a_block_diagram_of_plain_boxes_is_a_figure(tmp_path: Path) -> None:
    pdf = Pdf()
    page = body_text(pdf.page(), 80)
    for number in range(4):
        page.rect(80 + 100 * number, 300, 70, 40)
        page.text(95 + 100 * number, 325, f"Box {number}")
        if number:
            page.line(50 + 100 * number, 320, 80 + 100 * number, 320)
    page.text(80, 365, "Figure 1: Boxes")
    (figure,) = read(pdf, tmp_path).figures
    assert figure.label == "figure 1"


def test_two_figures_side_by_side_have_a_caption_each(tmp_path: Path) -> None:
    pdf = Pdf()
    page = body_text(pdf.page(), 80)
    page.drawing(72, 300, 180, 120).drawing(330, 300, 180, 120)
    page.text(72, 440, "Figure 1: Left").text(330, 440, "Figure 2: Right")
    assert [f.label for f in read(pdf, tmp_path).figures] == ["figure 1", "figure 2"]


def boxed(document: Document) -> list[tuple[float, ...]]:
    """The boxes of the figures in points, as they were placed."""
    return [tuple(round(value * 72 / 150) for value in figure.box) for figure in document.figures]


LEGEND = ["full", "half", "empty"]


@pytest.mark.parametrize(
    ("pitch", "caption"), [(13, 190), (30, 150), (30, 72)], ids=["centred", "loose", "aside"]
)
def test_a_legend_beside_a_drawing_belongs_to_it(tmp_path: Path, pitch: int, caption: int) -> None:
    pdf = Pdf()
    page = body_text(pdf.page(), 80).drawing(150, 300, 120, 90).lines(286, 320, LEGEND, leading=pitch)
    page.text(caption, 410, "Fig. 6 The gauge", 10)
    (figure,) = read(pdf, tmp_path).figures
    assert figure.label == "figure 6"
    assert figure.box[2] > 300 * 150 / 72


@pytest.mark.parametrize(
    "lines", [LEGEND, ["When it is full, the lamp is on.", *LEGEND]], ids=["short", "long"]
)
def test_text_beside_a_drawing_does_not_belong_to_it(tmp_path: Path, lines: list[str]) -> None:
    pdf = Pdf()
    page = body_text(pdf.page(), 80).drawing(150, 300, 120, 90).lines(286, 320, lines, leading=12)
    page.text(172, 410, "Fig. 6 The gauge", 10)
    (figure,) = read(pdf, tmp_path).figures
    assert figure.box[2] < 280 * 150 / 72


def test_steps_side_by_side_are_one_figure_wherever_their_caption_stands(tmp_path: Path) -> None:
    pdf = Pdf()
    page = body_text(pdf.page(), 80).drawing(150, 300, 100, 90).drawing(290, 300, 100, 90)
    page.text(72, 410, "Figure 5 Taking it out").text(72, 500, "Figure 6 shows the cup.")
    (figure,) = read(pdf, tmp_path).figures
    assert (figure.label, figure.caption) == ("figure 5", "Figure 5 Taking it out")
    (box,) = boxed(read(pdf, tmp_path))
    assert box == pytest.approx((150, 300, 390, 390), abs=3)


def test_of_two_lines_with_a_number_the_one_set_apart_is_the_caption(tmp_path: Path) -> None:
    pdf = Pdf()
    page = (
        body_text(pdf.page(), 80).text(72, 290, "Figure 5 is drawn from the left.").drawing(100, 300, 120, 90)
    )
    page.text(72, 415, "Figure 5 Taking it out", 10, "bold").text(310, 300, "(Figure 5). Then wait.")
    (figure,) = read(pdf, tmp_path).figures
    assert figure.caption == "Figure 5 Taking it out"


def test_a_drawing_under_a_band_across_the_page_stands_alone(tmp_path: Path) -> None:
    pdf = Pdf()
    page = pdf.page().rect(0, 0, 595, 120, fill=True)
    page.drawing(200, 124, 150, 100)
    (box,) = boxed(read(pdf, tmp_path))
    assert box == pytest.approx((200, 124, 350, 224), abs=3)


def test_a_heading_near_a_picture_is_not_taken_into_it(tmp_path: Path) -> None:
    pdf = Pdf()
    page = body_text(pdf.page(), 80).text(72, 290, "Overview", 14, "bold").image(130, 293, 200, 120)
    body_text(page, 450)
    assert boxed(read(pdf, tmp_path)) == [(130, 293, 330, 413)]


def test_the_head_of_a_column_is_not_taken_into_a_picture_under_it(tmp_path: Path) -> None:
    pdf = Pdf()
    page = body_text(pdf.page(), 80)
    for y in (200, 216, 320):
        page.line(72, y, 472, y)
    for x in (72, 272, 472):
        page.line(x, 200, x, 320)
    page.text(150, 212, "Name").text(350, 212, "Picture").text(80, 240, "The base").image(320, 218, 100, 98)
    (box,) = boxed(read(pdf, tmp_path))
    assert box[1] >= 217


def test_a_large_letter_and_a_dimension_belong_to_a_drawing(tmp_path: Path) -> None:
    pdf = Pdf()
    page = body_text(pdf.page(), 80).drawing(150, 300, 160, 90)
    page.text(138, 318, "A", 16, "bold").line(150, 396, 310, 396).text(215, 409, "5 m", 8)
    ((x0, _, _, y1),) = boxed(read(pdf, tmp_path))
    assert x0 <= 139
    assert y1 >= 407


def test_a_note_that_reaches_out_of_a_drawing_is_whole(tmp_path: Path) -> None:
    pdf = Pdf()
    page = body_text(pdf.page(), 80)
    for step in range(8):  # down the left side and along the foot
        page.circle(160, 300 + 24 * step, 14).circle(160 + 24 * step, 468, 14)
    page.rect(230, 262, 80, 90).lines(234, 275, ["a: 1", "b: 2", "c: 3", "d: 4"])
    ((_, y0, _, _),) = boxed(read(pdf, tmp_path))
    assert y0 <= 263


def test_arabic_is_read_in_logical_order(tmp_path: Path) -> None:
    words = "مضخة القهوة (الشكل ٢) جهد 230"
    letters = "".join(dict.fromkeys(words.replace(" ", "")))
    pdf = Pdf(letters=letters)
    pdf.page().visual(100, 100, "230 دهج (٢ لكشلا) ةوهقلا ةخضم", letters)
    (passage,) = read(pdf, tmp_path).passages
    assert passage.body == words
    assert passage.language == "ar"
    assert passage.mentions == ("figure 2",)


def test_a_turned_page_is_read_as_it_is_shown(tmp_path: Path) -> None:
    pdf = Pdf()
    page = pdf.page()
    page.rotate = 90
    # Drawn so that it is upright once the page is turned.
    page.operators.append("BT /F0 12 Tf 0 1 -1 0 100 100 Tm (Turned words to read) Tj ET")
    document = read(pdf, tmp_path)
    assert (document.pages[0].width, document.pages[0].height) == (1755, 1240)
    assert [p.body for p in document.passages] == ["Turned words to read"]
    x0, y0, x1, y1 = document.passages[0].box
    assert abs(x0 - 100 * 150 / 72) < 6
    assert y0 < 100 * 150 / 72 < y1
    assert x1 - x0 > y1 - y0


def test_pages_and_figures_are_drawn(tmp_path: Path) -> None:
    pdf = Pdf()
    pdf.page().drawing(100, 300, 200, 120)
    path = pdf.save(tmp_path / "manual.pdf")
    (figure,) = read_document(path).figures
    whole = render_page(path, 1, dpi=75)
    part = render_box(path, 1, figure.box, max_side=300)
    assert abs(whole.width - 620) <= 1
    assert abs(whole.height - 877) <= 1
    assert whole.mode == "RGB"
    assert max(part.size) <= 300
    assert abs(part.width / part.height - 200 / 120) < 0.1
    assert min(part.convert("L").tobytes()) < 60
    with PageRenderer(path) as renderer:
        assert renderer.page(1).size == (1240, 1755)


def test_progress_is_told_page_by_page(tmp_path: Path) -> None:
    pdf = Pdf()
    for _ in range(3):
        body_text(pdf.page(), 100)
    heard: list[tuple[int, int | None]] = []

    def progress(done: int, total: int | None = None, note: str = "") -> None:
        heard.append((done, total))

    read_document(pdf.save(tmp_path / "manual.pdf"), progress=progress)
    assert heard == [(1, 3), (2, 3), (3, 3)]


def test_every_manual_of_the_sample_data_is_read(sample_data: Path) -> None:
    for path in sorted((sample_data / "manuals").glob("*.pdf")):
        document = read_document(path)
        assert document.skips == (), path.name
        assert document.passages, path.name
        assert [page.number for page in document.pages] == list(range(1, len(document.pages) + 1))
