"""The objectives of fine-tuning, from vectors to one number, and gradients of large batches on small memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ..training.losses import Pairs, info_nce, pair_up, sigmoid_loss, symmetric_info_nce, within
from .settings import Settings

Vectors = Mapping[str, Tensor]
"""Unit rows: ``pictures`` (n, dim), ``captions`` (m, dim), ``parallel`` (p, dim); what is not trained on is absent."""


class Objective(nn.Module):
    """Its own parameters are the temperature of InfoNCE, and scale and bias of the sigmoid loss; ``log_scale`` and
    ``bias`` are what the model was trained with, as far as it says."""

    def __init__(self, settings: Settings, *, log_scale: float, bias: float | None = None) -> None:
        super().__init__()
        self.settings = settings
        self.log_scale = nn.Parameter(torch.tensor(log_scale))
        # A model of SigLIP's kind has its own; SigLIP's start values else (Zhai et al. 2023, arXiv 2303.15343).
        self.sigmoid_scale = nn.Parameter(torch.tensor(math.log(10.0) if bias is None else log_scale))
        self.sigmoid_bias = nn.Parameter(torch.tensor(-10.0 if bias is None else bias))

    @property
    def scale(self) -> Tensor:
        return self.log_scale.clamp(max=math.log(100.0)).exp()

    def forward(
        self, vectors: Vectors, owners: Mapping[str, Tensor], teacher: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The weighted terms, whose sum is to be made small.

        ``owners`` (rows, 1) name what each row is of: rows of equal owners are positives of each other, as are five
        captions of one picture. ``owners["wording"]`` names the captions' texts: a picture is no wrong answer to the
        very words that another one has. ``teacher`` (p, dim) is where the parallel texts belong.
        """
        terms: dict[str, Tensor] = {}
        if "pictures" in vectors:
            pairs = unlike_words(pair_up(owners["pictures"], owners["captions"]), owners)
            terms[self.settings.loss] = self.matching(vectors["pictures"], vectors["captions"], pairs)
            if self.settings.align and self.settings.captions > 1:
                captions = vectors["captions"]
                alike = unlike_words(
                    pair_up(owners["captions"], owners["captions"]), owners, among_captions=True
                )
                other = ~torch.eye(len(captions), dtype=torch.bool, device=captions.device)
                terms["align"] = self.settings.align * info_nce(
                    self.scale * captions @ captions.T, Pairs(alike.positive & other, alike.allowed & other)
                )
        if "parallel" in vectors and teacher is not None:
            terms["distil"] = distillation(vectors["parallel"], teacher)
        elif "parallel" in vectors:
            terms["parallel"] = within(vectors["parallel"], owners["parallel"], self.scale)
        return terms

    def matching(self, pictures: Tensor, captions: Tensor, pairs: Pairs) -> Tensor:
        """The loss that the settings name, of pictures (n, dim) against captions (m, dim)."""
        cosine = pictures @ captions.T
        if self.settings.loss == "sigmoid":
            return sigmoid_loss(cosine, pairs, self.sigmoid_scale.exp(), self.sigmoid_bias)
        if self.settings.loss == "margin":
            return hardest_margin(cosine, pairs, margin=self.settings.margin)
        return symmetric_info_nce(self.scale * cosine, pairs)


def unlike_words(pairs: Pairs, owners: Mapping[str, Tensor], *, among_captions: bool = False) -> Pairs:
    """Leaves out pairs that are negatives though the picture, or the caption, of the row has the very words of the
    column's caption: of ten photographs called "beach", nine are no wrong answers. Shape: (n, m) or (m, m)."""
    wording = owners["wording"][:, 0]
    same = wording[:, None] == wording[None, :]  # (m, m)
    if not among_captions:
        own = owners["pictures"] == owners["captions"].T  # (n, m)
        same = (own.float() @ same.float()) > 0
    return Pairs(pairs.positive, pairs.allowed & (pairs.positive | ~same))


def hardest_margin(cosine: Tensor, pairs: Pairs, *, margin: float) -> Tensor:
    """VSE++ (Faghri et al. 2018, arXiv 1707.05612, eq. 6): each positive pair against the hardest negative of its row
    and of its column, max(0, margin − s + s'), averaged over the positive pairs. Shape: (n, m)."""
    wrong = cosine.masked_fill(~(pairs.allowed & ~pairs.positive), -1.0)
    loss = torch.zeros((), device=cosine.device)
    for hardest in (wrong.amax(1, keepdim=True), wrong.amax(0, keepdim=True)):
        loss = loss + ((margin - cosine + hardest).clamp(min=0) * pairs.positive).sum()
    return loss / pairs.positive.sum().clamp(min=1)


def distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean squared distance of unit rows, 2 − 2 cos (Reimers and Gurevych 2020, arXiv 2004.09813)."""
    return (student - teacher).square().sum(1).mean()


def starting_scale(pictures: Tensor, captions: Tensor, pairs: Pairs) -> float:
    """The logarithm of the scale at which the vectors' InfoNCE is least: for a model that does not say its own.

    A wrong one would spend the first steps on undoing it. Shape: (n, dim), (m, dim).
    """
    candidates = torch.linspace(math.log(2.0), math.log(100.0), 40).tolist()
    cosine = pictures @ captions.T
    losses = [float(symmetric_info_nce(math.exp(scale) * cosine, pairs)) for scale in candidates]
    best: float = candidates[losses.index(min(losses))]
    return best


# -- gradients ---------------------------------------------------------------------------------------------------

Forward = Callable[[slice], Tensor]
"""The vectors of some rows of a batch, (rows, dim)."""


def backward(
    forwards: Mapping[str, tuple[Forward, int]],
    loss: Callable[[Vectors], Mapping[str, Tensor]],
    *,
    chunk: int,
    seed: int,
    before: Callable[[Tensor], None],
) -> dict[str, float]:
    """Gradients of a loss over whole batches, of which no more than ``chunk`` rows are inside a tower at a time; 0 is
    all of them. The values of the loss's terms; ``before`` sees their sum and may refuse it.

    Towers run twice where a batch is cut: once for vectors without a graph, and, with the gradients of those in hand,
    once more for the weights (gradient caching, Gao et al. 2021, arXiv 2101.06983). What is random in a chunk follows
    from ``seed``, so that both runs agree.
    """
    whole = all(not chunk or rows <= chunk for _, rows in forwards.values())
    parts = {
        name: [slice(at, min(at + (chunk or rows), rows)) for at in range(0, rows, chunk or rows)]
        for name, (_, rows) in forwards.items()
    }

    def run(name: str, number: int) -> Tensor:
        torch.manual_seed((seed * 1_000_003 + sum(map(ord, name)) * 1_009 + number) % 2**62)
        return forwards[name][0](parts[name][number])

    if whole:
        vectors = {name: run(name, 0) for name in forwards}
        terms = loss(vectors)
        total = torch.stack(list(terms.values())).sum()
        before(total)
        total.backward()
        return {name: value.item() for name, value in terms.items()}
    with torch.no_grad():
        leaves = {
            name: torch.cat([run(name, number) for number in range(len(cuts))])
            for name, cuts in parts.items()
        }
    for leaf in leaves.values():
        leaf.requires_grad_(True)
    terms = loss(leaves)
    total = torch.stack(list(terms.values())).sum()
    before(total)
    total.backward()
    for name, cuts in parts.items():
        gradient = leaves[name].grad
        if gradient is None:
            continue
        for number, rows in enumerate(cuts):
            vectors_again = run(name, number)
            if vectors_again.requires_grad:
                vectors_again.backward(gradient[rows])
    return {name: value.item() for name, value in terms.items()}
