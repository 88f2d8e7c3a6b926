"""The bundled gallery: composed scenes of one to three things, each with one true caption in every language.

It was drawn in a style that ``mini`` never saw (``gallery/ATTRIBUTION.md`` says whose). `recipes/gallery` makes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ..errors import MalformedDataError, UnreadableFileError


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """``things`` are the names of the concepts in it, ``captions`` says the same in each language."""

    path: Path
    things: frozenset[str]
    captions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Gallery:
    """``things`` and ``absent`` give names by language; no picture shows anything that is absent."""

    folder: Path
    pictures: tuple[Picture, ...]
    things: Mapping[str, Mapping[str, str]]
    absent: Mapping[str, Mapping[str, str]]

    @property
    def captions_file(self) -> Path:
        return self.folder / "captions.jsonl"

    @property
    def pictures_folder(self) -> Path:
        return self.folder / "pictures"


def load_gallery(folder: Path | None = None) -> Gallery:
    """The gallery in ``folder``, or the bundled one.

    Raises :class:`UnreadableFileError` when a file is missing, :class:`MalformedDataError` on a line that is not JSON.
    """
    folder = folder or Path(str(resources.files(__package__))) / "gallery"
    about = _read_json(folder / "gallery.json")
    captions: dict[str, dict[str, str]] = {}
    for number, line in enumerate(_read_text(folder / "captions.jsonl").splitlines(), start=1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise MalformedDataError(folder / "captions.jsonl", number, error.msg) from error
        captions.setdefault(row["image"], {})[row["language"]] = row["captions"][0]
    pictures = tuple(
        Picture(folder / name, frozenset(things), captions[name])
        for name, things in about["pictures"].items()
    )
    return Gallery(folder, pictures, about["things"], about["absent"])


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise UnreadableFileError(
            path, error.strerror or "cannot be read", hint="The gallery came with Babelens: reinstall it."
        ) from error


def _read_json(path: Path) -> dict[str, dict[str, dict[str, str]]]:
    value: dict[str, dict[str, dict[str, str]]] = json.loads(_read_text(path))
    return value
