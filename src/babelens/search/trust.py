"""How well the encoder knows this collection, measured on captions whose picture is known.

An encoder of drawings is blind to photographs and does not know it. But where pictures have captions, the collection
itself can tell: a caption's own picture should be near its vector, and so should the picture's other captions.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import numpy as np

from ..retrieval.calibration import trust
from ..vectors import Floats

if TYPE_CHECKING:
    from ..storage.catalog import Catalog
    from .upkeep import FreshIndex

_SAMPLE: Final = 256
_SEED: Final = 2
# Measured again when the collection has this many times as many texts.
_GROWTH: Final = 1.5


class Trust:
    """Trust in the picture ranking and in the caption ranking for queries of words, from 0 to 1, measured lazily."""

    def __init__(self, catalog: Catalog, encoder: int, images: FreshIndex, texts: FreshIndex) -> None:
        self._catalog = catalog
        self._encoder = encoder
        self._images = images
        self._texts = texts
        self._lock = threading.Lock()
        self._measured_at = -1
        self._image = self._caption = 1.0
        self.image_measured = False

    @property
    def image(self) -> float:
        self._measure()
        return self._image

    @property
    def caption(self) -> float:
        self._measure()
        return self._caption

    def _measure(self) -> None:
        n = len(self._texts)
        with self._lock:
            known = self._measured_at
            if n == known or (known > 0 and known / _GROWTH <= n <= known * _GROWTH):
                return
            seqs, vectors = self._catalog.sample_vectors(self._encoder, "text", _SAMPLE, seed=_SEED)
            owners = self._catalog.owners(seqs.tolist())
            kept = [row for row, seq in enumerate(seqs.tolist()) if seq in owners]
            item_ids = [owners[int(seqs[row])].item_id for row in kept]
            self._image = self._of_images(vectors[kept], item_ids)
            self._caption = self._of_captions(vectors[kept], seqs[kept].tolist(), item_ids)
            self._measured_at = n

    def _of_images(self, texts: Floats, item_ids: list[str]) -> float:
        pictures = self._catalog.vectors_of(self._encoder, set(item_ids))
        self.image_measured = len(pictures) >= 2
        if not self.image_measured:
            return 1.0
        column = {item_id: place for place, item_id in enumerate(pictures)}
        answers = np.array([column.get(item_id, -1) for item_id in item_ids])
        columns = np.stack(list(pictures.values()))
        return trust(np.asarray(texts @ columns.T), answers)

    def _of_captions(self, texts: Floats, seqs: list[int], item_ids: list[str]) -> float:
        """Each sampled caption looks for another caption of its picture among the others'."""
        others = self._catalog.seqs_of_items(self._encoder, "text", set(item_ids)).tolist()
        owners = self._catalog.owners(others)
        sampled = set(seqs)
        partner: dict[str, int] = {}
        for seq in others:
            if seq in owners and seq not in sampled:
                partner.setdefault(owners[seq].item_id, seq)
        if len(partner) < 2:
            return 1.0
        column = {item_id: place for place, item_id in enumerate(partner)}
        answers = np.array([column.get(item_id, -1) for item_id in item_ids])
        partners = self._catalog.vectors_by_seq(list(partner.values()))
        return trust(np.asarray(texts @ partners.T), answers)
