"""Rows of the embedding map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from ..evaluation.embedding_map import within
from ..evaluation.projection import Method, project

if TYPE_CHECKING:
    from ..collection import Collection


@dataclass(frozen=True, slots=True)
class MapRow:
    """A point: an item's picture or one of its captions. ``x`` and ``y`` lie in [0, 1], ``y`` upwards."""

    kind: Literal["picture", "text"]
    item_id: str
    x: float
    y: float
    folder: str | None
    language: str | None = None
    text: str | None = None


def map_rows(collection: Collection, *, limit: int, method: str, seed: int) -> list[MapRow]:
    """Up to ``limit`` points, pictures first, the same for the same seed and contents; none when nothing has vectors.

    ``method`` is one of :data:`~babelens.evaluation.projection.METHODS`, or ``auto``: t-SNE where its package is
    installed, else PCA. Raises :class:`InvalidQueryError`, :class:`MissingExtraError`.
    """
    if method == "auto":
        method = "pca" if find_spec("sklearn") is None else "tsne"
    drawn = within(collection.draw(limit, seed=seed), limit)
    if not drawn:
        return []
    vectors = np.concatenate([np.stack([one.vector for one in drawn]), *(one.text_vectors for one in drawn)])
    places = _unit_square(project(vectors, cast("Method", method), seed=seed).places)
    folders = [one.item.metadata.get("folder") for one in drawn]
    rows = [
        MapRow("picture", one.item.id, x, y, folder)
        for one, folder, (x, y) in zip(drawn, folders, places, strict=False)
    ]
    texts = [
        (one.item.id, folder, text) for one, folder in zip(drawn, folders, strict=True) for text in one.texts
    ]
    for (item_id, folder, text), (x, y) in zip(texts, places[len(drawn) :], strict=True):
        rows.append(MapRow("text", item_id, x, y, folder, text.language, text.body))
    return rows


def _unit_square(places: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> Sequence[tuple[float, float]]:
    """Places scaled so that the longer side of what they take is 1, and centred."""
    low, high = places.min(axis=0), places.max(axis=0)
    side = float(max(high - low)) or 1.0
    middle = (low + high) / 2
    return [(float(x), float(y)) for x, y in np.round((places - middle) / side + 0.5, 5).tolist()]
