"""Vectors of what documents say and of what was read in pictures, by the encoder of passages.

Nothing but vectors is written. What has a vector already is not encoded again, so a run that was stopped goes on where
it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ..models.protocols import PassageEncoder
from ..storage.catalog import Catalog
from ..types import Progress

# Encoded and committed at a time: some seconds of work on two cores.
_BATCH: Final = 128
_NOTE: Final = "passages"


@dataclass(frozen=True, slots=True)
class EncodedPassages:
    """``written`` vectors by this run; ``cut`` of the texts are longer than the encoder reads."""

    written: int
    cut: int


def encode_passages(
    catalog: Catalog, encoder: PassageEncoder, number: int, *, progress: Progress
) -> EncodedPassages:
    """Gives every passage of a catalog a vector of ``encoder``, whose number is ``number``, unless it has one.

    Each batch is committed by itself. Raises :class:`CollectionLockedError`; :class:`StorageFullError`, with all that
    was committed kept, and so does Ctrl-C.
    """
    with catalog.writing():
        total = catalog.count_passages_without(number)
        written = cut = last = 0
        if total:
            progress(0, total, _NOTE)
        while page := catalog.texts_without(number, last, limit=_BATCH, passages=True):
            last = page[-1][0]
            # What a document repeats on many pages is encoded once.
            bodies = list(dict.fromkeys(body for _, body in page))
            cut += _count_cut(encoder, page, bodies)
            vectors = dict(zip(bodies, encoder.encode_passages(bodies), strict=True))
            rows = np.stack([vectors[body] for _, body in page])
            catalog.put_vectors(number, "text", [row for row, _ in page], rows)
            written += len(page)
            progress(written, total, _NOTE)
    return EncodedPassages(written, cut)


def _count_cut(encoder: PassageEncoder, page: list[tuple[int, str]], bodies: list[str]) -> int:
    counts = dict(zip(bodies, encoder.count_tokens(bodies), strict=True))
    return sum(counts[body] > encoder.max_tokens for _, body in page)
