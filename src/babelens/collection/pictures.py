"""What a person may mean by a picture (one in memory, an item, or a file), and what an item looks like."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UnknownItemError, UnreadableFileError
from ..types import Item, Term

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..sources.documents import PageRenderer
    from ..storage.catalog import Catalog


def picture_term(catalog: Catalog, value: Image | str | Path, side: Callable[[], int]) -> Term:
    """A picture in memory, the id of an item, or a file: one that is indexed unchanged need not be read again.

    ``side`` gives the pixels that a file is decoded to at least; it is asked only when one is. Raises
    :class:`UnknownItemError`, :class:`UnreadableFileError`.
    """
    if not isinstance(value, str | Path):
        return Term(image=value)
    if isinstance(value, str) and catalog.get_item(value) is not None:
        return Term(item_id=value)
    from ..sources.images import load_image
    from ..sources.scan import absolute

    path = absolute(value)
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise UnknownItemError(
            f"{str(value)!r} is neither an item of this collection nor a picture file.",
            hint="Ids are shown by `babelens search --json`.",
        ) from error
    known = catalog.file_states(path).get(path)
    if known and known.item_id and (known.size, known.mtime_ns) == (status.st_size, status.st_mtime_ns):
        return Term(item_id=known.item_id)
    return Term(image=load_image(path, side()))


def picture_of(item: Item, max_side: int) -> Image:
    """What an item looks like, RGB, its longer side at most ``max_side`` pixels: a picture, a page, a figure, or the
    place of a passage on its page. Raises :class:`UnreadableFileError`, as for a passage of a file without pages."""
    source = item.source
    if item.kind == "image":
        from ..sources.images import quiet_pillow

        with quiet_pillow():
            return _picture_file(item, max_side)
    from ..sources.documents import DPI, PageRenderer

    if source.page is None:
        raise UnreadableFileError(source.path, "has no pages to look at")
    with PageRenderer(source.path) as renderer:
        if source.box is not None:
            return renderer.box(source.page, source.box, max_side=max_side)
        longer = max(1, item.metadata["width"], item.metadata["height"])
        return renderer.page(source.page, dpi=DPI * max_side / longer)


def _picture_file(item: Item, max_side: int) -> Image:
    """A picture from its file, decoded no further than ``max_side`` asks for; inside ``quiet_pillow``."""
    from ..sources.images import load_picture

    image = load_picture(item.source.path, target=_target(item.metadata, max_side)).image
    image.thumbnail((max_side, max_side))
    return image


def _target(metadata: Mapping[str, Any], max_side: int) -> int:
    """So that decoding may stop where the longer side has enough: twice this is what the shorter side keeps."""
    width, height = metadata.get("width"), metadata.get("height")
    if not (isinstance(width, int) and isinstance(height, int) and width > 0 < height):
        return max_side
    return -(-max_side * min(width, height) // (2 * max(width, height)))


class ItemPictures:
    """What pictures and figures look like, one after the other: a document stays open while its figures are asked for.

    A context manager, inside :func:`~babelens.sources.images.quiet_pillow`; threads may share it. ``max_side`` is what
    the longer side has at most, in pixels.
    """

    def __init__(self, max_side: int) -> None:
        self._max_side = max_side
        self._lock = threading.Lock()
        self._source: tuple[str, str] | None = None
        self._renderer: PageRenderer | None = None

    def __enter__(self) -> ItemPictures:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def of(self, item: Item) -> Image:
        """A picture, or a figure as it stands on its page, RGB. Raises :class:`UnreadableFileError`, also for a figure
        whose document has changed since it was indexed."""
        if item.kind == "image":
            return _picture_file(item, self._max_side)
        source = item.source
        if source.page is None or source.box is None:
            raise UnreadableFileError(source.path, f"a {item.kind} has no picture of its own")
        with self._lock:
            renderer = self._open(source.path, source.sha256)
            return renderer.box(source.page, source.box, max_side=self._max_side)

    def _open(self, path: str, sha256: str) -> PageRenderer:
        if self._renderer is None or self._source != (path, sha256):
            from ..sources.documents import PageRenderer, document_digest

            self._close()
            if document_digest(path) != sha256:
                raise UnreadableFileError(path, "the file has changed since it was indexed")
            self._renderer = PageRenderer(path).__enter__()
            self._source = path, sha256
        return self._renderer

    def _close(self) -> None:
        if self._renderer is not None:
            self._renderer.__exit__()
            self._renderer = None
