"""Decoded pictures to vectors to the catalog: encoded in full batches, committed about once a second."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..models.protocols import Encoder, ImageEncoder
from ..sources.captions import filename_caption
from ..sources.scan import is_gone
from ..storage.catalog import Catalog
from ..storage.rows import FileState
from ..types import Item, Source
from ..vectors import Floats
from .decode import SIDECAR, Decoded, Decoder, is_document
from .report import Tally
from .texts import TextWriter, Wish

_ENCODE: Final = 64  # pictures given to the encoder at a time
_COMMIT: Final = 1000  # the most entries in one commit
_COMMIT_SECONDS: Final = 1.0
NO_VECTOR: Final = "the encoder gives it no vector"


def encode_each(encoder: ImageEncoder, pixels: Sequence[NDArray[np.uint8]]) -> list[Floats | None]:
    """Their vectors in order, None for a picture that the encoder gives no direction: the others still get theirs."""
    if not pixels:
        return []
    try:
        return list(encoder.encode_prepared(pixels))
    except ValueError:
        if len(pixels) == 1:
            return [None]
        return [vector for one in pixels for vector in encode_each(encoder, [one])]


@dataclass(slots=True)
class _Rows:
    """What one commit writes."""

    tally: Tally = field(default_factory=Tally)
    items: list[Item] = field(default_factory=list)
    states: list[FileState] = field(default_factory=list)
    vectors: dict[str, Floats] = field(default_factory=dict)
    moves: list[tuple[str, FileState, dict[str, Any]]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)
    once_documents: list[str] = field(default_factory=list)  # texts beside a picture that is there only now


class PictureWriter:
    """Takes what the decoder gives, in order. Nothing is in the catalog before :meth:`commit`."""

    def __init__(
        self,
        catalog: Catalog,
        encoder: Encoder,
        encoder_row: int,
        decoder: Decoder,
        texts: TextWriter,
        *,
        filename_captions: bool,
        caption_language: str | None,
    ) -> None:
        self._catalog = catalog
        self._encoder = encoder
        self._encoder_row = encoder_row
        self._decoder = decoder
        self._texts = texts
        self._filename_captions = filename_captions
        self._caption_language = caption_language
        self.tally = Tally()
        self._entries: list[Decoded] = []  # to be committed, in order
        self._pixels: list[Decoded] = []  # those of them still to be encoded
        self._vectors: dict[str, Floats] = {}  # by hash, of the entries
        self._failed: dict[str, str] = {}
        self._waiting: dict[str, list[Decoded]] = {}
        self._committed_at = time.monotonic()

    def take(self, result: Decoded) -> None:
        """One more result; encodes and commits when it is time to."""
        self._queue(result)
        full = len(self._entries) >= _COMMIT
        if full or len(self._pixels) >= _ENCODE:
            self._encode()
        if full or (not self._pixels and time.monotonic() - self._committed_at >= _COMMIT_SECONDS):
            self.commit()

    def finish(self) -> None:
        """After the last result."""
        while self._waiting:
            for twin in self._waiting.pop(next(iter(self._waiting))):
                self._decode_again(twin)
        self._encode()
        self.commit()

    def drop_unencoded(self) -> None:
        """Leaves to the next run what an interruption kept from being encoded."""
        self._entries = [entry for entry in self._entries if self._is_complete(entry)]
        self._pixels = []

    def _queue(self, result: Decoded) -> None:
        """Puts a result among the entries, or lets it wait for the file with the same bytes."""
        digest = result.state.sha256
        if result.twin:
            if digest in self._failed:
                result.fail(self._failed[digest])
            elif digest not in self._vectors and not any(
                entry.state.sha256 == digest for entry in self._pixels
            ):
                if self._decoder.claimed(digest):
                    self._waiting.setdefault(digest, []).append(result)
                else:
                    self._decode_again(result)
                return
        self._entries.append(result)
        if result.pixels is not None:
            self._pixels.append(result)
        elif result.vector is not None:
            self._vectors[digest] = result.vector
        elif result.reason is not None and digest:
            self._failed[digest] = result.reason
        if not result.twin and digest in self._waiting:
            for twin in self._waiting.pop(digest):
                self._queue(twin)

    def _decode_again(self, twin: Decoded) -> None:
        """The other file came to rest before this one was looked at."""
        self._decoder.release({twin.state.sha256})
        self._queue(self._decoder.decode(twin.job))

    def _encode(self) -> None:
        batch, self._pixels = self._pixels, []
        pixels = [entry.pixels for entry in batch if entry.pixels is not None]
        for entry, vector in zip(batch, encode_each(self._encoder, pixels), strict=True):
            entry.pixels = None
            if vector is None:
                self._failed[entry.state.sha256] = NO_VECTOR
            else:
                self._vectors[entry.state.sha256] = vector

    def _is_complete(self, entry: Decoded) -> bool:
        return bool(
            entry.reason or entry.untouched or entry.job.captions_only or entry.state.sha256 in self._vectors
        )

    def commit(self) -> None:
        """All entries in one transaction. Doing it again after an interruption changes nothing."""
        rows = _Rows()
        new: list[Decoded] = []
        moved_from: set[str] = set()
        for entry in self._entries:
            if not self._is_complete(entry):
                entry.fail(self._failed.get(entry.state.sha256, NO_VECTOR))
            known = entry.job.known
            item_id = known.item_id if known else None
            rows.tally.skipped += entry.sidecar_skips
            if entry.reason is not None:
                rows.tally.skip(entry.state)
                if entry.remember:
                    rows.states.append(entry.state)
                    rows.lost += [item_id] if item_id else []
            elif item_id is not None and (entry.job.captions_only or entry.untouched):
                if not entry.job.captions_only:
                    rows.tally.unchanged += 1
                    rows.states.append(entry.state)
                self._wish(entry, item_id, rows)
            elif item_id is not None:
                rows.tally.updated += 1
                rows.changed.append(item_id)
                self._keep(entry, item_id, rows)
            elif (old := self._moved_from(entry, moved_from)) is not None:
                assert old.item_id is not None
                rows.tally.moved += 1
                moved_from.add(old.path)
                if entry.vector is None:  # it was encoded: its item had been without a vector
                    rows.vectors[old.item_id] = self._vectors[entry.state.sha256]
                rows.moves.append((old.path, replace(entry.state, item_id=old.item_id), entry.metadata))
                self._wish(entry, old.item_id, rows, moved=True)
            else:
                rows.tally.added += 1
                new.append(entry)
        for entry, item_id in zip(new, self._new_ids(new), strict=True):
            self._keep(entry, item_id, rows)
        self._write(rows)
        self.tally.take_in(rows.tally)
        self._decoder.release({entry.state.sha256 for entry in self._entries})
        self._entries, self._vectors, self._failed = [], {}, {}
        self._committed_at = time.monotonic()

    def _write(self, rows: _Rows) -> None:
        texts = self._texts.prepare(rows.wishes)
        with self._catalog.transaction():
            for path, state, metadata in rows.moves:
                self._catalog.move_file(path, state, metadata)
            self._catalog.put_items(rows.items)
            for item_id in rows.changed:  # models described and read the picture that was there before
                self._catalog.delete_texts(item_id, ["caption-model", "ocr"])
            self._catalog.remove_files(rows.once_documents)
            for state in rows.states:
                self._catalog.put_file(state)
            if rows.lost:
                self._catalog.remove_items(rows.lost)
            if rows.vectors:
                vectors = np.stack(list(rows.vectors.values()))
                self._catalog.put_vectors(self._encoder_row, "image", list(rows.vectors), vectors)
            self._texts.commit(texts)

    def _keep(self, entry: Decoded, item_id: str, rows: _Rows) -> None:
        """The picture of an entry becomes the item's."""
        state = entry.state
        rows.items.append(Item(item_id, "image", Source(state.path, state.sha256), entry.metadata))
        rows.states.append(replace(state, item_id=item_id))
        rows.vectors[item_id] = self._vectors[state.sha256]
        rows.tally.jpegs += entry.metadata["format"] == "jpeg"
        rows.tally.photographs += "camera" in entry.metadata
        self._wish(entry, item_id, rows)

    def _wish(self, entry: Decoded, item_id: str, rows: _Rows, *, moved: bool = False) -> None:
        path = entry.state.path
        if entry.sidecars:
            rows.wishes.append(Wish(item_id, path, "human", entry.captions))
            rows.states += [replace(sidecar, item_id=item_id) for sidecar in entry.sidecars]
            known = self._catalog.files_at([sidecar.path for sidecar in entry.sidecars])
            rows.once_documents += [path for path, state in known.items() if is_document(state)]
        if self._filename_captions or (moved and self._has_filename_caption(item_id)):
            caption = filename_caption(path, default=self._caption_language)
            rows.wishes.append(Wish(item_id, path, "filename", (caption,) if caption else ()))

    def _has_filename_caption(self, item_id: str) -> bool:
        texts = self._catalog.texts_of([item_id]).get(item_id, [])
        return any(text.origin == "filename" for text in texts)

    def _moved_from(self, entry: Decoded, gone: set[str]) -> FileState | None:
        """The known file with the same bytes that is no longer where it was."""
        for state in self._catalog.files_with_hash(entry.state.sha256):
            if state.item_id and state.reason != SIDECAR and state.path not in gone and is_gone(state.path):
                return state
        return None

    def _new_ids(self, entries: list[Decoded]) -> list[str]:
        """Opaque, and the same however often a run was interrupted: made from content and first path."""
        ids = [_make_id(entry.state, 0) for entry in entries]
        taken = self._catalog.get_items(ids)
        for place, entry in enumerate(entries):
            salt, path = 0, entry.state.path
            while (other := taken.get(ids[place])) and (other.source.path, other.source.sha256) != (
                path,
                entry.state.sha256,
            ):
                salt += 1
                ids[place] = _make_id(entry.state, salt)
                taken |= self._catalog.get_items([ids[place]])
        return ids


def _make_id(state: FileState, salt: int) -> str:
    made_of = b"\0".join([state.sha256.encode(), os.fsencode(state.path), str(salt).encode()])
    return hashlib.sha256(made_of).hexdigest()[:20]
