"""What tiles say and how they are shaped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelens.search.excerpts import Excerpt
from babelens.server.pages.language import speech
from babelens.server.pages.tiles import (
    best_caption,
    description_of,
    marked_up,
    shape_of,
    shapes,
    small_size,
    strength_of,
    tile_of,
    why_of,
)
from babelens.types import Hit, Item, Origin, Reason, Source, Status, Text

ENGLISH, GERMAN = speech("en"), speech("de")


def picture(**metadata: object) -> Item:
    return Item("i1", "image", Source("/secret/dog.jpg", "0"), {"name": "dog.jpg", **metadata})


def text(language: str, body: str, origin: Origin = "human", status: Status = "ok") -> Text:
    return Text("i1", language, body, origin, status)


def hit(*confidences: float | None) -> Hit:
    rankings = ("caption", "image", "words")
    return Hit(
        picture(),
        1,
        0.5,
        tuple(
            Reason(ranking, 1, 0.5, text("de", "ein Hund"), sure)
            for ranking, sure in zip(rankings, confidences, strict=False)
        ),
    )


def test_the_best_caption_is_in_the_readers_language_and_by_a_person() -> None:
    texts = [
        text("en", "a dog"),
        text("de", "übersetzt", "translation"),
        text("de", "falsch", "human", "failed"),
        text("de", "Hund", "ocr"),
        text("de", "ein Hund"),
    ]
    assert best_caption(texts, "de") == texts[4]
    assert best_caption(texts, "ja") == texts[0]
    assert best_caption([texts[3]], "de") is None


def test_a_picture_without_a_caption_is_named_by_its_file_and_not_its_folder() -> None:
    said = description_of(picture(), None, GERMAN)
    assert "dog.jpg" in said
    assert "secret" not in said
    assert said.startswith("Bild ohne Beschreibung")


@pytest.mark.parametrize(
    ("confidence", "strength"),
    [(0.95, "strong"), (0.8, "strong"), (0.6, "fair"), (0.2, "weak"), (None, None)],
)
def test_strength_has_three_steps(confidence: float | None, strength: str | None) -> None:
    assert strength_of(hit(confidence)) == strength


def test_why_names_all_that_makes_a_match_the_surest_first() -> None:
    assert why_of(hit(0.6, 0.9), ENGLISH) == "picture (German) and caption (German)"
    assert why_of(hit(0.1, 0.2), ENGLISH) == "picture (German)"
    assert why_of(hit(0.9), GERMAN) == "Beschreibung (Deutsch)"


def test_marks_are_the_only_markup() -> None:
    shown = marked_up(Excerpt("<b>fuse</b> & F7", ((3, 7),)))
    assert str(shown) == "&lt;b&gt;<mark>fuse</mark>&lt;/b&gt; &amp; F7"


@given(st.floats(min_value=0.001, max_value=1000))
def test_every_shape_has_a_class(ratio: float) -> None:
    assert shape_of(ratio) in dict(shapes())


@given(st.floats(min_value=0.5, max_value=2.6))
def test_shapes_are_true_to_a_few_percent(ratio: float) -> None:
    assert abs(dict(shapes())[shape_of(ratio)] - ratio) <= 0.0251


@pytest.mark.parametrize(
    ("size", "small"),
    [((4000, 1000), (480, 120)), ((100, 50), (100, 50)), ((0, 5), (480, 480)), (("a", 5), (480, 480))],
)
def test_sizes_of_thumbnails_are_known_beforehand(size: tuple[int, int], small: tuple[int, int]) -> None:
    assert small_size(picture(width=size[0], height=size[1])) == small


def test_a_passage_is_a_sheet_with_its_place() -> None:
    item = Item(
        "p", "passage", Source("/m.pdf", "0", 4, (0, 0, 10, 10)), {"document": "Manual", "headings": ["Care"]}
    )
    words = Text("p", "en", "Care\nReplace the fuse.", "document")
    tile = tile_of(item, [words], ENGLISH, address="/a", more="/m", thumbnail=None, words="fuses")
    assert str(tile.excerpt) == "Replace the <mark>fuse</mark>."
    assert "Manual" in tile.place
    assert tile.place.endswith("page 4")
    assert tile.is_sheet
