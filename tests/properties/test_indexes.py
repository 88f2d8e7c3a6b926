"""Whatever is added, removed and asked for: FAISS equals the exact index, and the exact index equals the definition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelens.indexes.exact import ExactIndex
from babelens.indexes.faiss import KINDS, FaissIndex, FaissKind, HnswParameters, Metric
from babelens.indexes.live import LiveIndex
from babelens.indexes.protocol import VectorIndex
from babelens.vectors import Floats, Ids, normalize

# A beam of one: graphs are walked from 64 vectors on, and nothing is hidden by a beam that holds everything.
WALKING = HnswParameters(m=8, ef_construction=40, ef_search=1)
ROUNDING = 2e-3


@dataclass(frozen=True)
class Case:
    ids: Ids
    vectors: Floats
    removed: Ids
    allowed: Ids | None
    queries: Floats
    k: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Collections of all sizes, with equal vectors, removals, and filters that pass none to all."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(0, 400))
    dim = draw(st.integers(2, 12))
    vectors = normalize(rng.normal(size=(max(n, 1), dim)))[:n]
    if n and draw(st.booleans()):  # equal ones
        vectors = vectors[rng.integers(0, n, n) // draw(st.integers(1, 10))]
    ids = rng.choice(max(10 * n, 1), n, replace=False).astype(np.int64)
    removed = rng.choice(ids, draw(st.integers(0, n)), replace=False) if draw(st.booleans()) else ids[:0]
    allowed = None
    if draw(st.booleans()):
        allowed = rng.choice(10 * n + 10, draw(st.integers(0, 10 * n + 10)), replace=False)
    return Case(
        ids, vectors, removed, allowed, normalize(rng.normal(size=(3, dim))), draw(st.integers(0, 40))
    )


def passing(case: Case) -> Ids:
    left = np.setdiff1d(case.ids, case.removed)
    return left if case.allowed is None else np.intersect1d(left, case.allowed)


def filled(index: VectorIndex, case: Case) -> VectorIndex:
    cut = len(case.ids) // 2
    for some in (slice(None, cut), slice(cut, None)):
        index.add(case.ids[some], case.vectors[some])
    index.remove(case.removed)
    return index


def exact(case: Case) -> VectorIndex:
    return filled(ExactIndex(case.queries.shape[1]), case)


@given(cases())
def test_exact_search_is_the_definition(case: Case) -> None:
    scores, ids = exact(case).search(case.queries, case.k, case.allowed)
    kept = np.isin(case.ids, passing(case))
    count = min(case.k, int(kept.sum()))
    true = -np.sort(-(case.queries @ case.vectors[kept].T), axis=1)[:, :count]
    np.testing.assert_allclose(scores[:, :count], true, atol=1e-5)
    assert (ids[:, count:] == -1).all()


@pytest.mark.parametrize("metric", ["ip", "l2"])
@given(case=cases())
def test_faiss_equals_the_exact_index(metric: Metric, case: Case) -> None:
    index = filled(FaissIndex(case.queries.shape[1], "flat", metric=metric), case)
    scores, ids = index.search(case.queries, case.k, case.allowed)
    true_scores, true_ids = exact(case).search(case.queries, case.k, case.allowed)
    np.testing.assert_allclose(scores, true_scores, atol=1e-5)
    count = min(case.k, len(passing(case)))
    assert (ids[:, count:] == -1).all()
    same = (ids[:, :count, None] == true_ids[:, None, :count]).any(axis=2)
    last = scores[:, :count] <= true_scores[:, max(count - 1, 0) : count] + 1e-5
    assert (same | last).all()  # only those that tie with the last one may differ


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "flat"])
@given(case=cases())
def test_graphs_never_break_the_rules(kind: FaissKind, case: Case) -> None:
    """Even with the narrowest beam: k results when k pass, each once, none removed, none filtered, true scores."""
    index = filled(FaissIndex(case.queries.shape[1], kind, parameters=WALKING), case)
    obeys(index, case)


@pytest.mark.parametrize("kind", ["exact", "hnsw"])
@given(case=cases())
def test_live_indexes_never_break_the_rules(kind: str, case: Case) -> None:
    dim = case.queries.shape[1]
    live = LiveIndex(ExactIndex(dim) if kind == "exact" else FaissIndex(dim, "hnsw", parameters=WALKING))
    cut = len(case.ids) // 2
    live.base.add(case.ids[:cut], case.vectors[:cut])
    live.refresh(case.ids[cut:], case.vectors[cut:], case.removed)
    obeys(live, case)
    if kind == "exact":
        np.testing.assert_allclose(
            live.search(case.queries, case.k, case.allowed)[0],
            exact(case).search(case.queries, case.k, case.allowed)[0],
            atol=1e-5,
        )


def obeys(index: VectorIndex, case: Case) -> None:
    assert len(index) == len(case.ids) - len(case.removed)
    scores, ids = index.search(case.queries, case.k, case.allowed)
    allowed = passing(case)
    count = min(case.k, len(allowed))
    assert scores.shape == ids.shape == (len(case.queries), case.k)
    assert (ids[:, count:] == -1).all()
    assert np.isneginf(scores[:, count:]).all()
    assert np.isin(ids[:, :count], allowed).all()
    assert (np.diff(scores[:, :count], axis=1) <= 0).all()
    row = {int(key): at for at, key in enumerate(case.ids)}
    for query, found, cosines in zip(case.queries, ids[:, :count], scores[:, :count], strict=True):
        assert len(set(found.tolist())) == count
        true = case.vectors[[row[int(key)] for key in found]] @ query
        np.testing.assert_allclose(cosines, true, atol=ROUNDING)
