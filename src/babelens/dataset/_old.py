"""Captioned data sets on disk: does one hold together, and how is it split without leaks.

A data set is one or more JSONL files, a line per picture: ``{"image": "images/a.jpg", "captions": [...],
"language": "en"}``, or with captions of several languages, ``"captions": {"en": [...], "hi": [...]}``. Paths are
relative to the file. Several files are read as the splits of one data set.

Non-goals: judging what the captions say, and near duplicates (only equal bytes count as the same picture).
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from ..errors import DatasetError, MalformedDataError, UnreadableFileError
from ..types import Progress

SPLITS: Final = ("train", "val", "test")
# Karpathy's files call the pictures that may be added to the training set "restval".
_KARPATHY: Final = {"train": "train", "restval": "train", "val": "val", "test": "test"}

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a data set. ``where`` is ``FILE:LINE`` or the path of a picture."""

    severity: Severity
    kind: str
    where: str
    problem: str


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """One file: how many pictures it lists, and how many captions by language."""

    path: str
    images: int
    captions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class CheckReport:
    splits: tuple[SplitSummary, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings are allowed."""
        return not any(finding.severity == "error" for finding in self.findings)


@dataclass(frozen=True, slots=True)
class SplitReport:
    """``images`` counts pictures by split; ``left_out`` those that the published split does not name."""

    folder: Path
    images: Mapping[str, int]
    left_out: int
    seed: int | None


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of a JSONL file. ``captions`` are (language, text) pairs; ``fields`` the line as it was."""

    file: Path
    line: int
    image: Path
    captions: tuple[tuple[str, str], ...]
    fields: Mapping[str, Any] = field(repr=False)

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


def check(files: Sequence[str | Path], *, progress: Progress | None = None) -> CheckReport:
    """What is wrong with a data set. ``progress(done, total)`` counts pictures.

    Errors: ``malformed`` lines, ``missing`` and ``unreadable`` pictures, ``uncaptioned`` pictures, ``empty-caption``,
    and ``leak`` (the same bytes in two files). Warnings: ``copy`` (the same bytes under two names in one file),
    ``repeated-caption`` of one picture in one language, and ``unlisted`` pictures beside the listed ones.

    Raises :class:`UnreadableFileError` when a file itself cannot be read.
    """
    findings: list[Finding] = []
    summaries = []
    rows: list[_Row] = []
    for file in map(Path, files):
        mine = list(_read(file, findings))
        rows += mine
        findings += _check_captions(mine)
        languages = Counter(language for row in mine for language, _ in row.captions)
        summaries.append(SplitSummary(str(file), len({row.image for row in mine}), dict(languages)))
    findings += _check_pictures(rows, progress)
    findings += _unlisted(rows)
    order = {"error": 0, "warning": 1}
    return CheckReport(tuple(summaries), tuple(sorted(findings, key=lambda found: order[found.severity])))


def split(
    file: str | Path,
    out: str | Path,
    *,
    seed: int = 0,
    shares: Sequence[float] = (70, 15, 15),
    karpathy: str | Path | None = None,
) -> SplitReport:
    """Splits a JSONL file by picture into ``train.jsonl``, ``val.jsonl`` and ``test.jsonl`` in ``out``.

    Pictures of equal bytes stay together, so that nothing leaks. The split depends on the pictures' bytes, ``seed``
    and ``shares`` alone, not on the order of lines. ``karpathy`` takes the published split of such a file instead
    (Karpathy and Fei-Fei, 2015): pictures are matched by file name, ``restval`` counts as train.

    Raises :class:`DatasetError` when ``out`` holds a split already or nothing can be split, and
    :class:`UnreadableFileError` for a line or a picture that cannot be read.
    """
    file, out = Path(file), Path(out)
    taken = [name for name in SPLITS if (out / f"{name}.jsonl").exists()]
    if taken:
        raise DatasetError(f"{out} already holds {taken[0]}.jsonl.", hint="Choose another folder.")
    rows = list(_read(file, None))
    if not rows:
        raise DatasetError(f"{file} lists no pictures.")
    if karpathy is None:
        assigned = _shuffled(rows, seed, shares)
    else:
        published = _published(Path(karpathy))
        assigned = {row.image: published[row.image.name] for row in rows if row.image.name in published}
        if not assigned:
            raise DatasetError(
                f"No picture of {file} is named in {karpathy}.", hint="Is it the same data set?"
            )
    out.mkdir(parents=True, exist_ok=True)
    for name in SPLITS:
        lines = [_moved(row, out) for row in rows if assigned.get(row.image) == name]
        _write(out / f"{name}.jsonl", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    counts = Counter(assigned.values())
    report = SplitReport(
        folder=out,
        images={name: counts[name] for name in SPLITS},
        left_out=len({row.image for row in rows} - set(assigned)),
        seed=None if karpathy else seed,
    )
    _write(out / "split.json", json.dumps(_record(report, file, shares, karpathy), indent=2) + "\n")
    return report


# -- reading ------------------------------------------------------------------------------------------------


def _read(file: Path, findings: list[Finding] | None) -> Iterator[_Row]:
    """The rows of a file. A malformed line is a finding where these are collected, else an error."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UnreadableFileError(file, error.strerror or "cannot be read") from error
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            yield _row(file, number, line)
        except MalformedDataError as error:
            if findings is None:
                raise
            findings.append(Finding("error", "malformed", f"{file}:{number}", error.reason))


def _row(file: Path, number: int, line: bytes) -> _Row:
    try:
        fields = json.loads(line)
    except ValueError as error:  # UnicodeDecodeError is one, too
        raise MalformedDataError(file, number, f"not JSON: {error}") from error
    if not isinstance(fields, dict) or not isinstance(fields.get("image"), str):
        raise MalformedDataError(file, number, 'needs an object with the path of a picture as "image"')
    captions = fields.get("captions", [])
    language = fields.get("language") or "und"
    by_language = captions if isinstance(captions, dict) else {language: captions}
    pairs = []
    for tag, texts in by_language.items():
        texts = [texts] if isinstance(texts, str) else texts
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise MalformedDataError(file, number, '"captions" must be texts, or texts by language')
        pairs += [(str(tag), text) for text in texts]
    return _Row(file, number, Path(os.path.normpath(file.parent / fields["image"])), tuple(pairs), fields)


# -- checking -----------------------------------------------------------------------------------------------


def _check_captions(rows: Iterable[_Row]) -> Iterator[Finding]:
    seen: set[tuple[Path, str, str]] = set()
    for row in rows:
        if not row.captions:
            yield Finding("error", "uncaptioned", row.where, f"{row.image.name} has no captions")
        for language, text in row.captions:
            key = (row.image, language, " ".join(text.split()).casefold())
            if not key[2]:
                yield Finding("error", "empty-caption", row.where, f"an empty caption in {language!r}")
            elif key in seen:
                yield Finding(
                    "warning", "repeated-caption", row.where, f"twice in {language!r}: {text.strip()}"
                )
            seen.add(key)


def _check_pictures(rows: Sequence[_Row], progress: Progress | None) -> Iterator[Finding]:
    """Missing and unreadable pictures, and the same bytes in two places."""
    places: dict[Path, list[_Row]] = defaultdict(list)
    for row in rows:
        places[row.image].append(row)
    order = {file: place for place, file in enumerate(dict.fromkeys(row.file for row in rows))}
    by_hash: dict[str, list[_Row]] = defaultdict(list)
    for done, (image, listed) in enumerate(places.items(), start=1):
        try:
            digest = _digest(image)
            _decode(image)
        except FileNotFoundError:
            yield Finding("error", "missing", listed[0].where, f"there is no file {image}")
        except UnreadableFileError as error:
            yield Finding("error", "unreadable", listed[0].where, f"{image}: {error.reason}")
        except OSError as error:
            yield Finding("error", "unreadable", listed[0].where, f"{image}: {error.strerror}")
        else:
            # One line per caption is a usual way to write; what counts is one listing of a picture in a file.
            by_hash[digest] += {row.file: row for row in reversed(listed)}.values()
        if progress is not None:
            progress(done, len(places))
    for same in by_hash.values():
        first, *others = sorted(same, key=lambda row: order[row.file])
        for row in others:
            problem = f"{row.image.name} is the same picture as {first.image.name} in {first.where}"
            if row.file != first.file:
                yield Finding("error", "leak", row.where, problem)
            else:
                yield Finding("warning", "copy", row.where, problem)


def _unlisted(rows: Iterable[_Row]) -> Iterator[Finding]:
    from ..sources.images import EXTENSIONS

    listed = {row.image for row in rows}
    for folder in sorted({image.parent for image in listed}):
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if path not in listed and path.suffix.lower().removeprefix(".") in EXTENSIONS:
                    yield Finding("warning", "unlisted", str(path), "no file lists this picture")


def _decode(image: Path) -> None:
    from ..sources.images import load_image

    load_image(image, target=64)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# -- splitting ----------------------------------------------------------------------------------------------


def _shuffled(rows: Sequence[_Row], seed: int, shares: Sequence[float]) -> dict[Path, str]:
    """A split for each picture. Groups of equal bytes go to a split as one."""
    if len(shares) != len(SPLITS) or min(shares) < 0 or sum(shares) <= 0:
        raise DatasetError(f"Shares must be three numbers that are not negative, not {tuple(shares)}.")
    groups: dict[str, list[Path]] = defaultdict(list)
    for image in dict.fromkeys(row.image for row in rows):
        try:
            groups[_digest(image)].append(image)
        except OSError as error:
            raise UnreadableFileError(
                image,
                error.strerror or "cannot be read",
                hint="Mend the data set first: babelens dataset check",
            ) from error
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    total = sum(map(len, groups.values()))
    bounds = [total * sum(shares[: part + 1]) / sum(shares) for part in range(len(SPLITS))]
    assigned: dict[Path, str] = {}
    for digest in order:
        # The middle of the group decides, so that shares of zero stay empty and rounding is fair.
        middle = len(assigned) + len(groups[digest]) / 2
        name = next(name for name, bound in zip(SPLITS, bounds, strict=True) if middle <= bound)
        assigned |= dict.fromkeys(groups[digest], name)
    return assigned


def _published(file: Path) -> dict[str, str]:
    """Picture name -> split, from a Karpathy JSON file."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return {entry["filename"]: _KARPATHY[entry["split"]] for entry in content["images"]}
    except OSError as error:
        raise UnreadableFileError(file, error.strerror or "cannot be read") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableFileError(
            file, "not a Karpathy split", hint='It needs {"images": [{"filename": …, "split": "train"}, …]}.'
        ) from error


def _moved(row: _Row, out: Path) -> dict[str, Any]:
    """The line's fields, with the picture's path made relative to the new folder."""
    return {**row.fields, "image": Path(os.path.relpath(row.image, out)).as_posix()}


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8", errors="surrogatepass")
    part.replace(path)


def _record(
    report: SplitReport, file: Path, shares: Sequence[float], karpathy: str | Path | None
) -> dict[str, Any]:
    return {
        "source": file.name,
        "sha256": _digest(file),
        "seed": report.seed,
        "shares": None if karpathy else list(shares),
        "published_split": Path(karpathy).name if karpathy else None,
        "images": dict(report.images),
        "left_out": report.left_out,
    }
