"""Pages and figures for another encoder: drawn again from their documents, one document after the other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from ..errors import UnreadableFileError
from ..models.protocols import ImageEncoder
from ..sources.documents import document_digest
from ..sources.scan import is_gone
from ..storage.catalog import Catalog
from ..types import Item, Skip
from .documents import Drawing, encode_drawn

GONE: Final = "the file is gone"
CHANGED: Final = "the file has changed since it was indexed"
_BATCH: Final = 64  # drawn, encoded and committed at a time


class Redrawing:
    """Writes the vectors that pages and figures lack; what cannot be drawn is added to ``skipped``."""

    def __init__(self, catalog: Catalog, encoder: ImageEncoder, number: int, skipped: list[Skip]) -> None:
        self._catalog = catalog
        self._encoder = encoder
        self._number = number
        self._skipped = skipped
        self.written = 0

    def run(self, progress: Callable[[int], None]) -> None:
        """``progress`` hears how many vectors are written. Each batch is committed by itself."""
        documents = itertools.groupby(self._items(), key=lambda item: (item.source.path, item.source.sha256))
        for (path, sha256), items in documents:
            reason = self._fault(path, sha256)
            if reason is not None:
                self._skipped += [Skip(path, reason) for _ in items]
                continue
            with Drawing(path, self._encoder.image_size) as drawing:
                while batch := list(itertools.islice(items, _BATCH)):
                    vectors = encode_drawn(batch, drawing, self._encoder, self._skipped)
                    if vectors:
                        rows = np.stack(list(vectors.values()))
                        self._catalog.put_vectors(self._number, "image", list(vectors), rows)
                    self.written += len(vectors)
                    progress(self.written)

    def _items(self) -> Iterator[Item]:
        last = 0
        while page := self._catalog.items_without(self._number, last, limit=_BATCH, drawn=True):
            last = page[-1][0]
            yield from (item for _, item in page)

    def _fault(self, path: str, sha256: str) -> str | None:
        if is_gone(path):
            return GONE
        try:
            return None if document_digest(path) == sha256 else CHANGED
        except UnreadableFileError as error:
            return error.reason
