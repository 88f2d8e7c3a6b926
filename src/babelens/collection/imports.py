"""Takes in vectors that were made elsewhere: an array and a list of what its rows stand for."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..errors import DatasetError, EncoderMismatchError, UnknownModelError
from ..types import EncoderFingerprint, IngestReport, Item, Progress, Skip, Source
from ..vectors import Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..models.protocols import Encoder
    from ..storage.catalog import Catalog

_BATCH: Final = 5_000
_TINY: Final = 1e-12
_UNIT: Final = 1e-3


def fingerprint_of(
    encoder: str | Encoder, vectors: NDArray[Any], ids: Sequence[str], *, recorded: EncoderFingerprint | None
) -> EncoderFingerprint:
    """What the vectors' encoder is known as: the collection's own, a model known here, or just its name.

    Raises :class:`DatasetError` for arrays that do not fit, :class:`EncoderMismatchError`.
    """
    if vectors.ndim != 2 or not np.issubdtype(vectors.dtype, np.floating) or vectors.shape[1] < 1:
        raise DatasetError(
            f"Vectors must be numbers of shape (n, dim); these are {vectors.dtype} of shape {vectors.shape}."
        )
    if len(vectors) != len(ids):
        raise DatasetError(
            f"There are {len(vectors):,} vectors but {len(ids):,} ids.",
            hint="Give one id for each row, in order.",
        )
    if len(set(ids)) != len(ids):
        raise DatasetError("An id stands twice.", hint="Give every row an id of its own.")
    dim = int(vectors.shape[1])
    if not isinstance(encoder, str):
        fingerprint = _fitting(encoder.fingerprint, dim)
    elif recorded is not None and recorded.name == encoder:
        fingerprint = recorded
    else:
        fingerprint = _known(encoder, dim)
    if recorded is not None and (fingerprint != recorded or dim != recorded.dim):
        raise EncoderMismatchError(
            f"The collection holds vectors of {recorded.name} with {recorded.dim} numbers; these are of "
            f"{fingerprint.name} with {dim}. They do not compare.",
            hint="Import them into another collection (-c NAME).",
        )
    return fingerprint


def _known(encoder: str, dim: int) -> EncoderFingerprint:
    from ..models.registry import load_encoder

    try:
        fingerprint = load_encoder(encoder).fingerprint
    except UnknownModelError:
        return EncoderFingerprint(encoder, "imported", "unknown", dim)
    return _fitting(fingerprint, dim)


def _fitting(fingerprint: EncoderFingerprint, dim: int) -> EncoderFingerprint:
    if fingerprint.dim != dim:
        raise EncoderMismatchError(
            f"{fingerprint.name} makes vectors of {fingerprint.dim} numbers; these have {dim}."
        )
    return fingerprint


def import_rows(
    catalog: Catalog,
    encoder: int,
    vectors: NDArray[Any],
    ids: Sequence[str],
    *,
    progress: Progress | None = None,
) -> IngestReport:
    """Writes items and vectors in batches, so that a memory-mapped array of any size will do."""
    from ..sources.images import path_metadata

    start = time.perf_counter()
    report = IngestReport()
    skipped: list[Skip] = []
    scaled = 0
    for first in range(0, len(ids), _BATCH):
        names = ids[first : first + _BATCH]
        rows, good, changed = _unit(np.asarray(vectors[first : first + _BATCH]))
        skipped += [
            Skip(name, "its vector has no direction (zero, NaN or infinite)")
            for name, fine in zip(names, good, strict=True)
            if not fine
        ]
        scaled += changed
        items = [
            Item(item_id_of(name), "image", Source(name, _digest(name)), path_metadata(name))
            for name, fine in zip(names, good, strict=True)
            if fine
        ]
        with catalog.transaction():
            known = catalog.get_items([item.id for item in items])
            catalog.put_items(items)
            catalog.put_vectors(encoder, "image", [item.id for item in items], rows[good])
        report = replace(
            report, added=report.added + len(items) - len(known), updated=report.updated + len(known)
        )
        if progress is not None:
            progress(first + len(names), len(ids))
    notes = (f"{scaled:,} vectors were brought to unit length.",) if scaled else ()
    return replace(report, skipped=tuple(skipped), notes=notes, seconds=time.perf_counter() - start)


def item_id_of(name: str) -> str:
    """The id of an imported item: the same for the same name, so that importing again updates."""
    return _digest(name)[:16]


def _digest(name: str) -> str:
    """Stands for the bytes of a picture that is not looked at; no picture has it, and no two names share it."""
    return hashlib.sha256(b"imported\0" + name.encode("utf-8", "surrogateescape")).hexdigest()


def _unit(rows: NDArray[Any]) -> tuple[Floats, NDArray[np.bool_], int]:
    """Rows at unit length, which of them have a direction, and how many had another length."""
    rows = rows.astype(np.float32)
    norms = np.linalg.norm(rows, axis=1)
    good = np.isfinite(norms) & (norms > _TINY)
    changed = int((np.abs(norms[good] - 1) > _UNIT).sum())
    rows[good] /= norms[good, None]
    return rows, good, changed
