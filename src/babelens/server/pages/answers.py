"""Answers as the page shows them: text with links to what it cites."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ...errors import UnknownItemError

if TYPE_CHECKING:
    from ...answering import Answer
    from ...types import Item
    from ..service import Handle

_CITATION: Final = re.compile(r"\[(\d{1,3}(?:, ?\d{1,3})*)\]")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of an answer; ``address`` where it is a citation and leads somewhere."""

    text: str
    address: str | None = None


async def whole(handle: Handle, question: str) -> Answer:
    """The checked answer to a question. Raises what :meth:`Handle.ask` raises."""
    last: str | Answer | None = None
    async for piece in handle.ask(question):
        last = piece
    assert last is not None
    assert not isinstance(last, str)
    return last


async def cited(handle: Handle, answer: Answer) -> dict[str, Item]:
    """The items that an answer cites; those that are gone by now are left out."""
    items = {}
    for citation in answer.citations:
        with suppress(UnknownItemError):
            items[citation.item_id] = await handle.get(citation.item_id)
    return items


def parts_of(answer: Answer, addresses: Mapping[str, str]) -> list[Part]:
    """An answer cut at its citations; ``addresses`` are those of the items that it cites."""
    known = {str(one.number): addresses.get(one.item_id) for one in answer.citations}
    parts, last = [], 0
    for match in _CITATION.finditer(answer.text):
        parts.append(Part(answer.text[last : match.start()]))
        parts += [Part(number, known.get(number)) for number in re.findall(r"\d+", match[1])]
        last = match.end()
    return [part for part in (*parts, Part(answer.text[last:])) if part.text]
