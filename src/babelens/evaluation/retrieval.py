"""Words to pictures and pictures to words, language by language: by exact search, and as users get it.

*Exact* compares every query with every document; what it measures is the encoder. *Deployed* asks the collection,
through the same calls as users, with its index, its settings and its cut-off; what it loses against exact is what
the index costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..metrics.ranking import Ranks, rank_lists, rank_vectors
from ..metrics.retrieval import CUTS, MEASURES, chance_first_rank, chance_hit_rate, hit_rate
from ..metrics.statistics import Bootstrap, Difference, Estimate
from ..types import Progress
from ..vectors import Ids
from .corpus import CaptionSet, Corpus, wording
from .no_match import Confidences

if TYPE_CHECKING:
    from ..collection import Collection

Direction = Literal["text_to_image", "image_to_text"]
DIRECTIONS: Final[tuple[Direction, ...]] = ("text_to_image", "image_to_text")
ALL: Final = "all"
# How deep the collection is asked; a deeper rank counts as not found.
DEPTH: Final = 100

Values = NDArray[np.float64]
_HIT_RATES: Final = {f"hit_rate@{k}": MEASURES[f"hit_rate@{k}"].values for k in CUTS}


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The ranks of one direction and language. ``groups`` (n,) are the pictures that the queries belong to."""

    ranks: Ranks
    groups: Ids


Outcomes = Mapping[Direction, Mapping[str, Outcome]]


@dataclass(frozen=True, slots=True)
class Scores:
    """One direction and language. ``measures`` are means in [0, 1]; ``ties`` counts queries whose best answer has as
    good a score as one that is wrong."""

    queries: int
    corpus: int
    measures: Mapping[str, Estimate]
    median_rank: Estimate
    ties: int


def rank_exactly(corpus: Corpus, *, progress: Progress | None = None) -> Outcomes:
    """The ranks that the vectors alone give."""
    found: dict[Direction, dict[str, Outcome]] = {direction: {} for direction in DIRECTIONS}
    for tag, captions in corpus.captions.items():
        ranks = rank_vectors(captions.vectors, corpus.vectors, captions.relevant, progress=progress)
        found["text_to_image"][tag] = Outcome(ranks, captions.picture)
        asked = captions.pictures
        described = [captions.described[row] for row in asked]
        ranks = rank_vectors(corpus.vectors[asked], captions.vectors, described, progress=progress)
        found["image_to_text"][tag] = Outcome(ranks, asked)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Deployed:
    """What the collection gave: ranks, how sure it was of its answers to words, and the pictures it found for them, by
    language. Shape: found (n, DEPTH) rows of pictures, filled up with -1."""

    outcomes: Outcomes
    confidences: tuple[Confidences, ...]
    found: Mapping[str, Ids]


def rank_deployed(collection: Collection, corpus: Corpus, *, progress: Progress | None = None) -> Deployed:
    """What ``Collection.search`` and ``Collection.captions`` give, as deep as :data:`DEPTH`.

    Queries come with the vectors that the collection has of them, so that nothing is encoded twice, unless they are
    routed through another text tower. The pictures are asked, not the captions: every caption would find itself.
    """
    found: dict[Direction, dict[str, Outcome]] = {direction: {} for direction in DIRECTIONS}
    total = sum(len(captions) + len(captions.pictures) for captions in corpus.captions.values())
    step = _counter(progress, total)
    told, lists = [], {}
    for tag, captions in corpus.captions.items():
        outcome, confidences, lists[tag] = _pictures_found(collection, corpus, captions, step)
        found["text_to_image"][tag] = outcome
        found["image_to_text"][tag] = _captions_found(collection, corpus, captions, step)
        told.append(confidences)
    return Deployed(found, tuple(told), lists)


def _pictures_found(
    collection: Collection, corpus: Corpus, captions: CaptionSet, step: Callable[[], None]
) -> tuple[Outcome, Confidences, Ids]:
    lists = np.full((len(captions), DEPTH), -1, dtype=np.int64)
    present, absent = np.zeros(len(captions)), np.full(len(captions), np.nan)
    routed = captions.language in {route.language for route in collection.info().routes}
    for number, body in enumerate(captions.bodies):
        result = collection.search(
            body,
            vector=None if routed else captions.vectors[number],
            language=captions.language,
            mode="image",
            k=DEPTH,
        )
        rows: dict[int, float] = {}  # copies of a picture count once
        for hit in result.hits:
            if hit.item.id in corpus.rows:
                rows.setdefault(corpus.rows[hit.item.id], hit.why[0].confidence or 0.0)
        lists[number, : len(rows)] = list(rows)
        present[number] = next(iter(rows.values()), 0.0)
        known = {*captions.relevant[number].tolist(), *captions.related[number].tolist()}
        absent[number] = next((sure for row, sure in rows.items() if row not in known), np.nan)
        step()
    ranks = rank_lists(lists, captions.relevant, corpus=len(corpus.items))
    judged = ~np.isnan(absent)
    told = Confidences(
        captions.language,
        captions.picture[judged],
        (ranks.first == 1)[judged],
        present[judged],
        absent[judged],
    )
    return Outcome(ranks, captions.picture), told, lists


def _captions_found(
    collection: Collection, corpus: Corpus, captions: CaptionSet, step: Callable[[], None]
) -> Outcome:
    """A wording that several pictures share is given once, and is right for each of them."""
    asked = captions.pictures
    wordings: dict[str, int] = {}
    number = np.array([wordings.setdefault(wording(body), len(wordings)) for body in captions.bodies])
    lists = np.full((len(asked), DEPTH), -1, dtype=np.int64)
    for place, row in enumerate(asked.tolist()):
        answers = collection.captions(corpus.items[row].id, language=captions.language, k=DEPTH)
        known = [wordings[key] for answer in answers if (key := wording(answer.text.body)) in wordings]
        lists[place, : len(known)] = known
        step()
    described = [np.unique(number[captions.described[row]]) for row in asked]
    return Outcome(rank_lists(lists, described, corpus=len(wordings)), asked)


def summarise(outcomes: Outcomes, *, seed: int = 0) -> dict[Direction, dict[str, Scores]]:
    """The measures by direction and language, with all languages together last where there are several."""
    return {
        direction: {tag: _scores(parts, seed) for tag, parts in _with_all(by_language)}
        for direction, by_language in outcomes.items()
    }


def sum_of_recalls(outcomes: Outcomes, *, seed: int = 0) -> dict[str, Estimate]:
    """The sum of hit_rate@1, @5 and @10 of both directions in percent, at most 600, by language.

    What papers call RSUM. Both directions are drawn by the same pictures.
    """
    result = {}
    for tag in outcomes["text_to_image"]:
        both = [outcomes[direction][tag] for direction in DIRECTIONS]
        draws, value, chance = np.zeros(1), 0.0, 0.0
        for outcome in both:
            bootstrap = Bootstrap(outcome.groups, seed=seed)
            rates = 100 * np.sum([hit_rate(outcome.ranks, k) for k in CUTS], axis=0)
            draws = draws + bootstrap.draws(rates)
            value += float(rates.mean())
            by_luck = [chance_hit_rate(outcome.ranks.relevant, outcome.ranks.corpus, k) for k in CUTS]
            chance += 100 * float(np.sum(by_luck, axis=0).mean())
        low, high = np.percentile(draws, [2.5, 97.5])
        result[tag] = Estimate(len(both[0].ranks), value, float(low), float(high), chance)
    return result


def differences(
    before: Outcomes, after: Outcomes, *, seed: int = 0
) -> dict[Direction, dict[str, dict[str, Difference]]]:
    """How much better ``after`` is, query by query: hit rates by direction and language."""
    result: dict[Direction, dict[str, dict[str, Difference]]] = {}
    for direction in DIRECTIONS:
        ours, theirs = dict(_with_all(before[direction])), dict(_with_all(after[direction]))
        result[direction] = {}
        for tag, parts in ours.items():
            bootstrap = Bootstrap(_groups(parts), seed=seed)
            result[direction][tag] = {
                name: bootstrap.difference(_values(parts, measure), _values(theirs[tag], measure))
                for name, measure in _HIT_RATES.items()
            }
    return result


def _scores(parts: list[Outcome], seed: int) -> Scores:
    bootstrap = Bootstrap(_groups(parts), seed=seed)
    measures = {
        name: bootstrap.estimate(
            _values(parts, measure.values),
            chance=float(np.mean(_by_chance(parts, measure.chance))),
        )
        for name, measure in MEASURES.items()
    }
    by_luck = _by_chance(parts, chance_first_rank)
    return Scores(
        queries=len(bootstrap),
        corpus=max(part.ranks.corpus for part in parts),
        measures=measures,
        median_rank=bootstrap.median(
            _values(parts, lambda ranks: ranks.first), chance=float(np.median(by_luck))
        ),
        ties=sum(int(np.count_nonzero(part.ranks.ties)) for part in parts),
    )


def _with_all(by_language: Mapping[str, Outcome]) -> Iterator[tuple[str, list[Outcome]]]:
    for tag, outcome in by_language.items():
        yield tag, [outcome]
    if len(by_language) > 1:
        yield ALL, list(by_language.values())


def _groups(parts: list[Outcome]) -> Ids:
    return np.concatenate([part.groups for part in parts])


def _values(parts: list[Outcome], values: Callable[[Ranks], Values]) -> Values:
    return np.concatenate([values(part.ranks) for part in parts])


def _by_chance(parts: list[Outcome], chance: Callable[[Ids, int], Values]) -> Values:
    return np.concatenate([chance(part.ranks.relevant, part.ranks.corpus) for part in parts])


def _counter(progress: Progress | None, total: int) -> Callable[[], None]:
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total, "asking the collection")

    return step
