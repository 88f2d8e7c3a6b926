"""The bundled manuals: three devices that do not exist, each in three languages, and what is true of every page.

`recipes/manuals` writes, draws and lays them out, so pages, figures and answers are known exactly.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import MalformedDataError, UnreadableFileError

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Section:
    """A chapter; ``key`` is the same in every language of a device. Pages count from 1."""

    key: str
    title: str
    page: int


@dataclass(frozen=True, slots=True)
class Figure:
    """``box`` is its ink, (x0, y0, x1, y1) in pixels from the top left at 150 dpi; the cover's drawing has no label."""

    label: str | None
    page: int
    box: Box
    caption: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """``page`` is None where the manual does not say; ``figure`` is the label of the figure that shows the answer.

    ``answer_words`` stand together in one paragraph, list item or table row of the page, and on no other page. ``key``
    is the same for the same question in every language. A ``language`` that is not the manual's asks across languages.
    """

    key: str
    text: str
    language: str
    page: int | None
    figure: str | None
    answer_words: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Manual:
    path: Path
    device: str
    language: str
    title: str
    pages: int
    sections: tuple[Section, ...]
    figures: tuple[Figure, ...]
    questions: tuple[Question, ...]


def load_manuals(folder: Path | None = None) -> tuple[Manual, ...]:
    """The manuals in ``folder``, or the nine that are bundled, by device and language.

    Raises :class:`UnreadableFileError` when there is none or a file is missing, :class:`MalformedDataError` on a line
    that does not hold what it should.
    """
    folder = folder or bundled_folder()
    manuals = tuple(_read_manual(path) for path in sorted(folder.glob("*.jsonl")))
    if not manuals:
        raise UnreadableFileError(folder, "there is no manual in it", hint="`recipes/manuals` makes them.")
    return manuals


def demo_questions(
    manuals: Sequence[Manual], *, folder: Path | None = None
) -> tuple[tuple[Manual, Question], ...]:
    """The twelve questions of `babelens demo manuals`, each with the manual that it is asked of, in order.

    Eight languages; no manual answers two of them. Raises as :func:`load_manuals` does.
    """
    path = (folder or bundled_folder()) / "demo.json"
    known = {
        (manual.device, question.language, question.key): (manual, question)
        for manual in manuals
        for question in manual.questions
        if question.language == manual.language
    }
    try:
        chosen = json.loads(_read_text(path))
        return tuple(known[row["device"], row["language"], row["key"]] for row in chosen)
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableFileError(path, f"does not name questions of these manuals: {error!r}") from error


def bundled_folder() -> Path:
    """Where the bundled PDFs are."""
    return Path(str(resources.files(__package__))) / "manuals"


def _read_manual(path: Path) -> Manual:
    pdf = path.with_suffix(".pdf")
    if not pdf.is_file():
        raise UnreadableFileError(pdf, "is missing beside what is true of it")
    about: Mapping[str, Any] = {}
    sections: list[Section] = []
    figures: list[Figure] = []
    questions: list[Question] = []
    for number, row in _rows(path):
        try:
            match row["type"]:
                case "manual":
                    about = row
                case "section":
                    sections.append(Section(row["key"], row["title"], row["page"]))
                case "figure":
                    x0, y0, x1, y1 = row["box"]
                    figures.append(Figure(row["label"], row["page"], (x0, y0, x1, y1), row["caption"]))
                case "question":
                    questions.append(
                        Question(
                            row["key"],
                            row["text"],
                            row["language"],
                            row["page"],
                            row["figure"],
                            tuple(row["answer_words"]),
                        )
                    )
                case other:
                    raise MalformedDataError(path, number, f"unknown type {other!r}")
        except (KeyError, TypeError, ValueError) as error:
            raise MalformedDataError(path, number, f"not what is true of a manual: {error!r}") from error
    try:
        title, pages = about["title"], about["pages"]
        device, language = about["device"], about["language"]
    except KeyError as error:
        raise MalformedDataError(path, 1, f"the manual's own line has no {error}") from error
    return Manual(pdf, device, language, title, pages, tuple(sections), tuple(figures), tuple(questions))


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        try:
            yield number, json.loads(line)
        except json.JSONDecodeError as error:
            raise MalformedDataError(path, number, error.msg) from error


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise UnreadableFileError(
            path, error.strerror or "cannot be read", hint="The manuals came with Babelens: reinstall it."
        ) from error
