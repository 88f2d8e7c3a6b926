"""What went wrong, on a page and in the reader's language.

Messages of the library are English and for those who call it; a page says it in words of its own, by the status and,
where that is not enough, by the name of the problem.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ...errors import BabelensError
from ..problems import ProblemError, answer_of, kind_of
from .language import N_
from .query import PageQuery
from .site import render, speech_of

_BY_NAME: Final[Mapping[tuple[int, str], tuple[str, str]]] = {
    (404, "picture-gone"): (
        N_("The picture you searched with is not kept any more"),
        N_("Choose it again."),
    ),
    (422, "no-picture"): (
        N_("This file is no picture that can be read"),
        N_("Choose a JPEG, PNG or WebP file."),
    ),
    (503, "overloaded"): (
        N_("The service has too much to do"),
        N_("Wait a moment and load the page again."),
    ),
}
_BY_STATUS: Final[Mapping[int, tuple[str, str]]] = {
    400: (N_("This request was not understood"), N_("Go back to the search and try again.")),
    401: (
        N_("A key is needed here"),
        N_("Load the page again and give the key as the password. The name does not matter."),
    ),
    403: (N_("This came from a page of another site"), N_("Go to the search and try again from there.")),
    404: (N_("This is not here"), N_("It may have been removed since. Search for it again.")),
    408: (
        N_("The request took too long to arrive"),
        N_("Try again, with a smaller picture or over a better connection."),
    ),
    413: (N_("This picture is too large"), N_("Choose a smaller one.")),
    421: (
        N_("The service is not known by this name"),
        N_("Use the address that it was started with. Who runs it can allow further names."),
    ),
    422: (
        N_("This search is not possible"),
        N_("What is looked for and what is left out may be the same. Change one of them and try again."),
    ),
    429: (N_("Too many requests in a short time"), N_("Wait a moment and load the page again.")),
    500: (N_("Something went wrong here"), N_("The log of the service says what. Try again later.")),
    503: (N_("The collection cannot be searched now"), N_("Wait a moment and load the page again.")),
}


class PictureGoneError(ProblemError):
    """The picture that was searched with is not kept any more."""

    def __init__(self) -> None:
        super().__init__(404, "picture-gone", "The picture that was searched with is not kept any more.")


class PageRoute(APIRoute):
    """Says on a page what went wrong, whatever the client accepts."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except (BabelensError, HTTPException, RequestValidationError) as error:
                return problem_page(request, answer_of(request, error), kind_of(error)[1])

        return handled


def problem_page(request: Request, answer: Response, name: str) -> Response:
    """A page in place of the answer for a problem, with its status and headers."""
    status = answer.status_code
    title, hint = (
        _BY_NAME.get((status, name)) or _BY_STATUS.get(status) or _BY_STATUS[500 if status >= 500 else 400]
    )
    query = PageQuery.of(request.query_params)
    if name == "unknown-collection":
        query = PageQuery(words=query.words)
    said = speech_of(request)
    page = render(
        request, "problem.html", query=query, status=status, title=said.text(title), hint=said.text(hint)
    )
    for header, value in answer.headers.items():  # such as Retry-After; type and length are the page's own
        page.headers.setdefault(header, value)
    return page
