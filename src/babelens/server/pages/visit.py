"""What the handlers of pages are given: who reads, what is looked for, and where."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import Response

from ..rendering import Renderer
from ..routes.dependencies import opened
from .finding import Finder, view_address
from .query import PageQuery
from .site import render, speech_of


class Visit:
    """One request for a page. Raises :class:`ServedNameError` for a collection that is not served."""

    def __init__(self, request: Request, query: PageQuery | None = None) -> None:
        state = request.app.state
        self.request = request
        self.query = PageQuery.of(request.query_params) if query is None else query
        self.speech = speech_of(request)
        self.settings = state.settings
        self.handle = opened(state.service, self.query.collection)
        self.renderer = Renderer(self.settings, self.handle.name)
        self.finder = Finder(self.handle, self.renderer, self.speech, state.pictures)

    def render(self, template: str, **values: Any) -> Response:
        return render(self.request, template, query=self.query, **values)

    def view(self, item_id: str) -> str:
        """Where an item is shown as part of this search."""
        return view_address(item_id, self.query)

    async def bar(self) -> dict[str, Any]:
        """What the search bar shows."""
        return {"shelf": await self.finder.shelf(), "chips": self._chips()}

    def _chips(self) -> list[dict[str, Any]]:
        """The terms of the search besides its words, each with the address of the search without it."""
        query = self.query
        chips: list[dict[str, Any]] = []
        if query.picture:
            address = f"/picture/{query.picture}"
            chips.append(
                {"sign": "+", "picture": address, "without": query.without("picture", query.picture)}
            )
        for field, sign in (("like", "+"), ("unlike", "−")):
            for one in getattr(query, field):
                picture = self.renderer.address(one, "thumbnail")
                chips.append({"sign": sign, "picture": picture, "without": query.without(field, one)})
        for field, sign in (("plus", "+"), ("minus", "−")):
            for one in getattr(query, field):
                chips.append({"sign": sign, "words": one, "without": query.without(field, one)})
        return chips


def visit_of(request: Request) -> Visit:
    return Visit(request)


VisitDep = Annotated[Visit, Depends(visit_of)]
