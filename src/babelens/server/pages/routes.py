"""The pages: searching, one item, answers, and what the collection is."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from ...errors import BabelensError, InvalidQueryError, UnknownItemError
from ..problems import ServedNameError, of_error
from ..rendering import Renderer
from ..routes.dependencies import check_tag, opened
from . import answers
from .details import detail_of, neighbours_of, on_page
from .finding import Finder, PictureGoneError, view_address
from .language import N_
from .query import PageQuery
from .site import TYPES, render, speech_of, static_files
from .tiles import found_by, strength_of, surest

_IMMUTABLE: Final = "public, max-age=31536000, immutable"


class PageRoute(APIRoute):
    """Says on a page what went wrong, in the reader's language."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except (BabelensError, HTTPException, RequestValidationError, PictureGoneError) as error:
                return _problem(request, error)

        return handled


router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/")
async def search_page(request: Request) -> Response:
    query = PageQuery.of(request.query_params)
    finder = _finder(request, query)
    shelf, wall = await finder.shelf(), await finder.wall(query)
    chips = await _chips(request, query)
    return render(request, "search.html", query=query, shelf=shelf, wall=wall, chips=chips)


@router.post("/picture")
async def search_with_picture(
    request: Request,
    file: Annotated[UploadFile | None, File()] = None,
    back: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Keeps a sent picture for a while and leads to the search with it."""
    from starlette.datastructures import QueryParams

    query = PageQuery.of(QueryParams(back))
    data = b"" if file is None else await file.read()
    if not data:
        return RedirectResponse(query.address(), 303)
    image = await request.app.state.service.decode(data)
    name = request.app.state.pictures.put(image)
    return RedirectResponse(query.address(picture=name), 303)


@router.get("/picture/{name}")
async def kept_picture(request: Request, name: str) -> Response:
    data = request.app.state.pictures.get(name)
    if data is None:
        raise PictureGoneError
    return Response(data, media_type="image/webp", headers={"Cache-Control": "private, max-age=3600"})


@router.get("/view/{item_id}")
async def item_page(request: Request, item_id: str) -> Response:
    query, speech = PageQuery.of(request.query_params), speech_of(request)
    handle = opened(request.app.state.service, query.collection)
    finder = _finder(request, query)
    item = await handle.get(item_id)
    settings = request.app.state.settings
    detail = detail_of(item, await handle.texts(item_id), speech, show_path=settings.show_paths)
    related = await handle.related(item_id)
    around = await handle.look(lambda one: neighbours_of(one, item))
    try:
        hit = await finder.hit(query, item_id)
    except (PictureGoneError, InvalidQueryError):  # the item can be shown all the same
        hit = None
    similar = await finder.similar(item, query) if item.kind in ("image", "figure", "page") else ()
    return render(
        request,
        "item.html",
        query=query,
        detail=detail,
        sheet=on_page(item, around, related),
        around=around,
        related={one.id for one in related},
        related_tiles=await finder.tiles(related, query),
        similar=similar,
        hit=hit,
        strength=None if hit is None else strength_of(hit),
        reasons=[] if hit is None else [(found_by(one, speech), one) for one in surest(hit)],
        image=Renderer(settings, handle.name).address,
        view=lambda one: view_address(one.id, query),
        shelf=await finder.shelf(),
        chips=await _chips(request, query),
    )


@router.get("/question")
async def question_page(request: Request) -> Response:
    query = PageQuery.of(request.query_params)
    opened(request.app.state.service, query.collection)
    return render(request, "ask.html", query=query, answer=None, parts=())


@router.post("/question")
async def answer_page(
    request: Request,
    q: Annotated[str, Form(max_length=2000)] = "",
    collection: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """The answer as a whole, where no script is there to show it as it comes."""
    query = PageQuery.of({"q": q, "collection": collection})
    if not query.words:
        return render(request, "ask.html", query=query, answer=None, parts=())
    handle = opened(request.app.state.service, query.collection)
    answer = await answers.whole(handle, query.words)
    items = await answers.cited(handle, answer)
    parts = answers.parts_of(
        answer, {one: view_address(one, PageQuery(collection=query.collection)) for one in items}
    )
    return render(
        request, "ask.html", query=query, answer=answer, parts=parts, items=items, view=_view(query)
    )


@router.get("/about")
async def about_page(request: Request) -> Response:
    query = PageQuery.of(request.query_params)
    service = request.app.state.service
    handle = opened(service, query.collection)
    return render(request, "about.html", query=query, name=handle.name, info=await handle.info())


@router.get("/atlas")
async def map_page(request: Request) -> Response:
    query = PageQuery.of(request.query_params)
    opened(request.app.state.service, query.collection)
    return render(request, "atlas.html", query=query)


@router.get("/static/{name}")
async def static_file(request: Request, name: str) -> Response:
    found = static_files().get(name)
    if found is None:
        raise HTTPException(404)
    data, digest = found
    same = request.query_params.get("v") == digest
    headers = {"Cache-Control": _IMMUTABLE if same else "no-cache", "ETag": check_tag(request, digest)}
    return Response(data, media_type=TYPES[name.rpartition(".")[2]], headers=headers)


def _finder(request: Request, query: PageQuery) -> Finder:
    state = request.app.state
    handle = opened(state.service, query.collection)
    return Finder(handle, Renderer(state.settings, handle.name), speech_of(request), state.pictures)


def _view(query: PageQuery) -> Callable[[str], str]:
    return lambda item_id: view_address(item_id, PageQuery(collection=query.collection))


async def _chips(request: Request, query: PageQuery) -> list[dict[str, Any]]:
    """The terms of a search besides its words, each with the address of the search without it."""
    handle = opened(request.app.state.service, query.collection)
    renderer = Renderer(request.app.state.settings, handle.name)
    chips: list[dict[str, Any]] = []
    if query.picture:
        address = f"/picture/{query.picture}"
        chips.append({"sign": "+", "picture": address, "without": query.without("picture", query.picture)})
    for field, sign in (("like", "+"), ("unlike", "−")):
        for one in getattr(query, field):
            picture = renderer.address(one, "thumbnail")
            chips.append({"sign": sign, "picture": picture, "without": query.without(field, one)})
    for field, sign in (("plus", "+"), ("minus", "−")):
        for one in getattr(query, field):
            chips.append({"sign": sign, "words": one, "without": query.without(field, one)})
    return chips


# -- what goes wrong ---------------------------------------------------------------------------------------------

_SAID: Final[dict[int, tuple[str, str]]] = {
    400: (N_("This request was not understood"), N_("Go back to the search and try again.")),
    404: (N_("This is not here"), N_("It may have been removed since. Search for it again.")),
    413: (N_("This picture is too large"), N_("Choose a smaller one.")),
    422: (N_("This search is not possible"), N_("Change what you search for and try again.")),
    503: (N_("The collection cannot be searched now"), N_("Wait a moment and load the page again.")),
    500: (N_("Something went wrong here"), N_("The log of the service says what. Try again later.")),
}
_GONE: Final = (N_("The picture you searched with is not kept any more"), N_("Choose it again."))
_NO_PICTURE: Final = (N_("This file is no picture that can be read"), N_("Choose a JPEG, PNG or WebP file."))


def _problem(request: Request, error: Exception) -> Response:
    status, detail = _told(request, error)
    said = _SAID.get(status) or _SAID[500 if status >= 500 else 400]
    if isinstance(error, PictureGoneError):
        said = _GONE
    elif getattr(error, "name", None) == "no-picture":
        said = _NO_PICTURE
    title, hint = said
    speech = speech_of(request)
    query = PageQuery.of(request.query_params)
    if isinstance(error, ServedNameError):
        query = PageQuery(words=query.words)
    return render(
        request,
        "problem.html",
        query=query,
        status=status,
        title=speech.text(title),
        hint=speech.text(hint),
        detail=detail,
    )


def _told(request: Request, error: Exception) -> tuple[int, str | None]:
    """The status, and what may be told of the cause, in English."""
    if isinstance(error, BabelensError):
        response = of_error(error, show_paths=request.app.state.settings.show_paths)
        told = isinstance(error, InvalidQueryError) and not isinstance(error, UnknownItemError)
        return response.status_code, f"{error.message} {error.hint or ''}".strip() if told else None
    if isinstance(error, HTTPException):
        return error.status_code, None
    return (404, None) if isinstance(error, PictureGoneError) else (400, None)
