"""Answers as the page shows them: text with links to what it cites."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ...errors import UnknownItemError
from .finding import view_address
from .query import PageQuery

if TYPE_CHECKING:
    from ...answering import Answer
    from .visit import Visit

_CITATION: Final = re.compile(r"\[(\d{1,3}(?:, ?\d{1,3})*)\]")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of an answer; ``address`` where it is a citation and leads somewhere."""

    text: str
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A checked answer, cut at its citations, and where each item is shown that it cites."""

    answer: Answer
    parts: tuple[Part, ...]
    addresses: Mapping[str, str]


async def answer_to(visit: Visit) -> Answered:
    """What is asked for, answered as a whole. Raises what :meth:`Handle.ask` raises."""
    last: str | Answer | None = None
    async for piece in visit.handle.ask(visit.query.words):
        last = piece
    assert last is not None
    assert not isinstance(last, str)
    addresses = {}
    for citation in last.citations:
        with suppress(UnknownItemError):  # removed meanwhile
            item = await visit.handle.get(citation.item_id)
            addresses[item.id] = view_address(item.id, PageQuery(collection=visit.query.collection))
    return Answered(last, tuple(parts_of(last, addresses)), addresses)


def parts_of(answer: Answer, addresses: Mapping[str, str]) -> list[Part]:
    """An answer cut at its citations; ``addresses`` are those of the items that it cites."""
    known = {str(one.number): addresses.get(one.item_id) for one in answer.citations}
    parts, last = [], 0
    for match in _CITATION.finditer(answer.text):
        parts.append(Part(answer.text[last : match.start()]))
        parts += [Part(number, known.get(number)) for number in re.findall(r"\d+", match[1])]
        last = match.end()
    return [part for part in (*parts, Part(answer.text[last:])) if part.text]
