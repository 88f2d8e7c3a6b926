"""Pictures, pages and figures are ranked apart: a page of text is near to other pages whatever it says, and one list
would put all of a kind before all of another.

How far the encoder knows the drawings and pages of documents is measured on the captions of figures: each should be
nearer to its own figure than to others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ..retrieval.calibration import SAMPLE_SIZE, trust
from ..vectors import Floats, Ids

if TYPE_CHECKING:
    from ..models.protocols import Encoder
    from ..storage.catalog import Catalog
    from ..storage.rows import Watermark

_SEED: Final = 3
_CAPTIONS: Final = 64  # of figures, encoded once to measure the trust
# What an encoder is trusted with drawings before any caption has told: one that saw no photographs saw only its own.
_PRIOR: Final = 0.5
# Never less, so that whoever asks for pictures alone gets an order, if a poor one.
_LEAST: Final = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class PictureKind:
    """The vectors of one kind of item; scores are judged against ``sample``. Shape: seqs (n,), sample (m, dim)."""

    name: str
    seqs: Ids
    sample: Floats

    @property
    def of_document(self) -> bool:
        return self.name != "image"


class PictureKinds:
    """The kinds of what has a picture in a collection. Safe to use from several threads."""

    def __init__(self, catalog: Catalog, encoder: int, load: Callable[[], Encoder]) -> None:
        self._catalog = catalog
        self._encoder = encoder
        self._load = load
        self._lock = threading.Lock()
        self._kinds: tuple[Watermark, tuple[PictureKind, ...]] | None = None
        self._trust: tuple[int, float] | None = None

    def current(self) -> tuple[PictureKind, ...]:
        """The kinds there are; none where everything is a plain picture and need not be told apart."""
        mark = self._catalog.watermark(self._encoder, "image")
        known = self._kinds
        if known is None or known[0] != mark:
            with self._catalog.snapshot():
                mark = self._catalog.watermark(self._encoder, "image")
                seqs = self._catalog.picture_seqs_by_kind(self._encoder)
                known = mark, tuple(PictureKind(name, ids, self._sample(ids)) for name, ids in seqs.items())
            self._kinds = known
        return known[1]

    def _sample(self, seqs: Ids) -> Floats:
        chosen = np.random.default_rng(_SEED).choice(seqs, size=min(SAMPLE_SIZE, len(seqs)), replace=False)
        return self._catalog.vectors_by_seq(chosen.tolist())

    def document_trust(self) -> float:
        """Trust in the pictures of documents for queries of words, from 0 to 1, measured when first asked for."""
        figures = next((kind for kind in self.current() if kind.name == "figure"), None)
        count = 0 if figures is None else len(figures.seqs)
        with self._lock:
            if self._trust is None or self._trust[0] != count:
                self._trust = count, self._measured(figures)
            return self._trust[1]

    def _measured(self, figures: PictureKind | None) -> float:
        encoder = self._load()
        prior = _PRIOR if encoder.photographs else _LEAST
        if figures is None:
            return prior
        drawn = np.random.default_rng(_SEED).permutation(figures.seqs).tolist()
        captions: dict[int, str] = {}
        with self._catalog.snapshot():
            owners = self._catalog.owners(drawn)
            texts = self._catalog.texts_of({owner.item_id for owner in owners.values()})
            for seq in drawn:
                said = texts.get(owners[seq].item_id, ()) if seq in owners else ()
                caption = next((text.body for text in said if text.origin == "document"), None)
                if caption is not None and len(captions) < _CAPTIONS:
                    captions[seq] = caption
            if not captions:
                return prior
            vectors = self._catalog.vectors_by_seq(list(captions))
        scores = encoder.encode_texts(list(captions.values())) @ vectors.T
        return max(_LEAST, trust(np.asarray(scores), np.arange(len(captions)), prior=prior))
