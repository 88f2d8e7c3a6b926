"""Which encoder a collection is searched with. It changes once in a while (see :mod:`.reindex`), and every process that
has the collection open notices: vectors of two encoders are never compared."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from ..errors import EncoderMismatchError, UnknownModelError
from ..models.registry import default_model, load_encoder
from ..types import EncoderFingerprint, Translation

if TYPE_CHECKING:
    from ..describing.questions import QuestionTranslator
    from ..indexes.faiss import Metric
    from ..models.protocols import Encoder, PassageEncoder
    from ..search import Route, Searcher
    from ..search.passages import PassageSetting
    from ..storage.catalog import Catalog

_Answer = TypeVar("_Answer")

Loader = Callable[[str | Path], "Encoder"]
"""What gives the encoder of a name or folder, for those who share encoders between collections."""

PassageLoader = Callable[[str | Path], "PassageEncoder"]
"""The same of encoders of passages."""

_INSIDE = "./"
"""Begins the name of an encoder that lies in the collection's folder; other folders are named from the root."""


class Space:
    """The encoder of record of a collection, and the searcher over its vectors.

    ``model`` is how the user named the encoder, if at all. Raises :class:`EncoderMismatchError` when the collection
    holds vectors of another. Safe to use from several threads.
    """

    def __init__(
        self,
        path: Path,
        catalog: Catalog,
        model: str | Path | Encoder | None,
        loader: Loader | None = None,
        passage_loader: PassageLoader | None = None,
    ) -> None:
        self._path = path
        self._catalog = catalog
        self._model = model
        self._loader = loader
        self._passage_loader = passage_loader
        self._loaded: Encoder | None = None
        self._next: Encoder | None = None
        self._kept: dict[EncoderFingerprint, Encoder] = {}
        self._loading = threading.Lock()
        self._searcher: Searcher | None = None
        self._kept_passages: dict[EncoderFingerprint, PassageEncoder] = {}
        self._translator: QuestionTranslator | None = None
        recorded = self.recorded()
        if model is not None and recorded is not None:
            encoder = self._made(model)
            self._check(encoder, recorded)
            self._loaded = encoder

    @property
    def model(self) -> str:
        """What the encoder is loaded by: as it was named on opening, unless it was changed since; else as recorded."""
        given = self._model
        current = isinstance(given, str | Path) and self._at_hand(self.recorded()) is not None
        return str(given) if current else self._named()

    def _named(self) -> str:
        name = self._catalog.get_setting("model") or default_model()
        return str(self._catalog.folder.absolute() / name) if name.startswith(_INSIDE) else name

    # -- the encoder of record -----------------------------------------------------------------------------

    def recorded(self) -> EncoderFingerprint | None:
        """The encoder that the collection's vectors are of; None before the first."""
        value = self._catalog.get_setting("encoder")
        return EncoderFingerprint(**json.loads(value)) if value else None

    def record(self, fingerprint: EncoderFingerprint, model: str) -> int:
        """Ties the collection to its first encoder. Returns the encoder's number."""
        with self._catalog.transaction():
            if self.recorded() is None:
                self._catalog.set_setting("encoder", json.dumps(asdict(fingerprint)))
                set_model(self._catalog, model)
            return self._catalog.encoder_id(fingerprint)

    def loaded(self) -> Encoder | None:
        """The collection's encoder, if it is loaded."""
        return self._at_hand(self.recorded())

    def encoder(self) -> Encoder:
        """The collection's encoder, loaded when first asked for, and again when it was changed."""
        while True:
            recorded = self.recorded()
            try:
                return self._encoder_of(recorded)
            except EncoderMismatchError:
                if self.recorded() == recorded:
                    raise

    @contextmanager
    def changing_to(self, encoder: Encoder) -> Iterator[None]:
        """Keeps ``encoder`` at hand, so that searches right after the switch find it."""
        self._next = encoder
        try:
            yield
        finally:
            with self._loading:
                if self.recorded() == encoder.fingerprint:
                    self._loaded, self._model = encoder, None
                self._next = None

    def _encoder_of(self, recorded: EncoderFingerprint | None) -> Encoder:
        """The encoder with this fingerprint, or the one to make the first vectors with when nothing is recorded."""
        return self._at_hand(recorded) or self._load(recorded)

    def _at_hand(self, recorded: EncoderFingerprint | None) -> Encoder | None:
        for encoder in (self._loaded, self._next):
            if encoder is not None and recorded in (None, encoder.fingerprint):
                return encoder
        return None

    def _load(self, recorded: EncoderFingerprint | None) -> Encoder:
        with self._loading:
            known = self._at_hand(recorded)
            if known is not None:
                return known
            if recorded != self.recorded():  # a search that began before the switch: it will be asked again
                raise EncoderMismatchError(f"The encoder of {self._path} was changed.", hint="Search again.")
            encoder = self._load_named() if self._model is None else self._made(self._model)
            if self._model is not None and recorded not in (None, encoder.fingerprint):
                self._model = None  # the collection was given another encoder since it was opened
                encoder = self._load_named()
            self._check(encoder, recorded)
            self._loaded = encoder
            return encoder

    def _load_named(self) -> Encoder:
        """The encoder by the name that the catalog has of it."""
        name = self._named()
        try:
            return self._made(name)
        except UnknownModelError as error:
            raise EncoderMismatchError(
                f"{self._path} holds vectors of {name!r}, an encoder that is not here.",
                hint="Open it with its encoder's folder (--model DIR). Without it, pictures of the collection find "
                "each other (similar) and words find captions (--mode text).",
            ) from error

    def _check(self, encoder: Encoder, recorded: EncoderFingerprint | None) -> None:
        if recorded is not None and encoder.fingerprint != recorded:
            raise EncoderMismatchError(
                f"{self._path} was made with {_described(recorded)}; {_described(encoder.fingerprint)} cannot "
                "search or add to it, since their vectors do not compare.",
                hint=f"Leave the model away to use {recorded.name}, or change the collection's encoder with "
                "`babelens reindex`.",
            )

    def _made(self, model: str | Path | Encoder) -> Encoder:
        if self._loader is None or not isinstance(model, str | Path):
            return load(model)
        return self._loader(model)

    # -- searching with it ---------------------------------------------------------------------------------

    def searcher(self) -> Searcher | None:
        """The searcher of the encoder in use; None as long as there are no vectors."""
        used = self._in_use()
        return None if used is None else self._searcher_of(*used)

    def ask(self, question: Callable[[Searcher | None], _Answer]) -> _Answer:
        """The answer of one encoder's vectors: asked again when another process switched meanwhile, and what it was
        asked about may be gone."""
        while True:
            used = self._in_use()
            try:
                answer = question(None if used is None else self._searcher_of(*used))
            except Exception:
                if self._in_use() == used:
                    raise
            else:
                if self._in_use() == used:
                    return answer

    def _in_use(self) -> tuple[int, EncoderFingerprint] | None:
        """The number and fingerprint of the encoder to search with; None as long as there are no vectors."""
        with self._catalog.snapshot():
            recorded = self.recorded()
            numbers = [number for number, known in self._catalog.encoders().items() if known == recorded]
        return (numbers[0], recorded) if recorded is not None and numbers else None

    def _searcher_of(self, number: int, fingerprint: EncoderFingerprint) -> Searcher:
        """Numbers are never given out again, so a searcher stands for one space. It loads no other's encoder."""
        searcher = self._searcher
        if searcher is None or searcher.encoder_number != number:
            from ..search import DocumentSearch, OtherLanguages, PassageSearch, Router, Searcher

            metric = cast("Metric", self._catalog.get_setting("metric") or "ip")
            searcher = self._searcher = Searcher(
                self._catalog,
                number,
                fingerprint.dim,
                lambda: self._encoder_of(fingerprint),
                metric=metric,
                router=Router(self._catalog, number, self._encoder_for),
                documents=DocumentSearch(
                    self._catalog,
                    PassageSearch(self._catalog, self.passage_encoder, metric=metric),
                    OtherLanguages(self._catalog, self._translate),
                ),
            )
        return searcher

    # -- other text towers ---------------------------------------------------------------------------------

    def keep(self, encoder: Encoder) -> None:
        """Keeps an encoder that a route leads to, so that searches of this process need not load it."""
        self._kept[encoder.fingerprint] = encoder

    def _encoder_for(self, route: Route) -> Encoder:
        """The encoder of a route. A search fetches nothing: who does not have it is told how to get it."""
        kept = self._kept.get(route.fingerprint)
        if kept is not None:
            return kept
        return self._loader(route.model) if self._loader else load_encoder(route.model, fetch=False)

    # -- what documents say --------------------------------------------------------------------------------

    def keep_passage_encoder(self, encoder: PassageEncoder) -> None:
        """Keeps the encoder that passages were encoded with, so that searches of this process need not load it."""
        self._kept_passages[encoder.fingerprint] = encoder

    def passage_encoder(self, setting: PassageSetting) -> PassageEncoder:
        """The encoder of passages that a catalog names. A search fetches nothing: who does not have it is told how to
        get it. Raises :class:`EncoderMismatchError` when what has that name here is another one."""
        from ..models.passages import load_passage_encoder

        kept = self._kept_passages.get(setting.encoder)
        if kept is not None:
            return kept
        load_one = self._passage_loader or partial(load_passage_encoder, fetch=False)
        encoder = load_one(setting.model)
        if encoder.fingerprint != setting.encoder:
            raise EncoderMismatchError(
                f"{setting.model} is another model now than the one that encoded the passages.",
                hint=f"Encode them again: babelens index FOLDER --passage-model {setting.model}",
            )
        self.keep_passage_encoder(encoder)
        return encoder

    def _translate(self, text: str, source: str, target: str) -> Translation | None:
        with self._loading:
            if self._translator is None:
                from ..describing.questions import QuestionTranslator

                self._translator = QuestionTranslator()
        return self._translator(text, source, target)


def load(model: str | Path | Encoder) -> Encoder:
    return load_encoder(model) if isinstance(model, str | Path) else model


def model_name(model: str | Path | Encoder | None) -> str:
    """What to load an encoder by next time. Raises :class:`UnknownModelError`."""
    if model is None:
        return default_model()
    if not isinstance(model, str | Path):
        return model.fingerprint.name
    load(model)  # cheap: the weights are read when they are first needed
    return from_anywhere(model)


def from_anywhere(model: str | Path) -> str:
    """The name of a model, or its folder's path from the root."""
    folder = Path(model).expanduser()
    return str(folder.absolute()) if folder.is_dir() else str(model)


def set_model(catalog: Catalog, model: str) -> None:
    """Records what the encoder is loaded by. A folder in the collection's own is named from there, so that the
    collection can be moved."""
    home = catalog.folder.absolute()
    inside = Path(model).is_relative_to(home)
    catalog.set_setting("model", _INSIDE + Path(model).relative_to(home).as_posix() if inside else model)


def _described(fingerprint: EncoderFingerprint) -> str:
    return f"{fingerprint.name} (revision {fingerprint.revision}, {fingerprint.dim} numbers)"
