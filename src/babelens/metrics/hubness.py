"""Hubs: documents that are found for queries of all kinds, because of where they lie and not of what they show.

The k-occurrence of a document is the number of queries that have it among their k best; in many high-dimensional
spaces its distribution has a long right tail (Radovanović, Nanopoulos and Ivanović, JMLR 2010). The skewness of the
distribution measures that tail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..vectors import Ids

# Above what shuffled results reach, a skewness higher by this is worth a correction.
_SKEWED: Final = 1.0
# A document is a hub if it comes first this many times as often as the average one, but 1 % is never too often, and
# half of the queries always is.
_TIMES: Final = 10.0
_NEVER, _ALWAYS = 0.01, 0.5
_SHUFFLES: Final = 100
_DRAWS: Final = 20_000_000


@dataclass(frozen=True, slots=True)
class Hubness:
    """How unevenly ``queries`` share out ``items`` documents.

    ``skewness`` is that of the k-occurrence, 0 for an even distribution; ``shuffled_skewness`` is the highest that
    chance gave in 100 shuffles. ``top_item`` is the document that is the first result most often (its number in the
    lists, -1 when nothing was found), ``top_item_share`` the share of all queries that it takes in that way.
    ``alarm`` says what is wrong in a sentence, None when nothing is.
    """

    k: int
    queries: int
    items: int
    skewness: float
    shuffled_skewness: float
    top_item_share: float
    top_item: int
    alarm: str | None


def k_occurrence(found: Ids, corpus: int) -> Ids:
    """How many queries have each document in their list.

    Shape: (n, k) numbers from 0 to ``corpus`` - 1, or -1 for a place that could not be filled -> (corpus,) int64.
    Raises ``ValueError`` on a number outside.
    """
    found = np.asarray(found)
    if found.size and (int(found.min()) < -1 or int(found.max()) >= corpus):
        raise ValueError(f"the lists name documents that are not among the {corpus}")
    return np.bincount(found[found >= 0].ravel(), minlength=corpus).astype(np.int64)


def measure_hubness(found: Ids, corpus: int, *, k: int = 10, seed: int = 0) -> Hubness:
    """Hubness of the lists that a search gave, best first. Shape: found (n, depth), as for :func:`k_occurrence`.

    The alarm compares with shuffled results, every query giving k random documents (``seed`` draws them). It goes off

    - when the skewness is higher by 1 than in any of 100 shuffles, or
    - when one document comes first more often than in any shuffle *and* takes 10 times its fair share of the queries,
      at least 1 % of them; half of the queries is too much however few the documents.

    Results that chance cannot explain may still be right: where most queries do ask for one document, they should get
    it. Queries that are spread over the documents, such as one caption of each, keep such cases out.
    Raises ``ValueError`` when ``k`` is below 1.
    """
    if k < 1:
        raise ValueError("k must be at least 1")
    n = len(found)
    counts = k_occurrence(found[:, :k], corpus)
    first = k_occurrence(found[:, :1], corpus)
    skewed = skewness(counts)
    top = int(np.argmax(first)) if first.any() else -1
    share = float(first[top]) / n if top >= 0 else 0.0
    by_chance, most = _shuffled(n, corpus, k, seed)
    alarm = None
    if top >= 0 and first[top] > most and share > max(_NEVER, min(_TIMES / corpus, _ALWAYS)):
        alarm = (
            f"One item is the first result of {share:.1%} of the queries, "
            f"by chance it would be {most / n:.1%} at most."
        )
    elif skewed > by_chance + _SKEWED:
        alarm = (
            f"Some items are found far too often: the skewness of their {k}-occurrence is {skewed:.2f}, "
            f"by chance it would be {by_chance:.2f} at most."
        )
    return Hubness(k, n, corpus, skewed, by_chance, share, top, alarm)


def skewness(counts: NDArray[Any]) -> float:
    """The third standardised moment; 0 where all counts are equal. Shape: (m,)."""
    if not counts.size:
        return 0.0
    centred = counts - counts.mean()
    spread = float(np.sqrt(np.mean(centred**2)))
    return float(np.mean(centred**3)) / spread**3 if spread > 0 else 0.0


def _shuffled(n: int, corpus: int, k: int, seed: int) -> tuple[float, int]:
    """The highest skewness of the k-occurrence, and the most first places of one document, in shuffled results."""
    if not n or not corpus:
        return 0.0, 0
    random = np.random.default_rng(seed)
    highest, most = 0.0, 0
    for _ in range(min(_SHUFFLES, max(1, _DRAWS // corpus))):
        highest = max(highest, skewness(random.binomial(n, min(k / corpus, 1.0), corpus)))
        most = max(most, int(random.binomial(n, 1 / corpus, corpus).max()))
    return highest, most
