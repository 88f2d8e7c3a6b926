from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from babelens.demo.bundled import Gallery
from babelens.demo.contact_sheet import contact_sheet, verdict
from babelens.demo.run import DemoReport, NoMatch
from babelens.demo.trials import Part, Trial
from babelens.languages import LANGUAGES
from babelens.metrics.statistics import Estimate

RATES = {1: Estimate(7, 0.5, 0.25, 0.75, 0.01), 5: Estimate(7, 1.0, 1.0, 1.0, 0.05)}


@pytest.fixture
def report(gallery: Gallery, tmp_path: Path) -> DemoReport:
    red, blue = gallery.pictures[:2]
    words = [
        Trial("text_to_image", language, (Part("<b>red & blue"),), (red, blue), (True, False), 1, "red")
        for language in LANGUAGES
    ]
    texts = [
        Trial("image_to_text", language, (Part(picture=blue),), (red,), (False,), 1, "blue")
        for language in LANGUAGES
    ]
    return DemoReport(
        encoder="fake<1>",
        version="0",
        pictures=7,
        seconds=3.2,
        text_to_image=dict.fromkeys(LANGUAGES, RATES),
        by_things={1: RATES, 2: RATES},
        image_to_text=dict.fromkeys(LANGUAGES, RATES),
        image_to_image=RATES,
        combined={"Picture plus words": RATES, "Picture minus words": RATES},
        no_match=NoMatch(RATES[1], RATES[1], 0.9),
        samples={
            "text_to_image": words,
            "image_to_text": texts,
            "image_to_image": [
                Trial("image_to_image", "", (Part(picture=red),), (blue,), (False,), 1, "red")
            ],
            "combined_plus": [],
            "combined_minus": [
                Trial(
                    "combined_minus",
                    "ar",
                    (Part(picture=red), Part("x", minus=True)),
                    (blue,),
                    (True,),
                    1,
                    "red",
                )
            ],
            "no_match": [Trial("no_match", "ja", (Part("y"),), (red,), (False,), 0, "y", confident=False)],
        },
        contact_sheet=tmp_path / "sheet.html",
        collection=None,
    )


class Page(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_it_needs_nothing_else(report: DemoReport) -> None:
    page = contact_sheet(report)
    assert not re.findall(r"(?:src|href)=\"(?!data:image/webp;base64,)", page)
    assert "url(" not in page
    assert "<script" not in page


def test_every_picture_has_an_alternative_text_and_a_size(report: DemoReport) -> None:
    images = Page(contact_sheet(report)).all("img")
    assert len(images) > 8
    assert all(image["alt"] and image["width"] == "24" and image["height"] == "20" for image in images)
    assert {"red in en", "red in hi", "red in ar"} <= {image["alt"] for image in images}


def test_arabic_runs_from_right_to_left_and_all_text_has_its_language(report: DemoReport) -> None:
    figures = Page(contact_sheet(report)).all("figure")
    assert {figure["lang"] for figure in figures} == set(LANGUAGES)
    assert all((figure.get("dir") == "rtl") == (figure["lang"] == "ar") for figure in figures)


def test_what_people_wrote_is_escaped(report: DemoReport) -> None:
    page = contact_sheet(report)
    assert "&lt;b&gt;red &amp; blue" in page
    assert "fake&lt;1&gt;" in page
    assert "<b>red" not in page


def test_both_themes_and_the_rates(report: DemoReport) -> None:
    page = contact_sheet(report)
    assert "prefers-color-scheme: dark" in page
    assert "50 %" in page
    assert "25 % to 75 %" in page
    assert "1.0 %, 5.0 %" in page


def test_verdicts(report: DemoReport) -> None:
    trial = report.samples["text_to_image"][0]
    assert verdict(trial) == "first hit is right"
    assert verdict(dataclasses.replace(trial, right=(False, True))) == "second hit is right"
    assert verdict(dataclasses.replace(trial, right=(False, False))) == "not among the first five"
    absent = report.samples["no_match"][0]
    assert verdict(absent) == "nothing here matches well"
    assert "wrongly" in verdict(dataclasses.replace(absent, confident=True))
