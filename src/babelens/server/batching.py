"""Encoders that many threads share: what they ask for within a few milliseconds is encoded in one call.

A text tower reads all its weights for one text as for thirty, so thirty searches at once cost little more than one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, NotRequired, TypedDict, TypeVar, Unpack

from ..models.protocols import Encoder, PassageEncoder
from ..vectors import Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from ..types import EncoderFingerprint

T = TypeVar("T")
_PICTURES: Final = 16  # decoded pictures are held while they wait


class Batching(TypedDict):
    """How calls are joined: what :class:`Batcher` calls so."""

    wait: float
    limit: int
    company: NotRequired[Callable[[], bool]]
    heard: NotRequired[Callable[[int], None]]


@dataclass(eq=False)
class _Group(Generic[T]):
    """Values of several callers that are encoded together."""

    values: list[T] = field(default_factory=list)
    full: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    result: Floats | None = None


class Batcher(Generic[T]):
    """Joins the calls of several threads into one call of ``run``, which gives a row for each value.

    The first caller of a group leads it: it waits for others while ``company`` says that there are some, at most
    ``wait`` seconds and until there are ``limit`` values, and runs the group. Groups run one after the other, so what
    comes while one runs is joined as well. ``heard`` is told the size of each group.
    """

    def __init__(
        self,
        run: Callable[[list[T]], Floats],
        *,
        wait: float,
        limit: int,
        company: Callable[[], bool] = lambda: True,
        heard: Callable[[int], None] | None = None,
    ) -> None:
        self._run, self._wait, self._limit = run, wait, limit
        self._company, self._heard = company, heard or (lambda _: None)
        self._lock = threading.Lock()
        self._running = threading.Lock()
        self._open: _Group[T] | None = None

    def __call__(self, values: Sequence[T]) -> Floats:
        """The rows of ``values``. Raises what ``run`` raises for them, never what it raises for others'."""
        with self._lock:
            leads = self._open is None
            group = self._open = self._open or _Group()
            start = len(group.values)
            group.values += values
            if len(group.values) >= self._limit:
                group.full.set()
                self._open = None
        if leads:
            self._lead(group)
        else:
            group.done.wait()
        if group.result is not None:
            return group.result[start : start + len(values)]
        with self._running:  # one of the group was no good: each on its own
            return self._run(list(values))

    def _lead(self, group: _Group[T]) -> None:
        try:
            if self._wait > 0 and self._company():
                group.full.wait(self._wait)
            with self._running:
                with self._lock:
                    if self._open is group:
                        self._open = None
                self._heard(len(group.values))
                group.result = self._run(list(group.values))
        except Exception:
            group.result = None  # every caller tries again and meets its own error
        finally:
            with self._lock:
                if self._open is group:
                    self._open = None
            group.done.set()


E = TypeVar("E", bound=Encoder | PassageEncoder)


class _Shared(Generic[E]):
    """What both kinds of encoders say of themselves."""

    def __init__(self, encoder: E) -> None:
        self._encoder = encoder

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._encoder.count_tokens(texts)

    @property
    def fingerprint(self) -> EncoderFingerprint:
        return self._encoder.fingerprint

    @property
    def languages(self) -> tuple[str, ...]:
        return self._encoder.languages

    @property
    def max_tokens(self) -> int:
        return self._encoder.max_tokens

    @property
    def calibration(self) -> dict[str, float]:
        return self._encoder.calibration


class BatchedEncoder(_Shared[Encoder]):
    """An encoder that keeps :class:`~babelens.models.protocols.Encoder` and joins the calls of threads."""

    def __init__(self, encoder: Encoder, **batching: Unpack[Batching]) -> None:
        super().__init__(encoder)
        self._texts: Batcher[str] = Batcher(encoder.encode_texts, **batching)
        few: Batching = {**batching, "limit": min(batching["limit"], _PICTURES)}
        self._pictures: Batcher[NDArray[Any]] = Batcher(encoder.encode_prepared, **few)

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        return self._texts(texts)

    def encode_prepared(self, pixels: Sequence[NDArray[Any]]) -> Floats:
        return self._pictures(pixels)

    def prepare(self, image: Image) -> NDArray[Any]:
        return self._encoder.prepare(image)

    @property
    def image_size(self) -> int:
        return self._encoder.image_size

    @property
    def photographs(self) -> bool:
        return self._encoder.photographs

    @property
    def vocabulary(self) -> Floats:
        return self._encoder.vocabulary

    @property
    def runtime(self) -> str | None:
        """What runs the towers, where the encoder says it."""
        return getattr(self._encoder, "runtime", None)

    @property
    def why(self) -> str | None:
        return getattr(self._encoder, "why", None)


class BatchedPassageEncoder(_Shared[PassageEncoder]):
    """An encoder that keeps :class:`~babelens.models.protocols.PassageEncoder` and joins the questions of threads.

    Passages come in batches already, from the one who writes.
    """

    def __init__(self, encoder: PassageEncoder, **batching: Unpack[Batching]) -> None:
        super().__init__(encoder)
        self._questions: Batcher[str] = Batcher(encoder.encode_queries, **batching)

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        return self._questions(texts)

    def encode_passages(self, texts: Sequence[str]) -> Floats:
        return self._encoder.encode_passages(texts)
