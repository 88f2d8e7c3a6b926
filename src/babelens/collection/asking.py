"""The part of :class:`.Collection` that answers questions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from ..languages import get_language
from ..retrieval.calibration import CONFIDENT
from ..retrieval.query import MAX_K
from .contents import Contents
from .evidence import WORTH_ASKING, Findings, findings

if TYPE_CHECKING:
    from ..answering import Answer, Generator
    from ..types import SearchResult

_READ_PER_PASSAGE: Final = (
    3  # places of the search for each passage that is wanted: confidence looks at whole pages
)
_PICTURES: Final = 8


class Asking(Contents):
    """Answers come from what is in the collection, with citations that were checked, or say that nothing answers."""

    if TYPE_CHECKING:

        def search(
            self,
            text: str | None = None,
            *,
            k: int = 10,
            where: str | None = None,
            kinds: Sequence[str] | None = None,
        ) -> SearchResult: ...

    def ask(
        self,
        question: str,
        *,
        language: str | None = None,
        k: int = 8,
        model: str | Generator | None = None,
        where: str | None = None,
    ) -> Answer:
        """Answers a question from the passages, figures and captions that are found for it, with citations.

        ``model`` is a language model: ``URL/NAME``, the name of one behind ``BABELENS_LLM_URL``, or a generator;
        without it the environment decides (see :func:`babelens.answering.configured_generator`), and where it names
        none, or ``model`` is ``""``, the answer is made of sentences of the documents. ``language`` is the answer's,
        by default the question's. ``k`` is how many passages are read at most; ``where`` filters on metadata.

        The answer is not ``grounded``, and says so, where nothing found answers the question: no model is asked then.
        Raises :class:`GenerationError`, :class:`MissingExtraError`, :class:`InvalidQueryError` and its kinds.
        """
        *_, last = self.stream_answer(question, language=language, k=k, model=model, where=where)
        assert not isinstance(last, str)
        return last

    def stream_answer(
        self,
        question: str,
        *,
        language: str | None = None,
        k: int = 8,
        model: str | Generator | None = None,
        where: str | None = None,
    ) -> Iterator[str | Answer]:
        """As :meth:`ask`, piece by piece: what a model says as it says it, unchecked, and last the checked answer.

        The search is done when this returns; what a model raises is raised while its pieces are taken.
        """
        from ..answering import question_language, stream_answer

        generator = _generator(model)
        tag = get_language(language).tag if language else question_language(question)
        found = self._findings(question, k=k, where=where, pictured=generator is not None and generator.sees)
        enough = CONFIDENT if generator is None else WORTH_ASKING
        pieces = stream_answer(
            question,
            found.evidence,
            confident=found.confidence >= enough,
            language=tag,
            generator=generator,
        )
        return _with_notes(pieces, found.notes)

    def _findings(self, question: str, *, k: int, where: str | None, pictured: bool) -> Findings:
        from ..answering import known_language

        # Apart, so that no number of pictures takes the places of passages.
        depth = max(k, min(_READ_PER_PASSAGE * k, MAX_K))
        passages = self.search(question, k=depth, where=where, kinds=["passage"])
        pictures = self.search(question, k=_PICTURES, where=where, kinds=["figure", "image"])
        return findings(
            self._catalog,
            question,
            language=known_language(question),
            passages=passages,
            pictures=pictures,
            k=k,
            picture=self.picture if pictured else None,
        )


def _generator(model: str | Generator | None) -> Generator | None:
    from ..answering import configured_generator

    if model is None or isinstance(model, str):
        return None if model == "" else configured_generator(model)
    return model


def _with_notes(pieces: Iterator[str | Answer], notes: Sequence[str]) -> Iterator[str | Answer]:
    """The notes of the search, before those of the answer."""
    from dataclasses import replace

    for piece in pieces:
        yield piece if isinstance(piece, str) else replace(piece, notes=(*notes, *piece.notes))
