"""What an encoder finds in one domain: the ranks of every caption and every picture, by language and direction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..metrics.ranking import Ranks, rank_vectors
from ..metrics.retrieval import CUTS, MEASURES, hit_rate
from ..metrics.statistics import Bootstrap, Difference, Estimate
from ..vectors import Floats, Ids
from .data import Domain
from .tunable import Tunable

DIRECTIONS: Final = ("text_to_image", "image_to_text")
Values = NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """Ranks of the n queries of one direction and language, and the picture of each, (n,)."""

    ranks: Ranks
    pictures: Ids


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """``found`` is by direction, then language. ``alike`` is the mean cosine of different pictures' vectors or of
    different captions' ones, whichever is higher: 1 means that the encoder says the same whatever it sees."""

    pictures: int
    found: Mapping[str, Mapping[str, Queries]]
    alike: float

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(self.found[DIRECTIONS[0]])

    def worth(self, *, language: str | None = None, direction: str | None = None) -> Values:
        """What each picture is worth: the mean of ``hit_rate`` at 1, 5 and 10 over its queries, in which directions and
        languages weigh alike however many captions each has. NaN where it has none. Shape: (pictures,)."""
        columns = []
        for way, by_language in self.found.items():
            for tag, queries in by_language.items():
                if direction in (None, way) and language in (None, tag):
                    columns.append(_by_picture(queries, self.pictures))
        stacked = np.stack(columns)
        known = ~np.isnan(stacked)
        return np.asarray(
            np.where(known.any(0), np.where(known, stacked, 0).sum(0) / np.maximum(1, known.sum(0)), np.nan)
        )

    def mean(self, *, language: str | None = None) -> float:
        """The mean of `worth`: one number to choose by."""
        return float(np.nanmean(self.worth(language=language)))

    @property
    def chance(self) -> float:
        """What `mean` would be if pictures and captions had nothing to do with each other."""
        levels = [
            float(MEASURES[f"hit_rate@{k}"].chance(queries.ranks.relevant, queries.ranks.corpus).mean())
            for by_language in self.found.values()
            for queries in by_language.values()
            for k in CUTS
        ]
        return float(np.mean(levels))

    def recall(self, direction: str, language: str, k: int, *, seed: int = 0) -> Estimate:
        """``hit_rate@k`` with its interval; whole pictures are drawn."""
        queries = self.found[direction][language]
        measure = MEASURES[f"hit_rate@{k}"]
        by_chance = float(measure.chance(queries.ranks.relevant, queries.ranks.corpus).mean())
        return Bootstrap(queries.pictures, seed=seed).estimate(
            measure.values(queries.ranks), chance=by_chance
        )


def _by_picture(queries: Queries, pictures: int) -> Values:
    values = np.mean([hit_rate(queries.ranks, k) for k in CUTS], axis=0)
    count = np.bincount(queries.pictures, minlength=pictures)
    total = np.bincount(queries.pictures, weights=values, minlength=pictures)
    return np.where(count > 0, total / np.maximum(1, count), np.nan)


def gain(before: Outcome, after: Outcome, *, seed: int = 0) -> Difference:
    """How much more each picture is worth, over all languages and both directions; whole pictures are drawn."""
    first, second = before.worth(), after.worth()
    known = ~np.isnan(first)
    return Bootstrap(np.flatnonzero(known), seed=seed).difference(first[known], second[known])


def gains(before: Outcome, after: Outcome, *, k: int, seed: int = 0) -> dict[str, dict[str, Difference]]:
    """The same for ``hit_rate@k`` of each direction and language."""
    return {
        direction: {
            tag: Bootstrap(queries.pictures, seed=seed).difference(
                hit_rate(queries.ranks, k), hit_rate(after.found[direction][tag].ranks, k)
            )
            for tag, queries in by_language.items()
        }
        for direction, by_language in before.found.items()
    }


def measure(tunable: Tunable, domain: Domain) -> Outcome:
    """Encodes a domain with the present weights, as it would be served, and ranks it exactly."""
    return outcome(*vectors(tunable, domain), domain)


def vectors(tunable: Tunable, domain: Domain) -> tuple[Floats, Mapping[str, Floats]]:
    """Of a domain's pictures, and by language of its captions, with the present weights as they would be served.

    Those of towers that are not trained are kept with the domain, and not computed again.
    """
    images = _once(tunable, domain, "image", lambda: tunable.encode_pictures(domain.pixels))
    texts = _once(
        tunable,
        domain,
        "text",
        lambda: {tag: tunable.encode_texts(bodies) for tag, bodies in domain.bodies.items()},
    )
    return images, texts


def _once(tunable: Tunable, domain: Domain, tower: str, encode: Callable[[], T]) -> T:
    if tower not in tunable.still:
        return encode()
    if tower not in domain.still:
        domain.still[tower] = encode()
    kept: T = domain.still[tower]
    return kept


def outcome(images: Floats, texts: Mapping[str, Floats], domain: Domain) -> Outcome:
    """Ranks of vectors: of pictures (n, dim), and by language of captions (m, dim)."""
    found: dict[str, dict[str, Queries]] = {direction: {} for direction in DIRECTIONS}
    for tag, rows in texts.items():
        owners = domain.owners[tag]
        shown = np.unique(owners)
        own = [np.flatnonzero(owners == picture) for picture in shown]
        found[DIRECTIONS[0]][tag] = Queries(rank_vectors(rows, images, list(owners[:, None])), owners)
        found[DIRECTIONS[1]][tag] = Queries(rank_vectors(images[shown], rows, own), shown)
    return Outcome(len(images), found, max(map(_alike, (images, *texts.values()))))


def _alike(rows: Floats) -> float:
    """The mean cosine of different rows of unit length. Shape: (n, dim)."""
    n, mean = len(rows), rows.mean(0)
    return float((n * n * (mean @ mean) - n) / max(1, n * (n - 1)))
