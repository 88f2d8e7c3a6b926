from __future__ import annotations

from collections.abc import Sequence

from babelens.sources.documents.glyphs import Glyph, segments_of

SIZE = 20.0


def row(
    words: str,
    x: float,
    y: float,
    *,
    step: float = 10.0,
    size: float = SIZE,
    strong: bool = False,
    layer: bool = True,
) -> list[Glyph]:
    """Letters ``step`` apart on a line; a space leaves a gap, and one in the text layer when ``layer``."""
    glyphs, space = [], False
    for letter in words:
        if letter == " ":
            space = layer
        else:
            glyphs.append(Glyph(letter, x, x + step, y, size, strong, space, (len(glyphs), x, y)))
            space = False
        x += step
    return glyphs


def texts(glyphs: Sequence[Glyph]) -> list[str]:
    return [segment.text for segment in segments_of(glyphs, rtl_page=False)]


def test_words_are_divided_where_the_layer_or_the_gap_says_so() -> None:
    assert texts(row("two words", 0, 100)) == ["two words"]
    assert texts(row("two words", 0, 100, layer=False)) == ["two words"]


def test_a_wide_gap_divides_a_line() -> None:
    assert texts([*row("left", 0, 100), *row("right", 100, 100)]) == ["left", "right"]


def test_a_narrow_gutter_is_seen_when_many_lines_have_it() -> None:
    lines = [row("column", 0, 100 + 24 * n) + row("another", 75, 100 + 24 * n) for n in range(8)]
    alone = segments_of(lines[0], rtl_page=False)
    together = segments_of([glyph for line in lines for glyph in line], rtl_page=False)
    assert [segment.text for segment in alone] == ["column another"]
    assert [segment.text for segment in together] == ["column", "another"] * 8


def test_japanese_has_no_spaces_in_justified_lines() -> None:
    assert texts(row("日本 語", 0, 100, step=8.0, layer=False)) == ["日本語"]


def test_letters_drawn_twice_to_look_bold_count_once() -> None:
    assert texts([*row("fuse", 0, 100), *row("fuse", 0.5, 100)]) == ["fuse"]


def test_the_letters_of_a_ligature_in_one_place_are_all_kept() -> None:
    pair = [Glyph(letter, 10, 20, 100, SIZE, False, False, (7, 10.0, 100.0)) for letter in "ff"]
    assert texts([*row("e", 0, 100), *pair, *row("ect", 20, 100)]) == ["effect"]


def test_accents_drawn_over_letters_are_joined_to_them() -> None:
    accent = Glyph("`", 20, 30, 100, SIZE, False, False, (9, 20.0, 100.0))
    glyphs = [*row("pi", 0, 100), accent, *row("u", 20, 100)]
    assert texts(glyphs) == ["più"]


def test_a_superscript_stays_on_its_line() -> None:
    note = [Glyph("2", 30, 36, 92, 12.0, False, False, (5, 30.0, 92.0))]
    assert texts([*row("cm", 10, 100), *note, *row("below", 10, 124)]) == ["cm2", "below"]


def test_a_ligature_of_lam_and_alef_is_never_turned_round() -> None:
    seen = [
        *row("م", 0, 100),
        *[Glyph(letter, 10, 20, 100, SIZE, False, False, (3, 10.0, 100.0)) for letter in "ال"],
    ]
    seen += row("س", 20, 100)
    assert texts(seen) == ["سلام"]


def test_marks_join_the_letter_they_stand_on() -> None:
    mark = Glyph("\u064f", 10, 20, 96, SIZE, False, False, (8, 10.0, 96.0))
    assert texts([*row("بتك", 0, 100), mark]) == ["كتُب"]


def test_text_up_the_side_is_kept_in_the_order_of_the_layer() -> None:
    side = [
        Glyph(letter, 5, 20, 400 - 10 * n, SIZE, False, False, (n, 5.0, 400.0 - 10 * n), upright=False)
        for n, letter in enumerate("side")
    ]
    assert texts([*row("page", 100, 100), *side]) == ["page", "side"]
