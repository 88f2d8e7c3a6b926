"""Changing the encoder: new vectors are made beside the old ones, and one transaction switches.

Two settings of the catalog say where things stand. While an encoder is on its way, ``reindex`` names it; searches, and
what is added, go on with the encoder of record. When it takes over, or is given up, ``reindex.leftovers`` lists the
encoders whose vectors can go, and :func:`clean_up` removes them, in this run or in the next one that writes.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final, get_args

import numpy as np

from ..errors import IncompleteReindexError
from ..search.passages import passage_encoder_numbers
from ..types import EncoderFingerprint, Modality, Progress, Skip
from .space import set_model

if TYPE_CHECKING:
    from ..models.protocols import Encoder
    from ..search.changes import ResultChanges
    from ..storage.catalog import Catalog

_PENDING: Final = "reindex"
_LEFTOVERS: Final = "reindex.leftovers"
_BATCH: Final = 5_000
# More pictures than this share may not get lost without being asked for it.
_SMALL_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True)
class PendingReindex:
    """An encoder on its way. ``encoded`` of ``total`` pictures and texts have its vectors."""

    model: str
    encoder: EncoderFingerprint
    encoded: int
    total: int


@dataclass(frozen=True, slots=True)
class ReindexReport:
    """What a run of :meth:`Collection.reindex` did.

    ``pictures`` and ``texts`` were encoded by this run. ``lost`` pictures of ``searchable`` are found by meaning with
    the encoder before and will not be with the new one; ``skipped`` says why. ``changes`` compares the results of both
    encoders; None when there is nothing to compare. ``switched`` is False when the encoder of record stays.
    """

    model: str
    encoder: EncoderFingerprint
    pictures: int
    texts: int
    searchable: int
    lost: int
    skipped: tuple[Skip, ...]
    changes: ResultChanges | None
    switched: bool
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


def pending(catalog: Catalog) -> PendingReindex | None:
    """The reindex that was begun and has not switched yet."""
    with catalog.snapshot():
        value = catalog.get_setting(_PENDING)
        if value is None:
            return None
        begun = json.loads(value)
        encoder = EncoderFingerprint(**begun["encoder"])
        numbers = {known: number for number, known in catalog.encoders().items()}
        missing = sum(catalog.count_without(numbers[encoder]))
        total = sum(catalog.count_without(0))  # no encoder has this number
    return PendingReindex(begun["model"], encoder, total - missing, total)


def reindex(
    catalog: Catalog,
    encoder: Encoder,
    model: str,
    *,
    current: EncoderFingerprint | None,
    allow_missing: bool,
    keep_old: bool,
    switch: bool,
    queries: int,
    seed: int,
    before_switch: Callable[[ReindexReport], None],
    progress: Progress,
) -> ReindexReport:
    """Encodes, compares and switches; see :meth:`Collection.reindex`. The writer's lock is held."""
    from ..ingest.reencode import reencode
    from ..search.changes import compare_results

    started = time.monotonic()
    _try(encoder)
    notes = _begin(catalog, encoder.fingerprint, model, current)
    numbers = {known: number for number, known in catalog.encoders().items()}
    new, old = numbers[encoder.fingerprint], numbers.get(current) if current else None
    done = reencode(catalog, encoder, new, progress=progress)
    if done.cut:
        notes.append(
            f"{done.cut:,} texts are longer than the {encoder.max_tokens} tokens that {model} takes: search by meaning "
            "sees a part of them, search by words all."
        )
    other = old is not None and old != new
    if other and old is not None and _is_tuned(catalog, old) and not _is_tuned(catalog, new):
        notes.append(
            "What `babelens tune index` measured holds for the encoder before; measure again after the switch."
        )
    report = ReindexReport(
        model=model,
        encoder=encoder.fingerprint,
        pictures=done.pictures,
        texts=done.texts,
        searchable=catalog.count_vectors(old, "image") if old is not None else 0,
        lost=catalog.count_lost(old, new) if old is not None else 0,
        skipped=done.skipped,
        changes=compare_results(catalog, old, new, queries=queries, seed=seed, progress=progress)
        if other and old is not None
        else None,
        switched=switch and encoder.fingerprint != current,
        notes=tuple(notes),
        seconds=time.monotonic() - started,
    )
    before_switch(report)
    if switch:
        if report.lost > _SMALL_SHARE * report.searchable and not allow_missing:
            raise _incomplete(report)
        kept = {new, *passage_encoder_numbers(catalog)}
        left = [] if keep_old else [number for number in numbers.values() if number not in kept]
        _switch(catalog, encoder.fingerprint, model, left)
    return replace(report, seconds=time.monotonic() - started)


def clean_up(catalog: Catalog) -> None:
    """Removes the vectors of encoders that were given up, in small batches: searches go on, the log stays short."""
    from ..search.tuned import forget_tuned

    for number in (leftovers := _leftovers(catalog)):
        while catalog.drop_vectors(number, limit=_BATCH):
            pass
        with catalog.transaction():
            catalog.forget_encoder(number)
            for modality in get_args(Modality):
                forget_tuned(catalog, number, modality)
            leftovers = [other for other in leftovers if other != number]
            catalog.set_setting(_LEFTOVERS, json.dumps(leftovers))


def _try(encoder: Encoder) -> None:
    """Loads both towers: what is wrong with them must show before anything is written."""
    from PIL import Image

    encoder.encode_texts(["a"])
    size = encoder.image_size
    gradient = np.linspace(0, 255, size * size * 3).astype(np.uint8).reshape(size, size, 3)
    encoder.encode_prepared([encoder.prepare(Image.fromarray(gradient))])


def _begin(
    catalog: Catalog, fingerprint: EncoderFingerprint, model: str, current: EncoderFingerprint | None
) -> list[str]:
    """Says in the catalog which encoder is on its way. Another one that was is given up; returns what to tell of it."""
    clean_up(catalog)  # before the new encoder can be one of the leftovers
    notes = []
    before = pending(catalog)
    with catalog.transaction():
        catalog.encoder_id(fingerprint)
        if before is not None and before.encoder != fingerprint:
            leave(catalog, [catalog.encoder_id(before.encoder)])
            notes.append(
                f"An unfinished reindex with {before.model} was given up; {before.encoded:,} of its {before.total:,} "
                "vectors were there."
            )
        if fingerprint == current:
            catalog.delete_setting(_PENDING)
        else:
            begun = {"model": model, "encoder": asdict(fingerprint)}
            catalog.set_setting(_PENDING, json.dumps(begun))
    clean_up(catalog)
    return notes


def _switch(catalog: Catalog, fingerprint: EncoderFingerprint, model: str, leftovers: list[int]) -> None:
    from ..search.routes import forget_routes

    with catalog.transaction():
        encoder = json.dumps(asdict(fingerprint))
        if catalog.get_setting("encoder") != encoder:
            forget_routes(catalog)  # they were measured in the space that is left
        catalog.set_setting("encoder", encoder)
        set_model(catalog, model)
        catalog.delete_setting(_PENDING)
        leave(catalog, leftovers)


def _is_tuned(catalog: Catalog, encoder: int) -> bool:
    from ..search.tuned import read_tuned

    return any(read_tuned(catalog, encoder, modality) for modality in get_args(Modality))


def leave(catalog: Catalog, numbers: list[int]) -> None:
    """Gives up encoders: :func:`clean_up` removes their vectors."""
    catalog.set_setting(_LEFTOVERS, json.dumps(sorted({*_leftovers(catalog), *numbers})))


def _leftovers(catalog: Catalog) -> list[int]:
    return list(json.loads(catalog.get_setting(_LEFTOVERS) or "[]"))


def _incomplete(report: ReindexReport) -> IncompleteReindexError:
    reasons = Counter(skip.reason for skip in report.skipped)
    why = "; ".join(f"{number:,}: {reason}" for reason, number in reasons.most_common())
    return IncompleteReindexError(
        f"{report.lost:,} of {report.searchable:,} pictures ({report.lost / report.searchable:.1%}) have no vector of "
        f"{report.model} ({why}). The collection keeps its encoder.",
        hint="Connect the drive they are on, or bring the collection up to date with `babelens index` on its folders,\n"
        "and run the same command again: nothing is encoded twice. Or switch without these pictures: --allow-missing.",
    )
