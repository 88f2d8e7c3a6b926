"""The pictures of a data set that can be used, with their captions by language."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import DatasetError, MalformedDataError
from ..languages import LANGUAGES, get_language
from ..sources.captions import clean_caption
from ..sources.records import stated_language
from ..types import Skip
from .faults import fault_of
from .reading import UNKNOWN, Row, read_rows
from .statistics import wording

OnSkip = Callable[[Skip], None]

MISSING: Final = "missing picture"
UNREADABLE: Final = "unreadable picture"
UNCAPTIONED: Final = "no caption left in the languages asked for"


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
    on_skip: OnSkip | None = None,
) -> list[CaptionedPicture]:
    """The pictures of a data set in the order in which it names them first, all captions of a picture together.

    ``source`` is a captions file, a folder that holds one, or a collection (a folder or a name). ``images`` is a
    folder to look for pictures in, besides the places where data sets usually have them. ``language`` is for captions
    that do not say theirs. ``languages`` are those to keep: the eight, unless told otherwise; a picture may lack some
    of them. ``on_skip`` hears of everything that is left out, with a reason to count by: malformed lines, pictures
    that are not there or have no caption left, captions that are empty, damaged, in the wrong script, in another
    language, or that repeat another of the same picture. Pictures are not decoded.

    Raises :class:`UnreadableFileError` when the source itself cannot be read, and :class:`DatasetError` when nothing
    of it can be used.
    """
    wanted = wanted_languages(languages)
    skipped = on_skip or _ignore

    def malformed(error: MalformedDataError) -> None:
        skipped(Skip(f"{error.path}:{error.line}", error.reason))

    language = get_language(language).tag if language else None
    rows = read_rows(source, images=images, language=language, on_error=malformed)
    pictures = gather(rows, wanted, skipped)
    if not pictures:
        raise nothing_left(source, wanted)
    return pictures


def wanted_languages(languages: Sequence[str] | None) -> list[str]:
    """Tags of the languages to keep; the eight for ``None``. One that is none of the eight keeps its own tag.

    Raises :class:`UnknownLanguageError` for what is no tag either.
    """
    if languages is None:
        return list(LANGUAGES)
    return [_tag(language) for language in languages]


def _tag(language: str) -> str:
    try:
        return stated_language(language) or get_language(language).tag
    except ValueError:  # neither a language known here nor a BCP 47 tag: this says so
        return get_language(language).tag


def nothing_left(source: object, wanted: Sequence[str]) -> DatasetError:
    return DatasetError(
        f"{source} has no picture with a caption in {', '.join(wanted)} that can be used.",
        hint="`babelens dataset check` says what is wrong. Captions whose language nothing tells need it said: "
        "--language en.\nPictures that lie elsewhere: --images DIR.",
    )


def gather(
    rows: Iterable[Row], wanted: Sequence[str], skipped: OnSkip, *, unreadable: frozenset[Path] = frozenset()
) -> list[CaptionedPicture]:
    """One entry for each picture with a caption in ``wanted``; all else is given to ``skipped``."""
    found: dict[Path, dict[str, dict[str, str]]] = {}
    missing: set[str] = set()
    for row in rows:
        if row.image is None:
            if row.name not in missing:
                missing.add(row.name)
                skipped(Skip(f"{row.where}: {row.name}", MISSING))
            continue
        captions = found.setdefault(row.image, defaultdict(dict))
        for language, text in row.captions:
            reason = _reason_against(language, text, wanted)
            if reason is None and wording(text) in captions.get(language, ()):
                reason = f"repeated caption ({language})"
            if reason is None:
                captions[language][wording(text)] = clean_caption(text)
            else:
                skipped(Skip(row.where, reason))
    pictures = []
    for path, by_language in found.items():
        if path in unreadable:
            skipped(Skip(str(path), UNREADABLE))
        elif by_language:
            ordered = {tag: tuple(by_language[tag].values()) for tag in wanted if tag in by_language}
            pictures.append(CaptionedPicture(path, ordered))
        else:
            skipped(Skip(str(path), UNCAPTIONED))
    return pictures


def _reason_against(language: str, text: str, wanted: Sequence[str]) -> str | None:
    if language not in wanted:
        return "unknown language" if language == UNKNOWN else f"another language ({language})"
    fault = fault_of(text, language)
    return f"{fault.kind} ({language})" if fault else None


def _ignore(_: Skip) -> None:
    """Nobody asked what was left out."""
