"""How hits are shown: pictures, passages and figures together, in several scripts, on a terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from PIL import Image, ImageDraw

from babelens import Collection
from babelens.cli import app
from babelens.cli.hits import _lines, _shown, best_text, matched, print_result
from babelens.cli.render import cell_width
from babelens.types import Hit, Item, Reason, SearchResult, Source, Text
from tests.conftest import FakeEncoder
from tests.rendering import font

CARE = "Care › Filter\nRinse the filter under warm water. Never put the filter into a dishwasher."
WASSER = "الصيانة\nاغسل الفلتر بالماء الدافئ ولا تضعه في غسالة الصحون."
MIZU = "お手入れ\nフィルターをぬるま湯ですすぎます。食器洗い機には入れないでください。"


def passage(name: str, document: str, page: int | None, headings: list[str], **facts: Any) -> Item:
    source = Source(f"/shelf/{document}", "f" * 64, page, None if page is None else (10, 20, 300, 90))
    return Item(name, "passage", source, {"document": document, "headings": headings, **facts})


@pytest.fixture
def shelf(tmp_path: Path, pictures: Path, encoder: FakeEncoder) -> Iterator[Collection]:
    """Colours, one of them with words on it, and passages and a figure of manuals."""
    with Collection.open(tmp_path / "collection", model=encoder) as opened:
        opened.add(pictures)
        red = next(item for item in opened.items() if item.metadata["name"] == "red.png")
        catalog = opened._catalog
        catalog.put_items(
            [
                passage("care", "pump.pdf", 4, ["Care", "Filter"], figures=["filter"]),
                passage("ar", "دليل المضخة", 2, ["الصيانة"]),
                passage("ja", "取扱説明書", 3, ["お手入れ"]),
                Item(
                    "filter",
                    "figure",
                    Source("/shelf/pump.pdf", "f" * 64, 5, (40, 50, 600, 700)),
                    {"document": "pump.pdf", "label": "figure 3-2", "passages": ["care"]},
                ),
            ]
        )
        catalog.put_texts(
            [
                Text("care", "en", CARE, "document"),
                Text("ar", "ar", WASSER, "document"),
                Text("ja", "ja", MIZU, "document"),
                Text("filter", "en", "Figure 3-2: The filter", "document"),
                Text(red.id, "und", "AquaFilter\nXL-7", "ocr", model="rapidocr"),
            ]
        )
        yield opened


def lines(collection: Collection, query: str, *, width: int | None, k: int = 10) -> list[str]:
    result = collection.search(query, mode="text", k=k)
    shown = [_shown(hit, collection, None) for hit in result.hits]
    return list(_lines(shown, result.query, width=width))


def fields(
    capsys: pytest.CaptureFixture[str], collection: Collection, query: str, **options: Any
) -> list[dict[str, Any]]:
    capsys.readouterr()
    result = collection.search(query, **options)
    print_result(result, collection, language=options.get("language"), as_json=True)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_photos_figures_and_passages_in_one_list(shelf: Collection) -> None:
    header, *rest = lines(shelf, "filter", width=None)
    assert click.unstyle(header).split() == ["#", "matched", "where"]
    places = [line.split("  ", 3)[2].strip() for line in map(click.unstyle, rest[::2])]
    excerpts = [click.unstyle(line).split("  ", 1)[1].strip() for line in rest[1::2]]
    told = dict(zip(places, zip(map(click.unstyle, rest[::2]), excerpts, strict=True), strict=True))
    assert told["pump.pdf, page 4 · Care › Filter"][1].startswith("en   Rinse the filter under warm water.")
    assert "document text" in told["pump.pdf, page 4 · Care › Filter"][0]
    assert told["pump.pdf, page 5 · figure 3-2"][1] == "en   Figure 3-2: The filter"
    (printed,) = [place for place in places if place.endswith("red.png")]
    assert "printed text" in told[printed][0]
    assert told[printed][1] == "und  AquaFilter XL-7"


def test_the_words_that_were_found_are_marked(shelf: Collection) -> None:
    text = next(line for line in lines(shelf, "filter", width=None) if "dishwasher" in line)
    assert text.count(click.style("filter", bold=True)) == 2
    text = next(line for line in lines(shelf, "フィルター", width=None) if "ぬるま湯" in line)
    assert click.style("フィルター", bold=True) in text


@pytest.mark.parametrize("query", ["filter", "الفلتر", "フィルターをすすぐ"])
@pytest.mark.parametrize("width", [60, 80, 200])
def test_nothing_is_wider_than_the_terminal(shelf: Collection, query: str, width: int) -> None:
    for line in map(click.unstyle, lines(shelf, query, width=width)):
        assert cell_width(line) <= width


def test_right_to_left_text_is_isolated(shelf: Collection) -> None:
    _, place, text, *_ = map(click.unstyle, lines(shelf, "الفلتر", width=None))
    assert place.endswith("\u2068دليل المضخة\u2069, page 2 · \u2068الصيانة\u2069")
    assert text.split("  ", 1)[1].strip().startswith("ar  \u2068")
    assert text.endswith("\u2069")


def test_headings_that_repeat_the_title_are_left_out_and_like_titles_told_apart(shelf: Collection) -> None:
    shelf._catalog.put_items(
        [
            passage("a", "Pump 3: Manual", 1, ["Pump 3", "Manual", "Safety"]),
            replace(
                passage("b", "Pump 3: Manual", 1, ["Manual"]), source=Source("/other/b.pdf", "0" * 64, 1)
            ),
        ]
    )
    shelf._catalog.put_texts(
        [
            Text("a", "en", "Pump 3 › Manual › Safety\nzebra", "document"),
            Text("b", "en", "Manual\nzebra", "document"),
        ]
    )
    told = [click.unstyle(line) for line in lines(shelf, "zebra", width=None)]
    assert {line.split("  ")[-1] for line in told[1::2]} == {
        "/shelf/Pump 3: Manual, page 1 · Safety",
        "/other/b.pdf, page 1 · Manual",
    }


def test_json_says_where_a_hit_is_and_what_found_it(
    shelf: Collection, capsys: pytest.CaptureFixture[str]
) -> None:
    (care,) = fields(capsys, shelf, "dishwasher", mode="text")
    assert (care["kind"], care["page"], care["box"]) == ("passage", 4, [10, 20, 300, 90])
    assert (care["document"], care["headings"], care["label"]) == ("pump.pdf", ["Care", "Filter"], None)
    assert (care["related"], care["matched"], care["origin"]) == (["filter"], ["document text"], "document")
    assert care["text"] == CARE
    excerpt = care["excerpt"]
    assert [excerpt["text"][start:end] for start, end in excerpt["spans"]] == ["dishwasher"]
    (figure,) = fields(capsys, shelf, "figure 3-2", mode="text", kinds=["figure"])
    assert (figure["label"], figure["page"], figure["related"]) == ("figure 3-2", 5, ["care"])
    (sign,) = fields(capsys, shelf, "xl-7", mode="text")
    assert (sign["kind"], sign["page"], sign["document"]) == ("image", None, None)
    assert (sign["matched"], sign["origin"]) == (["printed text"], "ocr")
    assert [reason["origin"] for reason in sign["why"]] == ["ocr"]


def photo(*reasons: Reason) -> Hit:
    return Hit(Item("p", "image", Source("/p.png", "0" * 64), {}), 1, 0.2, reasons)


PRINTED = Text("p", "und", "iPod", "ocr")
CAPTION = Text("p", "en", "a red apple", "human")


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ([Reason("words", 1, 9.0, PRINTED, 1.0), Reason("image", 40, 0.1, None, 0.01)], ["printed text"]),
        ([Reason("words", 1, 9.0, CAPTION, 1.0)], ["words"]),
        ([Reason("words", 1, 9.0, None, 1.0)], ["words"]),
        ([Reason("caption", 1, 0.9, CAPTION, 0.8), Reason("words", 3, 1.0, PRINTED, 0.6)],
         ["caption", "printed text"]),
        ([Reason("image", 1, 0.3, None, 0.9), Reason("words", 3, 1.0, PRINTED, 0.2)], ["picture"]),
        ([Reason("image", 1, 0.3, None, 0.2)], []),
        ([Reason("passage", 1, 0.9, Text("p", "en", "x", "document"), 0.9)], ["passage"]),
    ],
)  # fmt: skip
def test_what_found_a_hit(reasons: list[Reason], expected: list[str]) -> None:
    assert matched(photo(*reasons)) == expected


def test_printed_text_is_not_shown_for_want_of_a_caption(shelf: Collection) -> None:
    red = next(item for item in shelf.items(["image"]) if item.metadata["name"] == "red.png")
    by_looks = Hit(red, 1, 0.3, (Reason("image", 1, 0.3, None, 0.9),))
    assert best_text(by_looks, shelf, None) is None
    words = Text(red.id, "und", "AquaFilter\nXL-7", "ocr")
    hardly = Hit(red, 1, 0.3, (Reason("image", 1, 0.3, None, 0.9), Reason("words", 9, 0.1, words, 0.1)))
    assert best_text(hardly, shelf, None) is None
    found = replace(hardly, why=(Reason("words", 1, 9.0, words, 1.0),))
    assert best_text(found, shelf, "en") == words
    shelf._catalog.put_texts([Text(red.id, "en", "all red", "human")])
    said = best_text(by_looks, shelf, None)
    assert said is not None
    assert said.body == "all red"


def test_a_search_without_hits_and_one_that_is_not_sure(
    shelf: Collection, capsys: pytest.CaptureFixture[str]
) -> None:
    result = shelf.search("dishwasher", mode="text")
    print_result(replace(result, confident=False), shelf, language=None, as_json=False)
    assert "nearest" in capsys.readouterr().out.splitlines()[0]
    print_result(SearchResult(result.query, (), False, None), shelf, language=None, as_json=False)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err


# -- from files to the terminal ------------------------------------------------------------------------------


@pytest.fixture
def fruit(tmp_path: Path) -> Path:
    """An apple with "iPod" on it, and something green."""
    folder = tmp_path / "fruit"
    folder.mkdir()
    image = Image.new("RGB", (500, 500), "white")
    pen = ImageDraw.Draw(image)
    pen.ellipse((60, 100, 440, 460), fill=(200, 30, 40))
    pen.rectangle((130, 250, 370, 330), fill="white")
    pen.text((250, 290), "iPod", "black", font("en", 60), anchor="mm")
    image.save(folder / "one.png")
    Image.new("RGB", (500, 500), (120, 190, 60)).save(folder / "two.png")
    return folder


def test_an_apple_that_says_ipod_is_found_by_that(
    fruit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("-c", str(tmp_path / "collection"))
    assert app.run(["index", str(fruit), *where, "--ocr"]) == app.OK
    assert "text read in 1, none in 1" in capsys.readouterr().out
    assert app.run(["index", str(fruit), *where, "--ocr", "--json"]) == app.OK
    report = json.loads(capsys.readouterr().out)
    assert {key: report["printed"][key] for key in ("read", "empty", "unchanged")} == {
        "read": 0,
        "empty": 0,
        "unchanged": 2,
    }
    assert app.run(["search", "ipod", *where, "--json"]) == app.OK
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (Path(first["path"]).name, first["matched"], first["origin"]) == (
        "one.png",
        ["printed text"],
        "ocr",
    )
    assert first["confident"]
    assert "printed text" not in second["matched"]
    assert app.run(["search", "ipod", *where]) == app.OK
    _, row, *_ = capsys.readouterr().out.splitlines()
    assert "printed text" in row
    assert "iPod" in row
    assert app.run(["captions", str(fruit / "one.png"), "--lang", "en", *where]) == app.OK
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "none at all" in captured.err


def test_printed_words_are_read_only_when_asked_for(
    fruit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("-c", str(tmp_path / "collection"))
    for option in ([], ["--no-ocr"]):
        assert app.run(["index", str(fruit), *where, "--json", *option]) == app.OK
        assert "printed" not in json.loads(capsys.readouterr().out)
    with Collection.open(tmp_path / "collection", model="mini") as opened:
        assert opened.info().origins == {}
