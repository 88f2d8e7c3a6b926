"""The quality of translations: those of a collection, those in plain files, and translation there and back.

Only texts of status ``ok`` are scored, and how many of each status there are stands beside every figure: a model that
fails on hard sentences would otherwise look better for it. Texts are judged anew here (:mod:`babelens.plausibility`),
so that a copy of the source counts as none, whoever stored it as a translation.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..describing import translate
from ..errors import InvalidQueryError, UnreadableFileError
from ..languages import LANGUAGES, get_language, main_script
from ..models.translators import Translator
from ..plausibility import judge_translation
from ..storage.catalog import Catalog
from ..storage.rows import StoredText
from ..types import Progress, Status, Text
from .bertscore import NOTE as BERT_NOTE
from .bertscore import BertScores, bert_score
from .translation import CorpusScore, TextScores, score, score_chrf

if TYPE_CHECKING:
    from ..collection import Collection

_PAGE: Final = 500
_BATCH: Final = 128

LOOSE: Final = (
    "The references are captions that people wrote of the same picture, not translations of the same sentence: figures "
    "are low, and compare models on the same pictures only."
)
BACK: Final = (
    "There and back: chrF of the source against its translation translated back. It measures two translators at once, "
    "and a literal or even a copied translation scores high; it compares with no figure that has a reference."
)


@dataclass(frozen=True, slots=True)
class BackTranslation:
    """chrF of ``n`` sources against their translations translated back by ``translator``; None when there are none.

    ``counts`` are what came back, by status: only ``ok`` is scored.
    """

    n: int
    chrf: CorpusScore | None
    translator: str
    counts: Mapping[Status, int]
    note: str = BACK


@dataclass(frozen=True, slots=True)
class TranslationQuality:
    """One model's translations between two languages; ``source`` is None where the catalog does not tell.

    ``counts`` are all of them by status; ``unreferenced`` those of status ``ok`` whose picture has no human caption in
    the target language. ``scores`` and ``bert`` are None when there was nothing to score, or it was not asked for.
    """

    model: str | None
    source: str | None
    target: str
    counts: Mapping[Status, int]
    unreferenced: int
    scores: TextScores | None
    bert: BertScores | None
    back: BackTranslation | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileScores:
    """What a file of translations is worth. ``counts`` are its lines by status; ``unreferenced`` those of status ``ok``
    that no reference file has a text for."""

    language: str
    counts: Mapping[Status, int]
    unreferenced: int
    scores: TextScores | None
    bert: BertScores | None
    notes: tuple[str, ...]


# -- there and back ------------------------------------------------------------------------------------------


def back_translation(
    sources: Sequence[str],
    translations: Sequence[str],
    translator: str | Path | Translator,
    *,
    source: str,
    target: str,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> BackTranslation:
    """Translates ``translations`` (in ``target``) back into ``source`` and compares with ``sources``.

    A makeshift for when no reference exists: see :data:`BACK`. Raises what :func:`babelens.describing.translate` and
    :func:`~babelens.evaluation.translation.score` do.
    """
    if len(sources) != len(translations):
        raise InvalidQueryError(f"There are {len(sources):,} sources and {len(translations):,} translations.")
    returned = []
    for start in range(0, len(translations), _BATCH):
        part = translations[start : start + _BATCH]
        returned += translate(part, source=target, target=source, model=translator)
        if progress is not None:
            progress(len(returned), len(translations), "translating back")
    good = [place for place, text in enumerate(returned) if text.status == "ok"]
    chrf = None
    if good:
        chrf = score_chrf(
            [returned[place].body for place in good],
            [sources[place] for place in good],
            groups=None if groups is None else [groups[place] for place in good],
            seed=seed,
        )
    name = returned[0].model if returned else str(translator)
    return BackTranslation(len(good), chrf, name, Counter(text.status for text in returned))


# -- a collection --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Good:
    """A translation of status ``ok``, what it was made from, and what people wrote of its picture in its language."""

    item: str
    body: str
    original: str
    captions: list[str]


@dataclass(frozen=True, slots=True)
class _Pair:
    """The translations of one model between two languages."""

    counts: Counter[Status] = field(default_factory=Counter)
    good: list[_Good] = field(default_factory=list)


def translation_quality(
    collection: Collection,
    *,
    back: str | Path | Translator | None = None,
    bert: str | Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[TranslationQuality, ...]:
    """Scores what models translated in a collection, by model, source and target language.

    Translations whose picture has human captions in the target language are scored against all of these. With ``back``,
    a translator that knows the way back, the others are translated back. With ``bert``, an encoder for
    :func:`~babelens.evaluation.bertscore.bert_score`, that is computed too. Pictures are drawn for the intervals,
    since the captions of one are not independent. Raises :class:`InvalidQueryError` when ``back`` knows none of the
    languages, and what loading raises.
    """
    with Catalog.open(collection.path, read_only=True) as catalog, catalog.snapshot():
        pairs = _gather(catalog)
    results: list[TranslationQuality] = []
    refused: InvalidQueryError | None = None
    for key in sorted(pairs, key=lambda key: (key[0] or "", key[1] or "", list(LANGUAGES).index(key[2]))):
        (model, source, target), pair = key, pairs[key]
        report = _noted(progress, f"{source or '?'} → {target}")
        referenced = [text for text in pair.good if text.captions]
        alone = [text for text in pair.good if not text.captions]
        scores = found = there_and_back = None
        notes: list[str] = []
        if referenced:
            texts, captions = [text.body for text in referenced], [text.captions for text in referenced]
            items = [text.item for text in referenced]
            scores = score(texts, captions, language=target, groups=items, seed=seed, progress=report)
            notes += [LOOSE, *scores.notes]
            if bert is not None:
                found = bert_score(
                    texts,
                    captions,
                    language=target,
                    reference_language=target,
                    model=bert,
                    groups=items,
                    seed=seed,
                    progress=report,
                )
                notes.append(BERT_NOTE)
        if back is not None and source is not None and alone:
            try:
                there_and_back = back_translation(
                    [text.original for text in alone],
                    [text.body for text in alone],
                    back,
                    source=source,
                    target=target,
                    groups=[text.item for text in alone],
                    seed=seed,
                    progress=report,
                )
                notes.append(there_and_back.note)
            except InvalidQueryError as error:
                refused = error
                notes.append(f"Not translated back: {error.message}")
        counts = dict(pair.counts)
        results.append(
            TranslationQuality(
                model, source, target, counts, len(alone), scores, found, there_and_back, tuple(notes)
            )
        )
    if refused is not None and not any(result.back for result in results):
        raise refused
    return tuple(results)


def _noted(progress: Progress | None, languages: str) -> Progress | None:
    if progress is None:
        return None

    def report(done: int, total: int | None = None, note: str = "") -> None:
        progress(done, total, ", ".join(filter(None, (languages, note))))

    return report


def _gather(catalog: Catalog) -> dict[tuple[str | None, str | None, str], _Pair]:
    pairs: dict[tuple[str | None, str | None, str], _Pair] = {}
    for rows in _rows(catalog):
        texts = {row.row: row.text for row in rows}
        for row in rows:
            if row.text.origin != "translation" or row.text.language not in LANGUAGES:
                continue
            original = texts.get(row.source_row) if row.source_row is not None else None
            source = original.language if original is not None else None
            pair = pairs.setdefault((row.text.model, source, row.text.language), _Pair())
            status = _status(row.text, original)
            pair.counts[status] += 1
            if status == "ok":
                captions = [
                    text.body
                    for text in texts.values()
                    if (text.origin, text.status, text.language) == ("human", "ok", row.text.language)
                ]
                before = original.body if original is not None else ""
                pair.good.append(_Good(row.text.item_id, row.text.body, before, captions))
    return pairs


def _rows(catalog: Catalog) -> Iterator[list[StoredText]]:
    """The texts of each item that has any."""
    items = catalog.items()
    while page := list(itertools.islice(items, _PAGE)):
        yield from catalog.stored_texts([item.id for item in page]).values()


def _status(text: Text, original: Text | None) -> Status:
    if text.status != "ok" or original is None or original.language not in LANGUAGES:
        return text.status
    return judge_translation(text.body, original.body, source=original.language, target=text.language).status


# -- plain files ---------------------------------------------------------------------------------------------


def score_files(
    hypotheses: str | Path,
    references: str | Path | Sequence[str | Path],
    *,
    language: str,
    source: str | Path | None = None,
    source_language: str = "en",
    bert: str | Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> FileScores:
    """Scores a text file against one reference file or several, line by line; an empty reference line is none.

    Lines that are empty or in another script are counted and left out; with ``source``, the file that was translated,
    all that cannot be translations (see :mod:`babelens.plausibility`). Files are UTF-8 and of equally many lines.
    Raises :class:`UnreadableFileError`, :class:`InvalidQueryError`, and what
    :func:`~babelens.evaluation.translation.score` and :func:`~babelens.evaluation.bertscore.bert_score` do.
    """
    language, source_language = get_language(language).tag, get_language(source_language).tag
    paths = [references] if isinstance(references, str | Path) else list(references)
    if not paths:
        raise InvalidQueryError("There is no reference file.")
    if source is not None and source_language == language:
        raise InvalidQueryError(
            f"The source and its translation are both said to be in {get_language(language).name}.",
            hint="Name the language of each.",
        )
    lines = _read(hypotheses)
    if not lines:
        raise UnreadableFileError(hypotheses, "the file is empty")
    streams = [_parallel(path, hypotheses, len(lines)) for path in paths]
    originals = None if source is None else _parallel(source, hypotheses, len(lines))
    counts: Counter[Status] = Counter()
    texts, rows, unreferenced = [], [], 0
    for place, line in enumerate(lines):
        if originals is None:
            status: Status = _status_alone(line, language)
        else:
            status = judge_translation(line, originals[place], source=source_language, target=language).status
        counts[status] += 1
        row = [stream[place] for stream in streams if stream[place].strip()]
        if status == "ok" and row:
            texts.append(line)
            rows.append(row)
        elif status == "ok":
            unreferenced += 1
    scores = score(texts, rows, language=language, seed=seed, progress=progress) if texts else None
    found = None
    if bert is not None and texts:
        found = bert_score(
            texts,
            rows,
            language=language,
            reference_language=language,
            model=bert,
            seed=seed,
            progress=progress,
        )
    notes = (*(scores.notes if scores else ()), *((BERT_NOTE,) if found else ()))
    return FileScores(language, dict(counts), unreferenced, scores, found, notes)


def _status_alone(line: str, language: str) -> Status:
    """What can be said without the source. A line that is all names may be counted out; a copy never counts in where
    the languages have different scripts."""
    if not line.strip():
        return "empty"
    script = main_script(line)
    return "ok" if script is None or script in get_language(language).scripts else "wrong-script"


def _parallel(path: str | Path, beside: str | Path, length: int) -> list[str]:
    lines = _read(path)
    if len(lines) != length:
        raise UnreadableFileError(
            path,
            f"it has {len(lines):,} lines, and {beside} has {length:,}",
            hint="Line N of each file must belong to the same segment.",
        )
    return lines


def _read(path: str | Path) -> list[str]:
    """Lines end at line feeds only: other separators may stand within a segment."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(path, f"it is not UTF-8 (byte {error.start:,})") from error
    except OSError as error:
        raise UnreadableFileError(path, error.strerror or str(error)) from error
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines
