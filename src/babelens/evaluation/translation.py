"""BLEU and chrF of texts against references in the same language, through sacrebleu.

Both are measures of a corpus, not means over segments, so an interval comes from drawing segments (or whole pictures
with all their segments) with replacement and adding up sacrebleu's counts of matches. Figures go from 0 to 100.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidQueryError, MissingExtraError
from ..languages import get_language
from ..metrics.statistics import Difference, Estimate
from ..types import Progress

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric

RESAMPLES: Final = 2_000
_SWAPS: Final = 10_000
_TAIL: Final = 2.5  # percent on each side: 95 % intervals
_BLOCK: Final = 4_000_000  # numbers in memory at once
_AT_A_TIME: Final = 200  # segments between two reports of progress

_WORDS: Final = "13a"  # WMT's own, for languages with blanks between words and Western punctuation
_TOKENIZERS: Final = {"ja": "ja-mecab", "hi": "flores200", "ar": "flores200"}
_FLORES_FILE: Final = "flores200sacrebleuspm"
_FALLBACK: Final = "char"
_FALLBACK_NOTE: Final = (
    "BLEU of {language} is counted over characters, since sacrebleu's SentencePiece model flores200 is not here: even "
    "unrelated sentences then reach about 10, and nothing compares with published figures. chrF needs no such model. "
    "To fetch it: pip install sentencepiece, then "
    "python -c \"from sacrebleu.metrics import BLEU; BLEU(tokenize='flores200')\""
)

_SHORT_NOTE: Final = (
    "No text has four words in a row, so BLEU counts the shorter runs alone (eff:yes in its signature)."
)

References = Sequence[str | Sequence[str]]
Counts = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CorpusScore:
    """A figure between 0 and 100 with its 95 % interval; ``n`` are segments. ``signature`` is sacrebleu's: two figures
    compare only when theirs are the same. One segment, or one picture, has no interval: it is NaN."""

    estimate: Estimate
    signature: str


@dataclass(frozen=True, slots=True)
class TextScores:
    """BLEU and chrF (chrF2) of ``n`` segments. ``tokenizer`` is what BLEU counts over."""

    language: str
    n: int
    bleu: CorpusScore
    chrf: CorpusScore
    tokenizer: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextComparison:
    """How much higher the second of two systems scores on the same segments."""

    first: TextScores
    second: TextScores
    bleu: Difference
    chrf: Difference


def score(
    hypotheses: Sequence[str],
    references: References,
    *,
    language: str,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> TextScores:
    """Corpus BLEU (Papineni et al. 2002) and chrF2 (Popović 2015), as sacrebleu computes them (Post 2018).

    ``references`` holds for each hypothesis one text or several, not everywhere as many: BLEU counts a match with any
    of them, chrF takes the best. ``groups`` says which segments belong together (captions of one picture) and are drawn
    together; without it each stands alone. BLEU counts over words by WMT's rules, of Japanese by MeCab, of Hindi and
    Arabic over the pieces of FLORES-200 where that model is on this machine, and otherwise over characters, which a
    note says. Raises :class:`InvalidQueryError` (nothing to score, or a hypothesis without reference),
    :class:`UnknownLanguageError`, :class:`MissingExtraError`.
    """
    language = get_language(language).tag
    bleu, chrf, tokenizer, notes = _metrics(language)
    segments = _Segments(hypotheses, references, groups, parts=2, progress=progress)
    words, letters = segments.count(bleu), segments.count(chrf)
    notes += _shortened(bleu, words)
    return TextScores(
        language,
        len(segments),
        _corpus_score(bleu, words, seed),
        _corpus_score(chrf, letters, seed),
        tokenizer,
        notes,
    )


def score_chrf(
    hypotheses: Sequence[str],
    references: References,
    *,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> CorpusScore:
    """chrF2 alone, which needs no tokenizer. Arguments and errors as of :func:`score`."""
    metric = _import_metrics().CHRF()
    segments = _Segments(hypotheses, references, groups)
    return _corpus_score(metric, segments.count(metric), seed)


def compare(
    first: Sequence[str],
    second: Sequence[str],
    references: References,
    *,
    language: str,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> TextComparison:
    """Two systems on the same segments: how much higher the second scores, with a 95 % interval and a p-value.

    The interval is that of a paired bootstrap (Koehn 2004); ``p`` is two-sided, by approximate randomisation (Riezler
    and Maxwell 2005): whole groups are swapped between the systems. Arguments and errors as of :func:`score`.
    """
    language = get_language(language).tag
    if len(first) != len(second):
        raise InvalidQueryError(
            f"There are {len(first):,} texts of the first system and {len(second):,} of the second.",
            hint="Two systems are compared on the same segments, in the same order.",
        )
    bleu, chrf, tokenizer, notes = _metrics(language)
    sides = [
        _Segments(texts, references, groups, parts=4, before=2 * place * len(first), progress=progress)
        for place, texts in enumerate((first, second))
    ]
    counts = [(side.count(bleu), side.count(chrf)) for side in sides]
    notes += _shortened(bleu, *(words for words, _ in counts))
    scores = [
        TextScores(
            language,
            len(first),
            _corpus_score(bleu, words, seed),
            _corpus_score(chrf, letters, seed),
            tokenizer,
            notes,
        )
        for words, letters in counts
    ]
    (words, letters), (words_after, letters_after) = counts
    return TextComparison(
        scores[0],
        scores[1],
        _difference(bleu, words, words_after, seed),
        _difference(chrf, letters, letters_after, seed),
    )


# -- sacrebleu -----------------------------------------------------------------------------------------------


def _import_metrics() -> Any:
    try:
        import sacrebleu.metrics
    except ImportError as error:
        raise MissingExtraError("sacrebleu", "eval") from error
    return sacrebleu.metrics


def _metrics(language: str) -> tuple[Metric, Metric, str, tuple[str, ...]]:
    """BLEU, chrF, the tokenizer of BLEU, and what has to be said about it."""
    library = _import_metrics()
    name, notes = _tokenizer(language)
    try:
        bleu = library.BLEU(tokenize=name, force=True)  # force: a text that ends in " ." is no reason to warn
    except RuntimeError as error:  # only the tokenizer of Japanese has needs of its own
        raise MissingExtraError("mecab-python3", "eval") from error
    return bleu, library.CHRF(), name, notes


def _tokenizer(language: str) -> tuple[str, tuple[str, ...]]:
    """What BLEU of a language counts over. Nothing is fetched: sacrebleu would, in the middle of a run."""
    name = _TOKENIZERS.get(language, _WORDS)
    if name != "flores200":
        return name, ()
    from sacrebleu.utils import SACREBLEU_DIR

    if os.path.isfile(os.path.join(SACREBLEU_DIR, "models", _FLORES_FILE)) and find_spec("sentencepiece"):
        return name, ()
    note = _FALLBACK_NOTE.format(language=get_language(language).name)
    return _FALLBACK, (note,)


def _shortened(bleu: Metric, *counted: _Counted) -> tuple[str, ...]:
    """BLEU is 0 by definition where no text has four words, as short captions have not: it then counts up to the length
    that there is. Returns what has to be said about it."""
    totals = [bleu._compute_score_from_stats(each.sums.sum(axis=0).tolist()).totals for each in counted]
    if any(total[-1] for total in totals):
        return ()
    bleu.effective_order = True
    return (_SHORT_NOTE,)


class _Segments:
    """Texts with their references, checked. ``progress`` hears of segments × ``parts``, since each metric counts."""

    def __init__(
        self,
        hypotheses: Sequence[str],
        references: References,
        groups: Sequence[Hashable] | None,
        *,
        parts: int = 1,
        before: int = 0,
        progress: Progress | None = None,
    ) -> None:
        if not hypotheses:
            raise InvalidQueryError(
                "There is nothing to score.", hint="Give one text at least, with a reference."
            )
        if len(references) != len(hypotheses):
            raise InvalidQueryError(
                f"There are {len(hypotheses):,} texts and references for {len(references):,}.",
                hint="Give one reference, or a list of them, for each text.",
            )
        self._hypotheses = [_one_line(text) for text in hypotheses]
        self._references = [
            [_one_line(text) for text in ([row] if isinstance(row, str) else row)] for row in references
        ]
        for place, row in enumerate(self._references):
            if not any(row):
                raise InvalidQueryError(f"The text at place {place} has no reference.")
        names = range(len(hypotheses)) if groups is None else groups
        if len(names) != len(hypotheses):
            raise InvalidQueryError(f"There are {len(hypotheses):,} texts and groups for {len(names):,}.")
        places: dict[Hashable, int] = {}
        self._groups = np.array([places.setdefault(name, len(places)) for name in names])
        self._done, self._total, self._progress = before, parts * len(hypotheses), progress

    def __len__(self) -> int:
        return len(self._hypotheses)

    def count(self, metric: Metric) -> _Counted:
        """Adds up sacrebleu's counts of each group.

        sacrebleu hands them out only to classes derived from its ``Metric``; its own bootstrap knows neither groups,
        nor a seed of ours, nor the difference of two systems. A test compares sums with its public figures.
        """
        rows: list[list[float]] = []
        for start in range(0, len(self), _AT_A_TIME):
            part = self._references[start : start + _AT_A_TIME]
            most = max(len(row) for row in part)
            streams = [[row[k] if k < len(row) else None for row in part] for k in range(most)]
            rows += metric._extract_corpus_statistics(
                self._hypotheses[start : start + _AT_A_TIME],
                streams,  # None stands for "no further reference"
            )
            self._done += len(part)
            if self._progress is not None:
                self._progress(self._done, self._total)
        sizes = {len(row) for row in self._references}
        metric.num_refs = sizes.pop() if len(sizes) == 1 else -1
        sums = np.zeros((int(self._groups.max()) + 1, len(rows[0])))
        np.add.at(sums, self._groups, np.array(rows, dtype=np.float64))
        return _Counted(sums, len(self))


@dataclass(frozen=True, slots=True, eq=False)
class _Counted:
    """sums: (groups, counts). n: segments."""

    sums: Counts
    n: int


def _one_line(text: str) -> str:
    return " ".join(text.split())


# -- figures -------------------------------------------------------------------------------------------------


def _value(metric: Metric, counts: Counts) -> float:
    # Rounding can take a perfect match a hair above 100.
    return min(100.0, float(metric._compute_score_from_stats(counts.tolist()).score))


def _values(metric: Metric, rows: Counts) -> Counts:
    """Shape: (n, counts) -> (n,)."""
    return np.array([_value(metric, row) for row in rows])


def _draws(metric: Metric, counted: _Counted, seed: int) -> Counts:
    """The figure in each resample. The same seed draws the same groups, so systems can be subtracted."""
    random, groups = np.random.default_rng(seed), len(counted.sums)
    parts, left = [], RESAMPLES
    while left:
        rows = min(left, max(1, _BLOCK // groups))
        weights = random.multinomial(groups, np.full(groups, 1 / groups), size=rows)
        parts.append(_values(metric, weights @ counted.sums))
        left -= rows
    return np.concatenate(parts)


def _interval(draws: Counts) -> tuple[float, float]:
    low, high = np.percentile(draws, [_TAIL, 100 - _TAIL])
    return float(low), float(high)


def _corpus_score(metric: Metric, counted: _Counted, seed: int) -> CorpusScore:
    alone = len(counted.sums) < 2
    low, high = (float("nan"), float("nan")) if alone else _interval(_draws(metric, counted, seed))
    value = _value(metric, counted.sums.sum(axis=0))
    return CorpusScore(Estimate(counted.n, value, low, high), str(metric.get_signature()))


def _difference(metric: Metric, before: _Counted, after: _Counted, seed: int) -> Difference:
    totals = before.sums.sum(axis=0), after.sums.sum(axis=0)
    value = _value(metric, totals[1]) - _value(metric, totals[0])
    if len(before.sums) < 2:
        return Difference(before.n, value, float("nan"), float("nan"), 1.0)
    low, high = _interval(_draws(metric, after, seed) - _draws(metric, before, seed))
    random, change = np.random.default_rng(seed + 1), after.sums - before.sums
    reached, left = 0, _SWAPS
    while left:
        rows = min(left, max(1, _BLOCK // len(change)))
        moved = random.integers(0, 2, size=(rows, len(change)), dtype=np.int8) @ change
        swapped = _values(metric, totals[1] - moved) - _values(metric, totals[0] + moved)
        reached += int(np.count_nonzero(np.abs(swapped) >= abs(value) - 1e-9))
        left -= rows
    return Difference(before.n, value, low, high, (1 + reached) / (1 + _SWAPS))
