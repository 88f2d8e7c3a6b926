"""Finds out whether a correction of hubness helps a collection, on its own captions, and which.

Pictures with captions that people wrote are split in two. On the first half a setting is chosen by cross-validation
and the bank is drawn; on the second half, which nothing was chosen on, every language is measured with the bank and
the setting that searches will use, among all pictures of the collection and through its index. A correction counts as
better in a language when :func:`babelens.metrics.gate.compare` finds it earned: the 95 % interval of the gain in
hit_rate@1 lies above zero, a permutation test agrees, and hit_rate@10 is not worse. Queries of unstated language are
all captions together; for them it must also be worse in no language.

Pictures, not captions, are split, drawn and resampled: a picture's captions are right or wrong together.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import CollectionError
from ..metrics.gate import compare
from ..metrics.hubness import Hubness, measure_hubness
from ..metrics.ranking import Ranks
from ..retrieval.hubness import SETTINGS, Setting, bank_scores, penalties_from
from ..types import Progress
from ..vectors import Floats, Ids
from .correction import UNSTATED, CorrectionInfo, LanguageGain, candidates

if TYPE_CHECKING:
    from ..storage.catalog import Catalog
    from ..storage.rows import CaptionRow
    from .upkeep import FreshIndex

# Pictures with captions in a language, below which nothing can be measured: half of them are held out.
MIN_PICTURES: Final = 50
BANK: Final = 1000
_K: Final = 10
_FOLDS: Final = 5
# Captions in a language at most, to choose with and to measure with.
_CHOOSING, _MEASURING = 300, 1000
_BATCH: Final = 256
# Rows of documents whose scores with the bank are in memory together.
_ROWS: Final = 8192


@dataclass(frozen=True, slots=True)
class HubnessReport:
    """What :meth:`Collection.tune_hubness` measured. Captions of ``fit_pictures`` chose the setting and made the bank,
    captions of ``held_out_pictures`` measured it, among ``searched`` pictures.

    ``before`` and ``after`` are the hubness of the held-out queries, all languages together; ``hub`` is the id of the
    item that ``before`` is about, None when there is none. ``correction`` holds the
    gain in each language and where it is on now; ``on`` is False when it is nowhere, and nothing is then changed in
    searches. ``left_out`` are languages with too few captioned pictures, and how many they have.
    """

    correction: CorrectionInfo
    on: bool
    before: Hubness
    after: Hubness
    hub: str | None
    fit_pictures: int
    held_out_pictures: int
    searched: int
    left_out: Mapping[str, int]
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Tuned:
    """A report with the bank and its owners (by picture), to be stored."""

    report: HubnessReport
    bank: Floats
    owners: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Bank:
    """Queries to learn from. Shape: vectors (m, dim), pictures (m,): the number of the picture each asks for."""

    vectors: Floats
    pictures: Ids


@dataclass(frozen=True, slots=True, eq=False)
class _Documents:
    """Pictures that some query found. Shape: seqs (d,) of their vectors, pictures (d,): their numbers."""

    seqs: Ids
    pictures: Ids


@dataclass(frozen=True, slots=True, eq=False)
class _Queries:
    """Captions as queries, the numbers of their pictures, and what was found for them.

    ``columns`` (n, depth) point into the documents, best first, -1 for none; ``scores`` (n, depth) are cosines.
    """

    languages: NDArray[np.str_]
    pictures: Ids
    columns: Ids
    scores: Floats

    def __getitem__(self, rows: NDArray[np.bool_]) -> _Queries:
        return _Queries(self.languages[rows], self.pictures[rows], self.columns[rows], self.scores[rows])


def tune_hubness(
    catalog: Catalog,
    encoder: int,
    images: FreshIndex,
    *,
    languages: Sequence[str] | None,
    bank: int,
    seed: int,
    progress: Progress,
    settings: Sequence[Setting] = SETTINGS,
) -> Tuned:
    """Measures, and writes nothing; the writer's lock is held. ``languages`` are tags; None takes all that have enough
    captioned pictures, and measures queries of unstated language too. ``settings`` are those to choose from.

    Raises :class:`CollectionError` when there are too few human captions.
    """
    started = time.monotonic()
    captions, left_out = _usable(catalog.human_captions(encoder), languages)
    numbers: dict[str, int] = {}
    for caption in captions:
        numbers.setdefault(caption.picture, len(numbers))
    total = len(numbers)
    random = np.random.default_rng(seed)
    order = random.permutation(total)
    held = np.zeros(total, dtype=bool)
    held[order[total // 2 :]] = True
    fold = np.empty(total, dtype=np.int64)
    fold[order] = np.arange(total) % _FOLDS

    fit = [caption for caption in captions if not held[numbers[caption.picture]]]
    rest = [caption for caption in captions if held[numbers[caption.picture]]]
    of_bank = _sample(fit, max(1, bank // len({caption.language for caption in fit})), random)
    asked = [*_sample(fit, _CHOOSING, random), *_sample(rest, _MEASURING, random)]
    vectors = catalog.text_vectors(encoder, {caption.text_row for caption in (*of_bank, *asked)})

    searched = len(images)
    scores, seqs = _search(images, np.stack([vectors[caption.text_row] for caption in asked]), progress)
    found = np.unique(seqs[seqs >= 0])
    shown = catalog.pictures_by_seq(found.tolist())
    documents = _Documents(
        found, np.array([numbers.setdefault(shown[seq], len(numbers)) for seq in found.tolist()])
    )
    queries = _Queries(
        np.array([caption.language for caption in asked]),
        np.array([numbers[caption.picture] for caption in asked]),
        np.where(seqs >= 0, np.searchsorted(found, seqs), -1),
        scores,
    )
    learnt = _Bank(
        np.stack([vectors[caption.text_row] for caption in of_bank]),
        np.array([numbers[caption.picture] for caption in of_bank]),
    )
    measured = queries[held[queries.pictures]]
    chosen = _choose(catalog, documents, learnt, queries[~held[queries.pictures]], fold, settings, progress)
    penalties = _penalties(catalog, documents, learnt, [chosen], progress, "measuring")[0]
    gains = _gains(measured, documents, penalties, pooled=languages is None, seed=seed)
    info = CorrectionInfo(chosen.method, dict(chosen.parameters), len(learnt.pictures), seed, gains)
    nothing = np.zeros_like(penalties)
    before = measure_hubness(_lists(measured, nothing), searched, k=_K, seed=seed)
    hub = catalog.owners([found[before.top_item]]) if before.top_item >= 0 else {}
    report = HubnessReport(
        correction=info,
        on=bool(info.languages),
        before=before,
        after=measure_hubness(_lists(measured, penalties), searched, k=_K, seed=seed),
        hub=next((owner.item_id for owner in hub.values()), None),
        fit_pictures=int((~held).sum()),
        held_out_pictures=int(held.sum()),
        searched=searched,
        left_out=left_out,
        seconds=round(time.monotonic() - started, 3),
    )
    return Tuned(report, learnt.vectors, tuple(caption.picture for caption in of_bank))


# -- captions ------------------------------------------------------------------------------------------------


def _usable(
    captions: list[CaptionRow], languages: Sequence[str] | None
) -> tuple[list[CaptionRow], dict[str, int]]:
    """The captions to work with, and how many pictures the languages have that have too few."""
    pictures: dict[str, set[str]] = {tag: set() for tag in languages or ()}
    for caption in captions:
        if languages is None or caption.language in languages:
            pictures.setdefault(caption.language, set()).add(caption.picture)
    counts = {tag: len(known) for tag, known in pictures.items()}
    left_out = {tag: number for tag, number in counts.items() if number < MIN_PICTURES}
    if len(left_out) == len(counts) or (languages is not None and left_out):
        has = ", ".join(f"{number:,} in {tag}" for tag, number in left_out.items()) or "none at all"
        raise CollectionError(
            f"Hubness is measured on pictures with captions that people wrote, at least {MIN_PICTURES} in a language; "
            f"this collection has {has}.",
            hint="Add captions with: babelens index FOLDER --captions FILE",
        )
    return [c for c in captions if c.language in counts.keys() - left_out.keys()], left_out


def _sample(captions: Sequence[CaptionRow], each: int, random: np.random.Generator) -> list[CaptionRow]:
    """Up to ``each`` captions of every language."""
    sampled = []
    for tag in sorted({caption.language for caption in captions}):
        some = [caption for caption in captions if caption.language == tag]
        chosen = random.choice(len(some), min(each, len(some)), replace=False)
        sampled += [some[i] for i in np.sort(chosen).tolist()]
    return sampled


# -- searching -----------------------------------------------------------------------------------------------


def _search(images: FreshIndex, vectors: Floats, progress: Progress) -> tuple[Floats, Ids]:
    """What a corrected search for ten reads from the index. Shape: (n, dim) -> (n, depth), (n, depth)."""
    index, depth = images.current(), candidates(_K)
    parts = []
    for start in range(0, len(vectors), _BATCH):
        parts.append(index.search(vectors[start : start + _BATCH], depth))
        progress(min(start + _BATCH, len(vectors)), len(vectors), "searching")
    return np.concatenate([scores for scores, _ in parts]), np.concatenate([seqs for _, seqs in parts])


def _penalties(
    catalog: Catalog,
    documents: _Documents,
    bank: _Bank,
    settings: Sequence[Setting],
    progress: Progress,
    note: str,
) -> Floats:
    """What each document pays under each setting. Shape: (settings, d)."""
    result = np.empty((len(settings), len(documents.seqs)), dtype=np.float32)
    for start in range(0, len(documents.seqs), _ROWS):
        rows = slice(start, start + _ROWS)
        vectors = catalog.vectors_by_seq(documents.seqs[rows].tolist())
        scores = bank_scores(vectors, documents.pictures[rows], bank.vectors, bank.pictures)
        for row, setting in enumerate(settings):
            result[row, rows] = penalties_from(setting, scores)
        progress(min(start + _ROWS, len(documents.seqs)), len(documents.seqs), note)
    return result


def _choose(
    catalog: Catalog,
    documents: _Documents,
    bank: _Bank,
    queries: _Queries,
    fold: Ids,
    settings: Sequence[Setting],
    progress: Progress,
) -> Setting:
    """The setting with the best hit_rate@1, and among equals the best mean reciprocal rank.

    Each fold's captions are searched with a bank that has no caption of the fold's pictures: one that had a query
    itself in it would push down whatever else is near to that query.
    """
    ranks = np.empty((len(settings), len(queries.pictures)))
    for number in range(_FOLDS):
        mine = fold[queries.pictures] == number
        if not mine.any():
            continue
        some = queries[mine]
        used = np.unique(some.columns[some.columns >= 0])
        others = fold[bank.pictures] != number
        penalties = _penalties(
            catalog,
            _Documents(documents.seqs[used], documents.pictures[used]),
            _Bank(bank.vectors[others], bank.pictures[others]),
            settings,
            progress,
            f"trying corrections, part {number + 1} of {_FOLDS}",
        )
        every = np.zeros(len(documents.seqs), dtype=np.float32)
        for row, paid in enumerate(penalties):
            every[used] = paid
            ranks[row, mine] = _ranks(some, documents, every)
    merits = [(float(np.mean(row <= 1)), float(np.mean(1 / row))) for row in ranks]
    return settings[max(range(len(settings)), key=merits.__getitem__)]


# -- measuring -----------------------------------------------------------------------------------------------


def _corrected(queries: _Queries, penalties: Floats) -> Floats:
    """Corrected scores, -inf where nothing was found. Shape: (d,) penalties -> (n, depth)."""
    return np.where(queries.columns >= 0, queries.scores - penalties[queries.columns], -np.inf)


def _ranks(queries: _Queries, documents: _Documents, penalties: Floats) -> NDArray[np.float64]:
    """The rank of the right picture, behind all that score the same; infinite where it was not found. Shape: (n,)."""
    scores = _corrected(queries, penalties)
    right = (documents.pictures[queries.columns] == queries.pictures[:, None]) & (queries.columns >= 0)
    best = np.where(right, scores, -np.inf).max(axis=1)
    ahead = (~right & (scores >= best[:, None])).sum(axis=1)
    return np.where(right.any(axis=1), 1.0 + ahead, np.inf)


def _lists(queries: _Queries, penalties: Floats) -> Ids:
    """The best ten of each query, best first. Shape: (n, 10)."""
    order = np.argsort(-_corrected(queries, penalties), axis=1, kind="stable")[:, :_K]
    return np.take_along_axis(queries.columns, order, axis=1)


def _gains(
    queries: _Queries, documents: _Documents, penalties: Floats, *, pooled: bool, seed: int
) -> tuple[LanguageGain, ...]:
    before = _ranks(queries, documents, np.zeros_like(penalties))
    after = _ranks(queries, documents, penalties)

    tags = [tag for tag in np.unique(queries.languages).tolist() if tag != UNSTATED]
    corpus = len(penalties)

    def gain(tag: str, rows: NDArray[np.bool_], *, harmless: bool = True) -> LanguageGain:
        trial = compare(
            Ranks.of_first(before[rows], corpus=corpus),
            Ranks.of_first(after[rows], corpus=corpus),
            queries.pictures[rows],
            trials=len(tags),
            seed=seed,
        )
        return LanguageGain(
            language=tag,
            n=trial.queries,
            pictures=trial.groups,
            hit_rate_1=trial.before["hit_rate@1"].value,
            hit_rate_10=trial.before["hit_rate@10"].value,
            gain_1=trial.gain["hit_rate@1"],
            gain_10=trial.gain["hit_rate@10"],
            on=harmless and trial.earned,
        )

    gains = [gain(tag, queries.languages == tag) for tag in tags]
    if pooled:
        harmless = not any(one.gain_1.worse or one.gain_10.worse for one in gains)
        gains.append(gain(UNSTATED, np.ones(len(before), dtype=bool), harmless=harmless))
    return tuple(gains)
