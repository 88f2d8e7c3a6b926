"""``search``, ``captions`` and ``similar``: everything that finds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .hits import print_result, rounded
from .options import (
    FILE,
    KINDS,
    LANGUAGE,
    LANGUAGE_LIST,
    collection_option,
    command,
    json_option,
    k_option,
    model_option,
    where_option,
)

if TYPE_CHECKING:
    from ..types import Term, Text


@command("search")
@click.argument("text", required=False)
@collection_option
@click.option("--image", type=FILE, help="Search with a picture, alone or together with the text.")
@click.option(
    "--plus", metavar="TEXT[^WEIGHT]", multiple=True, help="Pull the results towards this. Repeatable."
)
@click.option(
    "--minus", metavar="TEXT[^WEIGHT]", multiple=True, help="Push the results away from this. Repeatable."
)
@click.option(
    "--minus-image", type=FILE, multiple=True, help="Push the results away from this picture. Repeatable."
)
@click.option(
    "--lang",
    "language",
    type=LANGUAGE,
    help=f"The language of the words ({LANGUAGE_LIST}): only texts in it, or in none that is known, are searched "
    "word by word, and hits show texts in it. Meaning is searched in all languages.",
)
@k_option(10)
@click.option(
    "--mode",
    type=click.Choice(["vector", "image", "text", "hybrid"]),
    default="hybrid",
    show_default=True,
    help="Rank by meaning (vector), by what pictures show alone (image), by the words of texts and file names "
    "(text), or by both meaning and words (hybrid).",
)
@where_option
@click.option(
    "--kinds", metavar="KIND,…", type=KINDS, help="Only items of these kinds: image, page, figure, passage.",
)  # fmt: skip
@model_option
@json_option
def search(
    text: str | None,
    collection: str,
    image: str | None,
    plus: tuple[str, ...],
    minus: tuple[str, ...],
    minus_image: tuple[str, ...],
    language: str | None,
    k: int,
    mode: str,
    where: str | None,
    kinds: tuple[str, ...] | None,
    model: str | None,
    as_json: bool,
) -> None:
    """Find pictures and passages by words, a picture or both.

    \b
    babelens search "un perro en la playa"
    babelens search "a red car" --minus people^0.5 -k 5
    babelens search --image photo.jpg --plus "at night"

    SCORE is the cosine between the query and the picture's vector: higher is better, and comparable only
    within one search. MATCHED says what found the result: the picture itself, the meaning of a caption, the
    words of a caption or file name, text printed in the picture, or the text of a document. In brackets: the
    nearest by that, but hardly a match.
    """
    if text is None and image is None and not plus:
        raise click.UsageError(
            'There is nothing to look for: give a text, as in `babelens search "a red car"`, or --image FILE.'
        )
    from ..collection import Collection
    from .models import fetch_for
    from .progress import waiting

    if mode != "text":
        fetch_for(collection, model)
    with (
        Collection.open(collection, model=model, create=False, read_only=True) as opened,
        waiting("Searching"),
    ):
        result = opened.search(
            text,
            image=image,
            plus=[_term(value) for value in plus],
            minus=[*map(_term, minus), *map(Path, minus_image)],
            language=language,
            k=k,
            mode=mode,
            where=where,
            kinds=kinds,
        )
        print_result(result, opened, language=language, as_json=as_json)


@command("similar")
@click.argument("image_or_id")
@collection_option
@k_option(10)
@where_option
@model_option
@json_option
def similar(
    image_or_id: str, collection: str, k: int, where: str | None, model: str | None, as_json: bool
) -> None:
    """Find pictures that look like a picture.

    IMAGE_OR_ID is a picture file, or the id of an item (which --json shows).
    """
    from ..collection import Collection
    from .models import fetch_for
    from .progress import waiting

    if Path(image_or_id).is_file():  # an item has its vector already
        fetch_for(collection, model)
    with (
        Collection.open(collection, model=model, create=False, read_only=True) as opened,
        waiting("Searching"),
    ):
        result = opened.similar(image_or_id, k=k, where=where)
        print_result(result, opened, language=None, as_json=as_json)


@command("captions")
@click.argument("image_or_id", metavar="IMAGE")
@collection_option
@click.option(
    "--lang", "language", type=LANGUAGE, required=True, help=f"The captions' language ({LANGUAGE_LIST})."
)
@k_option(5)
@model_option
@json_option
def captions(
    image_or_id: str, collection: str, language: str, k: int, model: str | None, as_json: bool
) -> None:
    """Find the captions that fit a picture.

    IMAGE is a picture file, in the collection or not, or the id of an item. The captions are those that the
    collection holds in the language asked for, its best match first; nothing is translated or made up.
    """
    from ..collection import Collection
    from .models import fetch_for
    from .progress import waiting
    from .render import Column, message, print_json, print_table

    if Path(image_or_id).is_file():  # an item has its vector already
        fetch_for(collection, model)
    with (
        Collection.open(collection, model=model, create=False, read_only=True) as opened,
        waiting("Searching"),
    ):
        found = opened.captions(image_or_id, language=language, k=k)
        info = None if found else opened.info()
    if as_json:
        for caption in found:
            print_json({"rank": caption.rank, "score": rounded(caption.score), **_text_fields(caption.text)})
    elif found:
        print_table(
            [
                Column("#", "right"),
                Column("score", "right"),
                Column("caption", crop="end"),
                Column("by"),
                Column("id"),
            ],
            [
                [str(c.rank), f"{c.score:.3f}", c.text.body, c.text.model or c.text.origin, c.text.item_id]
                for c in found
            ],
        )
    if info is not None:
        message(_no_captions(language, info.captions))


def _no_captions(language: str, captions: Mapping[str, int]) -> str:
    from .render import count

    line = f"No captions in {language!r} here."
    if unknown := captions.get("und"):
        return (
            f"{line} Of {count(unknown, 'text')} the language is not known: if it is {language!r}, run\n"
            f"`babelens index` again with --caption-language {language}."
        )
    return (
        f"{line} There are some in {', '.join(captions)}." if captions else f"{line} There are none at all."
    )


def _term(value: str) -> Term:
    """``people^0.5`` is the text "people" with a weight of 0.5, as in Lucene's query syntax."""
    from ..types import Term

    text, mark, weight = value.rpartition("^")
    try:
        return Term(text=text, weight=float(weight)) if mark else Term(text=value)
    except ValueError:
        return Term(text=value)


def _text_fields(text: Text) -> dict[str, Any]:
    return {
        "id": text.item_id,
        "text": text.body,
        "language": text.language,
        "origin": text.origin,
        "status": text.status,
        "model": text.model,
    }
