"""Reads captions that people wrote: text files beside pictures, data set files, and file names.

A data set file is recognised by what it holds. All formats stream, except JSON documents, which are read whole.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import MalformedDataError, UnreadableFileError
from ..languages import LANGUAGES, get_language, main_script
from .images import looks_like_picture
from .json_records import json_document, json_lines
from .records import KNOWN_FORMATS, OnError, Record
from .tables import is_token_line, table, token_lines
from .xtd10 import is_names_file, read_xtd10

UNKNOWN_LANGUAGE: Final = "und"  # BCP 47's own word for it

_CAPTION_FILES: Final = frozenset({".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt", ".token"})
_SCRIPT_TELLS: Final = {"Deva": "hi", "Arab": "ar", "Hira": "ja", "Kana": "ja", "Hani": "ja"}
_SIDECAR_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class WrittenCaption:
    """What somebody wrote under a picture, and in which language; ``"und"`` when nothing tells."""

    body: str
    language: str


@dataclass(frozen=True, slots=True)
class CaptionedImage:
    """A picture by the name its captions file gives it, and what is written there. ``line`` counts from 1."""

    image: str
    captions: tuple[WrittenCaption, ...]
    line: int


def is_captions_file(path: str | Path) -> bool:
    """Whether a file that a user names is to be read for captions, not as a picture."""
    if os.path.splitext(path)[1].lower() not in _CAPTION_FILES:
        return False
    try:
        with Path(path).open("rb") as file:
            return not looks_like_picture(file.read(32))
    except OSError:
        return False


def is_prose(path: str | Path) -> bool:
    """Whether a ``.txt`` file, which may hold captions by its name, is a text to be read as a document instead."""
    if os.path.splitext(path)[1].lower() != ".txt":
        return False
    try:
        return next(read_captions(path, on_error=lambda _: None), None) is None
    except UnreadableFileError:  # of no known format
        return True


def read_captions(
    path: str | Path, *, language: str | None = None, on_error: OnError | None = None
) -> Iterator[CaptionedImage]:
    """The captions of a data set file; those of one picture on neighbouring lines come together.

    ``language`` is for captions whose language neither the file nor their script tells. A malformed line is given
    to ``on_error`` and left out; without ``on_error`` its :class:`MalformedDataError` is raised. A file that
    cannot be read, or is of no known format, raises :class:`UnreadableFileError` either way.
    """
    if language is not None:
        language = get_language(language).tag
    for image, group in itertools.groupby(read_records(path, on_error=on_error), key=lambda row: row.image):
        first, *more = group
        texts = itertools.chain(first.texts, *(row.texts for row in more))
        captions = dict.fromkeys(
            caption for said, body in texts for caption in _captions([body], said, language)
        )
        yield CaptionedImage(image, tuple(captions), first.line)


def read_records(path: str | Path, *, on_error: OnError | None = None) -> Iterator[Record]:
    """The records of a data set file as they stand there; errors as in :func:`read_captions`."""
    report = on_error or _raise
    try:
        with Path(path).open("rb") as file:
            if is_names_file(path):
                yield from read_xtd10(path, report)
                return
            head = file.read(1 << 16)
            file.seek(0)
            yield from _reader(path, head)(path, file, report)
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read: {error.strerror}") from error


def clean_caption(body: str) -> str:
    """A caption on one line, without what cannot be kept: lone surrogates and NUL, which JSON can write."""
    return " ".join(body.replace("\0", " ").encode("utf-8", errors="replace").decode().split())


def read_sidecar(
    path: str | Path, *, language: str | None, default: str | None
) -> tuple[WrittenCaption, ...]:
    """The captions in a text file beside a picture, one a line. Raises :class:`UnreadableFileError`.

    ``language`` is what the file's name says, ``default`` what to take when nothing else tells.
    """
    try:
        with Path(path).open("rb") as file:
            raw = file.read(_SIDECAR_BYTES + 1)
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read: {error.strerror}") from error
    if len(raw) > _SIDECAR_BYTES:
        raise UnreadableFileError(path, "too long for a caption")
    try:
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(path, "not UTF-8 text") from error
    return tuple(dict.fromkeys(_captions(text.splitlines(), language, default)))


def filename_caption(path: str | Path, *, default: str | None = None) -> WrittenCaption | None:
    """What a file name says in words: ``IMG_house-wife_01.jpg`` -> ``house wife``; ``None`` for ``DSC_0042.jpg``."""
    stem = os.path.splitext(os.path.basename(path))[0]
    try:
        stem.encode()
    except UnicodeEncodeError:  # a name that is not UTF-8 says nothing that can be relied on
        return None
    stem = _MADE_UP.sub(" ", stem)
    stem = re.sub(r"(?<=[a-zß-ÿ])(?=[A-Z][a-zß-ÿ])", " ", stem)
    words: list[str] = []
    for token in re.split(r"[\s_\-+.,;()\[\]{}=~@#&%!]+", stem):
        word = re.sub(r"\d+\Z", "", token)
        if word and not _is_number_like(token) and (words or word.casefold() not in _CAMERA_WORDS):
            words.append(word)
    if not any(any(map(str.isalpha, word)) for word in words):
        return None
    body = " ".join(words)
    return WrittenCaption(body, language_of(body, default))


_MADE_UP: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|whatsapp", re.IGNORECASE)
_CAMERA_WORDS: Final = frozenset(
    {
        "img",
        "image",
        "images",
        "dsc",
        "dscn",
        "dscf",
        "dcim",
        "pxl",
        "mvi",
        "gopr",
        "p",
        "pic",
        "photo",
        "scan",
    }
    | {
        "screenshot",
        "untitled",
        "whatsapp",
        "wa",
        "file",
        "copy",
        "imag",
        "sam",
        "cimg",
        "pict",
        "burst",
        "pano",
    }
)


def _is_number_like(token: str) -> bool:
    """Counters, dates, sizes and hashes: ``01``, ``640x480``, ``v2``, ``693b08cb0e``."""
    if not any(map(str.isdigit, token)):
        return not token
    return bool(
        re.fullmatch(r"[\dx×:]+|v\d+|wa\d+|(?=.*\d)[0-9a-f]{6,}|\d+(?:px|dpi|st|nd|rd|th)?", token.casefold())
    )


class Locator:
    """Finds the pictures that a captions file names: beside it, in the usual folders of data sets, below ``roots``,
    and at last by bare name in ``by_name``, which is asked for only when a picture is found nowhere else."""

    def __init__(
        self, captions_file: str, roots: Sequence[str], by_name: Callable[[], Mapping[str, str | None]]
    ) -> None:
        folder, name = os.path.split(captions_file)
        above = os.path.dirname(folder)
        split = os.path.splitext(name)[0].removeprefix("captions_")  # COCO: captions_val2017.json
        usual = ("images", "Images", "Flicker8k_Dataset", "Flickr8k_Dataset", "flickr30k_images", split)
        folders = [folder, *roots]
        folders += [os.path.join(place, part) for place in (folder, above) for part in usual]
        self._folders = list(dict.fromkeys([*folders, above]))
        self._by_name = by_name
        self._names: Mapping[str, str | None] | None = None

    def find(self, image: str) -> str | None:
        """The absolute path of a picture that exists, or ``None``."""
        for place, folder in enumerate(self._folders):
            path = os.path.normpath(os.path.join(folder, image))
            if os.path.isfile(path):
                if place:  # the next one probably lies there too
                    self._folders.insert(0, self._folders.pop(place))
                return path
        if self._names is None:
            self._names = self._by_name()
        return self._names.get(os.path.basename(image))


_Reader = Callable[[str | Path, Iterable[bytes], OnError], Iterator[Record]]


def _reader(path: str | Path, head: bytes) -> _Reader:
    """The reader for a file that starts with ``head``."""
    text = head.decode("utf-8-sig", errors="replace").lstrip()
    first = text.split("\n", 1)[0]
    if not text:
        raise UnreadableFileError(path, "empty file", hint=KNOWN_FORMATS)
    if text[0] == "[" or (text[0] == "{" and not _is_json(first)):
        # A record broken on its first line is still JSON lines if the name or the second line says so.
        lines = os.path.splitext(path)[1].lower() in (".jsonl", ".ndjson")
        return json_lines if lines else json_document
    if text[0] == "{":
        return json_document if _is_document(first) else json_lines
    if os.path.splitext(path)[1].lower() in (".jsonl", ".ndjson"):
        return json_lines
    return token_lines if is_token_line(first) else table


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _is_document(line: str) -> bool:
    return isinstance(json.loads(line).get("images"), list)


def _raise(error: MalformedDataError) -> None:
    raise error


def _captions(bodies: Iterable[str], said: str | None, default: str | None) -> Iterator[WrittenCaption]:
    for body in bodies:
        body = clean_caption(body)
        if body:
            yield WrittenCaption(body, said or language_of(body, default))


def language_of(body: str, default: str | None) -> str:
    """The language nobody stated: three of the eight have a script to themselves, and that is believed first."""
    script = main_script(body)
    told = _SCRIPT_TELLS.get(script or "")
    if default is None:
        return told or UNKNOWN_LANGUAGE
    row = LANGUAGES.get(default)
    return told if told and row and script not in row.scripts else default
