"""Pages of a search, by cursor.

A search reads its rankings deeper when more is wanted, and what is found deep down can move what is above. So results
come in blocks: all pages within a block are cut from the same search, and what an earlier block holds is left out of
the next. No hit is shown twice and none is lost as long as the collection stays as it is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from ..errors import InvalidQueryError
from ..types import Hit, SearchResult

_BLOCKS: Final = (50, 1_000, 10_000)
"""How many hits are asked for at a time. To 50, rankings are read to the same depth however few are wanted."""


@dataclass(frozen=True, slots=True)
class Page:
    """``hits`` from the rank ``first`` on; ``next`` is the cursor of the following page, None on the last."""

    hits: tuple[Hit, ...]
    first: int
    next: str | None
    result: SearchResult
    notes: tuple[str, ...]


async def page_of(
    search: Callable[[int], Awaitable[SearchResult]],
    *,
    size: int,
    query: dict[str, Any],
    version: str,
    cursor: str | None = None,
) -> Page:
    """A page of ``size`` hits of what ``search(k)`` finds.

    ``query`` is what the cursor belongs to. Raises :class:`InvalidQueryError` for a cursor of another one.
    """
    name = _name_of(query)
    offset, before = (0, version) if cursor is None else _read(cursor, name)
    hits, result = await ranked(search, offset + size + 1)
    shown = tuple(hits[offset : offset + size])
    more = len(hits) > offset + size
    changed = ("The collection has changed since the first page: hits may repeat or be missing.",)
    return Page(
        hits=shown,
        first=offset + 1,
        next=_written(offset + size, before, name) if more else None,
        result=result,
        notes=(*result.notes, *(changed if before != version else ())),
    )


async def ranked(
    search: Callable[[int], Awaitable[SearchResult]], wanted: int
) -> tuple[list[Hit], SearchResult]:
    """At least ``wanted`` hits if there are as many, in an order that does not depend on how many are wanted."""
    result = first = await search(min(wanted, _BLOCKS[0]))
    hits = list(result.hits)
    for size in _BLOCKS[1:]:
        if len(hits) >= wanted or len(hits) < _BLOCKS[0]:
            break
        result = await search(size)
        known = {hit.item.id for hit in hits}
        hits += [hit for hit in result.hits if hit.item.id not in known]
    return hits, first


def _name_of(query: dict[str, Any]) -> str:
    text = json.dumps(query, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()


def _written(offset: int, version: str, name: str) -> str:
    text = json.dumps([offset, version, name], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(cursor: str, name: str) -> tuple[int, str]:
    try:
        value = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        offset, version, owner = value
    except (binascii.Error, ValueError, TypeError):
        raise _no_cursor() from None
    if type(offset) is not int or not 0 < offset < _BLOCKS[-1] or not isinstance(version, str):
        raise _no_cursor()
    if owner != name:
        raise InvalidQueryError(
            "The cursor belongs to another query.",
            hint="Send it with the query that it came with, unchanged.",
        )
    return offset, version


def _no_cursor() -> InvalidQueryError:
    return InvalidQueryError("This is no cursor.", hint="Take `next` of the page before.")
