"""The objectives: multi-positive InfoNCE, prototypes, and a sigmoid term that gives scores a meaning.

Pictures and captions carry *sets* of concepts (a scene has several). Equal sets are positives, disjoint sets are
negatives, and sets that overlap without being equal are neither: such pairs are left out. The exception are captions
that name what a picture lacks: where scenes share their concepts, telling these apart is what is to be learned.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor

_OUT = -1e4  # exp() of it is 0 in float32, and it stays finite


@dataclass(frozen=True)
class Pairs:
    """Which pairs of two lists match; both are bool (n, m)."""

    positive: Tensor
    allowed: Tensor
    """Positives and negatives; False for pairs that are left out."""


def pair_up(first: Tensor, second: Tensor, *, complete: bool = False) -> Pairs:
    """Pairs of two lists of concept sets, given as padded ids: (n, k) and (m, k) int64, -1 where there is none.

    Rows are sorted sets. `complete` makes negatives of the pairs whose second set holds what the first lacks; those
    whose second set is a part of the first stay out. The comparison is O(n m k^2) on small k.
    """
    present = (first >= 0)[:, None, :, None] & (second >= 0)[None, :, None, :]
    shared = ((first[:, None, :, None] == second[None, :, None, :]) & present).sum((2, 3))  # (n, m)
    size1, size2 = (first >= 0).sum(1)[:, None], (second >= 0).sum(1)[None, :]
    positive = (shared == size1) & (shared == size2)
    negative = shared < size2 if complete else shared == 0
    return Pairs(positive=positive, allowed=positive | negative)


def info_nce(scores: Tensor, pairs: Pairs, *, smoothing: float = 0.0) -> Tensor:
    """Multi-positive InfoNCE over the rows of `scores` (n, m), already divided by the temperature.

    L = -mean_i log( mean-over-positives form ): for each positive p of row i,
    -log( exp s_ip / sum over allowed j of exp s_ij ), averaged over the positives of the row
    (SupCon "out", Khosla et al. 2020, arXiv 2004.11362, eq. 2). Rows without a positive do not count.
    `smoothing` spreads that share of the target over all allowed candidates of the row (Szegedy et al. 2016).
    """
    log_share = scores - torch.logsumexp(scores.masked_fill(~pairs.allowed, _OUT), dim=1, keepdim=True)
    count = pairs.positive.sum(1)
    loss = -(log_share * pairs.positive).sum(1) / count.clamp(min=1)
    if smoothing:
        even = -(log_share * pairs.allowed).sum(1) / pairs.allowed.sum(1).clamp(min=1)
        loss = torch.where(count > 0, (1 - smoothing) * loss + smoothing * even, loss)
    return loss.sum() / (count > 0).sum().clamp(min=1)


def symmetric_info_nce(scores: Tensor, pairs: Pairs, *, smoothing: float = 0.0) -> Tensor:
    """The mean of `info_nce` over rows and over columns (CLIP, Radford et al. 2021)."""
    turned = Pairs(pairs.positive.T, pairs.allowed.T)
    return (
        info_nce(scores, pairs, smoothing=smoothing) + info_nce(scores.T, turned, smoothing=smoothing)
    ) / 2


def within(vectors: Tensor, sets: Tensor, scale: Tensor) -> Tensor:
    """InfoNCE of one list with itself; a vector is not its own positive."""
    pairs = pair_up(sets, sets)
    other = ~torch.eye(len(sets), dtype=torch.bool, device=sets.device)
    return info_nce(scale * vectors @ vectors.T, Pairs(pairs.positive & other, pairs.allowed & other))


def prototype_loss(
    vectors: Tensor, prototypes: Tensor, sets: Tensor, *, scale: float, margin: float = 0.0
) -> Tensor:
    """Cross entropy of unit vectors (n, d) against all concepts' prototypes (c, d).

    The target is spread evenly over the concepts of the set; `margin` is taken from the cosine of the targets
    (CosFace, Wang et al. 2018, arXiv 1801.09414). One vector per concept is shared by all styles and languages.
    """
    present = sets >= 0
    target = torch.zeros(len(sets), len(prototypes), device=vectors.device)
    target.scatter_add_(1, sets.clamp(min=0), present.float())
    cosine = vectors @ functional.normalize(prototypes, dim=1).T
    target_share = target / target.sum(1, keepdim=True)
    return functional.cross_entropy(scale * (cosine - margin * target), target_share)


def word_loss(vectors: Tensor, prototypes: Tensor, target: Tensor, *, scale: float) -> Tensor:
    """Cross entropy of unit vectors (n, d) against the words' prototypes (c, d), targets (n, c) of sum 1.

    The objective of Joulin et al. 2016 (arXiv 1511.02251, eq. 2), on cosines.
    """
    return functional.cross_entropy(scale * (vectors @ functional.normalize(prototypes, dim=1).T), target)


def sigmoid_loss(cosine: Tensor, pairs: Pairs, scale: Tensor, bias: Tensor) -> Tensor:
    """SigLIP's pairwise loss on raw cosines (Zhai et al. 2023): every pair is judged alone.

    InfoNCE only orders candidates; this pulls matches over one common threshold, so that "nothing matches" shows.
    """
    sign = pairs.positive.float() * 2 - 1
    loss = -functional.logsigmoid(sign * (scale * cosine + bias))
    return (loss * pairs.allowed).sum() / len(cosine)
