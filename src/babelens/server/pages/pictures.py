"""Pictures that people search with, kept in memory for a while so that pages of results have an address.

Nothing is written to disk. A name cannot be guessed, and tells nothing about the picture.
"""

from __future__ import annotations

import io
import secrets
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL.Image import Image

_MOST: Final = 200
_SECONDS: Final = 2 * 3600.0
_QUALITY: Final = 90
_SIDE: Final = 512  # more than encoders look at


class KeptPictures:
    """The last pictures that were searched with, small and without their metadata. Safe to use from several threads."""

    def __init__(self, most: int = _MOST, seconds: float = _SECONDS) -> None:
        self._most = most
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def put(self, image: Image) -> str:
        """Keeps a small copy of a picture and returns its name."""
        small = image.copy()
        small.thumbnail((_SIDE, _SIDE))
        stream = io.BytesIO()
        small.save(stream, "WEBP", quality=_QUALITY, method=2)
        name = secrets.token_urlsafe(12)
        with self._lock:
            self._kept[name] = time.monotonic(), stream.getvalue()
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return name

    def get(self, name: str) -> bytes | None:
        """A picture as WebP; None for one that is gone."""
        with self._lock:
            found = self._kept.get(name)
            if found is None:
                return None
            if time.monotonic() - found[0] > self._seconds:
                del self._kept[name]
                return None
            self._kept.move_to_end(name)
            return found[1]
