"""Routes: queries of a language that reach the pictures through another model's text tower, in the same space.

OpenAI's ViT-B/32 has an English text tower and several multilingual ones. Pictures that were encoded once can be
searched through any of them. A route is a setting of the catalog, put there by a measurement on the collection's own
captions (:mod:`babelens.collection.routing`). It is of one encoder: the number of an encoder is never used again, so a
route cannot outlive a change of it.

Stored captions keep the collection's own text tower, and queries are compared with them through that one.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from ..errors import BabelensError, EncoderMismatchError
from ..language_detection import detect_language
from ..languages import LANGUAGES
from ..types import EncoderFingerprint, Note

if TYPE_CHECKING:
    from ..models.protocols import Encoder
    from ..storage.catalog import Catalog

_SETTING: Final = "routes"


@dataclass(frozen=True, slots=True)
class Gain:
    """A figure before and after, and the 95 % interval of the difference."""

    before: float
    after: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Route:
    """Queries in ``language`` rank pictures through the text tower of ``model``.

    ``fingerprint`` is of the encoder that was measured: weights that changed since are not used. ``trust`` is how well
    it knows the collection (see :func:`babelens.retrieval.calibration.trust`). ``gains`` are by measure, over
    ``captions`` of ``pictures``, ranked among ``corpus`` pictures on the day ``measured``.
    """

    language: str
    model: str
    fingerprint: EncoderFingerprint
    trust: float
    gains: Mapping[str, Gain]
    captions: int
    pictures: int
    corpus: int
    measured: str


@dataclass(frozen=True, slots=True)
class Routed:
    """A route with its encoder at hand."""

    route: Route
    encoder: Encoder


def read_routes(catalog: Catalog, encoder: int) -> dict[str, Route]:
    """The routes in force for the encoder with this number, by language."""
    return _parse(catalog.get_setting(_SETTING), encoder)


def write_routes(catalog: Catalog, encoder: int, routes: Iterable[Route]) -> None:
    """Puts these in place of all routes there were."""
    rows = [asdict(route) for route in routes]
    if rows:
        catalog.set_setting(_SETTING, json.dumps({"encoder": encoder, "routes": rows}))
    else:
        forget_routes(catalog)


def forget_routes(catalog: Catalog) -> None:
    catalog.delete_setting(_SETTING)


def _parse(value: str | None, encoder: int) -> dict[str, Route]:
    stored = json.loads(value) if value else {}
    if stored.get("encoder") != encoder:
        return {}
    return {row["language"]: _route(row) for row in stored["routes"]}


def _route(row: dict[str, Any]) -> Route:
    fingerprint = EncoderFingerprint(**row["fingerprint"])
    gains = {name: Gain(**gain) for name, gain in row["gains"].items()}
    return Route(**{**row, "fingerprint": fingerprint, "gains": gains})


class Router:
    """Finds the encoder of a query's language, if it has a route. Safe to use from several threads.

    ``load`` gives the encoder of a route and raises a :class:`BabelensError` where it is not to be had.
    """

    def __init__(self, catalog: Catalog, encoder: int, load: Callable[[Route], Encoder]) -> None:
        self._catalog = catalog
        self._number = encoder
        self._load = load
        self._lock = threading.Lock()
        self._seen: tuple[str | None, dict[str, Route]] = (None, {})
        self._loaded: dict[EncoderFingerprint, Encoder] = {}

    def find(self, language: str | None, words: str, notes: list[str]) -> Routed | None:
        """The route of ``words``: of their language where that is said, else of the one that they are clearly in.

        ``notes`` says what they were taken for. None when there is no route, or when its encoder is not to be had:
        then the collection's own has to do, and ``notes`` says so.
        """
        routes = self._routes()
        if not routes:
            return None
        tag = language or detect_language(words)
        route = routes.get(tag) if tag else None
        if route is None:
            return None
        try:
            routed = Routed(route, self._encoder_of(route))
        except BabelensError as error:
            said = (
                f"Fallback: the collection's own text tower ranks the pictures for {language!r}, where {route.model} "
                f"is set. {error.message}" + (f" {error.hint}" if error.hint else "")
            )
            notes.append(Note(said, "own-tower", model=route.model))
            return None
        if language is None:
            name = LANGUAGES[route.language].name
            said = f"The words were taken for {name}; --lang says otherwise."
            notes.append(Note(said, "taken-for", language=route.language))
        return routed

    def _routes(self) -> dict[str, Route]:
        """Asked of the catalog each time, which costs microseconds: another process may have changed them."""
        value = self._catalog.get_setting(_SETTING)
        seen, routes = self._seen
        if value != seen:
            routes = _parse(value, self._number)
            self._seen = (value, routes)
        return routes

    def _encoder_of(self, route: Route) -> Encoder:
        with self._lock:
            encoder = self._loaded.get(route.fingerprint)
            if encoder is None:
                encoder = self._load(route)
                if encoder.fingerprint != route.fingerprint:
                    raise EncoderMismatchError(
                        f"{route.model} is another model now than when it was measured.",
                        hint="Measure it again with `babelens tune routing`.",
                    )
                encoder.encode_texts(
                    ["a"]
                )  # weights are read at first use: what is wrong with them shows here
                self._loaded[route.fingerprint] = encoder
            return encoder
