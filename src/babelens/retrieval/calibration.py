"""How far a score can be trusted: does the best hit stand out, and does a ranking know this collection at all?

The same cosine means different things for different queries, so no flat threshold can say "no match". Each query is
judged against its own background, the scores of a fixed sample of the collection:

    z          = (best − median) / spread
    confidence = 1 / (1 + exp(−(bias + cosine_weight · best + z_weight · (z − E_N))))

``E_N`` is the expected maximum of N standard normal numbers, N the size of the collection: what the best of N scores
reaches by luck. ``bias`` and the weights come from the encoder's card, where :func:`fit_confidence` put them, for the
pair of modalities at hand (``"text_image.bias"`` and so on). A card without them gets :data:`_DEFAULT`, which looks at
z alone. Below :data:`MIN_BACKGROUND` items there is no background to speak of: then only a card's absolute weights
(``"text_image.absolute_bias"``, ``"text_image.absolute_cosine"``) can judge, and without them there is no confidence.

The background says how the query scores with other pictures; it does not say what else the picture could be called. An
encoder that brings a vocabulary, vectors of common words, answers that too (:func:`rivals`), and a picture that other
words fit much better is no match:

    confidence = 1 / (1 + exp(−(bias + cosine_weight · best + z_weight · (z − E_N) + rivals_weight · rivals)))

That is another set of weights (``"text_image.with_rivals.bias"`` and so on), fitted together: weights that were fitted
without rivals are right only without them.

Between pictures there is also identity: a score that goes nearly all the way from the background to 1 is the same
picture, resized or recompressed, however wide the background is spread.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

# Query modality, then the modality of what is searched.
Pair = Literal["text_image", "image_image", "text_text", "image_text"]

# ``SearchResult.confident`` is ``confidence >= CONFIDENT``: a match is more likely than luck.
CONFIDENT: Final = 0.5
MIN_BACKGROUND: Final = 8
SAMPLE_SIZE: Final = 256

_DEFAULT: Final = {"bias": -2.0, "cosine": 0.0, "z": 2.0}
# The words that fit a picture best, whose mean cosine is its rivals: one alone is often the query's own name.
_RIVALS: Final = 3
# A spread below this is float16 storage noise, not a spread.
_MIN_SPREAD: Final = 2e-3
# The share of the way from the background to 1 at which two pictures are as likely the same as not.
_SAME: Final = 0.93
_SAME_SLOPE: Final = 60.0
# The trust of a ranking that could not be measured counts as much as this many measured texts.
_PRIOR_WEIGHT: Final = 8.0


@dataclass(frozen=True, slots=True)
class Background:
    """Scores of one query with a sample of the collection: their centre, their spread, how many, out of how many."""

    median: float
    spread: float
    count: int
    size: int


def measure_background(scores: NDArray[Any], size: int) -> Background:
    """The background of one query. Shape: scores (n,), the sample's; ``size`` counts the whole collection.

    Matches sit in the upper tail, so the spread is taken from the lower half alone: the root mean square distance
    below the median. It is widened by 1 + 4/n, since few scores show too little of it.
    """
    if scores.size == 0:
        return Background(0.0, _MIN_SPREAD, 0, size)
    ordered = np.sort(scores).astype(np.float64)
    n = ordered.size
    median = float(ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    below = ordered[: (n + 1) // 2] - median
    spread = math.sqrt(float(below @ below) / below.size) * (1 + 4 / n)
    return Background(median, max(spread, _MIN_SPREAD), scores.size, size)


@lru_cache(maxsize=256)
def expected_maximum(size: int) -> float:
    """The expected largest of ``size`` standard normal numbers (Blom 1958, within 0.02 of the integral)."""
    return NormalDist().inv_cdf((size - 0.375) / (size + 0.25)) if size > 1 else 0.0


def rivals(pictures: NDArray[Any], vocabulary: NDArray[Any]) -> NDArray[np.float32]:
    """How well common words fit each picture: the mean of its 3 highest cosines with them.

    Shape: pictures (n, dim), vocabulary (v, dim), both of unit rows, v at least 1 -> (n,) float32.
    """
    # Not through BLAS: on a busy machine its threads stall for longer than the few rows of a search take.
    cosines = np.einsum("id,vd->iv", pictures, vocabulary).astype(np.float32, copy=False)
    top = min(_RIVALS, cosines.shape[1])
    best: NDArray[np.float32] = np.partition(cosines, -top, axis=1)[:, -top:].mean(axis=1)
    return best


def knows_rivals(card: Mapping[str, float], pair: Pair) -> bool:
    """Whether a card has weights that take rivals into account."""
    return f"{pair}.with_rivals.bias" in card


def confidence(
    score: float,
    background: Background,
    *,
    pair: Pair,
    card: Mapping[str, float] | None = None,
    rivals: float | None = None,
) -> float | None:
    """The probability that ``score`` belongs to a match, by the formula above; ``None`` when nothing can tell.

    ``rivals`` is the picture's, where the encoder brings a vocabulary; a card without weights for it ignores it.
    """
    likely = _by_background(score, background, pair, card or {}, rivals)
    if pair != "image_image":
        return likely
    middle = background.median if background.count >= MIN_BACKGROUND else 0.0
    way = (score - middle) / max(1 - middle, _MIN_SPREAD)
    same = _logistic(_SAME_SLOPE * (way - _SAME))
    # Without a background, only a clear yes is an answer.
    return max(likely, same) if likely is not None else same if same >= CONFIDENT else None


def _by_background(
    score: float, background: Background, pair: Pair, card: Mapping[str, float], rivals: float | None
) -> float | None:
    if background.count < MIN_BACKGROUND:
        if f"{pair}.absolute_bias" not in card:
            return None
        return _logistic(card[f"{pair}.absolute_bias"] + card[f"{pair}.absolute_cosine"] * score)
    weights = _DEFAULT
    if f"{pair}.bias" in card:
        weights = {name: card.get(f"{pair}.{name}", 0.0) for name in _DEFAULT}
    z = (score - background.median) / background.spread - expected_maximum(background.size)
    if rivals is not None and knows_rivals(card, pair):
        weights = {name: card[f"{pair}.with_rivals.{name}"] for name in (*_DEFAULT, "rivals")}
        return _logistic(
            weights["bias"] + weights["cosine"] * score + weights["z"] * z + weights["rivals"] * rivals
        )
    return _logistic(weights["bias"] + weights["cosine"] * score + weights["z"] * z)


def coverage(query_words: Sequence[str], document_words: Sequence[str], idf: Mapping[str, float]) -> float:
    """The share of a query's words that a document holds, each word weighted by how rare it is.

    The words' own confidence: BM25 scores have no background, since documents without any word have no score.
    """
    present = set(document_words)
    total = sum(idf.get(word, 0.0) for word in set(query_words))
    found = sum(idf.get(word, 0.0) for word in set(query_words) if word in present)
    return found / total if total > 0 else 0.0


def trust(scores: NDArray[Any], answers: NDArray[Any], *, prior: float = 1.0) -> float:
    """How well a ranking knows a collection, from texts whose right answer is known: 0 is chance, 1 is perfect.

    The mean reciprocal rank of the right answer, less what chance gives, as a share of the way to 1. Few texts say
    little, so the result leans to ``prior`` as if 8 more texts had shown it.

    Shape: scores (n, m); answers (n,), the column of each row's right answer, or -1 for a row without one.
    """
    rows = np.flatnonzero(answers >= 0)
    if rows.size == 0 or scores.shape[1] < 2:
        return prior
    scores = scores[rows]
    right = scores[np.arange(rows.size), answers[rows]][:, None]
    ties = (scores == right).sum(axis=1) - 1
    ranks = 1 + (scores > right).sum(axis=1) + ties / 2
    m = scores.shape[1]
    chance = float(np.mean(1 / np.arange(1, m + 1)))
    measured = (float(np.mean(1 / ranks)) - chance) / (1 - chance)
    return float(
        np.clip((rows.size * measured + _PRIOR_WEIGHT * prior) / (rows.size + _PRIOR_WEIGHT), 0.0, 1.0)
    )


def fit_confidence(
    scores: NDArray[Any],
    matches: NDArray[np.bool_],
    *,
    pair: Pair,
    related: NDArray[np.bool_] | None = None,
    rivals: NDArray[Any] | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """The rows of a card for one pair of modalities, measured on queries whose matches are known.

    Galleries of 8 to n pictures are drawn; each query meets one gallery that holds a match and one that holds none.
    See :func:`_fit` for what is fitted. ``rivals`` of the candidates bring the second set of weights.

    ``related`` are candidates near enough to the query to be neither: they are never drawn. A woman who cooks is no
    match for "man cook", but nobody would call a collection that has her empty of it.

    Shape: scores, matches, related (queries, n); rivals (n,). Returns ``pair``-prefixed bias, cosine, z,
    absolute_bias, absolute_cosine and, with rivals, with_rivals.bias, .cosine, .z and .rivals. Raises ``ValueError``
    when no query has both matches and enough others.
    """
    random = np.random.default_rng(seed)
    n = scores.shape[1]
    features, held, right = [], [], []
    other = ~matches if related is None else ~(matches | related)
    for row, match, rest in zip(np.asarray(scores, dtype=np.float64), matches, other, strict=True):
        own, others = np.flatnonzero(match), np.flatnonzero(rest)
        if own.size == 0 or others.size < MIN_BACKGROUND:
            continue
        for present in (True, False):
            size = min(others.size, round(math.exp(random.uniform(math.log(MIN_BACKGROUND), math.log(n)))))
            gallery = random.choice(others, size, replace=False)
            if present:
                gallery[0] = random.choice(own)
            background = measure_background(row[gallery], size)
            best = int(gallery[np.argmax(row[gallery])])
            z = (row[best] - background.median) / background.spread - expected_maximum(size)
            features.append((1.0, row[best], z, 0.0 if rivals is None else float(rivals[best])))
            held.append(present)
            right.append(bool(match[best]))
    if len(set(held)) < 2:
        raise ValueError("fitting needs queries that find a match and queries that do not")
    x, labels = np.array(features), (np.array(held), np.array(right))
    sets = {("bias", "cosine", "z"): x[:, :3], ("absolute_bias", "absolute_cosine"): x[:, :2]}
    if rivals is not None:
        sets["with_rivals.bias", "with_rivals.cosine", "with_rivals.z", "with_rivals.rivals"] = x
    return {
        f"{pair}.{name}": round(float(value), 4)
        for names, columns in sets.items()
        for name, value in zip(names, _fit(columns, *labels), strict=True)
    }


def _fit(x: NDArray[np.float64], held: NDArray[np.bool_], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Two logistic regressions: the first says what counts, the second how much of it is enough.

    The first tells galleries that held a match from those that did not. It sees all of them: without those whose best
    hit is wrong, it would rank worse in a collection of another kind (AUC .906 against .920 with rivals, .895 against
    .900 without, on the bundled gallery). But a wrong hit is no match, whatever else the gallery held, so the second
    fits slope and offset along what the first found, on right first hits and galleries without a match, at even odds.

    Shape: x (n, features), the first column 1; held, right (n,) -> (features,).
    """
    weights = _logistic_regression(x, held.astype(np.float64))
    judged = right | ~held
    y = held[judged].astype(np.float64)
    if not 0 < y.sum() < y.size:
        return weights
    along = np.stack([np.ones(y.size), x[judged] @ weights], axis=1)
    offset, slope = _logistic_regression(along, y)
    result: NDArray[np.float64] = slope * weights
    result[0] += offset - math.log(y.mean() / (1 - y.mean()))
    return result


def _logistic_regression(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shape: (n, features), (n,) -> (features,). The ridge keeps separable data from running to infinity."""
    weights = np.zeros(x.shape[1])
    ridge = np.eye(x.shape[1]) * 1e-2
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (p - y) + ridge @ weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x + ridge
        step = np.linalg.solve(hessian, gradient)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return weights


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, x))))
