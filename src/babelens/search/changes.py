"""How much the results of a collection change with another encoder: exact search in both spaces, the same queries."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from ..types import Modality, Progress
from ..vectors import Floats

if TYPE_CHECKING:
    from ..storage.catalog import Catalog

_K: Final = 10
_COMPARING: Final = "comparing results"


@dataclass(frozen=True, slots=True)
class ResultChanges:
    """What differs between the best ten pictures of two encoders. It says how much changes, not which are better.

    ``asked`` is what the ``queries`` were: texts of the collection, or where there are none, its pictures, each left
    out of its own results. ``overlap_at_10`` is the mean share of the ten that both find, ``top_changed`` the share of
    queries with another first picture. Copies of the same bytes count as one and the same.
    """

    asked: Literal["texts", "pictures"]
    queries: int
    overlap_at_10: float
    top_changed: float


def compare_results(
    catalog: Catalog, old: int, new: int, *, queries: int, seed: int, progress: Progress
) -> ResultChanges | None:
    """Compares two encoders of a catalog, by number, on a seeded sample. None when nothing has vectors of both."""
    with catalog.snapshot():
        for modality in ("text", "image"):
            owners, of_old, of_new = _sample(catalog, old, new, modality, queries, seed)
            if not owners:
                continue
            themselves = owners if modality == "image" else [None] * len(owners)
            before = _best(catalog, old, of_old, themselves, progress)
            after = _best(catalog, new, of_new, themselves, progress)
            pairs = list(zip(before, after, strict=True))
            return ResultChanges(
                asked="pictures" if modality == "image" else "texts",
                queries=len(owners),
                overlap_at_10=float(np.mean([_overlap(*pair) for pair in pairs])),
                top_changed=float(np.mean([first[:1] != second[:1] for first, second in pairs])),
            )
    return None


def _sample(
    catalog: Catalog, old: int, new: int, modality: Modality, n: int, seed: int
) -> tuple[list[str], Floats, Floats]:
    """Items, and row by row the vectors that both encoders give their picture, or one of their texts."""
    seqs, vectors = catalog.sample_vectors(new, modality, n, seed=seed)
    owners = catalog.owners(seqs.tolist())
    known: dict[int, Floats] = {}
    if modality == "image":
        pictures = catalog.vectors_of(old, [owner.item_id for owner in owners.values()])
        known = {seq: pictures[owner.item_id] for seq, owner in owners.items() if owner.item_id in pictures}
    else:
        texts = catalog.text_vectors(
            old, [owner.text_row for owner in owners.values() if owner.text_row is not None]
        )
        known = {seq: texts[owner.text_row] for seq, owner in owners.items() if owner.text_row in texts}
    rows = [row for row, seq in enumerate(seqs.tolist()) if seq in known]
    items = [owners[int(seqs[row])].item_id for row in rows]
    return items, np.array([known[int(seqs[row])] for row in rows], dtype=np.float32), vectors[rows]


def _best(
    catalog: Catalog, encoder: int, queries: Floats, without: list[str] | list[None], progress: Progress
) -> list[list[str]]:
    """The hashes of the best ten pictures for each query, best first."""
    from ..indexes.tuning import Truth

    truth = Truth(queries, k=_K + 1)
    done, total = 0, catalog.count_vectors(encoder, "image")
    for ids, vectors in catalog.iter_vectors(encoder, "image"):
        truth.see(ids, vectors)
        done += len(ids)
        progress(done, total, _COMPARING)
    found = catalog.items_by_seq(set(truth.ids.ravel().tolist()))
    return [
        [found[seq].item.source.sha256 for seq in seqs if found[seq].item.id != itself][:_K]
        for seqs, itself in zip(truth.ids.tolist(), without, strict=True)
    ]


def _overlap(first: list[str], second: list[str]) -> float:
    both = Counter(first) & Counter(second)
    return both.total() / max(len(first), len(second), 1)
