"""The part of :class:`.Collection` that looks at what is in it, one item or all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UnknownItemError
from ..languages import get_language
from ..types import Comparison, Item, Kind, Text
from .embeddings import EmbeddedItem, Embeddings, draw, read_embeddings
from .pictures import picture_of

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..storage.catalog import Catalog
    from .space import Space


class Contents:
    """Items, their texts, what they look like, and the vectors made of them."""

    _catalog: Catalog
    _space: Space

    def get(self, item_id: str) -> Item:
        """The item with this id. Raises :class:`UnknownItemError`."""
        item = self._catalog.get_item(item_id)
        if item is None:
            raise UnknownItemError(f"No item has the id {item_id!r}.")
        return item

    def at(self, path: str | Path) -> list[Item]:
        """The items made from a file: a picture, or a document's pages, figures and passages. None for other files."""
        from ..sources.scan import absolute

        ids = self._catalog.matching_items(Comparison("path", "=", absolute(path)))
        return list(self._catalog.get_items(sorted(ids)).values())

    def picture(self, item_id: str, *, max_side: int = 1024) -> Image:
        """What an item looks like, RGB, its longer side at most ``max_side`` pixels: a picture, a page, or the part of
        a page that a figure or passage takes. Read from the file, so it costs what decoding or drawing costs.

        Raises :class:`UnknownItemError`; :class:`UnreadableFileError` when the file is gone or cannot be drawn.
        """
        return picture_of(self.get(item_id), max_side)

    def related(self, item_id: str) -> list[Item]:
        """The passages that a figure is mentioned in or stands among, nearest first; the figures that a passage
        mentions. Raises :class:`UnknownItemError`."""
        item = self.get(item_id)
        ids = item.metadata.get({"figure": "passages", "passage": "figures"}.get(item.kind, ""), ())
        found = self._catalog.get_items(ids)
        return [found[one] for one in ids if one in found]

    def texts(self, item_id: str, language: str | None = None) -> list[Text]:
        """The texts of an item, in one language or all, in the order they came. Raises :class:`UnknownItemError`."""
        self.get(item_id)
        tag = get_language(language).tag if language else None
        return self._catalog.texts_of([item_id], tag).get(item_id, [])

    def items(self, kinds: Sequence[Kind] | None = None) -> Iterator[Item]:
        """All items, in the order they came."""
        return self._catalog.items(kinds)

    def embeddings(self) -> Embeddings:
        """All vectors of the encoder in use, with the items and texts that they are of."""
        return self._space.ask(lambda searcher: read_embeddings(self._catalog, searcher))

    def draw(self, n: int, *, languages: Sequence[str] | None = None, seed: int = 0) -> list[EmbeddedItem]:
        """Up to ``n`` items drawn by lot, as :func:`~.embeddings.draw` gives them: for maps and trials."""
        tags = None if languages is None else {get_language(language).tag for language in languages}
        return self._space.ask(lambda searcher: draw(self._catalog, searcher, n, tags, seed=seed))

    def duplicates(self) -> list[list[Item]]:
        """Groups of items made of the same bytes."""
        return self._catalog.duplicates()
