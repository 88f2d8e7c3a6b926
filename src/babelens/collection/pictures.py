"""What a person may mean by a picture (one in memory, an item, or a file), and what an item looks like."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UnknownItemError, UnreadableFileError
from ..types import Item, Term

if TYPE_CHECKING:
    from PIL.Image import Image

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
        from ..sources.images import load_image

        image = load_image(source.path, max_side)
        image.thumbnail((max_side, max_side))
        return image
    from ..sources.documents import DPI, PageRenderer

    if source.page is None:
        raise UnreadableFileError(source.path, "has no pages to look at")
    with PageRenderer(source.path) as renderer:
        if source.box is not None:
            return renderer.box(source.page, source.box, max_side=max_side)
        longer = max(1, item.metadata["width"], item.metadata["height"])
        return renderer.page(source.page, dpi=DPI * max_side / longer)
