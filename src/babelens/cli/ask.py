"""``ask``: a question answered from the documents of a collection, with citations."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from .options import LANGUAGE, LANGUAGE_LIST, collection_option, command, json_option, k_option, where_option

if TYPE_CHECKING:
    from ..answering import Answer, Citation, Generator
    from ..collection import Collection


@command("ask")
@click.argument("question")
@collection_option
@click.option(
    "--lang",
    "language",
    type=LANGUAGE,
    help=f"The language of the answer ({LANGUAGE_LIST}).  [default: the question's]",
)
@k_option(8, "How many passages the answer is made from at most.")
@where_option
@click.option(
    "--model",
    metavar="URL/NAME",
    help="The language model, behind an endpoint that speaks OpenAI's chat API, such as "
    "http://127.0.0.1:8080/v1/qwen3; or its name alone, with the address in BABELENS_LLM_URL.  "
    "[default: BABELENS_LLM_URL and BABELENS_LLM_MODEL; without them sentences are quoted]",
)
@click.option("--no-model", is_flag=True, help="Quote sentences, though a model is configured.")
@click.option(
    "--vision/--no-vision",
    default=None,
    help="Whether the model is shown pictures of figures.  [default: BABELENS_LLM_VISION, else not]",
)
@json_option
def ask(
    question: str,
    collection: str,
    language: str | None,
    k: int,
    where: str | None,
    model: str | None,
    no_model: bool,
    vision: bool | None,
    as_json: bool,
) -> None:
    """Answer a question from the documents, with citations.

    \b
    babelens ask "Which fuse feeds the pump?"
    babelens ask "¿Qué fusible alimenta la bomba?" -c manuals --model http://127.0.0.1:8080/v1/qwen3

    Without a language model the answer is made of sentences of the documents, quoted with page and figure. With
    one, its citations and quotations are checked, and what is wrong is removed. Where nothing answers the
    question, the answer says so and no model is asked.
    """
    from ..answering import configured_generator
    from ..collection import Collection
    from .models import fetch_for
    from .render import message, print_json

    if no_model and model is not None:
        raise click.UsageError("--model and --no-model exclude each other.")
    generator = None if no_model else configured_generator(model, vision=vision)
    fetch_for(collection, None)
    with Collection.open(collection, create=False, read_only=True) as opened:
        pieces = opened.stream_answer(
            question, language=language, k=k, where=where, model="" if generator is None else generator
        )
        live = generator is not None and sys.stdout.isatty() and not as_json
        answer = _streamed(pieces) if live else _awaited(pieces, generator)
        if as_json:
            print_json(_fields(answer, question, opened))
            return
        if not live:
            _print_text(answer.text)
        _print_sources(answer.citations, opened)
        for note in answer.notes:
            message(note)


def _awaited(pieces: Iterator[str | Answer], generator: Generator | None) -> Answer:
    from .progress import waiting

    with waiting("Searching" if generator is None else f"Waiting for {generator.name}"):
        *_, answer = pieces
    assert not isinstance(answer, str)
    return answer


def _streamed(pieces: Iterator[str | Answer]) -> Answer:
    """Prints what comes as it comes; what is checked is printed below, where it is another text."""
    from .render import printable

    said = ""
    try:
        for piece in pieces:
            if not isinstance(piece, str):
                if piece.text.strip() != said.strip():
                    click.secho("\n\nChecked:", bold=True)
                    _print_text(piece.text)
                else:
                    click.echo()
                return piece
            said += piece
            lines = piece.split("\n")
            click.echo("\n".join(printable(line, spaces=True) for line in lines), nl=False)
    except BaseException:
        if said:
            click.echo()  # the message stands on a line of its own
        raise
    raise AssertionError("a stream ends with its answer")


def _print_text(text: str) -> None:
    from .render import printable

    click.echo("\n".join(printable(line, spaces=True) for line in text.split("\n")))


def _print_sources(citations: tuple[Citation, ...], collection: Collection) -> None:
    """A line for each thing that is cited: ``[1] manual.pdf, page 7 · Care › Filter``."""
    from .render import isolate, printable, shown_path

    cited = {citation.number: citation for citation in citations}
    paths = {number: collection.get(one.item_id).source.path for number, one in cited.items()}
    alike = Counter(name for name, _ in {(one.document, paths[number]) for number, one in cited.items()})
    if cited:
        click.echo()
    for number, one in sorted(cited.items()):
        name = printable(one.document) if alike[one.document] == 1 else shown_path(paths[number])
        page = "" if one.page is None else f", page {one.page}"
        about = _about(one.item_id, collection)
        click.echo(f"[{number}] {isolate(name)}{page}" + (f" · {isolate(printable(about))}" if about else ""))


def _about(item_id: str, collection: Collection) -> str:
    """The headings of a passage; what is said of a figure or a picture."""
    headings = collection.get(item_id).metadata.get("headings")
    if headings:
        return " › ".join(map(str, headings))
    if collection.get(item_id).kind == "passage":
        return ""
    texts = [text for text in collection.texts(item_id) if text.status == "ok"]
    return texts[0].body if texts else ""


def _fields(answer: Answer, question: str, collection: Collection) -> dict[str, Any]:
    return {
        "question": question,
        "text": answer.text,
        "language": answer.language,
        "grounded": answer.grounded,
        "extractive": answer.extractive,
        "model": answer.model,
        "citations": [_citation_fields(citation, collection) for citation in answer.citations],
        "notes": list(answer.notes),
    }


def _citation_fields(citation: Citation, collection: Collection) -> dict[str, Any]:
    item = collection.get(citation.item_id)
    return {
        "number": citation.number,
        "id": citation.item_id,
        "kind": item.kind,
        "document": citation.document,
        "path": item.source.path,
        "page": citation.page,
        "box": item.source.box,
        "headings": item.metadata.get("headings", []),
        "quote": citation.quote,
    }
