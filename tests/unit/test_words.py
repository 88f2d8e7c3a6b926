"""How much of a query a found text holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from babelens.search.words import Coverage
from babelens.storage import Catalog, WordHit
from tests.catalogs import make_item, new_catalog, text

BODIES = {
    "en": "Take the filters out and rinse them.",
    "de": "Filterreinigung: den Einsatz spülen. Photos auf Seite drei.",
    "ja": "フィルタを外して掃除します。",
}


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    catalog = new_catalog(tmp_path)
    catalog.put_items([make_item(tag, path=f"/{tag}.jpg") for tag in BODIES])
    catalog.put_texts([text(tag, body, tag) for tag, body in BODIES.items()])
    return catalog


def _covered(catalog: Catalog, query: str, language: str) -> float:
    return Coverage(catalog, query, language).of(language, 1 + list(BODIES).index(language))


def test_forms_and_compounds_count_and_function_words_do_not(catalog: Catalog) -> None:
    assert _covered(catalog, "How do I rinse the filter?", "en") == 1
    assert _covered(catalog, "Wie spüle ich den Filter?", "de") == 1
    assert 0 < _covered(catalog, "rinse the zebra", "en") < 1
    assert _covered(catalog, "掃除", "ja") == 1


def test_a_part_of_a_compound_is_not_the_compound(catalog: Catalog) -> None:
    assert _covered(catalog, "Photosynthese", "de") == 0
    assert _covered(catalog, "Photo", "de") == 1


def test_exclusion_goes_by_words_as_they_are(catalog: Catalog) -> None:
    coverage = Coverage(catalog, "rinse")
    assert coverage.holds_all(WordHit("en", 1, 1.0), "filters rinse")
    assert not coverage.holds_all(WordHit("en", 1, 1.0), "filter")
    assert not coverage.holds_all(WordHit("en", 1, 1.0), "")
