"""How much results change between two encoders, on vectors whose neighbours are known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from babelens.search import compare_results
from babelens.storage import Catalog
from babelens.types import EncoderFingerprint
from babelens.vectors import Floats
from tests.catalogs import make_item, new_catalog, text


def on_a_circle(degrees: list[float]) -> Floats:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def silent(done: int, total: int | None = None, note: str = "") -> None:
    pass


class Spaces:
    """Twenty pictures in two spaces: in the old one at 1° to 20°, in the new one where a test puts them."""

    def __init__(self, catalog: Catalog, *, hashes: list[str] | None = None) -> None:
        self.catalog = catalog
        self.old, self.new = (
            catalog.encoder_id(EncoderFingerprint(name, "1", "x", 2)) for name in ("old", "new")
        )
        self.ids = [f"i{number:02}" for number in range(20)]
        catalog.put_items(
            [make_item(name, sha256=hashes[place] if hashes else None) for place, name in enumerate(self.ids)]
        )
        self.put(self.old, [place + 1 for place in range(20)])

    def put(self, encoder: int, degrees: list[float]) -> None:
        self.catalog.put_vectors(encoder, "image", self.ids, on_a_circle(degrees), dtype="float32")

    def put_texts(self, n: int, degrees: float = 0.0) -> None:
        rows = self.catalog.put_texts([text("i00", f"text {number}") for number in range(n)])
        for encoder in (self.old, self.new):
            self.catalog.put_vectors(encoder, "text", rows, on_a_circle([degrees] * n), dtype="float32")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with new_catalog(tmp_path / "c") as catalog:
        yield catalog


def test_the_same_order_changes_nothing_and_the_scores_do_not_matter(catalog: Catalog) -> None:
    spaces = Spaces(catalog)
    spaces.put(spaces.new, [2 * (place + 1) for place in range(20)])
    spaces.put_texts(3)
    changes = compare_results(catalog, spaces.old, spaces.new, queries=200, seed=0, progress=silent)
    assert changes is not None
    assert (changes.asked, changes.queries) == ("texts", 3)
    assert (changes.overlap_at_10, changes.top_changed) == (1.0, 0.0)


def test_four_of_ten_leave_and_the_first_changes(catalog: Catalog) -> None:
    # A text at 0° finds i00 … i09. The new space moves i00 … i03 to the far end: i04 … i13 are nearest, six as before.
    spaces = Spaces(catalog)
    spaces.put(spaces.new, [30, 31, 32, 33, *range(5, 21)])
    spaces.put_texts(1)
    changes = compare_results(catalog, spaces.old, spaces.new, queries=200, seed=0, progress=silent)
    assert changes is not None
    assert (changes.overlap_at_10, changes.top_changed) == (pytest.approx(0.6), 1.0)


def test_copies_of_the_same_bytes_are_one_and_the_same(catalog: Catalog) -> None:
    # The nearest two change places, and are copies.
    spaces = Spaces(catalog, hashes=["same", "same", *(f"h{place}" for place in range(18))])
    spaces.put(spaces.new, [2, 1, *range(3, 21)])
    spaces.put_texts(1)
    changes = compare_results(catalog, spaces.old, spaces.new, queries=200, seed=0, progress=silent)
    assert changes is not None
    assert (changes.overlap_at_10, changes.top_changed) == (1.0, 0.0)


def test_without_texts_pictures_are_the_queries_and_no_results_of_themselves(catalog: Catalog) -> None:
    # Mirrored, every picture has the neighbours it had; moved apart, i19 is the first result of none.
    spaces = Spaces(catalog)
    spaces.put(spaces.new, [20 - place for place in range(20)])
    changes = compare_results(catalog, spaces.old, spaces.new, queries=5, seed=0, progress=silent)
    assert changes is not None
    assert (changes.asked, changes.queries) == ("pictures", 5)
    assert changes.overlap_at_10 >= 0.9  # of neighbours equally far on both sides, either may be the tenth
    spaces.put(spaces.new, [17 * place % 20 * 4 for place in range(20)])
    shuffled = compare_results(catalog, spaces.old, spaces.new, queries=20, seed=0, progress=silent)
    assert shuffled is not None
    assert shuffled.overlap_at_10 < 0.8
    assert shuffled.top_changed > 0.5


def test_a_seed_draws_the_same_texts(catalog: Catalog) -> None:
    spaces = Spaces(catalog)
    spaces.put(spaces.new, [17 * place % 20 * 4 for place in range(20)])
    rows = catalog.put_texts([text("i00", f"text {number}") for number in range(50)])
    degrees = [float(place) for place in range(50)]
    for encoder in (spaces.old, spaces.new):
        catalog.put_vectors(encoder, "text", rows, on_a_circle(degrees), dtype="float32")
    reports = [
        compare_results(catalog, spaces.old, spaces.new, queries=7, seed=seed, progress=silent)
        for seed in (1, 1, 2)
    ]
    assert reports[0] == reports[1]
    assert reports[0] != reports[2]
    assert reports[0] is not None
    assert reports[0].queries == 7


def test_with_nothing_in_common_there_is_nothing_to_compare(catalog: Catalog) -> None:
    spaces = Spaces(catalog)
    assert compare_results(catalog, spaces.old, spaces.new, queries=5, seed=0, progress=silent) is None
