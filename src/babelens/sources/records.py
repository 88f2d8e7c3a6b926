"""What every captions file comes down to: records of a picture and texts, as they stand there, not yet cleaned."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import MalformedDataError, UnknownLanguageError
from ..languages import get_language

KNOWN_FORMATS: Final = (
    'Known are JSON lines ({"image": "a.jpg", "captions": ["…"], "language": "en"}), CSV with a header\n'
    "(filename,caption_en,caption_es,…), Flickr8k's token and captions files, Flickr30k's results.csv, COCO captions\n"
    "JSON, Karpathy's splits, Crossmodal-3600's captions.jsonl, and XTD10's test_image_names.txt."
)
IMAGE_KEYS: Final = (
    "image",
    "file_name",
    "filename",
    "image_path",
    "filepath",
    "image_name",
    "path",
    "file",
)
CAPTION_KEY: Final = re.compile(
    r"(?:captions?|texts?|titles?|alt(?:_text)?|descriptions?|sentences?|comments?)(?:[_ -]([a-z-]+))?(?:[_ ]?\d+)?"
)

OnError = Callable[[MalformedDataError], None]


@dataclass(frozen=True, slots=True)
class Record:
    """A picture by the name that a captions file gives it, and what is written there, blanks and damage included.

    ``texts`` are pairs of the language that the file states (``None`` where it states none) and the text. ``line``
    counts from 1. ``split`` is the part of the data set that the file puts the picture in. ``fields`` are those of a
    JSON record as they were; empty for all other formats.
    """

    image: str
    texts: tuple[tuple[str | None, str], ...]
    line: int
    split: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


def from_fields(fields: object, line: int) -> Record:
    """One picture of a JSON file. Raises ``ValueError`` with what is wrong."""
    if not isinstance(fields, dict):
        raise ValueError("not an object with a picture and captions")
    image = next(
        (fields[key] for key in IMAGE_KEYS if isinstance(fields.get(key), str) and fields[key]), None
    )
    if image is None:
        raise ValueError('no picture: the key "image" is missing')
    said = fields.get("language") or fields.get("lang")
    texts: list[tuple[str | None, str]] = []
    found = False
    for key, value in fields.items():
        match = CAPTION_KEY.fullmatch(key.casefold())
        if not match or value is None:
            continue
        column = tag_of_column(match[1])
        if match[1] and column is None:
            continue
        found = True
        texts += _texts_by_language(key, value, column or said)
    if not found:
        raise ValueError('no captions: the key "captions" is missing')
    split = fields.get("split")
    return Record(image, tuple(texts), line, split if isinstance(split, str) else None, fields)


def _texts_by_language(key: str, value: Any, said: object) -> Iterator[tuple[str | None, str]]:
    for tag, bodies in value.items() if isinstance(value, dict) else [(said, value)]:
        bodies = [bodies] if isinstance(bodies, str) else bodies
        if not isinstance(bodies, list) or not all(isinstance(body, str) for body in bodies):
            raise ValueError(f"{key!r} holds something else than texts")
        language = stated_language(tag)
        yield from ((language, body) for body in bodies)


def stated_language(tag: object) -> str | None:
    """A language that a file states: of the eight, or any other BCP 47 tag. Raises ``ValueError`` for neither."""
    if tag is None or tag == "":
        return None
    if isinstance(tag, str):
        try:
            return get_language(tag).tag
        except UnknownLanguageError:
            if re.fullmatch(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*", tag.strip().casefold()):
                return tag.strip().casefold()
    raise ValueError(f"{tag!r} is not a language")


def tag_of_column(column: str | None) -> str | None:
    """The language that a column is named after; ``None`` when it is named after something else."""
    try:
        return get_language(column).tag if column else None
    except UnknownLanguageError:
        return None
