"""A page of the wall: what was found, or what there is when nothing is looked for."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from ...retrieval.filters import matches, parse_filter
from ...types import Hit, Item, Kind, SearchResult, Text
from ..paging import ranked
from ..rendering import Renderer
from .failing import PictureGoneError
from .language import Speech
from .pictures import KeptPictures
from .query import PageQuery
from .remarks import Remark, remark_of
from .tiles import Tile, tile_of

if TYPE_CHECKING:
    from PIL.Image import Image

    from ...collection import Collection
    from ..service import Handle

PAGE_SIZE: Final = 30
SIMILAR: Final = 12
_LOOKED_AT: Final = 20_000  # items that are looked at for what there is to choose from
_FOLDERS: Final = 100
_SHOWN_FIRST: Final[tuple[Kind, ...]] = ("image", "figure", "page")


@dataclass(frozen=True, slots=True)
class Wall:
    """``first`` is the rank of the first tile. ``confident`` is False where nothing matches well."""

    tiles: tuple[Tile, ...]
    first: int
    more: bool
    confident: bool = True
    notes: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Shelf:
    """What there is to choose from: ``kinds`` with how many there are, some folders, and whether any picture says
    when it was taken."""

    items: int
    kinds: Mapping[str, int]
    folders: tuple[str, ...]
    dated: bool


class Finder:
    """Finds in one collection, for one reader."""

    def __init__(self, handle: Handle, renderer: Renderer, speech: Speech, pictures: KeptPictures) -> None:
        self._handle = handle
        self._renderer = renderer
        self._speech = speech
        self._pictures = pictures

    async def shelf(self) -> Shelf:
        info = await self._handle.info()
        folders, dated = await self._handle.look(_choices, key=("choices",))
        return Shelf(info.items, {kind: n for kind, n in info.kinds.items() if n}, folders, dated)

    async def wall(self, query: PageQuery) -> Wall:
        """Raises :class:`PictureGoneError`, and what a search raises."""
        first = PAGE_SIZE * (query.page - 1)
        if not query.seeks:
            items = await self._handle.look(lambda one: _browsed(one, query, first))
            tiles = await self.tiles(items[:PAGE_SIZE], query)
            return Wall(tiles, first + 1, len(items) > PAGE_SIZE)
        hits, result = await self._ranked(query, first + PAGE_SIZE + 1)
        shown = hits[first : first + PAGE_SIZE]
        tiles = await self._hit_tiles(shown, query, first + 1, confident=result.confident)
        more = len(hits) > first + PAGE_SIZE
        notes = tuple(remark_of(note, self._speech) for note in result.notes)
        return Wall(tiles, first + 1, more, result.confident, notes)

    async def hit(self, query: PageQuery, item_id: str) -> tuple[Hit, bool] | None:
        """How a search found an item, if it is on that page of it, and whether it was confident."""
        if not query.seeks:
            return None
        hits, result = await self._ranked(query, PAGE_SIZE * query.page + 1)
        return next(((hit, result.confident) for hit in hits if hit.item.id == item_id), None)

    async def _ranked(self, query: PageQuery, wanted: int) -> tuple[list[Hit], SearchResult]:
        arguments = query.arguments(self._picture(query))
        return await ranked(
            lambda k: self._handle.search(query.words or None, **arguments, named=query.picture, k=k), wanted
        )

    async def similar(self, item: Item, query: PageQuery) -> tuple[Tile, ...]:
        result = await self._handle.similar(item.id, k=SIMILAR)
        return await self.tiles([hit.item for hit in result.hits], PageQuery(collection=query.collection))

    async def _hit_tiles(
        self, hits: Sequence[Hit], query: PageQuery, first: int, *, confident: bool
    ) -> tuple[Tile, ...]:
        texts = await self._handle.texts_of([hit.item.id for hit in hits])
        return tuple(
            self._tile(hit.item, texts.get(hit.item.id, []), query, hit=hit, rank=rank, confident=confident)
            for rank, hit in enumerate(hits, start=first)
        )

    async def tiles(self, items: Sequence[Item], query: PageQuery) -> tuple[Tile, ...]:
        """Items as tiles that lead to where they are shown, as results of a search."""
        texts = await self._handle.texts_of([item.id for item in items])
        return tuple(self._tile(item, texts.get(item.id, []), query) for item in items)

    def _tile(self, item: Item, texts: Sequence[Text], query: PageQuery, **found: Any) -> Tile:
        """A tile; ``found`` are the arguments of :func:`tile_of` about a hit."""
        pictured = item.kind in ("image", "page", "figure")
        return tile_of(
            item,
            texts,
            self._speech,
            address=view_address(item.id, query),
            more=more_address(item.id, query),
            thumbnail=self._renderer.address(item.id, "thumbnail") if pictured else None,
            words=" ".join((query.words, *query.plus)),
            **found,
        )

    def _picture(self, query: PageQuery) -> Image | None:
        if not query.picture:
            return None
        data = self._pictures.get(query.picture)
        if data is None:
            raise PictureGoneError
        from PIL import Image

        with Image.open(io.BytesIO(data)) as kept:
            return kept.convert("RGB")


def view_address(item_id: str, query: PageQuery) -> str:
    """Where an item is shown; the search that led there comes along, for the way back and for why it was found."""
    from urllib.parse import quote

    return query.address(f"/view/{quote(item_id, safe='')}")


def more_address(item_id: str, query: PageQuery) -> str:
    """A search for what is like an item, in the same part of the collection."""
    kept = PageQuery(
        collection=query.collection,
        folder=query.folder,
        since=query.since,
        until=query.until,
        kinds=query.kinds,
    )
    return kept.address(like=(item_id,))


def _choices(collection: Collection) -> tuple[tuple[str, ...], bool]:
    """The folders of some items, and whether any of them has a date."""
    folders: set[str] = set()
    dated = False
    for item in islice(collection.items(), _LOOKED_AT):
        folder = item.metadata.get("folder")
        if isinstance(folder, str) and folder:
            folders.add(folder)
        dated = dated or "taken" in item.metadata
    return tuple(sorted(folders))[:_FOLDERS], dated


def _browsed(collection: Collection, query: PageQuery, first: int) -> list[Item]:
    """A page of items in the order they came, and one more if there is one."""
    kinds: Sequence[Any] | None = query.kinds or _SHOWN_FIRST
    wanted = None if query.where is None else parse_filter(query.where)
    there = (item for item in collection.items(kinds) if wanted is None or matches(wanted, item))
    return list(islice(there, first, first + PAGE_SIZE + 1))
