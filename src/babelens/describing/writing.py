"""Texts that models wrote, on their way into the catalog."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import numpy as np

from ..ingest.texts import BodyVectors
from ..models.protocols import TextEncoder
from ..storage.catalog import Catalog
from ..types import DescribeReport, Progress, Skip, Status, Text


class DescriptionWriter:
    """Writes texts with their vectors, and keeps count. Each :meth:`write` is one commit."""

    def __init__(self, catalog: Catalog, encoder: TextEncoder) -> None:
        self._catalog = catalog
        self._encoder = encoder
        self._vectors = BodyVectors(encoder)
        self._started = time.monotonic()
        self._written: dict[str, dict[Status, int]] = {}
        self.unchanged = 0
        self.skipped: list[Skip] = []
        self.notes: dict[str, None] = {}

    def write(
        self,
        texts: Sequence[Text],
        sources: Sequence[int | None] | None = None,
        *,
        outdated: Iterable[int] = (),
    ) -> None:
        """``sources`` are the rows that translations were made from; rows that are ``outdated`` go."""
        good = [place for place, text in enumerate(texts) if text.status == "ok"]
        vectors = self._vectors.encode([texts[place].body for place in good])
        with self._catalog.transaction():
            self._catalog.delete_text_rows(outdated)
            rows = self._catalog.put_texts(texts, sources)
            # Two texts may be one row: a caption that was there under another status.
            owners = dict(zip([rows[place] for place in good], vectors, strict=True))
            if owners:
                encoder = self._catalog.encoder_id(self._encoder.fingerprint)
                self._catalog.put_vectors(encoder, "text", list(owners), np.stack(list(owners.values())))
        for text in texts:
            counts = self._written.setdefault(text.language, {})
            counts[text.status] = counts.get(text.status, 0) + 1

    def report(self) -> DescribeReport:
        notes = list(self.notes)
        if self._vectors.cut:
            notes.append(
                f"{self._vectors.cut:,} texts are longer than the {self._encoder.max_tokens} tokens the encoder takes: "
                "search by meaning sees a part of them, search by words all."
            )
        return DescribeReport(
            written=self._written,
            unchanged=self.unchanged,
            skipped=tuple(self.skipped),
            notes=tuple(notes),
            seconds=time.monotonic() - self._started,
        )


def fetching(progress: Progress | None) -> Progress | None:
    """Follows the download of a model with notes, since ``progress`` itself counts pictures or texts."""
    if progress is None:
        return None

    def report(done: int, total: int | None = None, note: str = "") -> None:
        of = f" of {total / 1e6:,.0f}" if total is not None else ""
        progress(0, None, f"fetching the model, {done / 1e6:,.0f}{of} MB {note}".rstrip())

    return report
