"""SQL means what Python means; an index that follows the catalog's logs ends where the catalog is."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from babelens.retrieval.filters import matches
from babelens.search.excerpts import excerpt
from babelens.storage import Catalog
from babelens.storage.fulltext import analyze, fold, forms_of, words_of
from babelens.types import And, Comparison, Filter, Item, Not, Or, Source
from tests.catalogs import ENCODER, fill, make_item, new_catalog, text, unit_rows


@pytest.fixture(scope="module")
def catalog() -> Iterator[Catalog]:
    with tempfile.TemporaryDirectory() as folder, new_catalog(Path(folder) / "c") as catalog:
        yield catalog


# Few values, so that equal ones meet; odd ones, so that quoting matters.
WORDS = st.sampled_from(
    ["", "a", "b", "ab", "A", "dog", "é", "犬", "%", "_", "'", '"', "\\", "\x00", "\udcff", "😀"]
)
NUMBERS = st.sampled_from([0, 1, -1, 2020, 2**53, 0.5, 1.0, -2.25, 1e300])
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS)
FIELDS = st.sampled_from(["x", "y", "a.b", "é", 'q"uote', "back\\slash", "$", "kind", "id", "path"])
METADATA = st.dictionaries(FIELDS, st.one_of(SCALARS, st.lists(SCALARS, max_size=3)), max_size=4)
OPERATORS = st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "contains", "startswith"])
COMPARISONS = st.one_of(
    st.builds(Comparison, FIELDS, OPERATORS, SCALARS),
    st.builds(Comparison, FIELDS, st.just("in"), st.lists(SCALARS, max_size=4).map(tuple)),
)
FILTERS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)
PATHS = st.sampled_from(["/a", "/a/b.jpg", "/é/犬.png", "/\udcff.jpg", "dog", "/A"])


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(METADATA, PATHS), max_size=8), st.lists(FILTERS, min_size=1, max_size=8))
def test_sql_filters_are_python_filters(
    catalog: Catalog, rows: list[tuple[dict[str, Any], str]], filters: list[Filter]
) -> None:
    items = [Item(f"i{n}", "image", Source(path, "h"), data) for n, (data, path) in enumerate(rows)]
    catalog.remove_items([item.id for item in catalog.items()])
    catalog.put_items(items)
    for where in filters:
        assert catalog.matching_items(where) == {item.id for item in items if matches(where, item)}, where


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(), JSON, max_size=4),
    st.binary(min_size=1, max_size=40).filter(lambda path: b"\0" not in path),
)
def test_items_come_back_as_they_went_in(catalog: Catalog, metadata: dict[str, Any], path: bytes) -> None:
    finite = "inf" not in repr(metadata).replace("'inf", "")
    item = Item("x", "image", Source(os.fsdecode(path), "h"), metadata)
    catalog.put_items([item])
    found = catalog.get_item("x")
    assert found is not None
    assert found.source == item.source
    if finite:
        assert found.metadata == metadata


@given(st.text())
def test_analyzing_is_stable_and_its_words_find_the_text(catalog: Catalog, body: str) -> None:
    tokens = analyze(body)
    assert all(token and not token.isspace() and len(token) <= 100 for token in tokens)
    assert analyze(body.swapcase().swapcase()) == analyze(body.swapcase().swapcase())
    catalog.put_items([make_item("target", path="/0.jpg")])
    catalog.delete_texts("target", ["human"])
    catalog.put_texts([text("target", body)])
    if tokens:
        assert "target" in {hit.item_id for hit in catalog.search_words(body, k=10)}


# Letters of all scripts, with signs that join, fold or fall away.
WRITTEN = st.text(
    st.sampled_from("aAéßøŁ'1٢२ क़िी्ंँ ابة\u0651\u0640 犬走ーカガがﾃﾞ㍻ ·_-.。\u200d\u00ad\udcff"), max_size=40
)


@given(st.one_of(st.text(), WRITTEN))
def test_folding_is_stable_and_tokens_say_what_words_were(body: str) -> None:
    assert fold(fold(body)) == fold(body)
    forms = [word.form for word in words_of(body)]
    assert list(forms_of(analyze(body))) == forms
    for form in forms:
        assert form in [word.form for word in words_of(form)]  # a pair of ideographs holds two more


@given(st.one_of(st.text(), WRITTEN), st.one_of(st.text(), WRITTEN), st.integers(1, 60))
def test_excerpts_mark_words_inside_the_text(body: str, query: str, width: int) -> None:
    found = excerpt(body, query, width=width)
    assert len(found.text) <= width + 2
    shown = found.text.removeprefix("…").removesuffix("…")
    assert shown in re.sub(r"\s", " ", body)
    last = 0
    for start, end in found.spans:
        assert last <= start < end <= len(found.text)
        assert not found.text[start:end].startswith(("…", " "))
        last = end


class Follower:
    """An index as far as the catalog can tell: a set of numbers, brought up to date from its two logs."""

    def __init__(self) -> None:
        self.vectors: dict[int, list[float]] = {}
        self.seen, self.forgot = 0, 0

    def refresh(self, catalog: Catalog, encoder: int) -> None:
        with catalog.snapshot():
            mark = catalog.watermark(encoder, "image")
            ids, rows = catalog.vectors_since(encoder, "image", self.seen)
            gone = catalog.removed_since(self.forgot)
        assert not set(ids.tolist()) & self.vectors.keys()
        self.vectors.update(zip(ids.tolist(), rows.tolist(), strict=True))
        for seq in gone.tolist():
            self.vectors.pop(seq, None)
        self.seen, self.forgot = max(self.seen, mark.vectors), mark.removals


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["fill", "replace", "remove", "file", "refresh", "compact"]),
        st.lists(st.sampled_from("abcdefg"), unique=True, min_size=1, max_size=4),
    ),
    max_size=10,
)


@settings(max_examples=12)
@given(STEPS)
def test_followers_of_the_logs_never_go_astray(steps: list[tuple[str, list[str]]]) -> None:
    with tempfile.TemporaryDirectory() as folder, new_catalog(Path(folder)) as catalog:
        encoder = catalog.encoder_id(ENCODER)
        early, late = Follower(), Follower()
        highest = 0
        for number, (step, ids) in enumerate(steps):
            known = [item_id for item_id in ids if catalog.get_item(item_id)]
            if step == "fill":
                fill(catalog, ids, seed=number)
            elif step == "replace" and known:
                catalog.put_vectors(encoder, "image", known, unit_rows(len(known), seed=number))
            elif step == "remove":
                assert catalog.remove_items(ids) == len(known)
            elif step == "file":
                assert catalog.remove_files([f"/pictures/{item_id}.jpg" for item_id in ids]) == len(known)
            elif step == "refresh":
                early.refresh(catalog, encoder)
            elif step == "compact":
                catalog.compact(covered_removals=min(early.forgot, late.forgot))
            ids_now, _ = catalog.vectors_since(encoder, "image", highest)
            assert (ids_now > highest).all()
        early.refresh(catalog, encoder)
        late.refresh(catalog, encoder)
        ids_now, rows = catalog.vectors_since(encoder, "image", 0)
        truth = dict(zip(ids_now.tolist(), rows.tolist(), strict=True))
        assert early.vectors == late.vectors == truth
        assert len(truth) == catalog.count_items() == catalog.count_vectors(encoder, "image")
        np.testing.assert_array_equal(catalog.seqs_of_items(encoder, "image", list("abcdefg")), ids_now)
        assert catalog.verify() == []
