"""What a collection's searches compare, as arrays: for those who measure, plot or fit something on it."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..types import Item, Modality, Text
from ..vectors import Floats

if TYPE_CHECKING:
    from ..search import Searcher
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


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedItem:
    """An item with the vector of its picture, and its texts with theirs, in the order they were written.

    Shape: ``vector`` (dim,), ``text_vectors`` (len(texts), dim), float32 of unit length.
    """

    item: Item
    vector: Floats
    texts: tuple[Text, ...]
    text_vectors: Floats


def read_embeddings(catalog: Catalog, searcher: Searcher | None) -> Embeddings:
    """All vectors of the encoder searched with, as one snapshot."""
    if searcher is None:
        none = np.empty((0, 0), dtype=np.float32)
        return Embeddings((), none, (), none)
    encoder, dim = searcher.encoder_number, searcher.images.dim
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


def draw(
    catalog: Catalog, searcher: Searcher | None, n: int, languages: Container[str] | None, *, seed: int
) -> list[EmbeddedItem]:
    """Up to ``n`` items drawn by lot of those with a picture's vector, with human captions in some languages, or all.

    Reads no more than it gives, and no weights. The same items, in the same order, for the same seed and contents.
    """
    if searcher is None:
        return []
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
