"""Looking after a collection: what it holds, whether it is sound, and what can be taken away."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ..errors import CollectionError
from ..search.routes import Route, read_routes
from ..types import Comparison, EncoderFingerprint
from ..vectors import Floats
from .passage_vectors import PassageInfo, passage_info
from .reindex import PendingReindex, pending

if TYPE_CHECKING:
    from ..indexes.setting import Tuned
    from ..search import CorrectionInfo, FreshIndex, Searcher
    from ..storage.catalog import Catalog

_VERIFIED_QUERIES: Final = 32
_SOUND_RECALL: Final = 0.95
_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """How one modality is searched. ``recall_at_10`` and ``ms_per_query`` were measured when it was built; ``tuned`` is
    the setting that it is built with, with what was measured on it, where `babelens tune index` found one."""

    name: str
    vectors: int
    stored: bool
    recall_at_10: float | None = None
    ms_per_query: float | None = None
    why: str | None = None
    tuned: Tuned | None = None


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """What a collection holds. ``files`` counts by status, ``texts`` by language; sizes are in bytes.

    ``runtime`` is what runs the encoder on this machine (None when the encoder is not here), ``runtime_why`` how it was
    chosen where there was a choice.
    ``reindex`` is a change of the encoder that was begun and has not switched yet. ``routes`` are the languages whose
    queries reach the pictures through another text tower. ``hubness`` is the correction that searches with words use
    (see :meth:`Collection.tune_hubness`), None when it is off. ``captions`` counts by language the texts that say what
    an item shows, not what is written in it. ``passages`` is the encoder that finds what documents say by meaning.
    """

    path: str
    items: int
    kinds: Mapping[str, int]
    files: Mapping[str, int]
    texts: Mapping[str, int]
    captions: Mapping[str, int]
    origins: Mapping[str, int]
    text_status: Mapping[str, int]
    model: str
    encoder: EncoderFingerprint | None
    runtime: str | None
    runtime_why: str | None
    metric: str
    indexes: Mapping[str, IndexInfo]
    catalog_bytes: int
    index_bytes: int
    created: str | None
    reindex: PendingReindex | None = None
    routes: tuple[Route, ...] = ()
    hubness: CorrectionInfo | None = None
    passages: PassageInfo | None = None


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """``problems`` in words, none when ``ok``; ``recall_at_10`` of the indexes against exact search, by modality."""

    ok: bool
    problems: tuple[str, ...]
    items: int
    recall_at_10: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written where: counts of items, captions and vectors. ``zip`` is the archive's path if asked for."""

    folder: str
    files: tuple[str, ...]
    items: int
    captions: int
    vectors: int
    zip: str | None = None


def remove(catalog: Catalog, value: str | Path) -> bool:
    """Removes the item with an id, or what is known of a path and below it. False when nothing is."""
    from ..sources.scan import absolute

    if isinstance(value, str) and catalog.remove_items([value]):
        return True
    known = False
    for path in dict.fromkeys((str(value), absolute(value))):
        files = list(catalog.file_states(path))
        items = catalog.matching_items(Comparison("path", "=", path))
        catalog.remove_files(files)
        catalog.remove_items(items)
        known = known or bool(files or items)
    return known


def verify(catalog: Catalog, searcher: Searcher | None) -> VerifyReport:
    """Reads everything: the catalog's own checks, the index files, and the indexes against exact search."""
    from ..indexes import files

    start = time.perf_counter()
    problems = [*catalog.verify(), *files.check(catalog.folder)]
    recalls: dict[str, float] = {}
    if searcher is not None:
        for name, index in searcher.indexes.items():
            found, recall = _compare(catalog, name, index)
            problems += found
            if recall is not None:
                recalls[name] = recall
    return VerifyReport(
        ok=not problems,
        problems=tuple(problems),
        items=catalog.count_items(),
        recall_at_10=recalls,
        seconds=round(time.perf_counter() - start, 3),
    )


def _compare(catalog: Catalog, name: str, index: FreshIndex) -> tuple[list[str], float | None]:
    """An index against the catalog: as many vectors, and for a sample the same neighbours."""
    from ..indexes.tuning import Truth

    with catalog.snapshot():
        problems = []
        count = catalog.count_vectors(index.encoder, index.modality)
        if len(index) != count:
            problems.append(f"{name} index: it holds {len(index):,} vectors, the catalog {count:,}")
        if not count:
            return problems, None
        truth = Truth(index.background()[:_VERIFIED_QUERIES])
        for ids, vectors in catalog.iter_vectors(index.encoder, index.modality):
            truth.see(ids, vectors)
        recall = truth.recall(*index.current().search(truth.queries, 10))
    if recall < _SOUND_RECALL:
        problems.append(f"{name} index: recall@10 against exact search is {recall:.3f}")
    return problems, recall


def info(
    catalog: Catalog,
    searcher: Searcher | None,
    encoder: EncoderFingerprint | None,
    model: str,
    runtime: tuple[str | None, str | None],
) -> CollectionInfo:
    """What a collection holds and how it is searched; ``runtime`` is what runs the encoder here and why."""
    from ..search.correction import correction_info

    counts = catalog.counts()
    indexes = {}
    for name, index in searcher.indexes.items() if searcher is not None else ():
        state = index.state()
        recall, ms, why = (state.facts.get(name) for name in ("recall_at_10", "ms_per_query", "why"))
        indexes[name] = IndexInfo(state.name, state.vectors, state.stored, recall, ms, why, state.tuned)
    return CollectionInfo(
        path=str(catalog.folder),
        items=catalog.count_items(),
        kinds=counts["kind"],
        files=counts["status"],
        texts=counts["language"],
        captions=catalog.caption_languages(),
        origins=counts["origin"],
        text_status=counts["text_status"],
        model=model,
        encoder=encoder,
        runtime=runtime[0],
        runtime_why=runtime[1],
        metric=catalog.get_setting("metric") or "ip",
        indexes=indexes,
        catalog_bytes=_bytes_of(catalog.folder.glob("catalog.db*")),
        index_bytes=_bytes_of(catalog.folder.glob("indexes/*")),
        created=catalog.get_setting("created"),
        reindex=pending(catalog),
        routes=() if searcher is None else tuple(read_routes(catalog, searcher.encoder_number).values()),
        hubness=None if searcher is None else correction_info(catalog, searcher.encoder_number),
        passages=passage_info(catalog),
    )


def export(catalog: Catalog, searcher: Searcher | None, folder: Path, *, as_zip: bool) -> ExportReport:
    """Writes plain files that need no Babelens to read (see :mod:`babelens.storage.export`).

    The FAISS index is exact, its rows in the order of ``ids.txt``, and compares by the collection's metric.
    """
    from ..storage.export import export_catalog

    if searcher is None:
        raise CollectionError("There is nothing to export: the collection is empty.")
    metric = catalog.get_setting("metric") or "ip"

    def write_index(path: Path, rows: Floats) -> None:
        import faiss

        index = faiss.IndexFlatL2(rows.shape[1]) if metric == "l2" else faiss.IndexFlatIP(rows.shape[1])
        for start in range(0, len(rows), _ROWS):
            index.add(np.ascontiguousarray(rows[start : start + _ROWS]))
        faiss.write_index(index, str(path))

    report = export_catalog(
        catalog,
        folder,
        encoder=searcher.encoder_number,
        write_index=write_index,
        about={"index_metric": metric},
    )
    packed = folder.with_name(folder.name + ".zip") if as_zip else None
    if packed is not None:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name in report.files:
                archive.write(folder / name, name)
    return ExportReport(
        folder=str(report.path),
        files=report.files,
        items=report.items,
        captions=report.captions,
        vectors=report.vectors,
        zip=None if packed is None else str(packed),
    )


def _bytes_of(paths: Iterable[Path]) -> int:
    total = 0
    for path in paths:
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # a write-ahead log comes and goes
            continue
    return total
