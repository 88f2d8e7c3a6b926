"""The only part of the service that touches collections.

Collections are opened to read only, when they are first asked for. Blocking work runs on threads, so the event loop
never waits; queries of several clients meet in the encoder (:mod:`.batching`); answers are remembered until the
collection changes. What another process writes is seen by the next request. Models and indexes are let go after a time
without requests, and come back with the next one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..collection import Collection
from ..errors import BabelensError, CollectionNotFoundError
from ..types import Term
from .batching import BatchedEncoder, BatchedPassageEncoder, Batching
from .caching import AnswerCache
from .thumbnails import Thumbnails, webp
from .uploads import decoded, forget, keep
from .workers import Workers

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..answering import Answer
    from ..collection import CollectionInfo
    from ..models.protocols import Encoder, PassageEncoder
    from ..types import Caption, Item, SearchResult, Text
    from .mapping import MapRow
    from .metrics import Metrics
    from .settings import Settings

T = TypeVar("T")
E = TypeVar("E")
_LOG: Final = logging.getLogger("babelens.server")
THUMBNAIL_SIDE: Final = 480
_CATALOG: Final = "catalog.db"


class Service:
    """Named collections behind threads, batching and a cache. Make it, :meth:`start` it, :meth:`close` it."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.workers = Workers("search", threads=settings.threads, waiting=settings.waiting)
        # Decoding takes memory by the picture, answering takes long: neither may take the threads of searches.
        self.drawers = Workers("picture", threads=min(4, os.cpu_count() or 1), waiting=4 * settings.waiting)
        self.answerers = Workers("answer", threads=4, waiting=16)
        self.writers = Workers("write", threads=1, waiting=8)
        # One after the other: who comes second finds it cached.
        self.mappers = Workers("map", threads=1, waiting=8)
        self.thumbnails = Thumbnails(settings.thumbnails, settings.thumbnail_bytes)
        self.closing = False
        self._handles = {name: Handle(self, name, path) for name, path in settings.collections.items()}
        self._encoders: dict[str, Encoder] = {}
        self._passage_encoders: dict[str, PassageEncoder] = {}
        self._loading = threading.Lock()
        self._last = time.monotonic()
        self._idling: asyncio.Task[None] | None = None

    @property
    def pools(self) -> dict[str, Workers]:
        """All threads, by what they do."""
        return {
            "search": self.workers,
            "picture": self.drawers,
            "answer": self.answerers,
            "write": self.writers,
            "map": self.mappers,
        }

    def collections(self) -> list[str]:
        """The names of the collections, the one first that is meant where none is named."""
        return list(self._handles)

    def open(self, name: str | None = None) -> Handle:
        """A collection by name. Raises :class:`CollectionNotFoundError` for one that is not served."""
        handle = next(iter(self._handles.values())) if name is None else self._handles.get(name)
        if handle is None:
            raise CollectionNotFoundError(
                f"No collection named {name!r} is served here.", hint=f"Served: {', '.join(self._handles)}."
            )
        return handle

    async def start(self) -> None:
        """Begins to watch for idleness."""
        if self.settings.idle_seconds > 0:
            self._idling = asyncio.create_task(self._let_go_when_idle())

    async def close(self) -> None:
        """Ends what waits, and closes the collections once nobody uses them."""
        self.closing = True
        if self._idling is not None:
            self._idling.cancel()
            with suppress(asyncio.CancelledError):
                await self._idling
        for workers in self.pools.values():
            workers.close()
        self.let_go()

    async def decode(self, data: bytes) -> Image:
        """A picture that a client sent. Raises :class:`ProblemError` for what is none, or too large."""
        return await self.drawers.run(decoded, data, max_pixels=self.settings.upload_pixels)

    # -- models --------------------------------------------------------------------------------------------

    def load(self, model: str | Path) -> Encoder:
        """The encoder of a name, shared by all collections. Fetches nothing: a request must not wait for that."""
        from ..models.registry import load_encoder

        return self._once(self._encoders, model, load_encoder, BatchedEncoder)

    def load_passages(self, model: str | Path) -> PassageEncoder:
        """The same of encoders of passages."""
        from ..models.passages import load_passage_encoder

        return self._once(self._passage_encoders, model, load_passage_encoder, BatchedPassageEncoder)

    def _once(
        self,
        loaded: dict[str, E],
        model: str | Path,
        load: Callable[..., E],
        batched: Callable[..., E],
    ) -> E:
        with self._loading:
            known = loaded.get(str(model))
            if known is None:
                known = load(model, fetch=False)
                if self.settings.batch_size > 1:  # or else each query is encoded by itself
                    known = batched(known, **self._batching)
                loaded[str(model)] = known
            return known

    @property
    def _batching(self) -> Batching:
        return {
            "wait": self.settings.batch_ms / 1000,
            "limit": self.settings.batch_size,
            "company": lambda: self.workers.taken > 1,
            "heard": self.metrics.batch_sizes.observe,
        }

    def touch(self) -> None:
        self._last = time.monotonic()

    def let_go(self) -> None:
        """Closes the collections that nobody is using, with their models and indexes."""
        with self._loading:
            self._encoders.clear()
            self._passage_encoders.clear()
        for handle in self._handles.values():
            handle.let_go()

    @property
    def loaded(self) -> list[str]:
        """The models that are in memory."""
        return [*self._encoders, *self._passage_encoders]

    async def _let_go_when_idle(self) -> None:
        limit = self.settings.idle_seconds
        while True:
            await asyncio.sleep(max(0.05, limit - (time.monotonic() - self._last)))
            if time.monotonic() - self._last >= limit:
                await asyncio.to_thread(self.let_go)
                self.touch()


class Handle:
    """One collection, as the service offers it. Raises what :class:`~babelens.Collection` raises, and
    :class:`~.workers.OverloadedError`."""

    def __init__(self, service: Service, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self._service = service
        self._lock = threading.Lock()
        self._collection: Collection | None = None
        self._inode: int | None = None
        self._users = 0
        self._retired: list[Collection] = []
        self._cache = AnswerCache()

    # -- finding -------------------------------------------------------------------------------------------

    async def search(self, text: str | None = None, *, named: str = "", **query: Any) -> SearchResult:
        """As :meth:`Collection.search`, but ``image`` is a picture in memory or the id of an item, never a file.

        Remembered until the collection changes; a picture in memory only where ``named`` tells it from others.
        """
        if self._service.settings.log_queries:
            _LOG.info("query", extra={"collection": self.name, "query": text})
        if isinstance(query.get("image"), str):
            query = {**query, "image": None, "plus": [Term(item_id=query["image"]), *query.get("plus", ())]}
        told_apart = {**query, "image": named} if named else query
        key = None if _holds_picture(told_apart) else ("search", text, _frozen(told_apart))
        return await self._ask(lambda one: one.search(text, **query), key=key)

    async def similar(self, item_id: str, *, k: int = 10, where: str | None = None) -> SearchResult:
        """As :meth:`Collection.similar`, for items alone."""
        return await self._ask(
            lambda one: one.similar(one.get(item_id).id, k=k, where=where), key=("similar", item_id, k, where)
        )

    async def captions(self, item_id: str, language: str, k: int = 5) -> list[Caption]:
        """As :meth:`Collection.captions`, for items alone."""
        return await self._ask(
            lambda one: one.captions(one.get(item_id).id, language=language, k=k),
            key=("captions", item_id, language, k),
        )

    async def ask(
        self, question: str, language: str | None = None, *, k: int = 8, where: str | None = None
    ) -> AsyncIterator[str | Answer]:
        """As :meth:`Collection.stream_answer`: what a model says as it says it, and last the checked answer."""
        from .streaming import taken

        def pieces(give: Callable[[str | Answer], None]) -> None:
            with self._using() as collection:
                for piece in collection.stream_answer(question, language=language, k=k, where=where):
                    give(piece)

        async for piece in taken(self._service.answerers, pieces):
            yield piece

    # -- looking at ----------------------------------------------------------------------------------------

    async def get(self, item_id: str) -> Item:
        """The item with this id. Raises :class:`UnknownItemError`."""
        return await self._ask(lambda one: one.get(item_id))

    async def texts(self, item_id: str) -> list[Text]:
        return await self._ask(lambda one: one.texts(item_id))

    async def texts_of(self, item_ids: Sequence[str]) -> dict[str, list[Text]]:
        """The texts of several items; those that are gone are left out."""
        return await self._ask(lambda one: _texts_of(one, item_ids))

    async def related(self, item_id: str) -> list[Item]:
        """A figure's passages, a passage's figures."""
        return await self._ask(lambda one: one.related(item_id))

    async def look(self, question: Callable[[Collection], T], *, key: tuple[Any, ...] | None = None) -> T:
        """What ``question`` makes of the collection, on a thread; remembered until it changes where there is a key."""
        return await self._ask(question, key=None if key is None else ("look", *key))

    async def info(self) -> CollectionInfo:
        return await self._ask(lambda one: one.info(), key=("info",))

    async def map(self, *, limit: int = 2000, method: str = "auto") -> list[MapRow]:
        """Places of pictures and captions in the plane, as ``babelens plot map`` draws them."""
        from .mapping import map_rows

        return await self._ask(
            lambda one: map_rows(one, limit=limit, method=method, seed=0),
            key=("map", limit, method),
            workers=None if method == "pca" else self._service.mappers,  # PCA takes no longer than a search
        )

    async def version(self) -> str:
        """Another text whenever the collection changed, whoever changed it."""
        return await self._ask(lambda one: one.version)

    async def check(self) -> None:
        """Raises what opening and reading raise. It does not count as use: monitors ask all the time, and would keep
        models in memory that nobody searches with."""

        def look() -> None:
            with _Use(self, counts=False) as collection:
                _ = collection.version

        await self._service.workers.run(look)

    # -- pictures ------------------------------------------------------------------------------------------

    async def picture(self, item_id: str, max_side: int = 1024) -> tuple[bytes, str]:
        """What an item looks like, as WebP without metadata, and a tag of it."""

        def draw(collection: Collection) -> tuple[bytes, str]:
            tag = self._service.thumbnails.tag(collection.get(item_id), max_side)
            return webp(collection.picture(item_id, max_side=max_side)), tag

        return await self._ask(draw, workers=self._service.drawers)

    async def thumbnail(self, item_id: str) -> tuple[bytes, str]:
        """A small picture of an item, its longer side at most 480 pixels, made once, and a tag of it."""
        thumbnails = self._service.thumbnails

        def small(collection: Collection) -> tuple[bytes, str]:
            item = collection.get(item_id)
            return thumbnails.of(
                item, THUMBNAIL_SIDE, lambda: collection.picture(item_id, max_side=THUMBNAIL_SIDE)
            )

        return await self._ask(small, workers=self._service.drawers)

    async def tag(self, item_id: str, side: int = THUMBNAIL_SIDE) -> str:
        """The tag that :meth:`picture` gives, without drawing."""
        return await self._ask(lambda one: self._service.thumbnails.tag(one.get(item_id), side))

    # -- writing -------------------------------------------------------------------------------------------

    async def add(self, data: bytes, *, caption: str | None = None, language: str | None = None) -> Item:
        """Adds a picture that a client sent. Raises :class:`ProblemError`, and as :meth:`Collection.add`."""
        pixels = self._service.settings.upload_pixels
        return await self._write(
            lambda one: keep(one, data, caption=caption, language=language, max_pixels=pixels)
        )

    async def remove(self, item_id: str) -> None:
        """Takes an item out. Raises :class:`UnknownItemError`."""
        await self._write(lambda one: forget(one, item_id))

    async def _write(self, change: Callable[[Collection], T]) -> T:
        def write() -> T:
            self._service.touch()
            with self._opened(read_only=False) as collection:
                return change(collection)

        return await self._service.writers.run(write)

    # -- how -----------------------------------------------------------------------------------------------

    async def _ask(
        self,
        question: Callable[[Collection], T],
        *,
        key: tuple[Any, ...] | None = None,
        workers: Workers | None = None,
    ) -> T:
        def answer() -> T:
            with self._using() as collection:
                if key is None:
                    return question(collection)
                version = collection.version
                found: T | None = self._cache.get(version, key)
                self._service.metrics.cached(found is not None)
                if found is None:
                    found = question(collection)
                    self._cache.put(version, key, found)
                return found

        return await (workers or self._service.workers).run(answer)

    def _opened(self, *, read_only: bool) -> Collection:
        return Collection.open(
            self.path,
            create=False,
            read_only=read_only,
            loader=self._service.load,
            passage_loader=self._service.load_passages,
        )

    def _using(self) -> _Use:
        return _Use(self)

    def borrow(self, *, counts: bool = True) -> Collection:
        """The collection, opened when it is not, and again when its folder holds another one by now."""
        if counts:
            self._service.touch()
        with self._lock:
            if self._collection is not None and self._inode != _inode(self.path):
                self._retired.append(self._collection)
                self._collection = None
            if self._collection is None:
                inode = _inode(self.path)
                self._collection = self._opened(read_only=True)
                self._inode = inode
            self._users += 1
            return self._collection

    def give_back(self, *, counts: bool = True) -> None:
        if counts:
            self._service.touch()
        with self._lock:
            self._users -= 1
            if not self._users:
                self._close_retired()

    def let_go(self) -> None:
        """Closes the collection, as soon as nobody uses it."""
        with self._lock:
            if self._collection is not None:
                self._retired.append(self._collection)
                self._collection = None
            if not self._users:
                self._close_retired()
        self._cache.clear()

    def _close_retired(self) -> None:
        while self._retired:
            self._retired.pop().close()


class _Use:
    """A collection while it is used: it is not closed meanwhile."""

    def __init__(self, handle: Handle, *, counts: bool = True) -> None:
        self._handle = handle
        self._counts = counts

    def __enter__(self) -> Collection:
        return self._handle.borrow(counts=self._counts)

    def __exit__(self, *_: object) -> None:
        self._handle.give_back(counts=self._counts)


def _inode(path: Path) -> int | None:
    try:
        return os.stat(path / _CATALOG).st_ino
    except OSError:
        return None


def _texts_of(collection: Collection, item_ids: Sequence[str]) -> dict[str, list[Text]]:
    found = {}
    for item_id in item_ids:
        with suppress(BabelensError):
            found[item_id] = collection.texts(item_id)
    return found


def _holds_picture(query: Mapping[str, Any]) -> bool:
    from PIL.Image import Image

    parts = [query.get("image"), *query.get("plus", ()), *query.get("minus", ()), query.get("vector")]
    return any(isinstance(getattr(part, "image", part), Image) for part in parts) or parts[-1] is not None


def _frozen(query: Mapping[str, Any]) -> tuple[Any, ...]:
    """The arguments of a search as a key."""
    return tuple(
        (name, tuple(value) if isinstance(value, list | tuple) else value)
        for name, value in sorted(query.items())
    )
