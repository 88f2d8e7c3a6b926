"""The pages: searching, one item, answers, and what the collection is."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from ..routes.dependencies import check_tag
from .answers import answer_to
from .failing import PageRoute, PictureGoneError
from .query import PageQuery
from .showing import show
from .site import TYPES, static_files
from .visit import Visit, VisitDep

_IMMUTABLE: Final = "public, max-age=31536000, immutable"

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/")
async def search_page(visit: VisitDep) -> Response:
    wall = await visit.finder.wall(visit.query)
    return visit.render("search.html", wall=wall, **await visit.bar())


@router.post("/picture")
async def search_with_picture(
    request: Request,
    file: Annotated[UploadFile | None, File()] = None,
    back: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Keeps a sent picture for a while and leads to the search with it."""
    query = PageQuery.of(QueryParams(back))
    data = b"" if file is None else await file.read()
    if not data:
        return RedirectResponse(query.address(), 303)
    image = await request.app.state.service.decode(data)
    return RedirectResponse(query.address(picture=request.app.state.pictures.put(image)), 303)


@router.get("/picture/{name}")
async def kept_picture(request: Request, name: str) -> Response:
    data = request.app.state.pictures.get(name)
    if data is None:
        raise PictureGoneError
    return Response(data, media_type="image/webp", headers={"Cache-Control": "private, max-age=3600"})


@router.get("/view/{item_id}")
async def item_page(visit: VisitDep, item_id: str) -> Response:
    shown = await show(visit, item_id)
    return visit.render(
        "item.html", shown=shown, view=visit.view, image=visit.renderer.address, **await visit.bar()
    )


@router.get("/question")
async def question_page(visit: VisitDep) -> Response:
    return visit.render("ask.html", said=None)


@router.post("/question")
async def answer_page(
    request: Request,
    q: Annotated[str, Form(max_length=2000)] = "",
    collection: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """The answer as a whole, where no script is there to show it as it comes."""
    visit = Visit(request, PageQuery.of({"q": q, "collection": collection}))
    return visit.render("ask.html", said=await answer_to(visit) if visit.query.words else None)


@router.get("/about")
async def about_page(visit: VisitDep) -> Response:
    return visit.render("about.html", name=visit.handle.name, info=await visit.handle.info())


@router.get("/atlas")
async def map_page(visit: VisitDep) -> Response:
    return visit.render("atlas.html")


@router.get("/static/{name}")
async def static_file(request: Request, name: str) -> Response:
    found = static_files().get(name)
    if found is None:
        raise HTTPException(404)
    data, digest = found
    same = request.query_params.get("v") == digest
    headers = {"Cache-Control": _IMMUTABLE if same else "no-cache", "ETag": check_tag(request, digest)}
    return Response(data, media_type=TYPES[name.rpartition(".")[2]], headers=headers)
