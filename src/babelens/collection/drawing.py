"""Pictures drawn by lot from a collection, with their vectors and texts: for maps and trials, not for search."""

from __future__ import annotations

from collections.abc import Collection as Container
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..types import Item, Text
from ..vectors import Floats

if TYPE_CHECKING:
    from ..search import Searcher
    from ..storage.catalog import Catalog


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedItem:
    """An item with the vector of its picture, and its texts with theirs, in the order they were written.

    Shape: ``vector`` (dim,), ``text_vectors`` (len(texts), dim), float32 of unit length.
    """

    item: Item
    vector: Floats
    texts: tuple[Text, ...]
    text_vectors: Floats


def draw(
    catalog: Catalog, searcher: Searcher, n: int, languages: Container[str] | None, *, seed: int
) -> list[EmbeddedItem]:
    """Up to ``n`` items that have a picture's vector, in the order of the lot; see :meth:`Collection.draw`."""
    encoder = searcher.encoder_number
    with catalog.snapshot():
        seqs, vectors = catalog.sample_vectors(encoder, "image", n, seed=seed)
        found = catalog.items_by_seq(seqs.tolist())
        stored = catalog.stored_texts([owner.item.id for owner in found.values()])
        wanted = {
            item_id: [
                known
                for known in texts
                if known.text.status == "ok"
                and known.text.origin == "human"
                and (languages is None or known.text.language in languages)
            ]
            for item_id, texts in stored.items()
        }
        rows = catalog.text_vectors(encoder, [known.row for texts in wanted.values() for known in texts])
    result = []
    for seq, vector in zip(seqs.tolist(), vectors, strict=True):
        item = found[seq].item
        texts = [known for known in wanted.get(item.id, ()) if known.row in rows]
        theirs = np.array([rows[known.row] for known in texts], dtype=np.float32).reshape(-1, len(vector))
        result.append(EmbeddedItem(item, vector, tuple(known.text for known in texts), theirs))
    return result
