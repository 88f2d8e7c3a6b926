"""Penalties per document give the very order of the published formulas, which take in query and bank together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from babelens.metrics.hubness import k_occurrence
from babelens.retrieval.hubness import SETTINGS, Correction, Setting, bank_scores, penalties_from
from babelens.vectors import normalize

Matrix = NDArray[np.float64]


def csls(q: Matrix, d: Matrix, bank: Matrix, k: int) -> Matrix:
    """CSLS(q, d) = 2 cos(q, d) − r(q) − r(d): r is the mean cosine with the k nearest on the other side."""
    result = np.empty((len(q), len(d)))
    for i, query in enumerate(q):
        r_query = np.mean(sorted((query @ document for document in d), reverse=True)[:k])
        for j, document in enumerate(d):
            r_document = np.mean(sorted((document @ other for other in bank), reverse=True)[:k])
            result[i, j] = 2 * query @ document - r_query - r_document
    return result


def inverted_softmax(q: Matrix, d: Matrix, bank: Matrix, beta: float) -> Matrix:
    """exp(β cos(q, d)) / Σ over the bank of exp(β cos(b, d))."""
    result = np.empty((len(q), len(d)))
    for j, document in enumerate(d):
        total = sum(np.exp(beta * (other @ document)) for other in bank)
        for i, query in enumerate(q):
            result[i, j] = np.exp(beta * (query @ document)) / total
    return result


def nnn(q: Matrix, d: Matrix, bank: Matrix, alpha: float, k: int) -> Matrix:
    """cos(q, d) − α · mean of the k highest cosines of d with the bank."""
    result = np.empty((len(q), len(d)))
    for j, document in enumerate(d):
        bias = alpha * np.mean(sorted((document @ other for other in bank), reverse=True)[:k])
        for i, query in enumerate(q):
            result[i, j] = query @ document - bias
    return result


PUBLISHED: dict[str, Callable[..., Matrix]] = {"csls": csls, "inverted-softmax": inverted_softmax, "nnn": nnn}


@given(
    st.sampled_from(SETTINGS),
    st.integers(1, 6),
    st.integers(2, 12),
    st.integers(2, 40),
    st.integers(0, 2**32),
)
def test_the_order_is_that_of_the_published_formula(
    setting: Setting, queries: int, documents: int, bank: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    q, d, b = (normalize(random.normal(size=(n, 6))).astype(np.float64) for n in (queries, documents, bank))
    correction = Correction(setting, b.astype(np.float32), tuple(f"q{n}" for n in range(bank)))
    penalties = correction.penalties(d.astype(np.float32), [f"d{n}" for n in range(documents)])
    corrected = q @ d.T - penalties
    parameters = {name: int(value) if name == "k" else value for name, value in setting.parameters.items()}
    published = PUBLISHED[setting.method](q, d, b, **parameters)
    for mine, theirs in zip(corrected, published, strict=True):
        order = np.argsort(-theirs)
        assert (np.diff(mine[order]) <= 1e-5).all()


@given(st.sampled_from(SETTINGS), st.integers(0, 2**32), st.floats(-0.5, 0.5))
def test_what_all_queries_share_changes_no_order(setting: Setting, seed: int, shift: float) -> None:
    """A part of all queries that is at the same angle to every document adds a constant to all cosines."""
    random = np.random.default_rng(seed)
    d = np.zeros((9, 7))
    d[:, :5] = random.normal(size=(9, 5))
    d = normalize(d)
    d = normalize(np.c_[d[:, :6], np.full(9, 0.5)])  # the last number is the same for all
    bank = normalize(random.normal(size=(20, 7)))
    owners = tuple(f"q{n}" for n in range(20))
    plain = Correction(setting, bank, owners).penalties(d, [""] * 9)
    moved = bank.astype(np.float64)
    moved[:, 6] += shift
    nobody = np.full(9, -1)
    scores = bank_scores(d, nobody, moved.astype(np.float32), np.arange(20))
    difference = penalties_from(setting, scores) - plain
    np.testing.assert_allclose(difference, difference[0], atol=1e-5)


@given(st.integers(1, 8), st.integers(1, 6), st.integers(0, 2**32))
def test_k_occurrences_sum_to_the_places_filled(n: int, k: int, seed: int) -> None:
    found = np.random.default_rng(seed).integers(-1, 10, size=(n, k))
    assert k_occurrence(found, 10).sum() == (found >= 0).sum()
