"""Reads a data set, whatever it is kept in: a captions file, a folder that holds one, or a collection."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..errors import DatasetError, UnreadableFileError
from ..sources.captions import Locator, is_captions_file, language_of, read_records
from ..sources.records import KNOWN_FORMATS, OnError
from ..sources.scan import Scan
from ..sources.xtd10 import captions_files, is_names_file, names_file
from ..storage.catalog import Catalog
from ..storage.paths import resolve_collection_path

UNKNOWN: Final = "und"  # BCP 47's own word for it
# Karpathy's files call the pictures that may be added to the training set "restval".
_SPLITS: Final = {"restval": "train"}
_CATALOG: Final = "catalog.db"
_CHUNK: Final = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """A picture as one line of a data set has it.

    ``image`` is where the picture lies, absolute, or ``None`` when there is no such file. ``captions`` are (language,
    text) pairs, not cleaned. ``split`` is what the file says. ``fields`` are those of a JSON line as it was.
    """

    file: Path
    line: int
    name: str
    image: Path | None
    captions: tuple[tuple[str, str], ...]
    split: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


def find_source(source: str | Path) -> Path:
    """The captions file, or the folder of a collection, that ``source`` means: a path, or a collection's name.

    A folder stands for the one captions file in it. Raises :class:`UnreadableFileError` when there is none such, and
    :class:`DatasetError` when there are several.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        return path if _is_collection(path) else _captions_file_in(path)
    if not path.exists():
        named = resolve_collection_path(source) if isinstance(source, str) and source.strip() else path
        if _is_collection(named):
            return named
        raise UnreadableFileError(path, "there is no such file, folder or collection")
    return path


def captions_files_below(folder: Path) -> list[Path]:
    """The captions files in a folder and in those below it that hold a record at least."""
    if names := names_file(folder):
        return [names]
    files = [Path(file.path) for file in Scan([str(folder)]).files()]
    return [file for file in files if is_captions_file(file) and _holds_records(file)]


def source_files(path: Path) -> list[Path]:
    """The files that :func:`read_rows` reads captions from; none for a collection, which lives on."""
    if _is_collection(path):
        return []
    return [path, *captions_files(path).values()] if is_names_file(path) else [path]


def read_rows(
    source: str | Path,
    *,
    images: Path | None = None,
    language: str | None = None,
    on_error: OnError | None = None,
) -> Iterator[Row]:
    """The rows of a data set, in its order. ``language`` is for captions that do not say theirs.

    ``images`` is a folder to look for pictures in, at any depth, besides the places where data sets usually have
    them. A malformed line is given to ``on_error``; without that its :class:`MalformedDataError` is raised. Otherwise
    raises what :func:`find_source` does, and :class:`UnreadableFileError`.
    """
    path = find_source(source)
    if _is_collection(path):
        yield from _collection_rows(path)
        return
    if images is not None and not images.is_dir():
        raise UnreadableFileError(images, "there is no such folder")
    locator = Locator(str(path.absolute()), [str(images)] if images else [], _by_name(images))
    for record in read_records(path, on_error=on_error):
        found = locator.find(record.image)
        captions = tuple((said or language_of(text, language), text) for said, text in record.texts)
        split = _SPLITS.get(record.split, record.split) if record.split else None
        image = Path(found) if found else None
        yield Row(path, record.line, record.image, image, captions, split, record.fields)


def _is_collection(path: Path) -> bool:
    return (path / _CATALOG).is_file()


def _captions_file_in(folder: Path) -> Path:
    if names := names_file(folder):
        return names
    files = sorted(path for path in folder.iterdir() if is_captions_file(path) and _holds_records(path))
    if len(files) == 1:
        return files[0]
    if files:
        raise DatasetError(
            f"{folder} holds several captions files: {', '.join(file.name for file in files)}.",
            hint="Name the one that is meant.",
        )
    raise UnreadableFileError(folder, "holds no captions file", hint=KNOWN_FORMATS)


def _holds_records(path: Path) -> bool:
    try:
        return next(read_records(path, on_error=_ignore), None) is not None
    except UnreadableFileError:
        return False


def _collection_rows(folder: Path) -> Iterator[Row]:
    """The pictures of a collection with what people wrote; captions and translations by models are left out."""
    catalog = Catalog.open(folder, read_only=True)
    try:
        items = catalog.items(["image"])
        line = 0
        while chunk := list(itertools.islice(items, _CHUNK)):
            texts = catalog.texts_of(item.id for item in chunk)
            for item in chunk:
                line += 1
                captions = tuple(
                    (text.language, text.body)
                    for text in texts.get(item.id, ())
                    if text.origin == "human" and text.status == "ok"
                )
                path = item.source.path
                image = Path(path) if os.path.isfile(path) else None
                yield Row(folder, line, path, image, captions)
    finally:
        catalog.close()


def _by_name(images: Path | None) -> Callable[[], Mapping[str, str | None]]:
    """Pictures below ``images`` by bare name; ``None`` where a name is not unique."""

    def names() -> Mapping[str, str | None]:
        found: dict[str, str | None] = {}
        for file in Scan([str(images.absolute())]).files() if images else ():
            name = os.path.basename(file.path)
            found[name] = None if name in found else file.path
        return found

    return names


def _ignore(_: object) -> None:
    """It is reported when the file is read."""


def by_picture(rows: Iterable[Row]) -> dict[Path, list[Row]]:
    """The rows of each picture that is there."""
    places: dict[Path, list[Row]] = {}
    for row in rows:
        if row.image is not None:
            places.setdefault(row.image, []).append(row)
    return places
