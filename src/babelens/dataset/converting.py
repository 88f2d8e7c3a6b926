"""Writes any data set in one form: a line per picture and language, with checksums and a card.

NAME.jsonl     {"image": "../images/a.jpg", "language": "es", "captions": ["…", "…"]}; a file per split where
               the source names splits
dropped.jsonl  {"where": "captions.txt:17", "reason": "missing picture"}, when something was left out
SHA256SUMS     of the above, as sha256sum writes and checks them
README.md      the data card; written last
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DatasetError, MalformedDataError
from ..languages import get_language
from ..types import Progress, Skip
from .card import Card, write_card
from .checking import digest_of, examine
from .pictures import CaptionedPicture, gather, nothing_left, wanted_languages
from .reading import find_source, read_rows, source_files
from .statistics import LanguageStatistics, by_language
from .writing import relative_path, write_lines, write_text


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """``files`` are the JSON lines by split (or by the set's name), ``splits`` their statistics by language,
    ``images`` their pictures; ``dropped`` is what was left out, with reasons to count by."""

    folder: Path
    files: Mapping[str, Path]
    images: Mapping[str, int]
    splits: Mapping[str, Mapping[str, LanguageStatistics]]
    dropped: tuple[Skip, ...]

    @property
    def reasons(self) -> Mapping[str, int]:
        """How often each reason was why something was left out, the most frequent first."""
        return dict(Counter(skip.reason for skip in self.dropped).most_common())


def convert(
    source: str | Path,
    out: str | Path,
    *,
    images: Path | None = None,
    language: str | None = None,
    languages: Sequence[str] | None = None,
    split: str | None = None,
    name: str | None = None,
    licence: str | None = None,
    command: str | None = None,
    progress: Progress | None = None,
) -> ConvertReport:
    """Writes what can be used of a data set into ``out``. Pictures are decoded, not copied.

    ``images``, ``language`` and ``languages`` as for :func:`read_pictures`. ``split`` keeps one split of a source that
    names splits, and else says which one the source is. ``name`` is that of the set, and of its file when there are no
    splits; by default the source's. ``licence`` and ``command`` go into the card. ``progress`` counts pictures.

    Raises :class:`DatasetError` when ``out`` holds a data set already, when nothing of the source or of a split of it
    can be used, and what :func:`read_pictures` raises.
    """
    path, out = find_source(source), Path(out)
    wanted = wanted_languages(languages)
    name = _file_name(name or (path.stem if path.is_file() else path.name))
    dropped: list[Skip] = []

    def malformed(error: MalformedDataError) -> None:
        dropped.append(Skip(f"{error.path}:{error.line}", f"malformed: {error.reason}"))

    said = get_language(language).tag if language else None
    rows = list(read_rows(path, images=images, language=said, on_error=malformed))
    named = {row.split for row in rows if row.split}
    if split is not None and named:
        if split not in named:
            raise DatasetError(
                f"{path} has no split {split!r}.", hint=f"It names: {', '.join(sorted(named))}."
            )
        rows = [row for row in rows if row.split == split]
    parts = defaultdict(list)
    for row in rows:
        parts[_file_name(row.split or split or name)].append(row)
    examination = examine(rows, progress=progress)
    pictures: dict[str, list[CaptionedPicture]] = {}
    for part, mine in parts.items():
        pictures[part] = gather(mine, wanted, dropped.append, unreadable=examination.unreadable)
    if not any(pictures.values()):
        raise nothing_left(path, wanted)
    if empty := [part for part, mine in pictures.items() if not mine]:
        raise DatasetError(
            f"Nothing of the split {' and '.join(empty)} of {path} can be used: {len(parts[empty[0]]):,} lines, but "
            "no picture with a caption.",
            hint="Take the splits that are there one by one, with --split.",
        )
    report = _write(out, pictures, wanted, tuple(dropped))
    write_card(
        out,
        Card(
            name=name,
            source=path,
            hashes={file.name: digest_of(file) for file in source_files(path)},
            licence=licence,
            command=command,
            findings=examination.findings,
            images=report.images,
            splits=report.splits,
            reasons=report.reasons,
            dropped=report.dropped,
        ),
    )
    return report


def _write(
    out: Path,
    pictures: Mapping[str, Sequence[CaptionedPicture]],
    wanted: Sequence[str],
    dropped: tuple[Skip, ...],
) -> ConvertReport:
    files = {part: out / f"{part}.jsonl" for part in pictures}
    taken = next((path for path in (*files.values(), out / "README.md") if path.exists()), None)
    if taken is not None:
        raise DatasetError(f"{out} already holds {taken.name}.", hint="Choose another folder.")
    out.mkdir(parents=True, exist_ok=True)
    statistics = {}
    for part, mine in pictures.items():
        write_lines(
            files[part],
            (
                {"image": relative_path(picture.path, out), "language": language, "captions": list(captions)}
                for picture in mine
                for language, captions in picture.captions.items()
            ),
        )
        found = by_language(
            (picture.path, [(tag, text) for tag, texts in picture.captions.items() for text in texts])
            for picture in mine
        )
        statistics[part] = {tag: found[tag] for tag in wanted if tag in found}
    written = list(files.values())
    if dropped:
        written.append(out / "dropped.jsonl")
        write_lines(written[-1], ({"where": skip.path, "reason": skip.reason} for skip in dropped))
    write_text(out / "SHA256SUMS", "".join(f"{digest_of(path)}  {path.name}\n" for path in written))
    return ConvertReport(
        out, files, {part: len(mine) for part, mine in pictures.items()}, statistics, dropped
    )


def _file_name(name: str) -> str:
    """A name that a file can have anywhere."""
    return re.sub(r"[^\w.-]+", "-", name).strip(".-") or "dataset"
