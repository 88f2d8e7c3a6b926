"""An answer without a model: the sentences of the evidence that say most about the question, quoted as they stand.

Sentences are compared with the question by words in any form (:func:`babelens.storage.likeness.akin`) and by pairs of
neighbouring words, weighted by how rare they are among the sentences at hand (BM25). The words that ask ("which",
"how") do not count. Half as much counts what the rest of the passage and its headings say, and an earlier place in the
ranking breaks near ties. After the first sentence, words that were quoted already count less. The weights were set by
hand.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

from ..passages import without_contents
from ..storage.fulltext import words_of
from ..storage.likeness import akin
from .phrases import Phrases, phrases, stop_words
from .quotes import has_words, quote_spans, stands_in
from .sentences import split_sentences
from .types import Answer, Citation, Evidence

SENTENCES: Final = 3

_K1, _B = 1.2, 0.4
_CONTEXT: Final = 0.5
_PER_RANK: Final = 0.05
_SAID: Final = 0.3  # of the weight of a word that an earlier quotation has
_WORTH: Final = 0.5  # of the best score; less is left out
_NEW: Final = 0.35  # of the best score, by what no earlier quotation has
_LONGEST: Final = 400  # characters of a quotation
_SHORTEST: Final = 3  # tokens; less is a heading or a stray label
_SOFT_BREAK: Final = re.compile(r"(?<=[;；•])\s*|(?<=[、,،:：])\s+|\s+")
_LABEL: Final = re.compile(
    r"[^\W\d]{1,12}[.\s]*\d+(?:[-–.]\d+)*"
)  # of a caption that names itself: "Figure 3-2"
_HIRAGANA: Final = re.compile(r"[\u3041-\u309f]+")
_MARKS: Final = (("“", "”"), ("«", "»"), ("「", "」"), ('"', '"'), ("『", "』"))


@dataclass(frozen=True, slots=True)
class _Sentence:
    source: Evidence
    rank: int  # of the evidence, from 0
    text: str
    tokens: Counter[str]


def extractive_answer(question: str, evidence: Sequence[Evidence], language: str) -> Answer:
    """The best sentences of ``evidence`` (best first), at most three, each quoted with document and page.

    Figures and pictures are named with their captions; so is, beside the three, a figure that a quoted passage refers
    to. The sentences around the quotations are in ``language``.
    Where no passage shares a word with the question, as in two languages, the first sentence of the best passage
    stands for it, and a note says so.
    """
    say = phrases(language)
    spell = _Spelling(_telling(question))
    sentences = [
        _Sentence(one, rank, text, Counter(_tokens(text, spell)))
        for rank, one in enumerate(evidence)
        for text in _candidates(one)
    ]
    if not sentences:
        return Answer(say.not_answerable, language, (), False, True, None, ())
    scored = _scores(question, sentences, spell)
    notes: tuple[str, ...] = ()
    if max(scored) > 0:
        chosen = _best(question, sentences, scored, spell)
    else:
        chosen = [min(sentences, key=lambda sentence: sentence.rank)]
        notes = (
            "No word of the question stands in the passages: the best passage is quoted by its first sentence.",
        )
    chosen += _shown_figure(sentences, chosen)
    lines = [_line(sentence, say) for sentence in chosen]
    citations = tuple(
        Citation(s.source.number, s.source.item_id, s.source.document, s.source.page, s.text) for s in chosen
    )
    return Answer("\n".join([say.from_documents, *lines]), language, citations, True, True, None, notes)


def _candidates(one: Evidence) -> Iterator[str]:
    """What could be quoted of one piece of evidence; a figure's caption is quoted whole."""
    if one.kind in ("figure", "image"):
        sentences = list(_pieces(" ".join(one.body.split())))[:1]
    else:
        sentences = [
            piece for sentence in split_sentences(without_contents(one.body)) for piece in _pieces(sentence)
        ]
    told = [text for text in sentences if has_words(text)]
    longer = [text for text in told if len(words_of(text)) >= _SHORTEST]
    yield from longer or told


def _pieces(sentence: str) -> Iterator[str]:
    """A sentence, or where it is too long to read (a table, a list without stops) parts of it, cut at a pause."""
    while len(sentence) > _LONGEST:
        breaks = [
            match for match in _SOFT_BREAK.finditer(sentence, 1, _LONGEST) if match.end() > _LONGEST // 2
        ]
        stops = [match for match in breaks if sentence[match.start() - 1] in ";；•、,،:："]
        cut = (stops or breaks)[-1].end() if breaks else _LONGEST
        yield sentence[:cut].strip()
        sentence = sentence[cut:].strip()
    yield sentence


class _Spelling:
    """Gives the words of texts as the question spells them: "filters" as "filter" where that was asked for."""

    def __init__(self, asked: Iterable[str]) -> None:
        self._asked = tuple(asked)
        self._known: dict[str, str] = {}

    def __call__(self, form: str) -> str:
        known = self._known.get(form)
        if known is None:
            same = form if form in self._asked else next((t for t in self._asked if akin(t, form)), form)
            known = self._known[form] = same
        return known


def _scores(
    question: str, sentences: Sequence[_Sentence], spell: _Spelling, said: Set[str] = frozenset()
) -> list[float]:
    """One score per sentence; 0 where it shares no word with the question. What was ``said`` counts less."""
    wanted = _terms(question, spell)
    count = len(sentences)
    length = sum(s.tokens.total() for s in sentences) / count or 1.0
    holding = Counter(token for s in sentences for token in s.tokens if token in wanted)
    weight = {t: math.log(1 + (count - n + 0.5) / (n + 0.5)) for t, n in holding.items()}
    around: dict[int, set[str]] = {}
    for s in sentences:
        if s.rank not in around:
            around[s.rank] = set(_tokens(" ".join((*s.source.headings, s.source.body)), spell)) & wanted
    scores = []
    for s in sentences:
        norm = _K1 * (1 - _B + _B * s.tokens.total() / length)
        own = sum(
            weight[t] * (_SAID if t in said else 1.0) * s.tokens[t] * (_K1 + 1) / (s.tokens[t] + norm)
            for t in wanted
            if s.tokens[t] and t in weight
        )
        context = sum(weight.get(t, 0.0) for t in around[s.rank])
        scores.append((own + _CONTEXT * context) / (1 + _PER_RANK * s.rank) if own else 0.0)
    return scores


def _terms(question: str, spell: _Spelling) -> set[str]:
    """The words of a question that say what it is about, and the pairs of them."""
    telling = set(_telling(question))
    return telling | {pair for pair in _tokens(question, spell) if set(pair.split()) <= telling}


def _telling(question: str) -> list[str]:
    """The words of a question without those that ask; all of them where none is left."""
    forms = list(dict.fromkeys(word.form for word in words_of(question)))
    telling = [form for form in forms if form not in _asking()]
    # Between Japanese words stand particles and endings in hiragana.
    return [form for form in telling if not _HIRAGANA.fullmatch(form)] or telling or forms


def _tokens(text: str, spell: _Spelling) -> list[str]:
    """Words and pairs of neighbours: "code 5" says more than a "code" here and a "5" there."""
    words = [spell(word.form) for word in words_of(text)]
    return [*words, *(f"{one} {next_one}" for one, next_one in pairwise(words))]


@lru_cache(maxsize=1)
def _asking() -> frozenset[str]:
    return frozenset(one.form for words in stop_words().values() for word in words for one in words_of(word))


def _best(
    question: str, sentences: Sequence[_Sentence], scores: Sequence[float], spell: _Spelling
) -> list[_Sentence]:
    """The best sentence, then of those that are worth it what says most beside; each wording once."""
    chosen: list[_Sentence] = []
    best = max(scores)
    worthy = [i for i, score in enumerate(scores) if score >= _WORTH * best]
    while worthy and len(chosen) < SENTENCES:
        chosen.append(sentences[max(worthy, key=lambda i: scores[i])])
        scores = _scores(question, sentences, spell, {token for one in chosen for token in one.tokens})
        worthy = [i for i in worthy if sentences[i].text != chosen[-1].text and scores[i] >= _NEW * best]
    return chosen


def _shown_figure(sentences: Sequence[_Sentence], chosen: Sequence[_Sentence]) -> list[_Sentence]:
    """The first figure whose label ("Figure 3-2") stands in a passage that is quoted, unless one is quoted already."""
    if any(sentence.source.kind == "figure" for sentence in chosen):
        return []
    for sentence in sentences:
        label = _LABEL.match(sentence.text) if sentence.source.kind == "figure" else None
        same = [one.source.body for one in chosen if one.source.document == sentence.source.document]
        if label and any(stands_in(label[0], body) for body in same):
            return [sentence]
    return []


def _line(sentence: _Sentence, say: Phrases) -> str:
    source = sentence.source
    opening, closing = _marks(sentence.text, say)
    named = {"figure": say.figure, "image": say.picture}.get(source.kind)
    where = source.document
    if source.page is not None:
        where += say.comma + say.page.format(page=source.page)
    label = f"{named}{say.colon}" if named and not _LABEL.match(sentence.text) else ""
    return f"{label}{opening}{sentence.text}{closing} [{source.number}] ({where})"


def _marks(text: str, say: Phrases) -> tuple[str, str]:
    """The language's quotation marks, or others where the text holds these itself and the quotation would end early."""
    choices: Iterable[tuple[str, str]] = (say.quotes, *_MARKS)
    for opening, closing in choices:
        quoted = f"{opening}{text}{closing}"
        if quote_spans(quoted)[:1] == [(1, len(quoted) - 1)]:
            return opening, closing
    return say.quotes
