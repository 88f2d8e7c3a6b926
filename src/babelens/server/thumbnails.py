"""Small pictures of items, made once and kept in the user's cache."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..models.paths import cache_folder

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..types import Item

_QUALITY: Final = 80
_PRUNED_TO: Final = 0.8
_LOOK_EVERY: Final = 500  # new thumbnails between two looks at how much they take


class Thumbnails:
    """WebP files in ``folder`` (the user's cache without it), at most ``limit`` bytes of them: the oldest go first.

    A thumbnail is found by the item, the bytes of its file and the size: a picture that changes gets another one.
    """

    def __init__(self, folder: Path | None, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._made = 0
        self._lock = threading.Lock()

    @property
    def folder(self) -> Path:
        if self._folder is None:
            self._folder = cache_folder() / "thumbnails"
        return self._folder

    def tag(self, item: Item, side: int) -> str:
        """A name for how an item looks at a size."""
        source = item.source
        seen = f"{item.id}\0{source.sha256}\0{source.page}\0{source.box}\0{side}"
        return hashlib.sha256(seen.encode()).hexdigest()[:32]

    def of(self, item: Item, side: int, draw: Callable[[], Image]) -> tuple[bytes, str]:
        """The thumbnail of an item and its tag; ``draw`` gives the picture where there is none yet."""
        tag = self.tag(item, side)
        path = self.folder / tag[:2] / f"{tag}.webp"
        try:
            return path.read_bytes(), tag
        except OSError:
            data = webp(draw())
        self._keep(path, data)
        return data, tag

    def _keep(self, path: Path, data: bytes) -> None:
        """Whole or not at all; a cache that cannot be written only makes the service slower."""
        draft = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(data)
            draft.replace(path)
        except OSError:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            return
        with self._lock:
            self._made += 1
            due = self._made % _LOOK_EVERY == 1
        if due:
            self.prune()

    def prune(self) -> int:
        """Removes the oldest thumbnails where there are too many. Returns how many went."""
        found = []
        for path in self.folder.glob("*/*.webp"):
            try:
                status = path.stat()
            except FileNotFoundError:  # another process prunes
                continue
            found.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in found)
        if total <= self._limit:
            return 0
        gone = 0
        for _, size, path in sorted(found):
            if total <= _PRUNED_TO * self._limit:
                break
            path.unlink(missing_ok=True)
            total -= size
            gone += 1
        return gone


def webp(image: Image) -> bytes:
    """A picture as WebP, without the metadata of its file."""
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=_QUALITY, method=4)
    return stream.getvalue()
