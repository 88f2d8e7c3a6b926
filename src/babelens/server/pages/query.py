"""A search as an address: what is looked for, what is left out, and which page of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final, cast, get_args
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from ...languages import LANGUAGES
from ...types import Kind, Term

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_LONGEST: Final = 2000
_TERMS: Final = 8
_PAGES: Final = 300

# What the parameters of the address are called.
_MANY: Final = {"plus": "plus", "minus": "minus", "like": "like", "unlike": "unlike", "kinds": "kind"}
_ONE: Final = {
    "words": "q",
    "picture": "picture",
    "folder": "folder",
    "since": "from",
    "until": "to",
    "language": "in",
}
_NO_FILTERS: Final[dict[str, Any]] = {"kinds": (), "folder": "", "since": "", "until": "", "language": ""}


@dataclass(frozen=True, slots=True)
class PageQuery:
    """``like`` and ``unlike`` are ids of items, ``picture`` the name of a kept picture, ``language`` that of the
    words; ``since`` and ``until`` are days, such as 2024-05-31, and both count; ``page`` counts from 1. What is not
    known is left out, so any address gives a page."""

    words: str = ""
    plus: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()
    like: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    picture: str = ""
    kinds: tuple[Kind, ...] = ()
    folder: str = ""
    since: str = ""
    until: str = ""
    language: str = ""
    collection: str | None = None
    page: int = 1

    @classmethod
    def of(cls, params: QueryParams | Mapping[str, Any]) -> PageQuery:
        given = params if isinstance(params, QueryParams) else QueryParams(params)

        def many(name: str) -> tuple[str, ...]:
            values = (_clean(value) for value in given.getlist(name))
            return tuple(dict.fromkeys(value for value in values if value))[:_TERMS]

        language = given.get("in", "")
        kinds = [kind for kind in many("kind") if kind in KINDS]
        return cls(
            words=_clean(given.get("q", "")),
            plus=many("plus"),
            minus=many("minus"),
            like=many("like"),
            unlike=many("unlike"),
            picture=_clean(given.get("picture", ""))[:40],
            kinds=cast("tuple[Kind, ...]", tuple(kinds)),
            folder=_clean(given.get("folder", "")),
            since=_day(given.get("from", "")),
            until=_day(given.get("to", "")),
            language=language if language in LANGUAGES else "",
            collection=given.get("collection") or None,
            page=_page(given.get("page", "")),
        )

    @property
    def seeks(self) -> bool:
        """Whether anything is looked for; without it there is only browsing."""
        return bool(self.words or self.plus or self.like or self.picture)

    @property
    def filtered(self) -> bool:
        return any(getattr(self, field) for field in _NO_FILTERS)

    @property
    def where(self) -> str | None:
        """The filter expression."""
        parts = []
        if self.folder:
            parts.append("folder = '" + self.folder.replace("'", "''") + "'")
        if self.since:
            parts.append(f"taken >= '{self.since}'")
        if self.until:  # times of that day come after the day alone
            parts.append(f"taken < '{date.fromisoformat(self.until) + timedelta(days=1)}'")
        return " and ".join(parts) or None

    def arguments(self, image: Any = None) -> dict[str, Any]:
        """What a search takes besides the words; ``image`` is the kept picture."""
        items = list(self.like)
        if image is None and items:
            image = items.pop(0)
        return {
            "image": image,
            "plus": [*(Term(text=one) for one in self.plus), *(Term(item_id=one) for one in items)],
            "minus": [
                *(Term(text=one) for one in self.minus),
                *(Term(item_id=one) for one in self.unlike),
            ],
            "language": self.language or None,
            "where": self.where,
            "kinds": list(self.kinds) or None,
        }

    def pairs(self) -> list[tuple[str, str]]:
        """The parameters of the address; the first page has no number."""
        found = [(name, getattr(self, field)) for field, name in _ONE.items() if getattr(self, field)]
        for field, name in _MANY.items():
            found += [(name, value) for value in getattr(self, field)]
        if self.collection is not None:
            found.append(("collection", self.collection))
        if self.page > 1:
            found.append(("page", str(self.page)))
        return found

    def address(self, path: str = "/", **changes: Any) -> str:
        """Where this search is, after some changes; any other change than of the page leads to the first page."""
        changed = replace(self, **({"page": 1, **changes} if changes else {}))
        query = urlencode(changed.pairs(), errors="backslashreplace")
        return f"{path}?{query}" if query else path

    @property
    def unfiltered(self) -> str:
        """Where this search is without its filters."""
        return self.address(**_NO_FILTERS)

    @property
    def start(self) -> str:
        """Where the collection is, with nothing looked for."""
        return PageQuery(collection=self.collection).address()

    def without(self, field: str, value: str) -> str:
        """Where this search is with one of its terms taken away."""
        if field in _MANY:
            return self.address("/", **{field: tuple(one for one in getattr(self, field) if one != value)})
        return self.address("/", **{field: ""})


def _clean(value: str) -> str:
    return " ".join(value.replace("\0", " ").split())[:_LONGEST]


def _day(value: str) -> str:
    """A day such as 2024-05-31; nothing for what is none. The last year has no day after its last."""
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return ""
    return value if day.isoformat() == value and day.year < date.max.year else ""  # weeks are ISO 8601, too


def _page(value: str) -> int:
    digits = value if value.isascii() and value.isdigit() else "1"
    return min(max(int(digits[:9]), 1), _PAGES)
