"""What the scores of a trained encoder mean, measured on pictures that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from babelens.retrieval.calibration import MIN_BACKGROUND, Pair, fit_confidence, rivals

from .pictographs import Concept
from .validate import Matrix, Separation, separation

if TYPE_CHECKING:
    from .photograph_run import PhotographTrainer

Mask = npt.NDArray[np.bool_]

SCENES: Final = 600
"""Composed to fit the confidence on."""
WORDS: Final = 1200
"""In the vocabulary of an encoder."""


@dataclass(frozen=True)
class Drawn:
    """What an encoder makes of one style, (n, dim) each: its n drawings plain, and changed as in `widen`; their names
    by language; scenes of several with a caption each, (scenes, dim), and the concepts in them, (scenes, 3), -1 padded.

    `concepts` are all there are, `which` (n,) those that the style draws; `unseen` if nothing was trained on it.
    `vocabulary` (v, dim) are common words.
    """

    style: str
    unseen: bool
    concepts: Sequence[Concept]
    which: npt.NDArray[np.int64]
    plain: Matrix
    changed: Matrix
    names: Mapping[str, Matrix]
    scenes: Matrix
    scene_captions: Matrix
    scene_sets: npt.NDArray[np.int64]
    vocabulary: Matrix


def common_words(concepts: Sequence[Concept], languages: Sequence[str]) -> list[str]:
    """The names whose vectors a trained encoder brings as its vocabulary, in English where it was trained on that.

    Of many concepts, 1,200 spread evenly over the subgroups of CLDR: on the bundled gallery as good as all 1,860 (AUC
    .921 and .919), where 800 cost .005 and 400 cost .02.
    """
    language = "en" if "en" in languages else languages[0]
    order = sorted(range(len(concepts)), key=lambda place: (concepts[place].group, place))
    count = min(WORDS, len(order))
    chosen = np.linspace(0, len(order) - 1, count).round().astype(int).tolist()
    return [concepts[order[place]].names[language][0] for place in chosen]


def calibrate_pictographs(drawn: Drawn) -> dict[str, Any]:
    """What scores mean: the confidence weights of `babelens.retrieval.calibration`, and what they were fitted on.

    Fitted on the held-out style: its plain pictures, the same ones changed as in `widen`, and scenes. A run without one
    takes a style it was trained on, and only the changed pictures: those that it knows by heart would make it too sure.
    Concepts of one CLDR subgroup ("person-role", "food-fruit") do not count as wrong answers for each other.

    ``measured`` holds, per direction and as the mean over languages, the cosines of matches (``matched_*``), of the
    best candidate when the match was taken out (``unmatched_*``), and ``auc``: the chance that a query with its
    match present has a higher best score than one without.
    """
    images = drawn.plain if drawn.unseen else drawn.changed
    texts, scenes = drawn.names, drawn.scenes
    table: dict[str, Any] = {
        "style": drawn.style,
        "style_seen_in_training": not drawn.unseen,
        "candidates": len(images),
    }

    # (n, concepts): which concepts a row holds
    each = np.eye(len(drawn.concepts), dtype=np.float32)[drawn.which]
    several = np.zeros((len(scenes), len(drawn.concepts)), dtype=np.float32)
    for members, row in zip(drawn.scene_sets, several, strict=True):
        row[members[members >= 0]] = 1
    groups = np.unique([concept.group for concept in drawn.concepts], return_inverse=True)[1]
    member = np.eye(groups.max() + 1, dtype=np.float32)[groups]  # (concepts, groups)

    # Each concept is asked for in one language and answered in another, so that all languages weigh alike.
    order = np.arange(len(images))
    turn = order % len(texts)
    stacked = np.stack(list(texts.values()))  # (languages, n, dim)
    asked = np.concatenate([stacked[turn, order], drawn.scene_captions])
    named = np.concatenate([each, several])
    pictured = np.concatenate([images, drawn.changed, scenes] if drawn.unseen else [images, scenes])
    shown = np.concatenate([each, each, several] if drawn.unseen else [each, several])
    # A picture matches a caption when it shows all that the caption names.
    fits = named @ shown.T == named.sum(1)[:, None]
    near = (named @ member) @ (shown @ member).T > 0
    alike = np.eye(len(images), dtype=np.bool_), each @ member @ (each @ member).T > 0
    others = rivals(pictured, drawn.vocabulary)
    pairs: tuple[tuple[Pair, Matrix, Matrix, tuple[Mask, Mask], Matrix | None], ...] = (
        ("text_image", asked, pictured, (fits, near), others),
        ("image_text", pictured, asked, (fits.T, near.T), None),
        ("text_text", stacked[turn, order], stacked[turn - 1, order], alike, None),
    )
    if len(images) > 2 * MIN_BACKGROUND:
        for pair, queries, candidates, (matches, related), known in pairs:
            table.update(
                fit_confidence(queries @ candidates.T, matches, related=related, rivals=known, pair=pair)
            )
    table["measured"] = {
        "text_to_image": _mean_separation([separation(rows, images) for rows in texts.values()]),
        "image_to_text": _mean_separation([separation(images, rows) for rows in texts.values()]),
    }
    return table


def calibrate_photographs(trainer: PhotographTrainer) -> dict[str, Any]:
    """The same for photographs, fitted on those validated with."""
    return calibrate_recall(*trainer.vectors(trainer.shipped()))


def calibrate_recall(
    images: Matrix, texts: Mapping[str, tuple[Matrix, npt.NDArray[np.int64]]]
) -> dict[str, Any]:
    """The same for pictures (n, dim) with captions, by language (m, dim) and the picture of each, (m,): one caption of
    each picture is asked, the languages taking turns."""
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
            table.update(
                fit_confidence(queries @ candidates.T, np.eye(len(candidates), dtype=np.bool_), pair=pair)
            )
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
