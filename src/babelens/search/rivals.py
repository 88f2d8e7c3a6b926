"""How well the words of an encoder's vocabulary fit the pictures of a collection (see :mod:`..retrieval.calibration`).

It depends on the picture and the vocabulary alone, so each picture is looked at once, when it is first a hit.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ..retrieval.calibration import rivals

if TYPE_CHECKING:
    from ..models.protocols import Encoder
    from ..storage.catalog import Catalog
    from ..types import EncoderFingerprint

# Pictures remembered at once, a number each.
_REMEMBERED: Final = 100_000


class Rivals:
    """The rivals of pictures by the sequence numbers of their vectors, which are never used again. Thread-safe."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        # Routed queries are judged with the words of another text tower, in the same space.
        self._known: dict[EncoderFingerprint, dict[int, float]] = {}

    def of(self, seqs: Sequence[int], encoder: Encoder) -> dict[int, float]:
        """Rivals by number. Empty where the encoder brings no vocabulary; pictures removed meanwhile are left out."""
        vocabulary = encoder.vocabulary
        if not len(vocabulary):
            return {}
        with self._lock:
            known = self._known.setdefault(encoder.fingerprint, {})
            found = {seq: known[seq] for seq in seqs if seq in known}
        missing = [seq for seq in seqs if seq not in found]
        if missing:
            with self._catalog.snapshot():
                there = list(self._catalog.pictures_by_seq(missing))
                vectors = self._catalog.vectors_by_seq(there)
            if there:
                found.update(zip(there, rivals(vectors, vocabulary).tolist(), strict=True))
            with self._lock:
                if len(known) + len(found) > _REMEMBERED:
                    known.clear()
                known.update(found)
        return found
