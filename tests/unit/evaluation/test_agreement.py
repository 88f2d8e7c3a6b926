"""Agreement of languages above that of shuffled pairs; cosines of captions with their own pictures and others."""

from __future__ import annotations

import numpy as np
import pytest

from babelens.collection import Embeddings
from babelens.evaluation.agreement import alignment, consistency, nearest_pictures
from babelens.evaluation.corpus import build_corpus
from babelens.types import Item, Source, Text
from babelens.vectors import Floats, normalize

N = 60


def _corpus(pictures: Floats, english: Floats, german: Floats):  # type: ignore[no-untyped-def]
    items = tuple(Item(f"i{row}", "image", Source(f"/{row}.png", str(row))) for row in range(N))
    texts = [Text(f"i{row}", "en", f"caption {row}", "human") for row in range(N)]
    texts += [Text(f"i{row}", "de", f"Text {row}", "human") for row in range(N)]
    return build_corpus(Embeddings(items, pictures, tuple(texts), np.concatenate([english, german])))


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_languages_that_mean_the_same_agree(random: np.random.Generator) -> None:
    pictures = normalize(random.normal(size=(N, 32)))
    corpus = _corpus(pictures, pictures, pictures)
    (pair,) = consistency(corpus, nearest_pictures(corpus))
    assert (pair.first, pair.second, pair.pairs, pair.k) == ("en", "de", N, 10)
    assert pair.overlap.value == 1
    assert pair.overlap_shuffled.value == pytest.approx(10 / N, abs=0.08)
    assert pair.overlap_above.low > 0.7
    assert pair.same_first_above.value == 1


def test_an_index_that_gives_everyone_the_same_knows_nothing(random: np.random.Generator) -> None:
    """The mistake of an earlier system: complete agreement, because of one picture that tops every list."""
    pictures = normalize(random.normal(size=(N, 32)))
    fixed = np.tile(pictures[:1], (N, 1))
    corpus = _corpus(pictures, fixed, fixed)
    (pair,) = consistency(corpus, nearest_pictures(corpus))
    assert pair.overlap.value == 1
    assert pair.overlap_above.value == 0
    assert pair.same_first_above.value == 0


def test_unrelated_languages_agree_as_much_as_shuffled_ones(random: np.random.Generator) -> None:
    pictures, english, german = (normalize(random.normal(size=(N, 32))) for _ in range(3))
    corpus = _corpus(pictures, english, german)
    (pair,) = consistency(corpus, nearest_pictures(corpus))
    assert pair.overlap_above.low < 0 < pair.overlap_above.high


def test_alignment_by_hand(random: np.random.Generator) -> None:
    pictures = normalize(np.eye(N, 64) + 0.0)
    turned = normalize(0.6 * pictures + 0.8 * np.eye(N, 64)[:, ::-1])
    english, german = alignment(_corpus(pictures, pictures, turned))
    assert english.matched.value == pytest.approx(1, abs=1e-6)
    assert english.mismatched.value == pytest.approx(0, abs=1e-6)
    assert (english.auc.value, english.gap.value) == (1, pytest.approx(0, abs=1e-6))
    assert german.matched.value == pytest.approx(0.6, abs=1e-5)
    assert german.margin.value == pytest.approx(0.6 - german.mismatched.value)
    assert english.matched.n == N


def test_unrelated_captions_have_no_margin(random: np.random.Generator) -> None:
    pictures, english, german = (normalize(random.normal(size=(N, 32))) for _ in range(3))
    for row in alignment(_corpus(pictures, english, german)):
        assert row.margin.low < 0 < row.margin.high
        assert row.auc.low < 0.5 < row.auc.high
