"""Templates, and what every page needs to know."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from starlette.responses import HTMLResponse, Response

from ...languages import LANGUAGES
from .language import COOKIE, Speech, chosen, speech
from .query import PageQuery
from .tiles import KIND_NAME, KIND_NAMES, STRENGTHS, shapes

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.requests import Request

_YEAR: Final = 365 * 24 * 3600
TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def speech_of(request: Request) -> Speech:
    """The language that a request is answered in."""
    wish, kept = request.query_params.get("lang"), request.cookies.get(COOKIE)
    return speech(chosen(wish, kept, request.headers.get("accept-language")))


def render(
    request: Request, template: str, *, query: PageQuery | None = None, status: int = 200, **values: Any
) -> Response:
    """A page. ``query`` is what stands in the search bar."""
    said = speech_of(request)
    query = query or PageQuery()
    found = _environment().get_template(template)
    html = found.render(
        _=said.text,
        n_=said.plural,
        speech=said,
        languages=LANGUAGES,
        query=query,
        strengths=STRENGTHS,
        kind_names=KIND_NAMES,
        kind_name=KIND_NAME,
        collections=request.app.state.service.collections(),
        static=static_address,
        speak_in=lambda tag: _spoken_in(request, tag),
        path=request.scope["path"],
        **values,
    )
    response = HTMLResponse(html.encode("utf-8", "backslashreplace"), status)
    response.headers["Content-Language"] = said.tag
    response.headers["Vary"] = "Accept-Language, Cookie"
    if request.query_params.get("lang"):
        response.set_cookie(COOKIE, said.tag, max_age=_YEAR, httponly=True, samesite="lax")
    return response


def _spoken_in(request: Request, tag: str) -> str:
    """This page in another language; the start page where this one was the answer to a form."""
    path = request.scope["path"] if request.method in ("GET", "HEAD") else "/"
    pairs = [pair for pair in request.query_params.multi_items() if pair[0] != "lang"]
    # One slash only: two would name another host.
    query = urlencode([*pairs, ("lang", tag)], errors="backslashreplace")
    return f"/{quote(path.lstrip('/'), errors='replace')}?{query}"


def static_address(name: str) -> str:
    """Where a file of the page is; the address changes with what is in it."""
    return f"/static/{name}?v={static_files()[name][1]}"


@cache
def static_files() -> dict[str, tuple[bytes, str]]:
    """What the page needs besides itself: bytes and a short digest of them, by name."""
    found = {}
    for entry in (files(__package__) / "static").iterdir():
        if entry.name.rpartition(".")[2] in TYPES:
            data = entry.read_bytes()
            found[entry.name] = data, hashlib.sha256(data).hexdigest()[:12]
    found["shapes.css"] = (css := _shapes().encode()), hashlib.sha256(css).hexdigest()[:12]
    return found


def _shapes() -> str:
    """A class for each shape of a tile: it grows with its width, so that all tiles of a row end up equally high."""
    return "".join(
        f".{name}{{flex:{ratio} 1 calc({ratio}*var(--row));aspect-ratio:{ratio}}}" for name, ratio in shapes()
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
