"""The self-test of an encoder, on one that is sound and on several that are not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from babelens.demo.bundled import Gallery, load_gallery
from babelens.models.check import SENTENCES, CheckReport, auc, check_encoder
from babelens.models.registry import load_encoder
from babelens.sources.images import load_image
from babelens.types import EncoderFingerprint
from babelens.vectors import Floats, normalize


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return load_gallery()


class Mini:
    """The bundled encoder with something wrong with it."""

    def __init__(self, *, turned: bool = False, broken: float | None = None) -> None:
        self._inner = load_encoder("mini")
        self._turned, self._broken = turned, broken
        self.fingerprint: EncoderFingerprint = self._inner.fingerprint
        self.image_size, self.languages = self._inner.image_size, self._inner.languages
        self.max_tokens, self.photographs = self._inner.max_tokens, False
        self.calibration: dict[str, float] = {}
        self.vocabulary = np.empty((0, 256), dtype=np.float32)

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        return self._inner.prepare(image)

    def encode_prepared(self, pixels: Sequence[NDArray[np.uint8]]) -> Floats:
        vectors = self._inner.encode_prepared(pixels)
        if self._broken is not None:
            vectors = np.full_like(vectors, self._broken)
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._inner.count_tokens(texts)

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        vectors = self._inner.encode_texts(texts)
        return normalize(np.ascontiguousarray(vectors[:, ::-1])) if self._turned else vectors


def run(encoder: Mini, gallery: Gallery, *, count: int = 120) -> CheckReport:
    some = gallery.pictures[:count]
    pictures = [load_image(picture.path, encoder.image_size) for picture in some]
    return check_encoder(encoder, pictures, [picture.captions for picture in some])


def failed(report: CheckReport) -> set[str]:
    return {finding.name for finding in report.findings if finding.ok is False}


def test_the_bundled_encoder_has_its_golden_values(gallery: Gallery) -> None:
    report = run(Mini(), gallery)
    assert report.ok
    assert report.golden
    assert set(report.auc) == set(SENTENCES)
    assert min(report.auc.values()) > 0.9


def test_other_weights_under_the_same_name_are_noticed(gallery: Gallery) -> None:
    report = run(Mini(turned=True), gallery)
    assert not report.ok
    assert {"golden", "agreement"} <= failed(report)


def test_an_unknown_revision_is_no_golden_test_and_says_so(gallery: Gallery) -> None:
    encoder = Mini()
    encoder.fingerprint = EncoderFingerprint("mini", "another", "", encoder.fingerprint.dim)
    report = run(encoder, gallery, count=30)
    assert not report.golden
    assert report.ok
    assert any("not of identity" in finding.detail for finding in report.findings)


@pytest.mark.parametrize(
    ("value", "message"), [(float("nan"), "not finite"), (0.5, "unit length"), (1 / 16, "same vector")]
)
def test_damaged_weights_are_told_apart(gallery: Gallery, value: float, message: str) -> None:
    report = run(Mini(broken=value), gallery, count=5)
    assert not report.ok
    assert message in next(finding.detail for finding in report.findings if finding.name == "vectors")


def test_auc_by_hand() -> None:
    images = np.eye(3, dtype=np.float32)
    texts = np.array([[0.9, 0.1, 0.0], [0.5, 0.1, 0.2], [0.3, 0.3, 0.3]], dtype=np.float32)
    # First row: own beats both. Second: own loses to both. Third: ties with both, half each.
    assert auc(texts, images) == pytest.approx((1.0 + 0.0 + 0.5) / 3)
