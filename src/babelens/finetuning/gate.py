"""The gate: fine-tuned weights are published only if they earned it, and the base model is kept in every other case.

Four things are asked. Does the training code find exactly what the base model finds when it serves (:func:`parity`)?
Did the run go well (:mod:`.alarms`)? Is there a blend with the base that harms nothing else (:mod:`.interpolation`)?
And is it better, beyond doubt, on pictures that nobody has chosen anything by (:func:`judge`)?
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..errors import TrainingError
from ..metrics.retrieval import CUTS, hit_rate
from ..metrics.statistics import Difference
from .data import Domain
from .interpolation import Point
from .measure import Outcome, gain, gains, outcome, vectors
from .tunable import Tunable

_NEAR: Final = 1e-4
_DOUBT: Final = 0.05
GUARDS: Final = (1, 10)
"""``hit_rate`` at these may not get worse in any direction and language."""


@dataclass(frozen=True, slots=True)
class Parity:
    """``queries`` were asked of the base model as it serves and as it is trained; ``apart`` is the largest difference
    of a number of their vectors, ``moved`` how many queries found another thing through rounding (mostly none)."""

    queries: int
    moved: int
    apart: float


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """``gain`` is over all languages and both directions (see :meth:`.measure.Outcome.worth`), ``gains`` by k,
    direction and language. ``why`` is a sentence for people."""

    better: bool
    why: str
    gain: Difference
    gains: Mapping[int, Mapping[str, Mapping[str, Difference]]]


def parity(tunable: Tunable, domain: Domain) -> tuple[Parity, Outcome]:
    """Compares what the training code finds, which is given too, with what the base model finds when it serves.

    Raises :class:`TrainingError` when they are not the same: pictures or texts are then prepared, or weights read, in
    another way than in service, and every later figure would be about another model.
    """
    images, texts = vectors(tunable, domain)
    found = outcome(images, texts, domain)
    served_images = tunable.base.encode_prepared(list(domain.pixels))
    served_texts = {tag: tunable.base.encode_texts(bodies) for tag, bodies in domain.bodies.items()}
    served = outcome(served_images, served_texts, domain)
    apart = float(np.abs(served_images - images).max())
    for tag, rows in served_texts.items():
        apart = max(apart, float(np.abs(rows - texts[tag]).max()))
    queries = moved = 0
    for direction, by_language in served.found.items():
        for tag, row in by_language.items():
            queries += len(row.ranks)
            for k in CUTS:
                other = hit_rate(found.found[direction][tag].ranks, k) != hit_rate(row.ranks, k)
                moved += int(np.count_nonzero(other))
    # Where vectors agree to four digits, another runtime's rounding may still turn a near tie.
    if moved and (apart > _NEAR or moved > queries / 1000):
        raise TrainingError(
            f"Before the first step the training code finds {found.mean():.2%} on the validation split and the base "
            f"model as it is served finds {served.mean():.2%}: {moved:,} of {queries:,} answers differ, and numbers of "
            f"vectors by up to {apart:.2g}. Nothing was trained.",
            hint="Pictures or texts are prepared in another way, or weights were read wrongly. "
            "`babelens models check` tells whether the model's files are sound.",
        )
    return Parity(queries, moved, apart), found


def judge(chosen: Point, base: Outcome, candidate: Outcome, *, seed: int = 0) -> Verdict:
    """The paired test on the test split: is the candidate better than the base?"""
    difference = gain(base, candidate, seed=seed)
    by_query = {k: gains(base, candidate, k=k, seed=seed) for k in GUARDS}
    trials = sum(len(row) for by_direction in by_query.values() for row in by_direction.values())
    worse = [
        f"{direction.replace('_', ' ')} in {tag} (hit_rate@{k})"
        for k, by_direction in by_query.items()
        for direction, row in by_direction.items()
        for tag, one in row.items()
        # Who looks at thirty-two intervals finds one below zero by luck.
        if one.worse and one.p <= _DOUBT / trials
    ]
    points = (
        f"{difference.value * 100:+.1f} points ({difference.low * 100:+.1f} to {difference.high * 100:+.1f})"
    )
    if chosen.alpha == 0:
        why = (
            "Keep the base: no blend with the fine-tuned weights finds more on the validation split without harming "
            "another domain or a language."
        )
    elif not difference.better:
        why = (
            f"Keep the base: not better. On the test split the gain is {points}; its interval includes zero."
        )
    elif worse:
        why = f"Keep the base: the gain on the test split is {points}, but worse is {', '.join(worse)}."
    else:
        why = f"Better: the gain on the test split is {points}."
    return Verdict(chosen.alpha > 0 and difference.better and not worse, why, difference, by_query)
