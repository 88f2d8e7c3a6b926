"""What a collection's searches compare, as arrays: for those who measure, plot or fit something on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..types import Item, Modality, Text
from ..vectors import Floats

if TYPE_CHECKING:
    from ..storage.catalog import Catalog


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """Rows of unit length and what each stands for, in the order they came.

    Shape: ``pictures`` (len(items), dim), ``captions`` (len(texts), dim), float32.
    """

    items: tuple[Item, ...]
    pictures: Floats
    texts: tuple[Text, ...]
    captions: Floats


def read_embeddings(catalog: Catalog, encoder: int, dim: int) -> Embeddings:
    """All vectors of one encoder, as one snapshot."""
    with catalog.snapshot():
        seqs, pictures = _read(catalog, encoder, "image", dim)
        found = catalog.items_by_seq(seqs)
        items = tuple(found[seq].item for seq in seqs)
        seqs, captions = _read(catalog, encoder, "text", dim)
        owners = catalog.owners(seqs)
        rows = [owners[seq].text_row for seq in seqs]
        texts = catalog.texts_by_row([row for row in rows if row is not None])
    return Embeddings(items, pictures, tuple(texts[row] for row in rows if row is not None), captions)


def _read(catalog: Catalog, encoder: int, modality: Modality, dim: int) -> tuple[list[int], Floats]:
    batches = list(catalog.iter_vectors(encoder, modality))
    seqs = [seq for ids, _ in batches for seq in ids.tolist()]
    return seqs, np.concatenate([np.empty((0, dim), dtype=np.float32), *(rows for _, rows in batches)])
