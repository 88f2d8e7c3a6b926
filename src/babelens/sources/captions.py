"""Reads captions that people wrote: text files beside pictures, data set files, and file names.

A data set file is recognised by what it holds. All formats stream, except JSON documents, which are read whole.
"""

from __future__ import annotations

import csv
import itertools
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..errors import MalformedDataError, UnknownLanguageError, UnreadableFileError
from ..languages import LANGUAGES, get_language, main_script
from .images import looks_like_picture

UNKNOWN_LANGUAGE: Final = "und"  # BCP 47's own word for it

_CAPTION_FILES: Final = frozenset({".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt", ".token"})
_FORMATS: Final = (
    'Known are JSON lines ({"image": "a.jpg", "captions": ["…"], "language": "en"}), CSV with a header\n'
    "(filename,caption_en,caption_es,…), Flickr8k's token and captions files, and COCO captions JSON."
)
_IMAGE_KEYS: Final = (
    "image",
    "file_name",
    "filename",
    "image_path",
    "filepath",
    "image_name",
    "path",
    "file",
)
_CAPTION_KEY: Final = re.compile(
    r"(?:captions?|texts?|titles?|alt(?:_text)?|descriptions?|sentences?|comments?)(?:[_ -]([a-z-]+))?(?:[_ ]?\d+)?"
)
_TOKEN_LINE: Final = re.compile(r"([^\t]+?)#\w+\t(.*)")
_SCRIPT_TELLS: Final = {"Deva": "hi", "Arab": "ar", "Hira": "ja", "Kana": "ja", "Hani": "ja"}
_SIDECAR_BYTES: Final = 1 << 20

OnError = Callable[[MalformedDataError], None]


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
    try:
        with Path(path).open("rb") as file:
            head = file.read(1 << 16)
            file.seek(0)
            report = on_error or _raise
            rows = _reader(path, head)(path, file, language, report)
            for _, group in itertools.groupby(rows, key=lambda row: row.image):
                first, *more = group
                captions = dict.fromkeys(itertools.chain(first.captions, *(row.captions for row in more)))
                yield CaptionedImage(first.image, tuple(captions), first.line)
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read: {error.strerror}") from error


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
    return WrittenCaption(body, _language_of(body, default))


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


_Reader = Callable[[str | Path, Iterable[bytes], str | None, OnError], Iterator[CaptionedImage]]


def _reader(path: str | Path, head: bytes) -> _Reader:
    """The reader for a file that starts with ``head``."""
    text = head.decode("utf-8-sig", errors="replace").lstrip()
    first = text.split("\n", 1)[0]
    if not text:
        raise UnreadableFileError(path, "empty file", hint=_FORMATS)
    if text[0] == "[" or (text[0] == "{" and not _is_json(first)):
        # A record broken on its first line is still JSON lines if the name or the second line says so.
        lines = os.path.splitext(path)[1].lower() in (".jsonl", ".ndjson")
        return _json_lines if lines else _json_document
    if text[0] == "{":
        return _json_document if _is_document(first) else _json_lines
    if os.path.splitext(path)[1].lower() in (".jsonl", ".ndjson"):
        return _json_lines
    if _TOKEN_LINE.match(first):
        return _token_lines
    return _table


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


def _json_lines(
    path: str | Path, file: Iterable[bytes], language: str | None, report: OnError
) -> Iterator[CaptionedImage]:
    for number, raw in enumerate(file, start=1):
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            if text:
                yield _from_record(json.loads(text), language, number)
        except UnicodeDecodeError:
            report(MalformedDataError(path, number, "not UTF-8 text"))
        except json.JSONDecodeError as error:
            report(MalformedDataError(path, number, f"not JSON: {error.msg} at column {error.colno}"))
        except RecursionError:
            report(MalformedDataError(path, number, "not JSON: nested too deeply"))
        except ValueError as error:
            report(MalformedDataError(path, number, str(error)))


def _json_document(
    path: str | Path, file: Iterable[bytes], language: str | None, report: OnError
) -> Iterator[CaptionedImage]:
    """COCO (``images`` and ``annotations``), Karpathy's splits (``images`` with ``sentences``), or plain records."""
    try:
        document = json.loads(b"".join(file).decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise MalformedDataError(path, error.lineno, f"not JSON: {error.msg}") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise MalformedDataError(path, 1, "not JSON in UTF-8") from error
    records = document if isinstance(document, list) else _coco_records(path, document)
    for number, record in enumerate(records, start=1):
        try:
            yield _from_record(record, language, number)
        except ValueError as error:
            report(MalformedDataError(path, 1, f"record {number}: {error}"))


def _coco_records(path: str | Path, document: Any) -> Iterator[Mapping[str, Any]]:
    images = document.get("images") if isinstance(document, dict) else None
    if not isinstance(images, list):
        raise UnreadableFileError(path, "not a captions file that Babelens knows", hint=_FORMATS)
    bodies: dict[Any, list[Any]] = {}
    for note in document.get("annotations") or []:
        if isinstance(note, dict) and "caption" in note:
            bodies.setdefault(note.get("image_id"), []).append(note["caption"])
    for image in images:
        if not isinstance(image, dict):
            yield {}
            continue
        sentences = [row.get("raw") for row in image.get("sentences") or [] if isinstance(row, dict)]
        name = image.get("file_name") or image.get("filename")
        if isinstance(name, str) and isinstance(image.get("filepath"), str):
            name = f"{image['filepath']}/{name}"
        yield {"image": name, "captions": bodies.get(image.get("id"), []) + sentences}


def _from_record(record: object, language: str | None, line: int) -> CaptionedImage:
    """One picture of a JSON file. Raises ``ValueError`` with what is wrong."""
    if not isinstance(record, dict):
        raise ValueError("not an object with a picture and captions")
    image = next(
        (record[key] for key in _IMAGE_KEYS if isinstance(record.get(key), str) and record[key]), None
    )
    if image is None:
        raise ValueError('no picture: the key "image" is missing')
    said = record.get("language") or record.get("lang")
    captions: list[WrittenCaption] = []
    found = False
    for key, value in record.items():
        match = _CAPTION_KEY.fullmatch(key.casefold())
        if not match or value is None:
            continue
        tag = _tag_of_column(match[1]) if match[1] else None
        if match[1] and tag is None:
            continue
        found = True
        by_language = value.items() if isinstance(value, dict) else [(tag or said, value)]
        for tag, bodies in by_language:
            bodies = [bodies] if isinstance(bodies, str) else bodies
            if not isinstance(bodies, list) or not all(isinstance(body, str) for body in bodies):
                raise ValueError(f"{key!r} holds something else than texts")
            captions += _captions(bodies, _explicit(tag), language)
    if not found:
        raise ValueError('no captions: the key "captions" is missing')
    return CaptionedImage(image, tuple(captions), line)


def _token_lines(
    path: str | Path, file: Iterable[bytes], language: str | None, report: OnError
) -> Iterator[CaptionedImage]:
    """Flickr8k's ``Flickr8k.token.txt``: ``1000268201_693b08cb0e.jpg#0 <tab> A child in a pink dress``."""
    for number, raw in enumerate(file, start=1):
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            report(MalformedDataError(path, number, "not UTF-8 text"))
            continue
        if not text:
            continue
        if match := _TOKEN_LINE.fullmatch(text):
            yield CaptionedImage(match[1], tuple(_captions([match[2]], None, language)), number)
        else:
            report(MalformedDataError(path, number, "not of the form name.jpg#0 <tab> caption"))


def _table(
    path: str | Path, file: Iterable[bytes], language: str | None, report: OnError
) -> Iterator[CaptionedImage]:
    """CSV with a header that names a picture column and caption columns, such as Flickr8k's ``captions.txt``."""
    lines = (raw.decode("utf-8", errors="surrogateescape") for raw in file)
    first = next(lines).removeprefix("\ufeff")
    delimiter = max(",;\t|", key=first.count)
    rows = csv.reader(itertools.chain([first], lines), delimiter=delimiter)
    header = [column.strip().casefold() for column in next(rows)]
    image_column = next((header.index(key) for key in _IMAGE_KEYS if key in header), None)
    caption_columns: dict[int, str | None] = {}
    for place, column in enumerate(header):
        match = _CAPTION_KEY.fullmatch(column)
        # "caption_en" and "en" are captions; "comment_number", which is no language, is not.
        tag = _tag_of_column(match[1] if match else column)
        if tag or (match and not match[1]):
            caption_columns[place] = tag
    if image_column is None or not caption_columns:
        what = "picture" if image_column is None else "caption"
        raise MalformedDataError(path, 1, f"no {what} column in the header", hint=_FORMATS)
    language_column = next((header.index(key) for key in ("language", "lang") if key in header), None)
    last = max(caption_columns)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            report(MalformedDataError(path, rows.line_num, f"not CSV: {error}"))
            continue
        if not any(row):
            continue
        if len(row) > len(header) and last == len(header) - 1:  # commas in an unquoted last column
            row[last:] = [delimiter.join(row[last:])]
        try:
            if len(row) <= image_column or not row[image_column].strip():
                raise ValueError("no picture")
            "".join(row).encode()
            said = (
                row[language_column] if language_column is not None and language_column < len(row) else None
            )
            captions: list[WrittenCaption] = []
            for place, tag in caption_columns.items():
                cell = row[place] if place < len(row) else ""
                captions += _captions(cell.splitlines(), tag or _explicit(said), language)
            image = re.sub(r"#\d+\Z", "", row[image_column].strip())
            yield CaptionedImage(image, tuple(captions), rows.line_num)
        except UnicodeEncodeError:
            report(MalformedDataError(path, rows.line_num, "not UTF-8 text"))
        except ValueError as error:
            report(MalformedDataError(path, rows.line_num, str(error)))


def _captions(bodies: Iterable[str], said: str | None, default: str | None) -> Iterator[WrittenCaption]:
    for body in bodies:
        # Lone surrogates and NUL can be written in JSON but not in a database.
        body = " ".join(body.replace("\0", " ").encode("utf-8", errors="replace").decode().split())
        if body:
            yield WrittenCaption(body, said or _language_of(body, default))


def _language_of(body: str, default: str | None) -> str:
    """The language nobody stated: three of the eight have a script to themselves, and that is believed first."""
    script = main_script(body)
    told = _SCRIPT_TELLS.get(script or "")
    if default is None:
        return told or UNKNOWN_LANGUAGE
    row = LANGUAGES.get(default)
    return told if told and row and script not in row.scripts else default


def _explicit(tag: object) -> str | None:
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


def _tag_of_column(column: str | None) -> str | None:
    try:
        return get_language(column).tag if column else None
    except UnknownLanguageError:
        return None
