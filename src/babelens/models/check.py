"""A self-test of an encoder: is it what it says, and does it see at all?

Where the catalogue's golden values of a model are known, two fixed pictures and eight fixed sentences are compared
with them. Otherwise nothing can prove that the weights are the right ones, and the report says so; what can be told is
whether the towers agree with each other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..types import EncoderFingerprint
from ..vectors import Floats, is_unit
from .encoder import TwoTowerEncoder
from .protocols import Encoder, ImageEncoder

if TYPE_CHECKING:
    from PIL.Image import Image

SENTENCES: Final[dict[str, str]] = {
    "en": "A red car in front of a house.",
    "es": "Un coche rojo delante de una casa.",
    "fr": "Une voiture rouge devant une maison.",
    "hi": "एक घर के सामने एक लाल गाड़ी।",
    "de": "Ein rotes Auto vor einem Haus.",
    "it": "Una macchina rossa davanti a una casa.",
    "ja": "家の前にある赤い車。",
    "ar": "سيارة حمراء أمام منزل.",
}

_KEPT: Final = 8  # numbers of a vector that are stored
_GOLDEN: Final = (
    0.01  # the most that a stored number may differ: other processors round otherwise, int8 most of all
)
_ALIKE: Final = 1e-3  # alone and in a batch
_BETTER_THAN_CHANCE: Final = 0.6
_MARGIN: Final = 0.02  # what chance does to the agreement of a few hundred pictures


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``ok`` is None when it is worth knowing and neither good nor bad."""

    name: str
    ok: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """``golden`` tells whether the vectors were compared with known ones; ``auc`` is by language (see :func:`auc`).

    ``values`` are the first numbers of the fixed pictures' and sentences' vectors, for the catalogue.
    """

    fingerprint: EncoderFingerprint
    golden: bool
    findings: tuple[Finding, ...]
    auc: Mapping[str, float]
    values: Mapping[str, list[list[float]]]

    @property
    def ok(self) -> bool:
        return all(finding.ok is not False for finding in self.findings)


def check_encoder(
    encoder: Encoder, pictures: Sequence[Image], captions: Sequence[Mapping[str, str]]
) -> CheckReport:
    """Tests an encoder on pictures with one caption a language each, row by row. Encodes everything once."""
    pixels = [encoder.prepare(picture) for picture in pictures]
    images = encoder.encode_prepared(pixels)
    values = golden_values(encoder)
    findings = [_sound(images), _alone_and_together(encoder)]
    known = _known(encoder.fingerprint)
    findings.append(_compare(values, known) if known else _unknown())
    scores = {
        language: auc(encoder.encode_texts([row[language] for row in captions]), images)
        for language in encoder.languages
        if captions and all(language in row for row in captions)
    }
    findings += _agreement(scores)
    if "en" in scores and isinstance(encoder, TwoTowerEncoder):
        findings += _activation(encoder, pixels, [row["en"] for row in captions], scores["en"])
    return CheckReport(encoder.fingerprint, bool(known), tuple(findings), scores, values)


def fixed_pictures() -> tuple[Image, Image]:
    """A ramp of colours and a wide chequerboard; the same bytes everywhere, so no file format plays a part."""
    from PIL import Image as PILImage

    rows, columns = np.mgrid[0:240, 0:240]
    ramp = np.stack([columns, rows, 255 - (columns + rows) // 2], axis=-1).astype(np.uint8)
    rows, columns = np.mgrid[0:200, 0:320]
    squares = ((rows // 40 + columns // 40) % 2).astype(bool)
    board = np.where(squares[..., None], (250, 240, 40), (20, 40, 120)).astype(np.uint8)
    return PILImage.fromarray(ramp), PILImage.fromarray(board)


def golden_values(encoder: Encoder) -> dict[str, list[list[float]]]:
    """What ``golden.json`` keeps of a model."""
    images = encoder.encode_prepared([encoder.prepare(picture) for picture in fixed_pictures()])
    texts = encoder.encode_texts(list(SENTENCES.values()))
    return {
        name: np.round(rows[:, :_KEPT], 5).tolist() for name, rows in (("pictures", images), ("texts", texts))
    }


def picture_agreement(first: ImageEncoder, second: ImageEncoder) -> float:
    """The lower of the cosines between what two encoders make of the fixed pictures; 0 when their sizes differ.

    Near 1 when their picture towers are the same weights: then a text tower of either compares with the pictures of
    both.
    """
    if first.fingerprint.dim != second.fingerprint.dim:
        return 0.0
    rows = [
        encoder.encode_prepared([encoder.prepare(picture) for picture in fixed_pictures()])
        for encoder in (first, second)
    ]
    return float(np.einsum("ij,ij->i", *rows).min())


def auc(texts: Floats, images: Floats) -> float:
    """The chance that a caption's own picture scores higher than another one; 0.5 for towers that know nothing.

    Row i of both belongs together. Shape: (n, dim), (n, dim). It is the area under the ROC curve of each caption's
    scores, as a mean over captions.
    """
    scores = texts @ images.T
    own = np.diag(scores)[:, None]
    others = len(scores) - 1
    below = (scores < own).sum(axis=1) + 0.5 * ((scores == own).sum(axis=1) - 1)
    return float(np.mean(below / others)) if others else 0.5


def _known(fingerprint: EncoderFingerprint) -> dict[str, Any] | None:
    text = (resources.files(__package__) / "golden.json").read_text(encoding="utf-8")
    row: dict[str, Any] | None = json.loads(text).get(fingerprint.name)
    return row if row and row["revision"] == fingerprint.revision else None


def _sound(images: Floats) -> Finding:
    if not np.isfinite(images).all():
        return Finding("vectors", False, "some numbers are not finite: the weights are damaged")
    if not is_unit(images):
        return Finding("vectors", False, "some vectors do not have unit length")
    spread = float(np.std(images, axis=0).mean())
    if spread < 1e-5:
        return Finding(
            "vectors", False, "all pictures have the same vector: the weights are damaged or missing"
        )
    return Finding("vectors", True, f"{len(images)} pictures, all finite, of unit length, and different")


def _alone_and_together(encoder: Encoder) -> Finding:
    texts = list(SENTENCES.values())
    together = encoder.encode_texts(texts)
    alone = np.concatenate([encoder.encode_texts([text]) for text in texts])
    apart = float(np.abs(together - alone).max())
    detail = f"a text alone and in a batch differ by {apart:.1e} at most"
    return Finding("batches", apart < _ALIKE, detail)


def _compare(values: Mapping[str, list[list[float]]], known: Mapping[str, Any]) -> Finding:
    apart = max(float(np.abs(np.subtract(values[name], known[name])).max()) for name in ("pictures", "texts"))
    detail = (
        f"two pictures and eight sentences differ by {apart:.4f} at most from the values in the catalogue"
    )
    return Finding("golden", apart < _GOLDEN, detail)


def _unknown() -> Finding:
    return Finding(
        "golden",
        None,
        "the catalogue has no values for this model: this is a test of consistency, not of identity",
    )


def _agreement(scores: Mapping[str, float]) -> list[Finding]:
    """Towers that belong together agree in one language at least; which ones it speaks is worth knowing."""
    findings = []
    for language, score in scores.items():
        spoken = score > _BETTER_THAN_CHANCE
        detail = f"a caption's own picture beats another one in {score:.0%} of cases (chance 50 %)"
        if not spoken:
            detail += ": it does not seem to speak it"
        findings.append(Finding(f"agreement {language}", True if spoken else None, detail))
    if scores and max(scores.values()) <= _BETTER_THAN_CHANCE:
        detail = "no language is better than chance: the towers do not belong together, or were never trained"
        findings.append(Finding("agreement", False, detail))
    return findings


def _activation(
    encoder: TwoTowerEncoder, pixels: Sequence[NDArray[np.uint8]], texts: Sequence[str], score: float
) -> list[Finding]:
    """Whether the other kind of GELU would do better: weights were trained with QuickGELU whose files say GELU."""
    image, text = encoder.image_tower.module, encoder.text_tower.module
    if image is None or text is None:
        return []
    from .torch import swapped_gelu

    with swapped_gelu(image(), text()) as swapped:
        other = auc(encoder.encode_texts(texts), encoder.encode_prepared(pixels)) if swapped else 0.0
    if max(score, other) <= _BETTER_THAN_CHANCE:  # neither tells anything
        return []
    detail = f"agreement in English is {score:.1%} as configured, {other:.1%} with the other kind of GELU"
    return [Finding("activation", other < score + _MARGIN, detail)]
