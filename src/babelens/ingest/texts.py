"""Captions on their way in: compared with what is known, encoded once each, written with their vectors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableFileError
from ..models.protocols import TextEncoder
from ..sources.captions import Locator, WrittenCaption, read_captions, read_sidecar
from ..sources.scan import sidecars_of
from ..storage.catalog import Catalog
from ..types import Origin, Text

_FILES_SETTING: Final = "captions.files"
_CACHED: Final = 16_384


@dataclass(frozen=True, slots=True)
class Wish:
    """What an item's texts of one origin should be, as far as one source of captions tells."""

    item_id: str
    path: str
    origin: Origin
    captions: tuple[WrittenCaption, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts ready to be written: shape of ``vectors`` is (texts, dim) float16."""

    texts: list[Text]
    vectors: NDArray[np.float16]
    outdated: list[tuple[str, Origin]]


class CaptionSources:
    """Where an item's captions may have come from, to tell an edited caption from one that another file holds.

    The collection remembers the captions files it was given.
    """

    def __init__(self, catalog: Catalog, roots: Sequence[str], default: str | None) -> None:
        self._catalog = catalog
        self._roots = roots
        self._default = default
        self.files: dict[str, str | None] = json.loads(catalog.get_setting(_FILES_SETTING) or "{}")
        self._index: dict[str, set[WrittenCaption]] | None = None

    def remember(self, files: Iterable[str]) -> None:
        known = {**self.files, **dict.fromkeys(files, self._default)}
        if known != self.files:
            self.files = known
            self._catalog.set_setting(_FILES_SETTING, json.dumps(known))  # ASCII: surrogates survive

    def captions_of(self, path: str) -> set[WrittenCaption] | None:
        """All that is written about a picture; ``None`` when a source cannot be read and nobody can tell."""
        try:
            if self._index is None:
                self._index = self._read_files()
            found = set(self._index.get(path, ()))
            for sidecar in sidecars_of(path):
                found |= set(read_sidecar(sidecar.path, language=sidecar.language, default=self._default))
        except UnreadableFileError:
            return None
        return found

    def _read_files(self) -> dict[str, set[WrittenCaption]]:
        index: dict[str, set[WrittenCaption]] = {}
        for file, language in self.files.items():
            locator = Locator(file, self._roots, dict)
            for row in read_captions(file, language=language, on_error=_ignore):
                path = locator.find(row.image)
                if path is not None:
                    index.setdefault(path, set()).update(row.captions)
        return index


def _ignore(_: object) -> None:
    """A malformed line was reported when the file was ingested."""


class BodyVectors:
    """Vectors of texts as they are stored, each wording encoded once. ``cut`` are longer than the encoder reads."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self._known: dict[str, NDArray[np.float16]] = {}
        self.cut = 0

    def encode(self, bodies: Sequence[str]) -> NDArray[np.float16]:
        """Shape: n bodies -> (n, dim) float16."""
        new = [body for body in dict.fromkeys(bodies) if body not in self._known]
        if new:
            self.cut += sum(count > self._encoder.max_tokens for count in self._encoder.count_tokens(new))
            # A vector that cannot be made is a fault of the encoder, not of one caption: let it be seen.
            self._known |= zip(new, self._encoder.encode_texts(new).astype(np.float16), strict=True)
        result = np.array([self._known[body] for body in bodies], dtype=np.float16)
        while len(self._known) > _CACHED:
            del self._known[next(iter(self._known))]
        return result


class TextWriter:
    """Turns wishes into rows. ``written`` counts new texts."""

    def __init__(
        self, catalog: Catalog, encoder: TextEncoder, encoder_row: int, sources: CaptionSources
    ) -> None:
        self._catalog = catalog
        self._encoder_row = encoder_row
        self._sources = sources
        self.vectors = BodyVectors(encoder)
        self.written = 0

    def prepare(self, wishes: Iterable[Wish]) -> Batch:
        """Compares and encodes; nothing is written yet."""
        wishes = list(wishes)
        known = self._catalog.texts_of({wish.item_id for wish in wishes}) if wishes else {}
        texts: dict[tuple[str, Origin, WrittenCaption], Text] = {}
        outdated: list[tuple[str, Origin]] = []
        for wish in wishes:
            have = {
                WrittenCaption(text.body, text.language)
                for text in known.get(wish.item_id, ())
                if text.origin == wish.origin
            }
            wanted = dict.fromkeys(wish.captions)
            stale = have - wanted.keys()
            if stale and wish.origin == "human":
                elsewhere = self._sources.captions_of(wish.path)
                stale = set() if elsewhere is None else stale - elsewhere
            if stale:
                outdated.append((wish.item_id, wish.origin))
                wanted |= dict.fromkeys(sorted(have - stale, key=lambda caption: caption.body))
                have = set()
            for caption in wanted:
                if caption not in have:
                    text = Text(wish.item_id, caption.language, caption.body, wish.origin)
                    texts[wish.item_id, wish.origin, caption] = text
        rows = list(texts.values())
        return Batch(rows, self.vectors.encode([text.body for text in rows]), outdated)

    def commit(self, batch: Batch) -> None:
        """Inside the caller's transaction."""
        for item_id, origin in batch.outdated:
            self._catalog.delete_texts(item_id, [origin])
        if batch.texts:
            rows = self._catalog.put_texts(batch.texts)
            self._catalog.put_vectors(self._encoder_row, "text", rows, batch.vectors)
        self.written += len(batch.texts)
