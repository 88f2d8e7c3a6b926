"""``/ask``: an answer with citations, as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from ...errors import BabelensError, UnknownItemError
from .. import schemas
from ..problems import of_error, request_id
from ..rendering import Renderer
from ..service import Handle
from .dependencies import ServiceDep, SettingsDep, opened

if TYPE_CHECKING:
    from ...answering import Answer

router = APIRouter(tags=["answers"])

_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": 'Events: `piece` (`{"text": …}`, what a model says, unchecked), then `answer` (an AnswerOut), '
        "or `problem` (a Problem) where it failed on the way.",
        "content": {
            "text/event-stream": {
                "schema": {
                    "description": "One event; `data` is JSON.",
                    "type": "object",
                    "properties": {
                        "event": {"enum": ["piece", "answer", "problem"]},
                        "data": {"type": "string"},
                    },
                    "required": ["event", "data"],
                }
            }
        },
    }
}


@router.post("/ask", summary="Answer a question", response_class=StreamingResponse, responses=_EVENTS)
async def ask(
    request: Request, body: schemas.AskIn, service: ServiceDep, settings: SettingsDep
) -> StreamingResponse:
    handle = opened(service, body.collection)
    pieces = handle.ask(body.question, body.language, k=body.k, where=body.filter)
    first = await anext(pieces)  # what is wrong with the question is said with a status
    events = _events(first, pieces, handle, Renderer(settings, handle.name), request)
    return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _events(
    first: str | Answer,
    pieces: AsyncIterator[str | Answer],
    handle: Handle,
    renderer: Renderer,
    request: Request,
) -> AsyncIterator[bytes]:
    show_paths = request.app.state.settings.show_paths
    try:
        yield await _event(first, handle, renderer)
        async for piece in pieces:
            yield await _event(piece, handle, renderer)
    except BabelensError as error:
        body = of_error(error, show_paths=show_paths, request_id=request_id(request)).body
        yield b"event: problem\ndata: " + bytes(body) + b"\n\n"


class _Piece(BaseModel):
    text: str


async def _event(piece: str | Answer, handle: Handle, renderer: Renderer) -> bytes:
    if isinstance(piece, str):
        return _sent("piece", _Piece(text=piece))
    items = {}
    for citation in piece.citations:
        with suppress(UnknownItemError):  # removed meanwhile
            items[citation.item_id] = await handle.get(citation.item_id)
    return _sent("answer", renderer.answer(piece, items))


def _sent(event: str, data: BaseModel) -> bytes:
    """One event. JSON has no line breaks, so nothing in it can begin another one."""
    return f"event: {event}\ndata: {data.model_dump_json()}\n\n".encode("utf-8", "backslashreplace")
