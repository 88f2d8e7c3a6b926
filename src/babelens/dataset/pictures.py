"""The pictures of a data set that can be used, with their captions by language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import DatasetError, MalformedDataError
from ..languages import LANGUAGES, get_language
from ..sources.captions import UNKNOWN_LANGUAGE, Locator, read_captions
from ..types import Skip

MISSING: Final = "there is no such picture"
UNCAPTIONED: Final = "no caption in the languages asked for"


@dataclass(frozen=True, slots=True)
class CaptionedPicture:
    """A picture that is there (an absolute path) and its captions by language tag; each language has one at least."""

    path: Path
    captions: Mapping[str, tuple[str, ...]]


def read_pictures(
    source: str | Path,
    *,
    images: Path | None = None,
    language: str | None = None,
    languages: Sequence[str] | None = None,
    on_skip: Callable[[Skip], None] | None = None,
) -> list[CaptionedPicture]:
    """The pictures of a data set in the order in which it names them first, all captions of a picture together.

    ``images`` is a folder to look for pictures in, besides the places where data sets usually have them. ``language``
    is for captions that do not say theirs. ``languages`` are those to keep: the eight, unless told otherwise; a
    picture may lack some of them. ``on_skip`` hears of everything that is left out, with a reason to count by:
    malformed lines, pictures that are not there or have no caption left, captions that repeat another of the same
    picture or are in another language.

    Raises :class:`UnreadableFileError` when the source itself cannot be read, and :class:`DatasetError` when nothing
    of it can be used.
    """
    wanted = [get_language(tag).tag for tag in languages] if languages else list(LANGUAGES)
    skipped = on_skip or _ignore

    def malformed(error: MalformedDataError) -> None:
        skipped(Skip(f"{error.path}:{error.line}", error.reason))

    locator = Locator(str(Path(source).absolute()), [str(images)] if images else [], dict)
    found: dict[str, dict[str, dict[str, None]]] = {}
    for row in read_captions(source, language=language, on_error=malformed):
        path = locator.find(row.image)
        if path is None:
            skipped(Skip(row.image, MISSING))
            continue
        captions = found.setdefault(path, {})
        for caption in row.captions:
            if caption.language not in wanted:
                skipped(Skip(f"{source}:{row.line}", _unwanted(caption.language)))
                continue
            bodies = captions.setdefault(caption.language, {})
            if caption.body in bodies:
                skipped(Skip(f"{source}:{row.line}", f"a caption twice in {caption.language}"))
            bodies[caption.body] = None
    pictures = []
    for path, by_language in found.items():
        if by_language:
            ordered = {tag: tuple(by_language[tag]) for tag in wanted if tag in by_language}
            pictures.append(CaptionedPicture(Path(path), ordered))
        else:
            skipped(Skip(path, UNCAPTIONED))
    if not pictures:
        raise DatasetError(f"{source} has no picture with a caption in {', '.join(wanted)}.")
    return pictures


def _unwanted(tag: str) -> str:
    return "a caption of unknown language" if tag == UNKNOWN_LANGUAGE else f"a caption in {tag}"


def _ignore(_: Skip) -> None:
    """Nobody asked what was left out."""
