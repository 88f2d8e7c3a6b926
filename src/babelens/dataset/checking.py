"""Whether a data set holds together: pictures, captions, languages, and what its splits have in common.

Non-goals: judging what the captions say, and near duplicates (only equal bytes count as the same picture).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ..errors import MalformedDataError, UnreadableFileError
from ..languages import get_language
from ..sources.images import EXTENSIONS, load_image
from ..types import Progress
from .faults import fault_of
from .reading import UNKNOWN, Row, by_picture, find_source, read_rows
from .statistics import LanguageStatistics, by_language, wording

Severity = Literal["error", "warning"]
_MOST: Final = 0.5  # a language that more pictures have is expected of the others


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a data set. ``where`` is ``FILE:LINE``, the path of a picture, or a file."""

    severity: Severity
    kind: str
    where: str
    problem: str


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """One part of a data set: a file, or a split that a file names. ``images`` counts the pictures it lists."""

    path: str
    split: str | None
    images: int
    languages: Mapping[str, LanguageStatistics]

    @property
    def captions(self) -> Mapping[str, int]:
        """How many captions there are by language."""
        return {language: row.captions for language, row in self.languages.items()}


@dataclass(frozen=True, slots=True)
class CheckReport:
    splits: tuple[SplitSummary, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings are allowed."""
        return not any(finding.severity == "error" for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Examination:
    """What is wrong with some rows, and which pictures cannot be decoded."""

    findings: tuple[Finding, ...]
    unreadable: frozenset[Path]


def check(
    sources: Sequence[str | Path],
    *,
    images: Path | None = None,
    language: str | None = None,
    progress: Progress | None = None,
) -> CheckReport:
    """What is wrong with a data set. Several sources are its splits, as are those that one file names.

    ``images`` and ``language`` as for :func:`read_pictures`; ``progress(done, total)`` counts pictures.

    Errors: ``malformed`` lines, ``missing`` and ``unreadable`` pictures, ``uncaptioned`` pictures, ``empty-caption``,
    ``encoding-damage``, ``wrong-script``, ``empty-split``, and ``leak`` (the same bytes in two splits). Warnings:
    ``copy`` (the same bytes under two names in one split), ``repeated-caption`` of one picture in one
    language, ``missing-language`` (pictures without a caption in a language that most others have), and ``unlisted``
    pictures beside the listed ones.

    Raises :class:`UnreadableFileError` when a source itself cannot be read.
    """
    findings: list[Finding] = []

    def malformed(error: MalformedDataError) -> None:
        findings.append(Finding("error", "malformed", f"{error.path}:{error.line}", error.reason))

    language = get_language(language).tag if language else None
    rows: list[Row] = []
    for source in sources:
        path = find_source(source)
        before = len(rows)
        if not _is_blank(path):
            rows += read_rows(path, images=images, language=language, on_error=malformed)
        if len(rows) == before:
            findings.append(Finding("error", "empty-split", str(path), "it lists no pictures"))
    findings += examine(rows, progress=progress).findings
    findings += _unlisted(rows)
    order = {"error": 0, "warning": 1}
    return CheckReport(summarise(rows), tuple(sorted(findings, key=lambda found: order[found.severity])))


def examine(rows: Sequence[Row], *, progress: Progress | None = None) -> Examination:
    """What is wrong with the rows of a data set, and between its splits. Decodes every picture."""
    findings: list[Finding] = []
    for part in _parts(rows).values():
        findings += _check_captions(part)
        findings += _missing_languages(part)
    places = by_picture(rows)
    listed: set[tuple[Path, str]] = set()
    for row in rows:
        if row.image is None and (row.file, row.name) not in listed:
            listed.add((row.file, row.name))
            findings.append(Finding("error", "missing", row.where, f"there is no picture {row.name}"))
    by_hash: dict[str, list[Row]] = defaultdict(list)
    unreadable: set[Path] = set()
    for done, (image, here) in enumerate(places.items(), start=1):
        try:
            digest = digest_of(image)
            load_image(image, target=64)
        except (UnreadableFileError, OSError) as error:
            reason = error.reason if isinstance(error, UnreadableFileError) else error.strerror
            findings.append(Finding("error", "unreadable", here[0].where, f"{image}: {reason}"))
            unreadable.add(image)
        else:
            # One line per caption is a usual way to write; what counts is one listing of a picture in a split.
            by_hash[digest] += {_part(row): row for row in reversed(here)}.values()
        if progress is not None:
            progress(done, len(places))
    findings += _same_pictures(by_hash.values(), list(_parts(rows)))
    return Examination(tuple(findings), frozenset(unreadable))


def summarise(rows: Sequence[Row]) -> tuple[SplitSummary, ...]:
    """Counts for each split, in the order of the rows."""
    summaries = []
    for (file, split), part in _parts(rows).items():
        captions: dict[Path | str, list[tuple[str, str]]] = defaultdict(list)
        for row in part:
            captions[row.image or row.name] += row.captions
        summaries.append(SplitSummary(str(file), split, len(captions), by_language(captions.items())))
    return tuple(summaries)


def digest_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_blank(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return not stream.read(1 << 16).strip()


_Part = tuple[Path, str | None]


def _part(row: Row) -> _Part:
    return row.file, row.split


def _parts(rows: Iterable[Row]) -> dict[_Part, list[Row]]:
    parts: dict[_Part, list[Row]] = defaultdict(list)
    for row in rows:
        parts[_part(row)].append(row)
    return parts


def _check_captions(rows: Iterable[Row]) -> Iterator[Finding]:
    seen: set[tuple[Path | str, str, str]] = set()
    for row in rows:
        if not row.captions:
            yield Finding("error", "uncaptioned", row.where, f"{Path(row.name).name} has no captions")
        for language, text in row.captions:
            fault = fault_of(text, language)
            key = (row.image or row.name, language, wording(text))
            if fault is not None:
                shown = "" if fault.kind == "empty-caption" else f": {text.strip()}"
                yield Finding("error", fault.kind, row.where, fault.problem + shown)
            elif key in seen:
                yield Finding(
                    "warning", "repeated-caption", row.where, f"twice in {language!r}: {text.strip()}"
                )
            seen.add(key)


def _missing_languages(rows: Sequence[Row]) -> Iterator[Finding]:
    has: dict[Path | str, set[str]] = defaultdict(set)
    for row in rows:
        has[row.image or row.name] |= {language for language, text in row.captions if text.strip()}
    captioned = [languages for languages in has.values() if languages]
    where = str(rows[0].file) + (f" ({rows[0].split})" if rows[0].split else "")
    for language in sorted(set[str]().union(*captioned) - {UNKNOWN}):
        without = sum(language not in languages for languages in captioned)
        if 0 < without < _MOST * len(captioned):
            problem = f"{without:,} of {len(captioned):,} captioned pictures lack a caption in {language!r}"
            yield Finding("warning", "missing-language", where, problem)


def _same_pictures(groups: Iterable[list[Row]], order: Sequence[_Part]) -> Iterator[Finding]:
    place = {part: number for number, part in enumerate(order)}
    for same in groups:
        first, *others = sorted(same, key=lambda row: place[_part(row)])
        for row in others:
            there = first.where + (f" ({first.split})" if first.split else "")
            problem = f"{Path(row.name).name} is the same picture as {Path(first.name).name} in {there}"
            if _part(row) != _part(first):
                yield Finding("error", "leak", row.where, problem)
            else:
                yield Finding("warning", "copy", row.where, problem)


def _unlisted(rows: Iterable[Row]) -> Iterator[Finding]:
    listed = {row.image for row in rows}
    for folder in sorted({image.parent for image in listed if image}):
        for path in sorted(folder.iterdir()):
            if path not in listed and path.suffix.lower().removeprefix(".") in EXTENSIONS:
                yield Finding("warning", "unlisted", str(path), "no file lists this picture")
