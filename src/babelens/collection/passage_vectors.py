"""The part of :class:`.Collection` that makes what documents say findable by meaning, in any language.

A second encoder of the catalog does it, the encoder of passages. It is changed as that of pictures is: new vectors are
made beside the old ones, one transaction switches, and what is left is cleared away.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BabelensError
from ..models.passages import DEFAULT_PASSAGE_MODEL, is_passage_encoder_here, load_passage_encoder
from ..search.passages import PassageSetting, read_passage_setting, write_passage_setting
from ..types import EncoderFingerprint, Progress
from .reindex import clean_up, leave
from .space import from_anywhere

if TYPE_CHECKING:
    from ..models.protocols import PassageEncoder
    from ..storage.catalog import Catalog
    from .space import Space


@dataclass(frozen=True, slots=True)
class PassageReport:
    """What a run of :meth:`Collection.encode_passages` did: ``written`` vectors, ``unchanged`` ones that were there.

    ``cut`` of the texts written are longer than the encoder reads. ``switched`` is True when another encoder was in
    use before, whose vectors are gone.
    """

    model: str
    encoder: EncoderFingerprint
    written: int
    unchanged: int
    cut: int
    switched: bool
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class PassageInfo:
    """The encoder of passages. ``encoded`` of ``total`` texts have its vectors; ``coming`` is the model that a change
    was begun to, if it has not switched yet."""

    model: str
    encoder: EncoderFingerprint
    encoded: int
    total: int
    coming: str | None = None


class PassageVectors:
    """Passages and the encoder of their own."""

    _catalog: Catalog
    _space: Space

    if TYPE_CHECKING:

        def _maintain(self, progress: Progress | None = None) -> None: ...

    def encode_passages(
        self, model: str | Path | PassageEncoder | None = None, *, progress: Progress | None = None
    ) -> PassageReport:
        """Gives every text of documents, and every one that was read in pictures, a vector of the encoder of passages:
        questions then find them by meaning, in whatever language either is.

        ``model`` is a name, a folder or an encoder; without it, the one in use, or ``multilingual-e5-small``. Another
        than the one in use takes its place when all is encoded. A run that was stopped goes on where it was; later
        runs of :meth:`add` keep up. Raises what :func:`load_passage_encoder` does, :class:`CollectionLockedError`,
        :class:`StorageFullError`; what was committed before stays.
        """
        setting = read_passage_setting(self._catalog)
        if model is None:
            model = setting.model if setting is not None else DEFAULT_PASSAGE_MODEL
        encoder, name = _loaded(model)
        with self._catalog.writing():
            report = self._encode_passages(encoder, name, progress)
            self._maintain(progress)
        return report

    def _keep_up(self, model: str | Path | PassageEncoder | None, progress: Progress | None) -> list[str]:
        """Encodes what was added, with ``model``, or the encoder in use, or the default where it is on this machine.
        Returns what to tell of it."""
        setting = read_passage_setting(self._catalog)
        if model is not None:
            encoder, name = _loaded(model)
        elif setting is not None:
            missing = self._catalog.count_passages_without(self._catalog.encoder_id(setting.encoder))
            if not missing:
                return []
            name = setting.model
            try:
                encoder = self._space.passage_encoder(setting)
            except BabelensError as error:
                return [
                    f"{missing:,} passages are not findable by meaning yet: {error.message}"
                    + (f" {error.hint}" if error.hint else "")
                ]
        elif self._catalog.count_passages_without(0) and is_passage_encoder_here(DEFAULT_PASSAGE_MODEL):
            encoder, name = _loaded(DEFAULT_PASSAGE_MODEL)
        else:
            return []
        report = self._encode_passages(encoder, name, progress)
        said = f"{report.written:,} passages were encoded by {report.model}: questions find them in any language."
        return [said, *report.notes] if report.written else []

    def _encode_passages(
        self, encoder: PassageEncoder, model: str, progress: Progress | None
    ) -> PassageReport:
        """The writer's lock is held."""
        from ..ingest.passages import encode_passages

        started = time.monotonic()
        catalog, setting = self._catalog, PassageSetting(model, encoder.fingerprint)
        encoder.encode_queries(["a"])  # what is wrong with it must show before anything is written
        self._space.keep_passage_encoder(encoder)
        switching = _begin(catalog, setting)
        number = catalog.encoder_id(setting.encoder)
        total = catalog.count_passages_without(0)
        done = encode_passages(catalog, encoder, number, progress=progress or _silent)
        if switching:
            _switch(catalog, setting)
        notes = []
        if done.cut:
            notes.append(
                f"{done.cut:,} passages are longer than the {encoder.max_tokens} tokens that {model} takes: search "
                "by meaning sees their beginning, search by words all of them."
            )
        return PassageReport(
            model=model,
            encoder=setting.encoder,
            written=done.written,
            unchanged=total - done.written,
            cut=done.cut,
            switched=switching,
            notes=tuple(notes),
            seconds=time.monotonic() - started,
        )


def passage_info(catalog: Catalog) -> PassageInfo | None:
    """The encoder of passages and how far it has come; None where there is none."""
    with catalog.snapshot():
        setting, coming = read_passage_setting(catalog), read_passage_setting(catalog, coming=True)
        if setting is None:
            return None
        numbers = {known: number for number, known in catalog.encoders().items()}
        total = catalog.count_passages_without(0)  # no encoder has this number
        missing = catalog.count_passages_without(numbers[setting.encoder])
    return PassageInfo(
        setting.model, setting.encoder, total - missing, total, coming.model if coming else None
    )


def _begin(catalog: Catalog, setting: PassageSetting) -> bool:
    """Says in the catalog which encoder is in use, or on its way where another one is in use: then True.

    Another one that was on its way is given up.
    """
    clean_up(catalog)  # before the encoder can be one of the leftovers
    with catalog.transaction():
        catalog.encoder_id(setting.encoder)
        used, coming = read_passage_setting(catalog), read_passage_setting(catalog, coming=True)
        if coming is not None and coming.encoder != setting.encoder:
            leave(catalog, [catalog.encoder_id(coming.encoder)])
        switching = used is not None and used.encoder != setting.encoder
        write_passage_setting(catalog, setting if switching else None, coming=True)
        if not switching:
            write_passage_setting(catalog, setting)
    return switching


def _switch(catalog: Catalog, setting: PassageSetting) -> None:
    with catalog.transaction():
        used = read_passage_setting(catalog)
        if used is not None:
            leave(catalog, [catalog.encoder_id(used.encoder)])
        write_passage_setting(catalog, setting)
        write_passage_setting(catalog, None, coming=True)


def _loaded(model: str | Path | PassageEncoder) -> tuple[PassageEncoder, str]:
    """An encoder and what to load it by next time."""
    if not isinstance(model, str | Path):
        return model, model.fingerprint.name
    return load_passage_encoder(model), from_anywhere(model)


def _silent(done: int, total: int | None = None, note: str = "") -> None:
    pass
