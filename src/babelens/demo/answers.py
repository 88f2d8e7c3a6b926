"""Questions to the bundled manuals whose answers are known: `babelens demo manuals`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..answering import Answer, Citation, stands_in
from ..errors import BabelensError
from ..types import Progress
from .manuals import Manual, Question, demo_questions, load_manuals

if TYPE_CHECKING:
    from ..collection import Collection


@dataclass(frozen=True, slots=True)
class AnswerTrial:
    """A question to all manuals, of which one was meant. ``shown`` is the citation that holds the answer, else the
    first. ``figure`` is the label of the figure that was cited."""

    manual: Manual
    question: Question
    answer: Answer
    shown: Citation | None
    figure: str | None

    @property
    def right_page(self) -> bool:
        return self.shown is not None and _is_there(self.shown, self.manual, self.question)

    @property
    def right(self) -> bool:
        """Whether a sentence was quoted from the right page that holds the answer; or, where there is none, whether
        that was said."""
        if self.question.page is None:
            return not self.answer.grounded
        return self.shown is not None and _answers(self.shown, self.manual, self.question)


@dataclass(frozen=True, slots=True)
class ManualsReport:
    trials: tuple[AnswerTrial, ...]
    pages: int
    figures: int
    collection: Path
    seconds: float

    @property
    def right(self) -> int:
        return sum(trial.right for trial in self.trials)


def ask_manuals(
    out: Path | None = None,
    *,
    manuals: Sequence[Manual] | None = None,
    questions: Sequence[tuple[Manual, Question]] | None = None,
    progress: Progress | None = None,
) -> ManualsReport:
    """Indexes the manuals, by default the nine that are bundled, and asks them questions, by default the twelve of
    :func:`.manuals.demo_questions`, without any language model.

    The collection stays in ``manuals`` inside ``out`` (``babelens-demo`` in the working directory); another run finds
    it unchanged. ``progress`` counts files. Raises :class:`BabelensError` where that folder cannot be written or holds
    anything else.
    """
    from ..collection import Collection

    started = time.perf_counter()
    manuals = load_manuals() if manuals is None else manuals
    questions = demo_questions(manuals) if questions is None else questions
    folder = (out or Path("babelens-demo")) / "manuals"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BabelensError(
            f"{folder.parent}: {error.strerror}", hint="Say where the collection may go: --out DIR"
        ) from error
    with Collection.open(folder.resolve(), model="mini") as collection:
        _check_own(collection, manuals)
        collection.add([manual.path for manual in manuals], ocr=False, progress=progress)
        trials = tuple(_trial(collection, manual, question) for manual, question in questions)
        figures = sum(1 for _ in collection.items(["figure"]))
        pages = sum(1 for _ in collection.items(["page"]))
    return ManualsReport(trials, pages, figures, folder, time.perf_counter() - started)


def _check_own(collection: Collection, manuals: Sequence[Manual]) -> None:
    own = {str(manual.path.absolute()) for manual in manuals}
    if any(item.source.path not in own for item in collection.items()):
        raise BabelensError(
            f"{collection.path} holds something else than the demo's manuals.",
            hint="Choose another folder: --out DIR",
        )


def _trial(collection: Collection, manual: Manual, question: Question) -> AnswerTrial:
    answer = collection.ask(question.text, model="")
    cited = answer.citations
    holding = (one for one in cited if _answers(one, manual, question))
    kinds = {one.item_id: collection.get(one.item_id) for one in cited}
    figures = [one for one in cited if kinds[one.item_id].kind == "figure"]
    label = kinds[figures[0].item_id].metadata.get("label") if figures else None
    return AnswerTrial(manual, question, answer, next(holding, next(iter(cited), None)), label)


def _is_there(citation: Citation, manual: Manual, question: Question) -> bool:
    return citation.document == manual.path.name and citation.page == question.page


def _answers(citation: Citation, manual: Manual, question: Question) -> bool:
    quote = citation.quote or ""
    return _is_there(citation, manual, question) and all(
        stands_in(words, quote) for words in question.answer_words
    )
