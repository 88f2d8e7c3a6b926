"""What the scores of a trained encoder mean, measured on pictures that it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from babelens.retrieval.calibration import MIN_BACKGROUND, Pair, fit_confidence

from .augment import WIDE
from .validate import Matrix, Separation, separation

if TYPE_CHECKING:
    from .photograph_run import PhotographTrainer
    from .pictograph_run import PictographTrainer

Mask = npt.NDArray[np.bool_]

_SCENES = 600  # composed to fit the confidence on


def calibrate_pictographs(trainer: PictographTrainer) -> dict[str, Any]:
    """What scores mean: the confidence weights of `babelens.retrieval.calibration`, and what they were fitted on.

    Fitted on the held-out style: its plain pictures, the same ones changed as in `widen`, and scenes. A run without one
    takes a style it was trained on, and only the changed pictures: those that it knows by heart would make it too sure.
    Concepts of one CLDR subgroup ("person-role", "food-fruit") do not count as wrong answers for each other.

    ``measured`` holds, per direction and as the mean over languages, the cosines of matches (``matched_*``), of the
    best candidate when the match was taken out (``unmatched_*``), and ``auc``: the chance that a query with its
    match present has a higher best score than one without.
    """
    style = trainer.validation_style
    unseen = style in trainer.recipe.data.held_out
    changed, texts = trainer.vectors(style, redrawn=WIDE)
    images = trainer.vectors(style)[0] if unseen else changed
    scenes, scene_captions, scene_sets = trainer.scene_vectors(style, _SCENES)
    table: dict[str, Any] = {"style": style, "style_seen_in_training": not unseen, "candidates": len(images)}

    drawn = np.flatnonzero(trainer.full.drawn[style])
    each = np.eye(len(trainer.full), dtype=np.float32)[drawn]  # (n, concepts): which concepts a row holds
    several = np.zeros((_SCENES, len(trainer.full)), dtype=np.float32)
    for members, row in zip(scene_sets, several, strict=True):
        row[members[members >= 0]] = 1
    groups = np.unique([concept.group for concept in trainer.full.concepts], return_inverse=True)[1]
    member = np.eye(groups.max() + 1, dtype=np.float32)[groups]  # (concepts, groups)

    # Each concept is asked for in one language and answered in another, so that all languages weigh alike.
    order = np.arange(len(images))
    turn = order % len(texts)
    stacked = np.stack(list(texts.values()))  # (languages, n, dim)
    asked = np.concatenate([stacked[turn, order], scene_captions])
    named = np.concatenate([each, several])
    pictured = np.concatenate([images, changed, scenes] if unseen else [changed, scenes])
    shown = np.concatenate([each, each, several] if unseen else [each, several])
    # A picture matches a caption when it shows all that the caption names.
    fits = named @ shown.T == named.sum(1)[:, None]
    near = (named @ member) @ (shown @ member).T > 0
    alike = np.eye(len(images), dtype=np.bool_), each @ member @ (each @ member).T > 0
    pairs: tuple[tuple[Pair, Matrix, Matrix, tuple[Mask, Mask]], ...] = (
        ("text_image", asked, pictured, (fits, near)),
        ("image_text", pictured, asked, (fits.T, near.T)),
        ("text_text", stacked[turn, order], stacked[turn - 1, order], alike),
    )
    if len(images) > 2 * MIN_BACKGROUND:
        for pair, queries, candidates, (matches, related) in pairs:
            weights = fit_confidence(queries @ candidates.T, matches, related=related, pair=pair)
            table.update({key: round(value, 4) for key, value in weights.items()})
    table["measured"] = {
        "text_to_image": _mean_separation([separation(rows, images) for rows in texts.values()]),
        "image_to_text": _mean_separation([separation(images, rows) for rows in texts.values()]),
    }
    return table


def calibrate_photographs(trainer: PhotographTrainer) -> dict[str, Any]:
    """The same for photographs, fitted on those validated with: one caption of each, the languages taking turns."""
    images, texts = trainer.vectors(trainer.shipped())
    table: dict[str, Any] = {"pictures": "validation", "candidates": len(images)}
    asked, answered = (np.zeros_like(images) for _ in range(2))
    several = np.zeros(len(images), dtype=np.bool_)  # pictures with two captions
    for picture in range(len(images)):
        own = [rows[owners == picture] for rows, owners in texts.values()]
        own = [rows for rows in own if len(rows)]
        turned = own[picture % len(own) :] + own[: picture % len(own)]
        asked[picture] = turned[0][0]
        other = turned[1][0] if len(turned) > 1 else turned[0][-1]
        several[picture] = len(turned) > 1 or len(turned[0]) > 1
        answered[picture] = other
    pairs: tuple[tuple[Pair, Matrix, Matrix], ...] = (
        ("text_image", asked, images),
        ("image_text", images, asked),
        ("text_text", asked[several], answered[several]),
    )
    for pair, queries, candidates in pairs:
        if len(candidates) > 2 * MIN_BACKGROUND:
            weights = fit_confidence(
                queries @ candidates.T, np.eye(len(candidates), dtype=np.bool_), pair=pair
            )
            table.update({key: round(value, 4) for key, value in weights.items()})
    first = {tag: np.unique(owners, return_index=True) for tag, (_, owners) in texts.items()}
    table["measured"] = {
        "text_to_image": _mean_separation(
            [separation(texts[tag][0][rows], images[shown]) for tag, (shown, rows) in first.items()]
        ),
        "image_to_text": _mean_separation(
            [separation(images[shown], texts[tag][0][rows]) for tag, (shown, rows) in first.items()]
        ),
    }
    return table


def _mean_separation(measured: list[Separation]) -> dict[str, float]:
    """The mean over languages."""
    fields = ("matched_mean", "matched_std", "unmatched_mean", "unmatched_std", "auc")
    return {f: round(float(np.mean([getattr(m, f) for m in measured])), 4) for f in fields}
