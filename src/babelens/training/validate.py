"""What a two-tower model finds: among the drawings of one style, or among photographs with several captions each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from babelens.metrics.ranking import rank_vectors
from babelens.metrics.retrieval import CUTS, MEASURES, hit_rate
from babelens.metrics.statistics import Bootstrap, Estimate, auc

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Recall:
    """Shares in 0..1; ``low`` and ``high`` are the bootstrap 95 % interval of text_to_image@1 and image_to_text@1."""

    n: int
    text_to_image_1: float
    text_to_image_1_low: float
    text_to_image_1_high: float
    text_to_image_10: float
    image_to_text_1: float
    image_to_text_1_low: float
    image_to_text_1_high: float
    image_to_text_10: float

    def to_dict(self) -> dict[str, Any]:
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}

    def to_row(self) -> dict[str, str]:
        """The same for people, by column."""
        return {
            "pictures": f"{self.n:,}",
            "text→image R@1": _percent(
                self.text_to_image_1, self.text_to_image_1_low, self.text_to_image_1_high
            ),
            "R@10": f"{self.text_to_image_10:.1%}",
            "image→text R@1": _percent(
                self.image_to_text_1, self.image_to_text_1_low, self.image_to_text_1_high
            ),
            "R@10 ": f"{self.image_to_text_10:.1%}",
        }


def recall(images: Matrix, texts: Matrix) -> Recall:
    """Recall of unit rows where picture i and text i belong together; both (n, dim)."""
    own = np.arange(len(images))[:, None]
    bootstrap = Bootstrap(own[:, 0], resamples=1000)
    (text_1, text_10), (image_1, image_10) = (
        [bootstrap.estimate(hit_rate(ranks, k)) for k in (1, 10)]
        for ranks in (rank_vectors(texts, images, list(own)), rank_vectors(images, texts, list(own)))
    )
    return Recall(
        n=len(images),
        text_to_image_1=text_1.value,
        text_to_image_1_low=text_1.low,
        text_to_image_1_high=text_1.high,
        text_to_image_10=text_10.value,
        image_to_text_1=image_1.value,
        image_to_text_1_low=image_1.low,
        image_to_text_1_high=image_1.high,
        image_to_text_10=image_10.value,
    )


@dataclass(frozen=True)
class PhotographRecall:
    """``hit_rate@k`` both ways in one language, by k; intervals draw pictures, not captions."""

    pictures: int
    """The candidates of a caption: all that are validated with."""
    captions: int
    text_to_image: dict[int, Estimate]
    image_to_text: dict[int, Estimate]
    """Of the pictures that have captions in the language; finding any one of them counts."""

    @property
    def mean(self) -> float:
        """Over both directions and all k: one number to stop by."""
        return float(
            np.mean([e.value for way in (self.text_to_image, self.image_to_text) for e in way.values()])
        )

    def to_dict(self) -> dict[str, Any]:
        values: dict[str, Any] = {"n": self.pictures, "captions": self.captions}
        for name, way in (("text_to_image", self.text_to_image), ("image_to_text", self.image_to_text)):
            values[f"{name}_queries"] = way[CUTS[0]].n
            for k, estimate in way.items():
                values[f"{name}_{k}"] = round(estimate.value, 4)
                values[f"{name}_{k}_low"], values[f"{name}_{k}_high"] = (
                    round(bound, 4) for bound in (estimate.low, estimate.high)
                )
                if estimate.chance is not None:
                    values[f"{name}_{k}_chance"] = round(estimate.chance, 4)
        return values

    def to_row(self) -> dict[str, str]:
        """The same for people, by column."""
        row = {"pictures": f"{self.pictures:,}", "captions": f"{self.captions:,}"}
        for name, way in (("text→image", self.text_to_image), ("image→text", self.image_to_text)):
            row |= {f"{name} R@{k}": _percent(e.value, e.low, e.high) for k, e in way.items()}
        return row


def _percent(value: float, low: float, high: float) -> str:
    return f"{value:.1%} ({low * 100:.1f}–{high * 100:.1f})"


def photograph_recall(images: Matrix, texts: Matrix, owners: npt.NDArray[np.int64]) -> PhotographRecall:
    """Recall of unit rows (n, dim) and (m, dim), where caption j belongs to picture ``owners[j]``."""
    shown = np.unique(owners)
    captions = [np.flatnonzero(owners == picture) for picture in shown]
    ways = []
    for ranks, groups in (
        (rank_vectors(texts, images, [[int(owner)] for owner in owners]), owners),
        (rank_vectors(images[shown], texts, captions), shown),
    ):
        bootstrap = Bootstrap(groups)
        estimates = {}
        for k in CUTS:
            measure = MEASURES[f"hit_rate@{k}"]
            by_chance = float(measure.chance(ranks.relevant, ranks.corpus).mean())
            estimates[k] = bootstrap.estimate(measure.values(ranks), chance=by_chance)
        ways.append(estimates)
    return PhotographRecall(len(images), len(texts), *ways)


@dataclass(frozen=True)
class Separation:
    """How the best score of a query behaves when its target is in the collection and when it was taken out.

    ``auc`` is the chance that a query with its target scores higher than one without; 0.5 says nothing.
    """

    matched_mean: float
    matched_std: float
    unmatched_mean: float
    unmatched_std: float
    auc: float


def separation(queries: Matrix, candidates: Matrix) -> Separation:
    """Best cosine with the target present against best cosine with it removed; rows i belong together."""
    scores = queries @ candidates.T
    present = scores.max(1)
    removed = scores.copy()
    np.fill_diagonal(removed, -np.inf)
    absent = removed.max(1)
    matched = np.diagonal(scores)
    return Separation(
        matched_mean=float(matched.mean()),
        matched_std=float(matched.std()),
        unmatched_mean=float(absent.mean()),
        unmatched_std=float(absent.std()),
        auc=auc(present, absent),
    )
