"""The catalog: the only truth of a collection. What lies in ``indexes/`` can be deleted and is made again from here.

This class is the front desk: it takes the writer's lock, opens transactions, and hands each question to the module
that knows the answer (items, texts, embeddings, wordsearch, where, verify).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from numpy.typing import NDArray

from ..errors import CollectionError
from ..types import EncoderFingerprint, Filter, Item, Kind, Modality, Origin, Progress, Text
from ..vectors import Floats, Ids
from . import corrections, embeddings, fulltext, items, texts, verify, wordsearch
from .beside import Beside
from .database import CATALOG_NAME, Database, os_errors
from .embeddings import Precision
from .lock import WriterLock
from .rows import CaptionRow, FileState, Found, Owner, StoredCorrection, StoredText, Watermark, WordHit
from .where import compile_filter

_PAGE: Final = 1000  # items read at a time: short reads let the write-ahead log be cleared


class Catalog(Beside):
    """One collection's SQLite file. Any thread and any process may read; one process at a time writes.

    Every method that writes is atomic by itself, takes the writer's lock, and raises
    :class:`~babelens.errors.CollectionLockedError` when another process holds it; several become one batch inside
    ``with catalog.transaction():``. A full disk raises :class:`~babelens.errors.StorageFullError` and undoes the batch.
    """

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self._database = database
        self._lock = WriterLock(folder)

    @classmethod
    def create(cls, folder: str | Path, settings: Mapping[str, str]) -> Self:
        """A new catalog in ``folder``, which is made if need be. Raises :class:`CollectionError` if there is one."""
        folder = Path(folder)
        with os_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with WriterLock(folder)():
            Database.create(folder / CATALOG_NAME, settings)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: str | Path, *, read_only: bool = False, progress: Progress | None = None) -> Self:
        """Opens a catalog; one of an older version is brought up to date, which ``progress`` hears of when its texts
        have to be analysed again. Raises :class:`CollectionNotFoundError`, :class:`CorruptCatalogError`, or
        :class:`CollectionError` for a catalog of a newer version, and of an older one when it may only be read."""
        folder = Path(folder)
        catalog = cls(folder, Database.open(folder / CATALOG_NAME, read_only=read_only))
        if catalog._database.outdated:
            try:
                with catalog.writing():
                    catalog._database.upgrade(progress)
            except BaseException:
                catalog.close()
                raise
        return catalog

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The file itself."""
        return self._database.path

    @property
    def read_only(self) -> bool:
        return self._database.read_only

    # -- batches -------------------------------------------------------------------------------------------

    def version(self) -> str:
        """Another text whenever anything has changed, whoever changed it; cheap enough to ask before every answer."""
        return self._database.version()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Holds the one-writer lock; may be entered again. Raises :class:`CollectionLockedError` at once."""
        if self.read_only:
            raise CollectionError(f"{self.folder} is open for reading only.")
        with self._lock():
            yield

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One atomic batch of this thread: all of it is committed at the end, or nothing when an error leaves it."""
        with self.writing(), self._database.transaction():
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What this thread reads inside belongs to one moment, whatever is written meanwhile."""
        with self._database.snapshot():
            yield

    # -- settings ------------------------------------------------------------------------------------------

    def get_setting(self, key: str) -> str | None:
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
            return row[0] if row else None

    def set_setting(self, key: str, value: str) -> None:
        with self.writing(), self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, value))

    def delete_setting(self, key: str) -> None:
        with self.writing(), self._database.transaction() as connection:
            connection.execute("DELETE FROM settings WHERE key = ?", (key,))

    # -- files ---------------------------------------------------------------------------------------------

    def file_states(self, under: str | None = None) -> dict[str, FileState]:
        """Known files by path: all, or those below a folder, or the one file that ``under`` names."""
        with self._database.reading() as connection:
            return items.file_states(connection, under)

    def files_at(self, paths: Iterable[str]) -> dict[str, FileState]:
        """Which of these files are known, by path."""
        with self._database.reading() as connection:
            return items.files_at(connection, paths)

    def files_below(self, folder: str) -> Iterator[FileState]:
        """Known files below a folder, in the order of their paths; read page by page, so memory stays small."""
        last = ""
        while True:
            with self._database.reading() as connection:
                page = items.file_page(connection, folder, last, limit=_PAGE)
            if not page:
                return
            last = page[-1].path
            yield from page

    def files_with_hash(self, sha256: str) -> list[FileState]:
        with self._database.reading() as connection:
            return items.files_with_hash(connection, sha256)

    def put_file(self, state: FileState) -> None:
        """Writes what is known of a file, in place of what was."""
        with self.writing(), self._database.transaction() as connection:
            items.put_file(connection, state)

    def move_file(self, old: str, new: FileState, metadata: Mapping[str, Any]) -> None:
        """A file has a new path: its items keep id, vectors and texts, and take ``metadata`` over their own."""
        with self.writing(), self._database.transaction() as connection:
            items.move_file(connection, old, new, metadata)

    def remove_files(self, paths: Iterable[str]) -> int:
        """Forgets files with their items, texts and vectors. Returns how many of them were known."""
        with self.writing(), self._database.transaction() as connection:
            return items.remove_files(connection, paths)

    # -- items ---------------------------------------------------------------------------------------------

    def put_items(self, batch: Iterable[Item]) -> None:
        """Inserts items, or updates those whose id is known. NaN and infinity in metadata become null."""
        with self.writing(), self._database.transaction() as connection:
            items.put(connection, batch)

    def get_item(self, item_id: str) -> Item | None:
        return self.get_items([item_id]).get(item_id)

    def get_items(self, ids: Iterable[str]) -> dict[str, Item]:
        """Items by id; unknown ids are left out."""
        with self._database.reading() as connection:
            return items.get(connection, ids)

    def items(self, kinds: Sequence[Kind] | None = None) -> Iterator[Item]:
        """All items, in the order they came. What is written meanwhile may or may not be among them."""
        last = 0
        while True:
            with self._database.reading() as connection:
                page = items.page(connection, last, limit=_PAGE, kinds=kinds)
            if not page:
                return
            last = page[-1][0]
            yield from (item for _, item in page)

    def count_items(self) -> int:
        with self._database.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM items").fetchone()[0])

    def remove_items(self, ids: Iterable[str]) -> int:
        """Removes items with their texts, vectors and files. Returns how many there were."""
        with self.writing(), self._database.transaction() as connection:
            return items.remove(connection, ids)

    def duplicates(self) -> list[list[Item]]:
        """Groups of items made of the same bytes, each group in the order the items came."""
        with self._database.reading() as connection:
            return items.duplicates(connection)

    def paged_documents(self) -> list[str]:
        """The paths of the documents that have pages: files, and folders of page scans."""
        with self._database.reading() as connection:
            return items.paged_documents(connection)

    def kinds_of(self, ids: Iterable[str]) -> dict[str, str]:
        """The kinds of items by id; nothing where the collection holds pictures alone."""
        with self._database.reading() as connection:
            return items.kinds_of(connection, ids)

    def matching_items(self, where: Filter | None) -> set[str]:
        """Ids of the items that pass a filter."""
        with self._database.reading() as connection:
            return items.matching(connection, compile_filter(where))

    # -- texts ---------------------------------------------------------------------------------------------

    def put_texts(self, batch: Iterable[Text], sources: Sequence[int | None] | None = None) -> list[int]:
        """Row numbers, one for each text. A text equal to a known one (item, language, origin, body) is not doubled.

        ``sources`` are the rows that translations were made from: a translation goes when its source does.
        Raises :class:`UnknownItemError`. Only texts of status ``ok`` can be found by their words.
        """
        with self.writing(), self._database.transaction() as connection:
            return texts.put(connection, batch, sources)

    def texts_of(self, item_ids: Iterable[str], language: str | None = None) -> dict[str, list[Text]]:
        """Texts by item, in the order they were written; items without any are left out."""
        with self._database.reading() as connection:
            return texts.of_items(connection, item_ids, language)

    def texts_by_row(self, rows: Iterable[int]) -> dict[int, Text]:
        with self._database.reading() as connection:
            return texts.by_row(connection, rows)

    def text_rows_of(self, item_ids: Iterable[str]) -> dict[str, list[int]]:
        """Row numbers of texts by item, as :meth:`put_vectors` wants them."""
        with self._database.reading() as connection:
            return texts.rows_of_items(connection, item_ids)

    def stored_texts(self, item_ids: Iterable[str]) -> dict[str, list[StoredText]]:
        """As :meth:`texts_of`, with row numbers, and for translations what they were made from."""
        with self._database.reading() as connection:
            return texts.stored(connection, item_ids)

    def delete_texts(self, item_id: str, origins: Sequence[Origin]) -> int:
        """Removes an item's texts of some origins, with their vectors. Returns how many there were."""
        with self.writing(), self._database.transaction() as connection:
            return texts.delete(connection, item_id, origins)

    def delete_text_rows(self, rows: Iterable[int]) -> int:
        """Removes texts, with their vectors and translations. Returns how many were named that were there."""
        with self.writing(), self._database.transaction() as connection:
            return texts.delete_rows(connection, rows)

    def caption_languages(self) -> dict[str, int]:
        """How many captions of status ``ok`` there are in each language. What was read in documents and pictures is no
        caption."""
        with self._database.reading() as connection:
            return texts.caption_languages(connection)

    def document_languages(self) -> dict[str, int]:
        """How many texts of status ``ok`` documents have in each language, the most first. It reads all of them."""
        with self._database.reading() as connection:
            return texts.document_languages(connection)

    def text_state(self) -> tuple[int, int]:
        """Differs when texts were written, or items with vectors removed; cheap enough to ask before every search."""
        with self._database.reading() as connection:
            return embeddings.last(connection, "texts"), embeddings.last(connection, "removals")

    def search_words(
        self, query: str, *, k: int, languages: Sequence[str] | None = None, where: Filter | None = None
    ) -> list[WordHit]:
        """The ``k`` items whose texts or file name match ``query`` best by BM25; any of its words may match.

        ``languages`` restricts the texts; a picture's file name has no language and always counts.
        """
        with self._database.reading() as connection:
            condition = compile_filter(where)
            return wordsearch.search(connection, query, k=k, languages=languages, allowed=condition)

    # -- encoders and vectors ------------------------------------------------------------------------------

    def encoder_id(self, fingerprint: EncoderFingerprint) -> int:
        """The encoder's number in this catalog; a new encoder is registered."""
        with self._database.reading() as connection:
            known = embeddings.find_encoder(connection, fingerprint)
        if known is not None:
            return known
        with self.writing(), self._database.transaction() as connection:
            known = embeddings.find_encoder(connection, fingerprint)
            return known if known is not None else embeddings.register_encoder(connection, fingerprint)

    def encoders(self) -> dict[int, EncoderFingerprint]:
        """Registered encoders by number."""
        with self._database.reading() as connection:
            return embeddings.encoders(connection)

    def put_vectors(
        self,
        encoder: int,
        modality: Modality,
        owners: Sequence[str] | Sequence[int],
        vectors: NDArray[Any],
        *,
        dtype: Precision = "float16",
    ) -> Ids:
        """Writes the vectors of items (``"image"``, by id) or of texts (``"text"``, by row), in place of older ones.

        Shape: n owners, (n, dim) rows of unit length -> (n,) sequence numbers, all of them new.
        Raises ``ValueError`` on wrong shapes or lengths, :class:`UnknownItemError` for an unknown owner.
        """
        with self.writing(), self._database.transaction() as connection:
            return embeddings.put(connection, encoder, modality, owners, vectors, dtype=dtype)

    def watermark(self, encoder: int, modality: Modality) -> Watermark:
        """How far the vectors have come; cheap enough to ask before every search."""
        with self._database.reading() as connection:
            return embeddings.watermark(connection, encoder, modality)

    def vectors_since(
        self, encoder: int, modality: Modality, seq: int, *, limit: int | None = None
    ) -> tuple[Ids, Floats]:
        """Vectors after sequence number ``seq``, in order. Shape: (n,) int64, (n, dim) float32 of unit length."""
        with self._database.reading() as connection:
            return embeddings.since(connection, encoder, modality, seq, limit=limit)

    def iter_vectors(
        self, encoder: int, modality: Modality, *, batch: int = 10_000
    ) -> Iterator[tuple[Ids, Floats]]:
        """All vectors in order, in batches as of :meth:`vectors_since`."""
        last = 0
        while True:
            ids, rows = self.vectors_since(encoder, modality, last, limit=batch)
            if not len(ids):
                return
            last = int(ids[-1])
            yield ids, rows

    def removed_since(self, n: int) -> Ids:
        """Sequence numbers removed after entry ``n`` of the log (``Watermark.removals``), of all encoders.

        Raises :class:`CorruptIndexError` when :meth:`compact` dropped entries after ``n``: the index is made anew.
        """
        with self._database.reading() as connection:
            return embeddings.removed_since(connection, n)

    def count_vectors(self, encoder: int, modality: Modality) -> int:
        with self._database.reading() as connection:
            return embeddings.count(connection, encoder, modality)

    def vectors_of(self, encoder: int, item_ids: Iterable[str]) -> dict[str, Floats]:
        """The image vectors of items by id, (dim,) float32 each; items without one are left out."""
        with self._database.reading() as connection:
            return embeddings.of_items(connection, encoder, item_ids)

    def text_vectors(self, encoder: int, rows: Iterable[int]) -> dict[int, Floats]:
        """The vectors of texts by row, (dim,) float32 each; texts without one are left out."""
        with self._database.reading() as connection:
            return embeddings.of_texts(connection, encoder, rows)

    def vector_by_hash(self, encoder: int, sha256: str) -> Floats | None:
        """The vector that a picture of these very bytes has already. Shape: (dim,) float32."""
        with self._database.reading() as connection:
            return embeddings.by_hash(connection, encoder, sha256)

    def sample_vectors(self, encoder: int, modality: Modality, n: int, *, seed: int) -> tuple[Ids, Floats]:
        """Up to ``n`` vectors drawn without replacement; the same ones for the same seed and contents."""
        with self._database.snapshot() as connection:
            return embeddings.sample(connection, encoder, modality, n, seed=seed)

    def owners(self, seqs: Iterable[int]) -> dict[int, Owner]:
        """Whose vectors these are; removed ones are left out."""
        with self._database.reading() as connection:
            return embeddings.owners(connection, seqs)

    def items_by_seq(self, seqs: Iterable[int]) -> dict[int, Found]:
        """The item (and text row) behind each vector; removed ones are left out."""
        with self._database.reading() as connection:
            return embeddings.found(connection, seqs)

    def seqs_of_items(self, encoder: int, modality: Modality, item_ids: Iterable[str]) -> Ids:
        """Sequence numbers of the vectors of these items, ascending."""
        with self._database.reading() as connection:
            return embeddings.seqs_of_items(connection, encoder, modality, item_ids)

    def matching_seqs(self, where: Filter | None, encoder: int, modality: Modality) -> Ids:
        """Sequence numbers of the vectors whose items pass a filter, ascending."""
        with self._database.reading() as connection:
            return embeddings.matching(connection, encoder, modality, compile_filter(where))

    def picture_seqs_by_kind(self, encoder: int) -> dict[str, Ids]:
        """Sequence numbers of picture vectors by the kind of their items, ascending; nothing where every item is a
        picture, which costs a look into an index."""
        with self._database.reading() as connection:
            return embeddings.by_kind(connection, encoder)

    def text_seqs_in(self, encoder: int, language: str) -> Ids:
        """Sequence numbers of the vectors of all texts in a language, ascending."""
        with self._database.reading() as connection:
            return embeddings.in_language(connection, encoder, language)

    def vectors_by_seq(self, seqs: Sequence[int]) -> Floats:
        """Shape: n numbers -> (n, dim) float32, in their order. Raises ``KeyError`` for one that was removed."""
        with self._database.reading() as connection:
            return embeddings.by_seq(connection, seqs)

    # -- corrections of hubness ----------------------------------------------------------------------------

    def put_correction(self, encoder: int, facts: str, owners: Sequence[str], bank: Floats) -> int:
        """Writes an encoder's correction in place of the one before; it goes when the encoder does. Returns its
        number. Raises :class:`EncoderMismatchError` when the encoder is gone already. Shape: bank (m, dim)."""
        with self.writing(), self._database.transaction() as connection:
            return corrections.put(connection, encoder, facts, owners, bank)

    def drop_correction(self, encoder: int) -> bool:
        """Removes an encoder's correction. False when there was none."""
        with self.writing(), self._database.transaction() as connection:
            return corrections.drop(connection, encoder)

    def correction_number(self, encoder: int) -> int | None:
        """The number of an encoder's correction; cheap enough to ask before every search."""
        with self._database.reading() as connection:
            return corrections.number(connection, encoder)

    def correction(self, encoder: int) -> StoredCorrection | None:
        with self._database.reading() as connection:
            return corrections.get(connection, encoder)

    def human_captions(self, encoder: int) -> list[CaptionRow]:
        """Captions that people wrote, of status ``ok``, whose text and picture have vectors of an encoder."""
        with self._database.reading() as connection:
            return corrections.human_captions(connection, encoder)

    def pictures_by_seq(self, seqs: Iterable[int]) -> dict[int, str]:
        """The picture behind each vector, the same for files with the same bytes; removed ones are left out."""
        with self._database.reading() as connection:
            return corrections.pictures(connection, seqs)

    # -- counts --------------------------------------------------------------------------------------------

    def word_counts(self, tokens: Iterable[str]) -> tuple[int, dict[str, int]]:
        """How many texts and file names there are, and how many of them hold each token (see ``analyze``)."""
        with self._database.reading() as connection:
            return wordsearch.counts(connection, tokens)

    def counts(self) -> dict[str, dict[str, int]]:
        """Items by ``kind``, files by ``status``, texts by ``text_status``; good ones by ``language``, ``origin``."""
        with self._database.reading() as connection:
            return items.counts(connection)

    # -- care ----------------------------------------------------------------------------------------------

    def verify(self) -> list[str]:
        """Reads everything and returns the problems found, in words; an empty list means all is well."""
        with self._database.snapshot() as connection:
            return verify.problems(connection)

    def compact(self, *, covered_removals: int = 0) -> int:
        """Gives unused space back to the disk, and makes the full text anew if it is out of step.

        ``covered_removals`` is the removal watermark that every index has taken in: older entries of the log go.
        Returns the bytes saved. Needs as much free space as the catalog takes.
        """
        with self.writing():
            before = self._bytes()
            with self._database.transaction() as connection:
                embeddings.forget_removals(connection, covered_removals)
                if verify.words_need_mending(connection):
                    fulltext.rebuild(connection)
                connection.execute("INSERT INTO words (words) VALUES ('optimize')")
            with self._database.reading() as connection:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return max(before - self._bytes(), 0)

    def _bytes(self) -> int:
        files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())
