"""Corrections of hubness: every document pays for being near to queries that do not ask for it.

A *bank* of queries stands for all queries. Each correction takes a penalty off the cosine of a query q with a
document d; the penalty depends on the document and the bank alone, so it can be kept:

    corrected(q, d) = cos(q, d) − penalty(d)

    csls              penalty = ½ · mean of the k highest cos(d, b)           Conneau et al., ICLR 2018
    inverted-softmax  penalty = (1/β) · log mean over b of exp(β · cos(d, b))
                                              Smith et al., ICLR 2017; with a query bank, Bogolin et al., CVPR 2022
    nnn               penalty = α · mean of the k highest cos(d, b)           Chowdhury et al., EMNLP 2024

Terms of the published formulas that are the same for every document of a query are left out: they do not change an
order. A bank query that asks for the very document is left out of that document's mean. Were it in, a document whose
own caption is in the bank would pay for being found rightly, and in a measurement every document *without* one, which
is what held-out queries ask for, would seem to gain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..vectors import Floats, is_unit

Method = Literal["csls", "inverted-softmax", "nnn"]


@dataclass(frozen=True, slots=True)
class Setting:
    """A correction without its bank: the method's name and its parameters (``k``, ``alpha``, ``beta``)."""

    method: Method
    parameters: Mapping[str, float]

    def __str__(self) -> str:
        values = ", ".join(f"{name} {value:g}" for name, value in self.parameters.items())
        return f"{self.method} ({values})"


# What a search for the best correction goes through.
SETTINGS: Final[tuple[Setting, ...]] = (
    *(Setting("csls", {"k": k}) for k in (1, 5, 10, 50)),
    *(Setting("inverted-softmax", {"beta": beta}) for beta in (2.5, 5, 10, 20, 40, 80)),
    *(Setting("nnn", {"alpha": alpha, "k": k}) for alpha in (0.25, 0.5, 0.75, 1.0) for k in (1, 8, 32, 128)),
)


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """A setting with its bank. ``bank`` is (m, dim) unit rows; ``owners[j]`` names the document that query j asks for.

    Raises ``ValueError`` on an unknown method or missing parameters, a bank that is not unit rows, or one whose
    queries all ask for the same document.
    """

    setting: Setting
    bank: Floats
    owners: tuple[str, ...]

    def __post_init__(self) -> None:
        penalties_from(self.setting, np.zeros((1, 1), dtype=np.float32))
        if self.bank.ndim != 2 or not is_unit(self.bank) or len(self.owners) != len(self.bank):
            raise ValueError("a bank is unit rows, each with an owner")
        if len(set(self.owners)) < 2:
            raise ValueError("a bank needs queries for at least two documents")

    def penalties(self, vectors: Floats, names: Sequence[str]) -> Floats:
        """What the documents pay. ``names`` are what the bank's ``owners`` call them. Shape: (n, dim), n -> (n,)."""
        numbers: dict[str, int] = {}
        for owner in self.owners:
            numbers.setdefault(owner, len(numbers))
        owners = np.array([numbers[owner] for owner in self.owners])
        documents = np.array([numbers.get(name, -1) for name in names], dtype=np.int64)
        return penalties_from(self.setting, bank_scores(vectors, documents, self.bank, owners))


def bank_scores(
    vectors: Floats, documents: NDArray[np.int64], bank: Floats, owners: NDArray[np.int64]
) -> Floats:
    """Cosines of documents with the bank's queries, highest first; -inf, at the end, where a query asks for the
    document itself. Shape: (n, dim), (n,), (m, dim), (m,) -> (n, m) float32."""
    scores = np.asarray(vectors @ bank.T, dtype=np.float32)
    scores[documents[:, None] == owners[None, :]] = -np.inf
    return -np.sort(-scores, axis=1)


def penalties_from(setting: Setting, scores: Floats) -> Floats:
    """Penalties from what :func:`bank_scores` gives. Shape: (n, m) -> (n,) float32.

    Raises ``ValueError`` on a method that does not exist or parameters that are not its own.
    """
    penalty = _PENALTIES.get(setting.method)
    if penalty is None:
        raise ValueError(f"{setting.method!r} is not a correction; there are {', '.join(_PENALTIES)}")
    try:
        return np.asarray(penalty(scores, **setting.parameters), dtype=np.float32)
    except TypeError as error:
        raise ValueError(f"{setting.method} does not take {dict(setting.parameters)}: {error}") from error


def _csls(scores: Floats, *, k: float) -> NDArray[np.float64]:
    return _mean_of_highest(scores, k) / 2


def _nnn(scores: Floats, *, alpha: float, k: float) -> NDArray[np.float64]:
    return alpha * _mean_of_highest(scores, k)


def _inverted_softmax(scores: Floats, *, beta: float) -> NDArray[np.float64]:
    # exp of β · 1 would overflow from β = 89 on: the highest score is taken out first.
    highest = scores[:, :1].astype(np.float64)
    total = np.exp(beta * (scores - highest)).sum(axis=1)
    counts = np.isfinite(scores).sum(axis=1)
    return np.asarray(highest[:, 0] + np.log(total / counts) / beta)


def _mean_of_highest(scores: Floats, k: float) -> NDArray[np.float64]:
    highest = scores[:, : int(k)].astype(np.float64)
    there = np.isfinite(highest)
    return np.asarray(np.where(there, highest, 0.0).sum(axis=1) / there.sum(axis=1))


_PENALTIES: Final[Mapping[str, Callable[..., NDArray[np.float64]]]] = {
    "csls": _csls,
    "inverted-softmax": _inverted_softmax,
    "nnn": _nnn,
}
