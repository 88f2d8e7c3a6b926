"""XTD10 (Aggarwal and Kale, 2020): a file of picture names, and a file per language with a caption on each line.

XTD10/test_image_names.txt      COCO_train2014_000000061844.jpg …
XTD10/test_1kcaptions_es.txt    the captions of these pictures in this order
MIC/test_1kcaptions_de.txt      other people's captions of the same pictures lie in folders beside it
STAIR/test_1kcaptions_jp.txt
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..errors import MalformedDataError, UnreadableFileError
from .records import OnError, Record, stated_language

NAMES: Final = "test_image_names.txt"
_CAPTIONS: Final = re.compile(r"test_1kcaptions_([a-z]{2,3}(?:-[a-z]+)?)\.txt", re.IGNORECASE)


def is_names_file(path: str | Path) -> bool:
    """Whether a file is the list of pictures of such a set."""
    return Path(path).name == NAMES and Path(path).is_file() and bool(captions_files(path))


def names_file(folder: Path) -> Path | None:
    """The list of pictures in a folder, or in one right below it; ``None`` when there is none."""
    places = [folder / NAMES, *sorted(folder.glob(f"*/{NAMES}"))]
    return next((place for place in places if is_names_file(place)), None)


def captions_files(names: str | Path) -> dict[str, Path]:
    """The captions files that belong to a list of pictures, by language: beside it, below, and in folders beside."""
    folder = Path(names).absolute().parent
    found: dict[str, Path] = {}
    for place in (folder, *_folders(folder), *(_folders(folder.parent) if folder.name == "XTD10" else ())):
        for path in sorted(place.glob("test_1kcaptions_*.txt")):
            if match := _CAPTIONS.fullmatch(path.name):
                found.setdefault(stated_language(match[1]) or match[1], path)
    return dict(sorted(found.items()))


def read_xtd10(names: str | Path, report: OnError) -> Iterator[Record]:
    """A record per picture with its captions in all languages. ``line`` is that of the picture's name.

    A captions file with more or fewer lines than there are pictures is reported and left out: nobody can tell which
    line belongs to which picture. Raises :class:`UnreadableFileError` for the list of pictures.
    """
    images = _lines(Path(names))
    while images and not images[-1].strip():
        images.pop()
    captions: dict[str, list[str]] = {}
    for language, path in captions_files(names).items():
        try:
            bodies = _lines(path)
        except UnreadableFileError as error:
            report(MalformedDataError(path, 1, error.reason))
            continue
        while len(bodies) > len(images) and not bodies[-1].strip():
            bodies.pop()
        if len(bodies) == len(images):
            captions[language] = bodies
        else:
            reason = (
                f"{len(bodies)} captions for {len(images)} pictures, so none can be told to belong to one"
            )
            report(MalformedDataError(path, min(len(bodies), len(images)) + 1, reason))
    for place, image in enumerate(images):
        if image.strip():
            texts = tuple((language, bodies[place]) for language, bodies in captions.items())
            yield Record(image.strip(), texts, place + 1)
        else:
            report(MalformedDataError(names, place + 1, "no picture"))


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir())


def _lines(path: Path) -> list[str]:
    """Lines as they are. The end of the last one is no line of its own."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableFileError(path, "not UTF-8 text") from error
    return text.removesuffix("\n").split("\n")
