"""Errors as ``application/problem+json`` (RFC 9457): what happened, and what to do."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from .. import errors
from .workers import OverloadedError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from starlette.datastructures import Headers
    from starlette.responses import Response

_LOG: Final = logging.getLogger("babelens.server")
MEDIA_TYPE: Final = "application/problem+json"

# The first that an error is an instance of. What is no fault of the request's is the service's: 5xx.
_STATUS: Final[tuple[tuple[type[errors.BabelensError], int, str], ...]] = (
    (OverloadedError, 503, "overloaded"),
    (errors.UnknownItemError, 404, "unknown-item"),
    (errors.InvalidQueryError, 422, "invalid-query"),
    (errors.CollectionNotFoundError, 404, "unknown-collection"),
    (errors.CollectionLockedError, 409, "collection-locked"),
    (errors.StorageFullError, 507, "storage-full"),
    (errors.CollectionError, 503, "collection-unavailable"),
    (errors.UnreadableFileError, 404, "no-picture"),
    (errors.WeightsUnavailableError, 503, "model-unavailable"),
    (errors.UnknownModelError, 503, "model-unavailable"),
    (errors.EncoderMismatchError, 503, "model-unavailable"),
    (errors.MissingExtraError, 501, "not-installed"),
    (errors.GenerationError, 502, "language-model"),
)


class ProblemError(HTTPException):
    """A problem that a handler or middleware answers with. Of this base, since FastAPI lets no other one through that
    is raised while a body is read."""

    def __init__(
        self,
        status: int,
        name: str,
        detail: str,
        *,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.name, self.hint = name, hint


def problem(
    status: int,
    name: str,
    detail: str,
    *,
    hint: str | None = None,
    fields: list[dict[str, str]] | None = None,
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer for a problem; ``name`` tells kinds of problems apart."""
    body: dict[str, Any] = {
        "type": f"urn:babelens:problem:{name}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    more = {"hint": hint, "errors": fields, "request_id": request_id}
    body.update({key: value for key, value in more.items() if value is not None})
    return JSONResponse(body, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def of_error(error: errors.BabelensError, *, show_paths: bool, request_id: str | None = None) -> JSONResponse:
    """The answer for an error of the library. Messages may name files, so only some are passed on."""
    status, name = kind_of(error)
    detail, hint = told(error, show_paths=show_paths)
    headers = {"Retry-After": "1"} if status in (409, 503) else {}
    if isinstance(error, OverloadedError):
        headers["Retry-After"] = str(error.retry_after)
    if status >= 500 and not isinstance(error, OverloadedError):
        _LOG.warning("%s: %s", type(error).__name__, error.message)
    return problem(status, name, detail, hint=hint, request_id=request_id, headers=headers)


def kind_of(error: Exception) -> tuple[int, str]:
    """The status of an error, and the name that tells it from others of that status."""
    if isinstance(error, ProblemError):
        return error.status_code, error.name
    if isinstance(error, HTTPException):
        return error.status_code, HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    if isinstance(error, RequestValidationError):
        return 422, "invalid-request"
    return next(
        ((status, name) for kind, status, name in _STATUS if isinstance(error, kind)), (500, "internal")
    )


def told(error: errors.BabelensError, *, show_paths: bool) -> tuple[str, str | None]:
    """What a stranger is told, and the hint: messages about the query; not those about files and folders, unless
    ``show_paths``."""
    harmless = (errors.InvalidQueryError, errors.ServiceError, errors.MissingExtraError, ServedNameError)
    if show_paths or isinstance(error, harmless):
        return error.message, error.hint
    for kind, words in _UNTOLD:
        if isinstance(error, kind):
            return words, None
    return "The request could not be answered.", "The service's log says why."


class ServedNameError(errors.CollectionNotFoundError):
    """A collection that is not served, by the name that the client gave."""


_UNTOLD: Final[tuple[tuple[type[errors.BabelensError], str], ...]] = (
    (errors.UnreadableFileError, "The file of this item cannot be read or drawn now."),
    (errors.CollectionNotFoundError, "This collection is not there now."),
    (errors.CollectionLockedError, "Another process is writing to the collection."),
    (errors.StorageFullError, "No space is left for the collection."),
    (errors.CollectionError, "The collection cannot be read now."),
    (errors.WeightsUnavailableError, "The collection's model is not on this machine."),
    (errors.UnknownModelError, "The collection's model is not on this machine."),
    (errors.EncoderMismatchError, "The collection's model is not on this machine."),
    (errors.GenerationError, "The language model could not be asked, or did not answer."),
)


def install(app: FastAPI) -> None:
    """Makes an application answer every error with a problem."""

    async def on_error(request: Request, error: Exception) -> Response:
        return fitting(request, answer_of(request, error), kind_of(error)[1])

    for kind in (errors.BabelensError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, on_error)


def answer_of(request: Request, error: Exception) -> JSONResponse:
    """The answer for an error of the library, of a request that is not valid, or of HTTP."""
    known_as = request_id(request)
    if isinstance(error, errors.BabelensError):
        return of_error(error, show_paths=request.app.state.settings.show_paths, request_id=known_as)
    status, name = kind_of(error)
    if isinstance(error, RequestValidationError):
        fields = [_field(one) for one in error.errors()]
        first = fields[0] if fields else {"field": "body", "message": "is not understood"}
        detail = f"{first['field']}: {first['message']}."
        return problem(status, name, detail, fields=fields, request_id=known_as)
    assert isinstance(error, HTTPException)
    hint = error.hint if isinstance(error, ProblemError) else None
    return problem(status, name, error.detail, hint=hint, request_id=known_as, headers=error.headers)


def wants_page(headers: Headers) -> bool:
    """Whether a browser asks for something to show to its reader."""
    return "text/html" in headers.get("accept", "")


def fitting(request: Request, answer: JSONResponse, name: str) -> Response:
    """A problem as it is for programs; for a browser that asked for a page, one that says it to its reader."""
    if not wants_page(request.headers):
        return answer
    page: Response = request.app.state.problem_page(request, answer, name)
    return page


def request_id(request: Request) -> str | None:
    found = request.scope.get("babelens.request_id")
    return found if isinstance(found, str) else None


def _field(error: Mapping[str, Any]) -> dict[str, str]:
    """Where and what, without repeating what was sent: it may be long, or no text at all."""
    if error.get("type") == "json_invalid":
        return {"field": "body", "message": "This is no JSON"}
    place, *inside = map(str, error.get("loc", ("body",)))
    return {"field": ".".join(inside) or place, "message": str(error.get("msg", "is not valid"))}
