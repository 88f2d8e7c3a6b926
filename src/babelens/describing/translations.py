"""Translations: of single texts, and of the captions of a collection into the languages that they lack.

A translation is checked before it counts (:mod:`babelens.plausibility`), and remembered, so that no model translates
a text twice (:mod:`babelens.models.memory`).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from ..errors import InvalidQueryError
from ..languages import LANGUAGES, get_language
from ..models.memory import TranslationMemory
from ..models.protocols import TextEncoder
from ..models.translators import Translator, default_translator, load_translator, unsupported
from ..models.writers import name_of
from ..plausibility import judge_translation
from ..retrieval.filters import parse_filter
from ..storage.catalog import Catalog
from ..storage.rows import StoredText
from ..types import DescribeReport, Progress, Text, Translation
from .writing import DescriptionWriter, fetching

_BATCH: Final = 128  # texts translated, and committed, at a time
_PAGE: Final = 500
_HELD: Final = 2  # M2M100 has two gigabytes


def translate(
    texts: str | Sequence[str], *, source: str, target: str, model: str | Path | Translator | None = None
) -> list[Translation]:
    """Translates texts, one or many, from one language into another; a :class:`Translation` for each.

    Only those with ``status == "ok"`` are translations; the others say what went wrong. ``model`` is a name, a folder,
    a hub id or a translator; the pair's own by default. Raises :class:`UnknownLanguageError`,
    :class:`InvalidQueryError` for a pair that the model does not support, :class:`UnknownModelError`,
    :class:`WeightsUnavailableError`, :class:`MissingExtraError`.
    """
    source, target = get_language(source).tag, get_language(target).tag
    bodies = [texts] if isinstance(texts, str) else list(texts)
    if model is not None and not isinstance(model, str | Path):
        translator = model
        if source == target or not translator.supports(source, target):
            raise unsupported(translator.name, source, target)
    else:
        translator = _loaded(str(model) if model is not None else None, source, target)
    memory = memory_of(translator, source, target)
    return list(
        itertools.chain.from_iterable(
            translate_checked(
                bodies[start : start + _BATCH], translator, memory, source=source, target=target
            )
            for start in range(0, len(bodies), _BATCH)
        )
    )


@lru_cache(maxsize=2)  # loading costs more than translating a text
def _loaded(model: str | None, source: str, target: str) -> Translator:
    return load_translator(model, source, target)


def memory_of(translator: Translator, source: str, target: str) -> TranslationMemory:
    """What is remembered of a translator's work between two languages."""
    return TranslationMemory(
        source=source, target=target, model=translator.name, revision=translator.revision
    )


def translate_checked(
    texts: Sequence[str], translator: Translator, memory: TranslationMemory, *, source: str, target: str
) -> list[Translation]:
    """Translates what the memory does not hold, and judges all of it."""
    wanted = [text for text in dict.fromkeys(texts) if text.strip()]
    bodies = memory.recall(wanted)
    new = [text for text in wanted if text not in bodies]
    if new:
        fresh = dict(zip(new, translator.translate(new, source=source, target=target), strict=True))
        memory.keep(fresh)
        bodies |= fresh
    results = []
    for text in texts:
        body = bodies.get(text, "")
        if text.strip():
            verdict = judge_translation(body, text, source=source, target=target)
            status, reason = verdict.status, verdict.reason
        else:
            status, reason = "empty", "there is nothing to translate"
        results.append(Translation(body, status, reason, translator.name, source, target))
    return results


# -- a collection --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Job:
    """A text to be translated; ``outdated`` is the row that its translation replaces."""

    source: StoredText
    outdated: int | None

    @property
    def language(self) -> str:
        return self.source.text.language


class _Translators:
    """Loads the translator of a pair when it is asked for, and keeps the two that were used last.

    A model that was named serves every pair; else each pair has its own.
    """

    def __init__(self, model: str | Path | Translator | None, *, progress: Progress | None = None) -> None:
        self._model = model
        self._progress = progress
        self._held: dict[str, Translator] = {}

    def name_of(self, source: str, target: str) -> str:
        """The name that a pair's translations carry. Loads nothing."""
        if self._model is None:
            return default_translator(source, target)
        return name_of(self._model, "translator") if isinstance(self._model, str | Path) else self._model.name

    def check(self, source: str, target: str) -> None:
        """Raises :class:`InvalidQueryError` for a pair that the named model does not support."""
        if self._model is not None:
            self.get(source, target)

    def get(self, source: str, target: str) -> Translator:
        """Raises :class:`InvalidQueryError` for a pair that the model does not support."""
        if self._model is not None and not isinstance(self._model, str | Path):
            translator = self._model
        else:
            name = str(self._model) if self._model is not None else default_translator(source, target)
            if name not in self._held:
                self._held[name] = load_translator(name, source, target, progress=fetching(self._progress))
            translator = self._held.pop(name)
            self._held[name] = translator
            if len(self._held) > _HELD:
                del self._held[next(iter(self._held))]
        if not translator.supports(source, target):
            raise unsupported(translator.name, source, target)
        return translator


def translate_items(
    catalog: Catalog,
    encoder: TextEncoder,
    targets: Sequence[str],
    *,
    model: str | Path | Translator | None = None,
    source: str | None = None,
    where: str | None = None,
    beside_human: bool = False,
    progress: Progress | None = None,
) -> DescribeReport:
    """Translates the captions of all items that pass ``where`` into each of ``targets``.

    Of an item, its human English captions are translated, else its human captions in another language, else a
    model's; ``source`` asks for one language. Where people wrote captions in a target language, nothing is done,
    unless ``beside_human``: such translations can be scored against them (see :mod:`babelens.evaluation.translations`).
    Each batch is committed by itself, and the next run does only what is missing or outdated. ``model`` serves all
    pairs: a name, a folder, a hub id or a translator; by default each pair has its own.
    """
    tags = list(dict.fromkeys(get_language(target).tag for target in targets))
    source = get_language(source).tag if source is not None else None
    translators = _Translators(model, progress=progress)
    condition = parse_filter(where) if where else None
    with catalog.writing():
        writer = DescriptionWriter(catalog, encoder)
        allowed = None if condition is None else catalog.matching_items(condition)
        plans = [_Plan(catalog, translators, target, source, allowed, beside_human) for target in tags]
        for plan in plans:
            plan.count()
            writer.unchanged += plan.unchanged
        _leave_out_unsupported(plans, translators, writer)
        total, done = sum(plan.counts.total() for plan in plans), 0
        for plan in plans:
            for language in plan.counts:
                jobs = (job for job in plan.jobs() if job.language == language)
                while batch := list(itertools.islice(jobs, _BATCH)):
                    _translate(batch, translators.get(language, plan.target), plan.target, writer)
                    done += len(batch)
                    if progress is not None:
                        progress(done, total, LANGUAGES[plan.target].name)
            writer.write([], outdated=plan.superseded)
        return writer.report()


def _translate(batch: list[_Job], translator: Translator, target: str, writer: DescriptionWriter) -> None:
    memory = memory_of(translator, batch[0].language, target)
    bodies = [job.source.text.body for job in batch]
    results = translate_checked(bodies, translator, memory, source=batch[0].language, target=target)
    texts = [
        Text(job.source.text.item_id, target, done.body, "translation", done.status, done.model, done.reason)
        for job, done in zip(batch, results, strict=True)
    ]
    outdated = [job.outdated for job in batch if job.outdated is not None]
    writer.write(texts, [job.source.row for job in batch], outdated=outdated)
    writer.notes |= dict.fromkeys(memory.notes)


def _leave_out_unsupported(
    plans: Sequence[_Plan], translators: _Translators, writer: DescriptionWriter
) -> None:
    """Pairs that the named model does not know are noted, as long as there are others; else that is an error."""
    failure: InvalidQueryError | None = None
    for plan in plans:
        for language, number in list(plan.counts.items()):
            try:
                translators.check(language, plan.target)
            except InvalidQueryError as error:
                failure = error
                writer.notes[f"{number:,} texts were left out: {error.message}"] = None
                del plan.counts[language]
    if failure is not None and not any(plan.counts for plan in plans):
        raise failure


class _Plan:
    """What is to be translated into one language, read page by page. :meth:`count` comes first.

    ``counts`` are jobs by source language; ``superseded`` the translations of texts that others now stand before.
    """

    def __init__(
        self,
        catalog: Catalog,
        translators: _Translators,
        target: str,
        source: str | None,
        allowed: set[str] | None,
        beside_human: bool,
    ) -> None:
        self._beside_human = beside_human
        self._catalog = catalog
        self._translators = translators
        self.target = target
        self._source = source
        self._allowed = allowed
        self.counts: Counter[str] = Counter()
        self.unchanged = 0
        self.superseded: list[int] = []

    def count(self) -> None:
        for rows in self._items():
            sources = self._sources(rows)
            jobs = list(self._jobs(sources, rows))
            self.counts.update(job.language for job in jobs)
            self.unchanged += len(sources) - len(jobs)
            chosen = {source.row for source in sources}
            self.superseded += [
                row.row for row in self._translations(rows) if sources and row.source_row not in chosen
            ]

    def jobs(self) -> Iterator[_Job]:
        for rows in self._items():
            yield from self._jobs(self._sources(rows), rows)

    def _items(self) -> Iterator[list[StoredText]]:
        """The texts of the items that are to have translations."""
        items = self._catalog.items()
        while page := list(itertools.islice(items, _PAGE)):
            ids = [item.id for item in page if self._allowed is None or item.id in self._allowed]
            for rows in self._catalog.stored_texts(ids).values():
                if self._beside_human or not any(
                    row.text.origin == "human" and row.text.language == self.target for row in rows
                ):
                    yield rows

    def _sources(self, rows: list[StoredText]) -> list[StoredText]:
        """People before models, English before others, one language of one kind."""
        groups: dict[tuple[bool, bool, int], list[StoredText]] = {}
        tags = list(LANGUAGES)
        for row in rows:
            text = row.text
            if (
                text.status != "ok"
                or text.origin not in ("human", "caption-model")
                or text.language not in tags
            ):
                continue
            if text.language != self.target and text.language == (self._source or text.language):
                key = (text.origin != "human", text.language != "en", tags.index(text.language))
                groups.setdefault(key, []).append(row)
        return groups[min(groups)] if groups else []

    def _translations(self, rows: list[StoredText]) -> list[StoredText]:
        return [row for row in rows if row.text.origin == "translation" and row.text.language == self.target]

    def _jobs(self, sources: list[StoredText], rows: list[StoredText]) -> Iterator[_Job]:
        """A source is done when it has a good translation, or when this very model gave a bad one."""
        known = {row.source_row: row for row in self._translations(rows)}
        for source in sources:
            old = known.get(source.row)
            name = self._translators.name_of(source.text.language, self.target)
            if old is None or (old.text.status != "ok" and old.text.model != name):
                yield _Job(source, None if old is None else old.row)
