"""One run of ingestion. Its memory does not grow with the number of files: they are read twice as a stream,
first to count the work, then to do it.

What was committed stays, whatever ends the run; the next run finds by size and time what is left to do.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from ..errors import InvalidQueryError, UnreadableFileError
from ..languages import get_language
from ..models.protocols import Encoder
from ..sources.captions import is_captions_file, is_prose, read_captions
from ..sources.documents import LineReader
from ..sources.images import quiet_pillow
from ..sources.scan import Scan, absolute, is_gone
from ..storage.catalog import Catalog
from ..storage.rows import FileState
from ..types import IngestReport, Progress
from .datasets import DataSets
from .decode import SIDECAR, Decoder
from .documents import DocumentWriter, page_notes
from .pictures import PictureWriter
from .plan import Plan
from .report import Tally
from .texts import CaptionSources, TextWriter, Wish

_BATCH: Final = 1000


def ingest(
    catalog: Catalog,
    encoder: Encoder,
    paths: Sequence[str | Path],
    *,
    captions: Sequence[str | Path] = (),
    filename_captions: bool = False,
    caption_language: str | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    page_scans: Sequence[str | Path] = (),
    ocr: LineReader | None = None,
    sample: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> IngestReport:
    """Brings a catalog up to date with files and folders, and with the captions files among ``paths``.

    New and changed pictures are encoded, moved ones keep id, vectors and captions, deleted ones disappear, unchanged
    ones cost a ``stat``. The same bytes are encoded once. A file that cannot be read is skipped, reported, and
    tried again when it changes. ``captions`` are data set files (see :mod:`babelens.sources.captions`);
    ``caption_language`` is for captions that do not say theirs. PDFs and text, Markdown and HTML files become pages,
    figures and passages; so does each folder of ``page_scans``, whose pictures are the pages of one document. ``ocr``
    reads pages that are pictures of text. ``sample`` takes that many pictures, drawn by ``seed``, and no documents.

    Raises :class:`UnreadableFileError` for a path or captions file that is not there, before anything is written;
    :class:`StorageFullError`, with all that was committed kept. Ctrl-C commits what is encoded, then raises
    ``KeyboardInterrupt``.
    """
    started = time.monotonic()
    if sample is not None and sample < 1:
        raise InvalidQueryError(f"A sample of {sample} pictures is no sample.", hint="Ask for one or more.")
    language = get_language(caption_language).tag if caption_language else None
    named = list(dict.fromkeys(absolute(path) for path in paths))
    folders = list(dict.fromkeys(absolute(path) for path in page_scans))
    data_files = [path for path in named if is_captions_file(path) and not is_prose(path)]
    roots = [path for path in named if path not in data_files]
    caption_files = list(dict.fromkeys([*data_files, *map(absolute, captions)]))
    for path in caption_files:
        _check_captions(path)
    Scan([*roots, *folders]).check_roots()
    report = progress or _silent
    with catalog.writing(), quiet_pillow():
        row = catalog.encoder_id(encoder.fingerprint)
        sources = CaptionSources(catalog, roots, language)
        sources.remember(caption_files)
        texts = TextWriter(catalog, encoder, row, sources)
        data_sets = DataSets(catalog, texts, roots, language=language)
        plan = Plan(
            catalog,
            Scan([*roots, *data_sets.pictures_of(data_files)], include, exclude),
            sample=sample,
            seed=seed,
            filename_captions=filename_captions,
            caption_language=language,
            page_scans=folders,
            not_documents=caption_files,
            unread_too=ocr is not None,
        )
        decoder = Decoder(catalog, encoder, row, caption_language=language)
        writer = PictureWriter(
            catalog,
            encoder,
            row,
            decoder,
            texts,
            filename_captions=filename_captions,
            caption_language=language,
        )
        tally = Tally()
        _pictures(plan, decoder, writer, tally, report)
        documents = DocumentWriter(catalog, encoder, row, ocr=ocr)
        _documents(plan, documents, tally, report)
        _remove_deleted(catalog, roots, texts, tally)
        data_sets.read(caption_files, tally, report)
    tally.notes += page_notes(tally, ocr=ocr is not None)
    return tally.report(
        encoder, texts=texts.written, cut=texts.vectors.cut, seconds=time.monotonic() - started
    )


def _silent(done: int, total: int | None = None, note: str = "") -> None:
    pass


def _check_captions(path: str) -> None:
    """Raises :class:`UnreadableFileError` for a file without a single caption to read."""
    if next(read_captions(path, on_error=lambda _: None), None) is None:
        raise UnreadableFileError(path, "holds no captions")


def _pictures(plan: Plan, decoder: Decoder, writer: PictureWriter, tally: Tally, report: Progress) -> None:
    # Counting first costs a second look at each folder, and gives a true time left without a list of files.
    total = plan.count(tally)
    if not total:
        return
    report(0, total, "")
    with closing(decoder.run(plan.jobs(Tally()))) as results:
        try:
            for done, result in enumerate(results, start=1):
                writer.take(result)
                skipped = len(writer.tally.skipped)
                report(done, total, f"{skipped:,} skipped" if skipped else "")
            writer.finish()
        except KeyboardInterrupt:
            writer.drop_unencoded()
            writer.commit()
            raise
    tally.take_in(writer.tally)


def _documents(plan: Plan, writer: DocumentWriter, tally: Tally, report: Progress) -> None:
    jobs = list(plan.documents(tally))  # far fewer than pictures
    for done, job in enumerate(jobs):
        report(done, len(jobs), os.path.basename(job.file.path))
        writer.take(job, _page_reporter(report, done, len(jobs), os.path.basename(job.file.path)))
    if jobs:
        report(len(jobs), len(jobs), "")
    tally.take_in(writer.tally)


def _page_reporter(report: Progress, before: int, documents: int, name: str) -> Progress:
    def on_page(done: int, total: int | None = None, note: str = "") -> None:
        report(before, documents, f"{name}, page {done:,} of {total or done:,} {note}".rstrip())

    return on_page


def _remove_deleted(catalog: Catalog, roots: Sequence[str], texts: TextWriter, tally: Tally) -> None:
    """Forgets what is certainly gone from below the folders. A root that went away meanwhile is an error."""
    for root in roots:
        gone = [state for state in catalog.files_below(root) if is_gone(state.path)]
        Scan(roots).check_roots()
        for start in range(0, len(gone), _BATCH):
            batch = gone[start : start + _BATCH]
            with catalog.transaction():
                catalog.remove_files([state.path for state in batch])
                _forget_sidecars(catalog, batch, texts)
            tally.removed += sum(state.status == "ok" and state.reason != SIDECAR for state in batch)


def _forget_sidecars(catalog: Catalog, gone: Sequence[FileState], texts: TextWriter) -> None:
    """The captions that nothing but these sidecars held."""
    items = catalog.get_items([state.item_id for state in gone if state.item_id and state.reason == SIDECAR])
    texts.commit(texts.prepare(Wish(item.id, item.source.path, "human", ()) for item in items.values()))
