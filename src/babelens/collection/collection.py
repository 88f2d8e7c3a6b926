"""The one front door: a folder of pictures, texts and vectors that can be added to and searched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from ..errors import (
    CollectionError,
    EncoderMismatchError,
    InvalidQueryError,
    UnknownItemError,
)
from ..languages import get_language
from ..models.registry import is_here
from ..retrieval.query import build_query
from ..storage.catalog import Catalog
from ..storage.paths import resolve_collection_path
from ..types import (
    Caption,
    IngestReport,
    Progress,
    Query,
    SearchResult,
    Term,
)
from . import care
from .asking import Asking
from .describing import Describing
from .passage_vectors import PassageVectors
from .pictures import picture_term
from .reindex import ReindexReport, clean_up, reindex
from .space import Loader, PassageLoader, Space, load, model_name
from .tuning import Tuning

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from ..models.protocols import Encoder, OcrEngine, PassageEncoder
    from .care import CollectionInfo, ExportReport, VerifyReport

Metric = Literal["ip", "l2"]


class Collection(Asking, Describing, PassageVectors, Tuning):
    """Pictures and their texts, searchable by meaning, by words, and by pictures. Open it with :meth:`open`.

    Safe to use from several threads; one process at a time may write, any number may read.
    """

    def __init__(
        self,
        path: Path,
        catalog: Catalog,
        *,
        model: str | Path | Encoder | None = None,
        loader: Loader | None = None,
        passage_loader: PassageLoader | None = None,
    ) -> None:
        self.path = path
        self._catalog = catalog
        self._model = model
        self._space = Space(path, catalog, model, loader, passage_loader)

    @classmethod
    def open(
        cls,
        path_or_name: str | Path,
        *,
        model: str | Path | Encoder | None = None,
        create: bool = True,
        read_only: bool = False,
        metric: Metric = "ip",
        loader: Loader | None = None,
        passage_loader: PassageLoader | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Opens a collection, or makes one with the encoder ``model``.

        ``model`` is a name (see ``babelens models``), a folder, a hub repository, or an encoder; without it a new
        collection takes :func:`~babelens.models.registry.default_model`. ``metric`` is how a new collection's graph
        index compares vectors; scores are cosines either way. ``loader`` gives encoders by name in place of
        :func:`~babelens.load_encoder`, and ``passage_loader`` those of passages that are searched with, for those who
        share them between collections. A collection of an older
        version is brought up to date, unless it is opened to read only; ``progress`` counts its texts where that takes
        time.

        Raises :class:`CollectionNotFoundError`, :class:`CorruptCatalogError`, :class:`EncoderMismatchError` when
        the collection was made with another encoder, :class:`UnknownModelError`, :class:`WeightsUnavailableError`.
        """
        path = resolve_collection_path(path_or_name)
        if metric not in get_args(Metric):
            raise InvalidQueryError(f"{metric!r} is not a metric.", hint="Metrics: ip, l2.")
        if path.exists() and not path.is_dir():
            raise CollectionError(
                f"{path} is a file; a collection is a folder.",
                hint="Name a folder, or a plain name without '/'.",
            )
        if create and not read_only and not (path / "catalog.db").exists():
            settings = {
                "model": model_name(model),
                "metric": metric,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            catalog = Catalog.create(path, settings)
        else:
            catalog = Catalog.open(path, read_only=read_only, progress=progress)
        try:
            return cls(path, catalog, model=model, loader=loader, passage_loader=passage_loader)
        except BaseException:
            catalog.close()
            raise

    def close(self) -> None:
        self._catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """How many items there are."""
        return self._catalog.count_items()

    def __repr__(self) -> str:
        return f"Collection({str(self.path)!r})"

    @property
    def version(self) -> str:
        """Another text whenever anything in the collection has changed, whoever changed it. Costs microseconds."""
        return self._catalog.version()

    @property
    def encoder(self) -> Encoder:
        """The collection's encoder, loaded when first asked for, and again after :meth:`reindex` changed it."""
        return self._space.encoder()

    @property
    def model(self) -> str:
        """What the encoder is loaded by: as it was named on opening, unless it was changed since; else as recorded."""
        return self._space.model

    # -- the way in ----------------------------------------------------------------------------------------

    def add(
        self,
        paths: str | Path | Sequence[str | Path],
        *,
        captions: Sequence[str | Path] = (),
        filename_captions: bool = False,
        caption_language: str | None = None,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        page_scans: Sequence[str | Path] = (),
        ocr: bool | str | OcrEngine = True,
        sample: int | None = None,
        seed: int = 0,
        passage_model: str | Path | PassageEncoder | None = None,
        progress: Progress | None = None,
    ) -> IngestReport:
        """Adds pictures and documents, or brings them up to date: see :func:`babelens.ingest.ingest` for the arguments.

        ``ocr`` says whether pages that are pictures of text are read, and by which engine (see
        :func:`babelens.models.ocr.load_ocr`); words in other pictures are read by :meth:`read_texts`.
        Passages are then encoded as by :meth:`encode_passages`: with ``passage_model``, else with the encoder that they
        have, else with ``multilingual-e5-small`` if it is on this machine.
        Raises :class:`UnreadableFileError` for a path that does not exist, :class:`CollectionLockedError` when
        another process is writing, :class:`StorageFullError`; what was committed before stays.
        """
        from ..ingest import ingest
        from ..models.ocr import load_ocr

        engine = (
            ocr
            if not isinstance(ocr, bool | str)
            else load_ocr("auto" if ocr is True else ocr)
            if ocr
            else None
        )
        with self._adding(progress):
            report = ingest(
                self._catalog,
                self.encoder,
                [paths] if isinstance(paths, str | Path) else list(paths),
                captions=list(captions),
                filename_captions=filename_captions,
                caption_language=caption_language,
                include=list(include),
                exclude=list(exclude),
                page_scans=list(page_scans),
                ocr=engine,
                sample=sample,
                seed=seed,
                progress=progress,
            )
            notes = self._keep_up(passage_model, progress)
        return replace(report, notes=(*report.notes, *notes))

    def import_vectors(
        self,
        vectors: NDArray[Any],
        ids: Sequence[str],
        *,
        encoder: str | Encoder,
        progress: Progress | None = None,
    ) -> IngestReport:
        """Takes in vectors made elsewhere, one for each of ``ids`` (mostly paths of pictures).

        Rows are brought to unit length; rows without a direction are skipped. ``encoder`` is what made them, or its
        name; under a name not known here only vectors can be searched with. Shape: (n, dim).
        Raises :class:`EncoderMismatchError` when the collection holds vectors of another encoder.
        """
        from .imports import fingerprint_of, import_rows

        with self._catalog.writing():
            fingerprint = fingerprint_of(encoder, vectors, ids, recorded=self._space.recorded())
            number = self._space.record(
                fingerprint, encoder if isinstance(encoder, str) else model_name(encoder)
            )
            report = import_rows(self._catalog, number, vectors, ids, progress=progress)
            self._maintain(progress)
        return report

    @contextmanager
    def _adding(self, progress: Progress | None) -> Iterator[None]:
        """Holds the writer's lock, ties a new collection to its encoder, and sees to the indexes at the end."""
        with self._catalog.writing():
            if self._space.recorded() is None:
                name = self.model if self._model is None else model_name(self._model)
                self._space.record(self.encoder.fingerprint, name)
            yield
            self._maintain(progress)

    def remove(self, ids_or_paths: str | Path | Iterable[str | Path]) -> int:
        """Removes items by id, by path, or below a folder; files stay where they are. Returns how many items went.

        Raises :class:`UnknownItemError`, and removes nothing, when one is not in the collection.
        """
        wanted = [ids_or_paths] if isinstance(ids_or_paths, str | Path) else list(ids_or_paths)
        with self._catalog.transaction():
            before = len(self)
            for value in wanted:
                if not care.remove(self._catalog, value):
                    raise UnknownItemError(
                        f"Nothing in {self.path} has the id or path {str(value)!r}.",
                        hint="Nothing was removed.",
                    )
            removed = before - len(self)
        self._maintain()
        return removed

    def _maintain(self, progress: Progress | None = None) -> None:
        """Removes what a change of the encoder left, and builds index files anew where that is due."""
        with self._catalog.writing():
            clean_up(self._catalog)
            searcher = self._space.searcher()
            if searcher is not None:
                searcher.maintain(progress=progress)

    # -- the way out ---------------------------------------------------------------------------------------

    def search(
        self,
        text: str | None = None,
        *,
        image: Image | str | Path | None = None,
        plus: Sequence[str | Path | Image | Term] = (),
        minus: Sequence[str | Path | Image | Term] = (),
        language: str | None = None,
        k: int = 10,
        mode: str = "hybrid",
        where: str | None = None,
        kinds: Sequence[str] | None = None,
        vector: NDArray[Any] | None = None,
    ) -> SearchResult:
        """Finds items by words, by a picture (one in memory, a file, or an item's id), or by both.

        ``plus`` and ``minus`` add to the query and take away from it: words, pictures in memory, files (a ``Path``)
        or terms with a weight. ``mode`` is ``"vector"`` (meaning), ``"image"`` (that of pictures alone, captions left
        aside), ``"text"`` (words, BM25) or ``"hybrid"`` (meaning and words, fused by rank). ``language`` is the
        language of the words: in it texts are searched word by word, while meaning is searched in all. ``where``
        filters on metadata, such as ``"year >= 2020 and folder = 'trips'"`` (see :mod:`.retrieval.filters`).
        ``vector`` (dim,) stands in for encoding the query.

        Raises :class:`InvalidQueryError` and its kinds.
        """
        term = None if image is None else self._picture(image)
        query = build_query(
            text,
            term,
            plus=self._terms(plus),
            minus=self._terms(minus),
            language=language,
            mode=mode,
            where=where,
            kinds=kinds,
            k=k,
            given_vector=vector is not None,
        )
        return self._answer(query, vector=vector)

    def similar(
        self, image_or_id: Image | str | Path, *, k: int = 10, where: str | None = None
    ) -> SearchResult:
        """The pictures most like a picture. One that is in the collection is not among its own results."""
        term = self._picture(image_or_id)
        query = build_query(None, term, mode="vector", where=where, k=k)
        return self._answer(query, without=term.item_id)

    def _answer(
        self, query: Query, *, vector: NDArray[Any] | None = None, without: str | None = None
    ) -> SearchResult:
        return self._space.ask(
            lambda searcher: (
                SearchResult(query, (), confident=False, confidence=None)
                if searcher is None
                else searcher.search(query, vector=vector, without=without)
            )
        )

    def captions(self, image_or_id: Image | str | Path, *, language: str, k: int = 5) -> list[Caption]:
        """The captions in ``language``, of any picture here, that fit a picture best. Scores are cosines."""
        tag = get_language(language).tag
        query = build_query(None, self._picture(image_or_id), mode="vector", k=k)
        picture = query.terms[0]
        return self._space.ask(
            lambda searcher: [] if searcher is None else searcher.captions(picture, language=tag, k=query.k)
        )

    def _terms(self, values: Sequence[str | Path | Image | Term]) -> list[str | Image | Term]:
        """Files read as pictures. A lone value counts as a list of one: ``plus="night"`` must not mean five letters."""
        listed: Sequence[Any] = values if isinstance(values, list | tuple) else [values]
        return [self._picture(value) if isinstance(value, Path) else value for value in listed]

    def _picture(self, value: Image | str | Path) -> Term:
        return picture_term(self._catalog, value, lambda: 2 * self.encoder.image_size)

    # -- care ----------------------------------------------------------------------------------------------

    def reindex(
        self,
        model: str | Path | Encoder,
        *,
        allow_missing: bool = False,
        keep_old: bool = False,
        switch: bool = True,
        queries: int = 200,
        seed: int = 0,
        before_switch: Callable[[ReindexReport], None] | None = None,
        progress: Progress | None = None,
    ) -> ReindexReport:
        """Changes the encoder to ``model``: encodes every picture and text beside the vectors before, then switches.

        Searches, also those of other processes, go on with the encoder before until one transaction switches; open
        collections notice. A run that was stopped goes on where it was, and one with another model gives it up. The
        report says how much results change on ``queries`` texts of the collection, drawn by ``seed``, and
        ``before_switch`` hears it first. ``switch=False`` stops there. The vectors before are then removed, unless
        ``keep_old``. With the encoder that the collection has, what has no vector yet gets one.

        Raises :class:`IncompleteReindexError`, and does not switch, when more than 1 % of the pictures cannot be read
        and not ``allow_missing``; :class:`CollectionLockedError`, :class:`StorageFullError`, and what loading raises.
        """
        encoder, name = load(model), model_name(model)
        with self._catalog.writing():
            with self._space.changing_to(encoder):
                report = reindex(
                    self._catalog,
                    encoder,
                    name,
                    current=self._space.recorded(),
                    allow_missing=allow_missing,
                    keep_old=keep_old,
                    switch=switch,
                    queries=queries,
                    seed=seed,
                    before_switch=before_switch or (lambda _: None),
                    progress=progress or _silent,
                )
            self._maintain(progress)
        return report

    def compact(self, *, progress: Progress | None = None) -> int:
        """Builds the index files again and gives unused space back to the disk. Returns the bytes that the catalog
        lost."""
        with self._catalog.writing():
            clean_up(self._catalog)
            searcher = self._space.searcher()
            covered = 0
            if searcher is not None:
                searcher.maintain(always=True, progress=progress)
                covered = min(index.covered_removals for index in searcher.indexes.values())
            return self._catalog.compact(covered_removals=covered)

    def verify(self) -> VerifyReport:
        """Reads everything: the catalog's own checks, the index files, and the indexes against exact search."""
        return self._space.ask(lambda searcher: care.verify(self._catalog, searcher))

    def info(self) -> CollectionInfo:
        """What the collection holds and how it is searched."""
        return self._space.ask(
            lambda searcher: care.info(
                self._catalog, searcher, self._space.recorded(), self.model, self._runtime()
            )
        )

    def _runtime(self) -> tuple[str | None, str | None]:
        """What runs the encoder and why, as far as it is here. Reads no weights and asks no network."""
        encoder = self._space.loaded()
        if encoder is None and is_here(self.model):
            try:
                encoder = self.encoder
            except EncoderMismatchError:  # what has that name here is another encoder
                return None, None
        return getattr(encoder, "runtime", None), getattr(encoder, "why", None)

    def export(self, folder: str | Path, *, zip: bool = False) -> ExportReport:
        """Writes ``captions.csv``, ``image_embeddings.npy``, ``ids.txt``, ``image_index.faiss`` and ``manifest.json``
        into ``folder``, and with ``zip`` packs them into ``folder.zip`` as well."""
        return self._space.ask(
            lambda searcher: care.export(self._catalog, searcher, Path(folder).expanduser(), as_zip=zip)
        )


def _silent(done: int, total: int | None = None, note: str = "") -> None:
    pass
