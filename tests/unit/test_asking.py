"""Answers from a collection: what becomes evidence, in which order, and when there is enough of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from babelens import Answer, Collection, GenerationError, InvalidQueryError, UnknownLanguageError
from babelens.answering.generate import Message
from babelens.answering.phrases import phrases
from babelens.demo.manuals import bundled_folder
from tests.conftest import FakeEncoder

PUMP = """# Pump P1

## Fuses

The fuse F3 feeds the pump. Replace it with one of the same rating.

## Cleaning

Rinse the strainer under running water once a month.
"""
PUMPE = """# Pumpe P1

## Sicherungen

Die Sicherung F3 versorgt die Pumpe. Ersetzen Sie sie durch eine gleichen Werts.

## Position

Die Position des Ventils steht auf dem Schild hinten am Tank.
"""
PIPE = """# Pompe P1

## Entretien

Le levier de purge se trouve en bas, sous le capot gris.
"""


class Listens:
    """A model that remembers what it is told, and says one thing."""

    name = "parrot"

    def __init__(self, says: str = "So it is [1].", *, sees: bool = False) -> None:
        self.sees = sees
        self.says = says
        self.asked: list[Sequence[Message]] = []

    def generate(self, messages: Sequence[Message]) -> Iterator[str]:
        self.asked.append(messages)
        yield self.says

    @property
    def text(self) -> str:
        """All words of the last prompt's documents and question."""
        content = self.asked[-1][-1]["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        return "\n".join(part["text"] for part in parts if part["type"] == "text")

    @property
    def pictures(self) -> int:
        content = self.asked[-1][-1]["content"]
        return 0 if isinstance(content, str) else sum(part["type"] == "image_url" for part in content)


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "MODEL", "KEY", "VISION", "TIMEOUT"):
        monkeypatch.delenv(f"BABELENS_LLM_{name}", raising=False)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Collection]:
    """Three short manuals without pages, in three languages."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    for name, text in {"pump.md": PUMP, "pumpe.md": PUMPE, "pompe.md": PIPE}.items():
        (folder / name).write_text(text, "utf-8")
    with Collection.open(tmp_path / "collection", model=FakeEncoder()) as collection:
        collection.add(folder, ocr=False)
        yield collection


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    """Two of the bundled manuals: pages, contents, tables, figures that are drawn."""
    folder = tmp_path_factory.mktemp("shelf")
    for name in ("humidifier.en.pdf", "coffee-grinder.de.pdf"):
        shutil.copy(bundled_folder() / name, folder)
    with Collection.open(folder / "collection", model=FakeEncoder()) as collection:
        collection.add([folder / "humidifier.en.pdf", folder / "coffee-grinder.de.pdf"], ocr=False)
        yield collection


# -- without a model ---------------------------------------------------------------------------------------------


def test_sentences_are_quoted_with_document_page_and_language(shelf: Collection) -> None:
    answer = shelf.ask("The display shows HH, is something wrong?")
    first = answer.citations[0]
    assert (first.document, first.page) == ("humidifier.en.pdf", 8)
    assert "above 90 %" in (first.quote or "")
    assert answer.grounded
    assert answer.extractive
    assert answer.language == "en"
    assert shelf.get(first.item_id).kind == "passage"


def test_the_language_of_the_answer_can_be_chosen(files: Collection) -> None:
    answer = files.ask("Which fuse feeds the pump?", language="hi")
    assert answer.language == "hi"
    assert answer.text.startswith(phrases("hi").from_documents)
    assert answer.citations[0].quote == "The fuse F3 feeds the pump."


def test_files_without_pages_have_none(files: Collection) -> None:
    citation = files.ask("Which fuse feeds the pump?").citations[0]
    assert (citation.document, citation.page) == ("pump.md", None)


def test_a_short_code_weighs_as_much_as_a_long_word(shelf: Collection) -> None:
    for question in ("What does HH on the display mean?", "What does HH mean?"):
        assert "HH" in (shelf.ask(question).citations[0].quote or "")


def test_a_filter_holds(files: Collection) -> None:
    assert files.ask("Which fuse feeds the pump?", where="name = 'pump.md'").grounded
    assert not files.ask("Which fuse feeds the pump?", where="name = 'pompe.md'").grounded


@pytest.mark.parametrize(
    "question", ["Where is the gearbox oil drained?", "Wie backe ich Brot?", "Où est la clé ?"]
)
def test_what_no_document_says_is_not_answered(files: Collection, question: str) -> None:
    model = Listens()
    answer = files.ask(question, model=model)
    assert not answer.grounded
    assert answer.citations == ()
    assert model.asked == []
    assert files.ask(question).text == phrases(answer.language).not_answerable


def test_nothing_is_found_in_an_empty_collection(tmp_path: Path) -> None:
    with Collection.open(tmp_path / "empty", model=FakeEncoder()) as collection:
        assert not collection.ask("Which fuse feeds the pump?").grounded


def test_words_that_are_spelt_alike_in_two_languages_are_no_evidence(files: Collection) -> None:
    """German and English share "Position"; the French question is about a lever that the French file has."""
    model = Listens()
    files.ask("Quelle est la position du levier de purge ?", model=model)
    assert "levier de purge" in model.text
    assert "Ventils" not in model.text


def test_a_document_in_another_language_is_evidence_where_there_is_no_other(files: Collection) -> None:
    model = Listens()
    files.ask("What is F3?", where="name = 'pumpe.md'", model=model)
    assert "Die Sicherung F3 versorgt die Pumpe." in model.text


# -- evidence ----------------------------------------------------------------------------------------------------


def test_the_figure_that_a_passage_mentions_comes_along(shelf: Collection) -> None:
    model = Listens()
    shelf.ask("Warum ist die Verriegelungsleuchte rot?", model=model)
    assert "figure > coffee-grinder.de.pdf > page 4" in model.text
    caption = "Abb. 2 Pulverbecher: nicht eingesetzt (links) und eingesetzt (rechts)"
    assert model.text.count(caption) == 1  # not in the passage again
    assert model.pictures == 0


def test_a_figure_that_is_found_brings_its_passages(shelf: Collection) -> None:
    figure = next(
        item
        for item in shelf.items(["figure"])
        if any("Pulverbecher: nicht eingesetzt" in text.body for text in shelf.texts(item.id))
    )
    around = shelf.texts(shelf.related(figure.id)[0].id)[0].body.splitlines()[1]
    model = Listens()
    shelf.ask("Pulverbecher nicht eingesetzt links, eingesetzt rechts", k=1, model=model)
    assert around in model.text


def test_only_a_model_that_sees_is_shown_pictures(shelf: Collection) -> None:
    model = Listens("Weil der Becher nicht richtig sitzt, startet die Mühle nicht [1].", sees=True)
    answer = shelf.ask("Warum ist die Verriegelungsleuchte rot?", model=model)
    assert model.pictures >= 1
    assert answer.grounded
    assert answer.notes == ()


def test_a_picture_that_cannot_be_drawn_is_a_note(tmp_path: Path) -> None:
    shutil.copy(bundled_folder() / "coffee-grinder.de.pdf", tmp_path)
    with Collection.open(tmp_path / "collection", model=FakeEncoder()) as collection:
        collection.add(tmp_path / "coffee-grinder.de.pdf", ocr=False)
        (tmp_path / "coffee-grinder.de.pdf").unlink()
        model = Listens(sees=True)
        answer = collection.ask("Warum ist die Verriegelungsleuchte rot?", model=model)
        assert model.pictures == 0
        assert "Pulverbecher: nicht eingesetzt" in model.text
        assert any("could not be read" in note for note in answer.notes)


def test_tables_of_contents_are_no_evidence(shelf: Collection) -> None:
    model = Listens()
    shelf.ask("What should I do if something goes wrong?", model=model)
    assert "… 8" not in model.text
    assert "something goes wrong" in model.text


def test_evidence_is_numbered_from_one_without_repeats(shelf: Collection) -> None:
    model = Listens()
    shelf.ask("Wie reinige ich den Mahlkegel?", model=model, k=3)
    numbers = [line.split("[")[1].rstrip("]") for line in model.text.splitlines() if " BEGIN [" in line]
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert sum(line.startswith("passage > ") for line in model.text.splitlines()) <= 5


def test_photographs_count_by_what_is_said_of_them(tmp_path: Path, pictures: Path) -> None:
    captions = tmp_path / "captions.csv"
    first, second = sorted(pictures.glob("*.png"))[:2]
    captions.write_text(f"image,caption\n{first.name},The red lighthouse of Porto Azzurro\n", "utf-8")
    with Collection.open(tmp_path / "collection", model=FakeEncoder()) as collection:
        collection.add(pictures, captions=[captions], caption_language="en")
        answer = collection.ask("Where is the red lighthouse?")
        assert [citation.document for citation in answer.citations] == [first.name]
        assert not collection.ask(f"What is {second.stem}?").grounded  # a name says nothing of the picture


# -- with a model ------------------------------------------------------------------------------------------------


def test_a_model_answers_and_is_checked(files: Collection) -> None:
    answer = files.ask("Which fuse feeds the pump?", model=Listens("F3 does [1], or F9 [77]."))
    assert answer.text == "F3 does [1], or F9."
    assert answer.model == "parrot"
    assert any("[77]" in note for note in answer.notes)


def test_a_model_is_asked_where_sentences_would_not_be_quoted(files: Collection) -> None:
    """It can read, and refuse; a quotation can do neither."""
    question = "Which fuse feeds the hydraulic ram?"
    assert not files.ask(question).grounded
    model = Listens()
    files.ask(question, model=model)
    assert len(model.asked) == 1


def test_pieces_come_before_the_checked_answer(files: Collection) -> None:
    *pieces, last = files.stream_answer("Which fuse feeds the pump?", model=Listens("F3 [1]."))
    assert pieces == ["F3 [1]."]
    assert isinstance(last, Answer)
    assert last.grounded


def test_an_empty_name_asks_no_model_though_one_is_configured(
    files: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BABELENS_LLM_URL", "http://127.0.0.1:9/v1")
    assert files.ask("Which fuse feeds the pump?", model="").extractive
    with pytest.raises(GenerationError, match="needs the name of a model"):
        files.ask("Which fuse feeds the pump?")


def test_notes_of_the_search_go_into_the_answer_once(files: Collection) -> None:
    question = "Which fuse feeds the pump " + "if the weather is bad and the road is long and it is late " * 3
    for model in ("", Listens()):
        notes = files.ask(question, model=model).notes
        assert sum("tokens" in note for note in notes) == 1


@pytest.mark.parametrize("question", ["", " \n"])
def test_an_empty_question(files: Collection, question: str) -> None:
    with pytest.raises(InvalidQueryError):
        files.ask(question)


def test_arguments_that_make_no_sense(files: Collection) -> None:
    with pytest.raises(InvalidQueryError, match="k must be"):
        files.ask("Which fuse?", k=0)
    with pytest.raises(UnknownLanguageError):
        files.ask("Which fuse?", language="tlh")
    assert files.ask("Which fuse feeds the pump?", k=10_000).grounded
