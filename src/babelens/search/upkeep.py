"""Keeps the index of one modality in step with the catalog.

The catalog is asked for its watermark before every search, which costs microseconds; what other processes wrote is
taken in then. Up to :data:`FILE_LIMIT` vectors everything is held in memory and no index file exists. Above, a file
in ``indexes/`` holds the base, built and swapped by :meth:`FreshIndex.maintain`, and newer vectors are searched
exactly.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..errors import CorruptIndexError
from ..indexes import files
from ..indexes.exact import ExactIndex
from ..indexes.live import LiveIndex
from ..retrieval.calibration import SAMPLE_SIZE
from ..types import Modality, Progress
from ..vectors import Floats, Ids
from .tuned import read_tuned

if TYPE_CHECKING:
    from ..indexes.faiss import Metric
    from ..indexes.setting import Tuned
    from ..storage.catalog import Catalog
    from ..storage.rows import Watermark

# Reading this many vectors from the catalog takes about as long as mapping a file.
FILE_LIMIT: Final = 10_000
_BATCH: Final = 10_000
_TUNING_QUERIES: Final = 200
_INDEXING: Final = "building the index"
_SEED: Final = 0
# The background sample is drawn again when the collection has changed in size by more than this share.
_DRIFT: Final = 0.2


@dataclass(frozen=True, slots=True)
class IndexState:
    """How one modality is searched now. ``facts`` are what its builder measured (see :mod:`.indexes.tuning`), ``tuned``
    the setting to build it with, if a study found one."""

    name: str
    vectors: int
    stored: bool
    facts: Mapping[str, Any]
    tuned: Tuned | None = None


class FreshIndex:
    """The index of one encoder and modality. Safe to use from several threads.

    ``name`` is that of its file, the modality's unless several encoders have vectors of it.
    """

    def __init__(
        self,
        catalog: Catalog,
        encoder: int,
        dim: int,
        modality: Modality,
        *,
        metric: Metric = "ip",
        name: str | None = None,
    ) -> None:
        self._catalog = catalog
        self._encoder = encoder
        self._name = name or modality
        self._dim = dim
        self._modality: Modality = modality
        self._metric: Metric = metric
        self._lock = threading.RLock()
        self._mark: Watermark | None = None
        self._base: files.Covers | None = None
        self._index: ExactIndex | LiveIndex = ExactIndex(dim)
        self._facts: Mapping[str, Any] = {}
        self._sample: tuple[int, Watermark, Floats] | None = None
        self._foreign = False  # the stored index is of the encoder before
        self.damage: str | None = None

    @property
    def encoder(self) -> int:
        """The encoder's number."""
        return self._encoder

    @property
    def modality(self) -> Modality:
        return self._modality

    @property
    def dim(self) -> int:
        return self._dim

    def __len__(self) -> int:
        return len(self.current())

    @property
    def searched(self) -> int:
        """How many vectors the last search looked at; what was written since does not count."""
        return len(self._index)

    def current(self) -> ExactIndex | LiveIndex:
        """The index with everything that is committed now."""
        mark = self._catalog.watermark(self._encoder, self._modality)
        if mark != self._mark:
            with self._lock:
                self._advance()
        return self._index

    def background(self) -> Floats:
        """A fixed seeded sample to judge scores against, as of the last search. Shape: (min(n, SAMPLE_SIZE), dim)."""
        n = len(self._index if self._mark is not None else self.current())
        mark = self._mark
        kept = self._sample
        if kept is not None and mark is not None:
            size, taken, vectors = kept
            small = max(n, size) <= 2 * SAMPLE_SIZE
            if taken == mark or (not small and abs(n - size) <= _DRIFT * size):
                return vectors
        _, vectors = self._catalog.sample_vectors(self._encoder, self._modality, SAMPLE_SIZE, seed=_SEED)
        if mark is not None:
            self._sample = (n, mark, vectors)
        return vectors

    def state(self) -> IndexState:
        index = self.current()
        tuned = read_tuned(self._catalog, self._encoder, self._modality)
        return IndexState(index.name, len(index), self._base is not None, dict(self._facts), tuned)

    @property
    def covered_removals(self) -> int:
        """How much of the log of removals is taken in, also by the file if there is one."""
        self.current()
        if self._base is not None:
            return self._base.removals
        return self._mark.removals if self._mark else 0

    # -- taking in -----------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Takes in what the catalog gained and lost. The lock is held."""
        if self._mark is not None and self._taken_in():
            self._swap_if_behind()
            return
        self._mark = None
        self._open()
        if self._mark is None or not self._taken_in():
            self._read_all()

    def _open(self) -> None:
        """Maps the stored index, if there is one that can be used."""
        try:
            loaded = files.load(self._catalog.folder, self._name)
        except CorruptIndexError as error:
            self.damage = error.message
            return
        if loaded is None:
            return
        if loaded.facts.get("encoder") != self._encoder or loaded.index.dim != self._dim:
            self._foreign = True
            return
        self._adopt(loaded)

    def _adopt(self, loaded: files.Loaded) -> None:
        self._index = LiveIndex(loaded.index)
        self._base = loaded.covers
        self._facts = loaded.facts
        self._mark = _watermark(loaded.covers)

    def _taken_in(self) -> bool:
        """Brings the index up to date; False when the log of removals no longer reaches back to what it knows."""
        try:
            mark, ids, vectors, removed = self._news(self._mark)
        except CorruptIndexError:
            return False
        if isinstance(self._index, LiveIndex):
            self._index.refresh(ids, vectors, removed)
        else:
            if len(ids):
                self._index.add(ids, vectors)
            if len(removed):
                self._index.remove(removed)
        self._mark = mark
        return True

    def _news(self, known: Watermark | None) -> tuple[Watermark, Ids, Floats, Ids]:
        """The watermark now, and what was added and removed since ``known``."""
        removals, vectors = (known.removals, known.vectors) if known else (0, 0)
        with self._catalog.snapshot():
            return (
                self._catalog.watermark(self._encoder, self._modality),
                *self._catalog.vectors_since(self._encoder, self._modality, vectors),
                self._catalog.removed_since(removals),
            )

    def _read_all(self) -> None:
        """Everything from the catalog into memory: small collections, and those whose file cannot be used."""
        index = ExactIndex(self._dim)
        with self._catalog.snapshot():
            mark = self._catalog.watermark(self._encoder, self._modality)
            for ids, vectors in self._catalog.iter_vectors(self._encoder, self._modality, batch=_BATCH):
                index.add(ids, vectors)
        self._index, self._base, self._facts, self._mark = index, None, {}, mark

    def _swap_if_behind(self) -> None:
        """A reader whose tail has grown long looks whether the writer has stored a newer index."""
        from ..indexes.tuning import due

        index = self._index
        if not isinstance(index, LiveIndex) or due(index.base, len(index.tail)) == "nothing":
            return
        try:
            loaded = files.load(self._catalog.folder, self._name)
        except CorruptIndexError:
            return  # ours is mapped already, and sound
        if loaded is None or loaded.facts.get("encoder") != self._encoder or loaded.covers == self._base:
            return
        self._adopt(loaded)
        if not self._taken_in():
            self._read_all()

    # -- building ------------------------------------------------------------------------------------------

    def maintain(
        self,
        queries: Floats | None = None,
        *,
        always: bool = False,
        progress: Progress | None = None,
    ) -> bool:
        """Builds the stored index again if that is due, or ``always``; True if it did. For the writer.

        It is due, too, when it was built with another setting than the collection has. ``queries`` are what the index
        is tuned with, (n, dim) unit rows: text vectors when words will be searched with. Searches go on meanwhile, on
        the index before.
        """
        from ..indexes.tuning import due

        index = self.current()
        n = len(index)
        if n <= FILE_LIMIT:
            if self._base is not None or self.damage is not None or self._foreign:
                files.drop(self._catalog.folder, self._name)
                self._reset()
            return False
        tuned = read_tuned(self._catalog, self._encoder, self._modality)
        as_set = self._facts.get("tuned") == (tuned.key if tuned else None)
        if isinstance(index, LiveIndex) and as_set and not always:
            todo = due(index.base, len(index.tail))
            if todo == "nothing":
                return False
            if todo == "extend" and index.base.kind != "exact":
                self._extend(progress)
                return True
        self._build(n, queries, tuned, progress)
        return True

    def _extend(self, progress: Progress | None) -> None:
        """Adds the tail to a copy of the base, opened from its file."""
        loaded = files.load(self._catalog.folder, self._name)
        if loaded is None or loaded.covers != self._base:
            return  # another process was quicker
        mark, ids, vectors, removed = self._news(_watermark(loaded.covers))
        loaded.index.add(ids, vectors)
        loaded.index.remove(removed)
        if progress is not None:
            progress(len(loaded.index), len(loaded.index), _INDEXING)
        self._store(loaded.index, mark, loaded.facts)

    def _build(self, n: int, queries: Floats | None, tuned: Tuned | None, progress: Progress | None) -> None:
        from ..indexes.tuning import build

        if queries is None or len(queries) < _TUNING_QUERIES // 2:
            _, queries = self._catalog.sample_vectors(
                self._encoder, self._modality, _TUNING_QUERIES, seed=_SEED + 1
            )
        with self._catalog.snapshot():
            mark = self._catalog.watermark(self._encoder, self._modality)
            batches = self._catalog.iter_vectors(self._encoder, self._modality, batch=_BATCH)
            built = build(
                batches,
                n,
                queries,
                metric=self._metric,
                tuned=tuned,
                progress=None if progress is None else lambda done: progress(done, n, _INDEXING),
            )
        facts = {**built.choice.facts(), "encoder": self._encoder, "tuned": tuned.key if tuned else None}
        self._store(built.index, mark, facts)

    def _store(self, index: Any, mark: Watermark, facts: Mapping[str, Any]) -> None:
        covers = files.Covers(mark.vectors, mark.removals)
        files.write(self._catalog.folder, self._name, index, covers, facts=facts)
        self._reset()

    def _reset(self) -> None:
        """The next search opens what is stored now."""
        with self._lock:
            self.damage, self._foreign = None, False
            self._mark = self._base = None
            self._facts = {}
            self._advance()


def _watermark(covers: files.Covers) -> Watermark:
    from ..storage.rows import Watermark

    return Watermark(covers.vectors, covers.removals)
