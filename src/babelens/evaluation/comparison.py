"""Two encoders on the same pictures and captions: who is better, by how much, and could it be luck?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import DatasetError
from ..metrics.statistics import Difference
from .evaluate import Evaluation
from .retrieval import Direction, differences


@dataclass(frozen=True, slots=True)
class Comparison:
    """``differences`` are those of hit rates, ``after`` less ``before``, query by query."""

    before: Evaluation
    after: Evaluation
    differences: Mapping[Direction, Mapping[str, Mapping[str, Difference]]]


def compare(before: Evaluation, after: Evaluation, *, seed: int = 0) -> Comparison:
    """Compares the rankings of two evaluations: those that users get where both have them, else the exact ones.

    Raises :class:`DatasetError` when they did not measure the same pictures and captions.
    """
    first, second = before.about, after.about
    if first.data["sha256"] != second.data["sha256"]:
        raise DatasetError(
            f"{first.encoder.name} and {second.encoder.name} were not measured on the same pictures and captions.",
            hint="Measure both again on the same data set.",
        )
    deployed = before.ranks_deployed is not None and after.ranks_deployed is not None
    ours = before.ranks_deployed if deployed and before.ranks_deployed else before.ranks
    theirs = after.ranks_deployed if deployed and after.ranks_deployed else after.ranks
    return Comparison(before, after, differences(ours, theirs, seed=seed))
