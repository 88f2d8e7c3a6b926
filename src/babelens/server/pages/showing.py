"""One item with all that is shown beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import InvalidQueryError
from ...types import Item, Reason
from .details import Detail, Neighbours, OnPage, detail_of, neighbours_of, on_page
from .failing import PictureGoneError
from .tiles import Tile, found_by, strength_of, surest

if TYPE_CHECKING:
    from .visit import Visit


@dataclass(frozen=True, slots=True)
class Found:
    """How a search found an item: ``reasons`` have what was looked at, in words."""

    strength: str | None
    reasons: tuple[tuple[str, Reason], ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """``sheet`` is the page that the item stands on, ``around`` what else stands there, ``related`` what belongs to it,
    by id; ``found`` is None where no search led here."""

    detail: Detail
    sheet: OnPage | None
    around: Neighbours
    related: Mapping[str, Tile]
    similar: tuple[Tile, ...]
    found: Found | None


async def show(visit: Visit, item_id: str) -> Shown:
    """Raises :class:`UnknownItemError`, and what looking at a collection raises."""
    handle, query = visit.handle, visit.query
    item = await handle.get(item_id)
    related = await handle.related(item_id)
    around = await handle.look(lambda one: neighbours_of(one, item))
    tiles = await visit.finder.tiles(related, query)
    return Shown(
        detail=detail_of(
            item, await handle.texts(item_id), visit.speech, show_path=visit.settings.show_paths
        ),
        sheet=on_page(item, around, related),
        around=around,
        related={tile.item.id: tile for tile in tiles},
        similar=() if item.kind == "passage" else await visit.finder.similar(item, query),
        found=await _found(visit, item),
    )


async def _found(visit: Visit, item: Item) -> Found | None:
    try:
        found = await visit.finder.hit(visit.query, item.id)
    except (PictureGoneError, InvalidQueryError):  # the item can be shown all the same
        return None
    if found is None:
        return None
    hit, confident = found
    reasons = tuple((found_by(one, visit.speech), one) for one in surest(hit))
    return Found(strength_of(hit, confident=confident), reasons)
