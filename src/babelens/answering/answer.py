"""From a question and what retrieval found to an answer that can be checked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ..language_detection import detect_language
from ..languages import get_language
from .citations import check_citations, strip_markers
from .extract import extractive_answer
from .generate import Generator
from .language import question_language
from .phrases import phrases
from .prompt import NOT_ANSWERABLE, TOKEN_BUDGET, build_prompt
from .quotes import quote_spans
from .types import Answer, Evidence

_NOT_LETTERS: Final = re.compile(r"[\W_]+")
_SENTINEL: Final = _NOT_LETTERS.sub("", NOT_ANSWERABLE).casefold()


def answer(
    question: str,
    evidence: Sequence[Evidence],
    *,
    confident: bool,
    language: str | None = None,
    generator: Generator | None = None,
    token_budget: int = TOKEN_BUDGET,
) -> Answer:
    """Answers ``question`` from ``evidence``, which comes best first.

    Where retrieval is not ``confident``, or found nothing, the answer says so and no model is asked. Without a
    ``generator`` it is made of sentences of the documents (:func:`extractive_answer`); with one, the model's text is
    checked and what is wrong removed (:func:`check_citations`). ``language`` is the answer's; without it, the
    question's. Raises :class:`babelens.errors.GenerationError`, :class:`babelens.errors.UnknownLanguageError`.
    """
    *_, last = stream_answer(
        question,
        evidence,
        confident=confident,
        language=language,
        generator=generator,
        token_budget=token_budget,
    )
    assert isinstance(last, Answer)
    return last


def stream_answer(
    question: str,
    evidence: Sequence[Evidence],
    *,
    confident: bool,
    language: str | None = None,
    generator: Generator | None = None,
    token_budget: int = TOKEN_BUDGET,
) -> Iterator[str | Answer]:
    """As :func:`answer`, but piece by piece: strings as they come, and last the checked :class:`Answer`.

    The strings are a preview of what the model says, before any check: citations may still go, so show the answer's
    own text and notes in the end.
    """
    tag = get_language(language).tag if language else question_language(question)
    if not confident or not evidence:
        yield from _whole(_unanswered(tag, extractive=generator is None))
        return
    if generator is None:
        yield from _whole(extractive_answer(question, evidence, tag))
        return
    prompt = build_prompt(
        question, evidence, language=tag, token_budget=token_budget, pictures=generator.sees
    )
    said: list[str] = []
    for piece in _held_while_refusing(map(_printable, generator.generate(prompt.messages))):
        said.append(piece)
        if not _refuses("".join(said)):
            yield piece
    text = "".join(said).strip()
    if _refuses(text):
        yield from _whole(_unanswered(tag, model=generator.name, notes=prompt.notes))
        return
    checked = check_citations(text, prompt.evidence, question=question)
    spoken = _language_of(text) or tag
    notes = [*prompt.notes, *checked.notes]
    if spoken != tag:
        wanted, got = get_language(tag).name, get_language(spoken).name
        notes.append(f"The model answered in {got}; {wanted} was asked for.")
    yield Answer(
        checked.text, spoken, checked.citations, checked.grounded, False, generator.name, tuple(notes)
    )


def _whole(result: Answer) -> Iterator[str | Answer]:
    yield result.text
    yield result


def _unanswered(
    tag: str, *, extractive: bool = False, model: str | None = None, notes: tuple[str, ...] = ()
) -> Answer:
    return Answer(phrases(tag).not_answerable, tag, (), False, extractive, model, notes)


def _printable(piece: str) -> str:
    """Without control characters: a terminal would obey them."""
    return "".join(c for c in piece if c in "\n\t" or unicodedata.category(c) != "Cc")


def _refuses(text: str) -> bool:
    return _NOT_LETTERS.sub("", text[:200]).casefold().startswith(_SENTINEL)


def _held_while_refusing(pieces: Iterable[str]) -> Iterator[str]:
    """Gives pieces on, but what could still become the fixed refusal only once it is clear that it does not."""
    held: str | None = ""
    for piece in pieces:
        if held is None:
            yield piece
            continue
        held += piece
        letters = _NOT_LETTERS.sub("", held[:200]).casefold()
        if not _SENTINEL.startswith(letters) and not letters.startswith(_SENTINEL):
            yield held
            held = None
    if held:
        yield held


def _language_of(text: str) -> str | None:
    """The language of what an answer says itself: quotations are in the language of their documents."""
    for start, end in reversed(quote_spans(text)):
        text = text[:start] + text[end:]
    return detect_language(strip_markers(text))
