"""Captioned photographs as training data: read, checked for leaks, decoded once.

A data set is a folder with two captions files, one to train on and one to validate with, in any form that
`babelens.sources.captions` reads, and the pictures they name. Pictures are decoded to squares, which are kept in the
user's cache under a name that follows from the bytes of all of them and from how they were resized, and mapped into
memory: any number of runs, one after another or at a time, decode them once.

A picture that cannot be read, or that has no caption in a language that is trained, is left out, counted and named.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babelens.errors import DatasetError, MalformedDataError, UnreadableFileError
from babelens.models.paths import cache_folder
from babelens.models.preprocess import Preprocess
from babelens.sources.captions import Locator, read_captions
from babelens.sources.images import load_image
from babelens.types import Progress

from .sides import names_a_side

_AT_ONCE = 256  # pictures decoded between two reports of progress

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A picture, or a line of a captions file, that is not used, and why."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Photograph:
    """A picture and its captions by language. ``sided``: one of them, in any language, says left or right."""

    file: Path
    digest: str = field(repr=False)
    captions: dict[str, tuple[str, ...]] = field(repr=False)
    sided: bool


@dataclass(frozen=True)
class Listed:
    """What a captions file says, before a picture is decoded."""

    pictures: tuple[Photograph, ...]
    left_out: tuple[LeftOut, ...]
    other_languages: dict[str, int]


@dataclass(frozen=True)
class Photographs:
    """Pictures that could be decoded: `squares` (m, side, side, 3) uint8, of which row ``rows[i]`` is picture i."""

    pictures: tuple[Photograph, ...]
    squares: Pixels = field(repr=False)
    rows: npt.NDArray[np.int64] = field(repr=False)
    left_out: tuple[LeftOut, ...]
    other_languages: dict[str, int]
    """Captions that are not used, by language."""

    def __len__(self) -> int:
        return len(self.pictures)

    def pixels(self, chosen: npt.NDArray[np.int64] | slice = slice(None)) -> Pixels:
        """Shape: (n, side, side, 3) uint8."""
        return self.squares[self.rows[chosen]]

    @property
    def captions(self) -> dict[str, int]:
        """How many there are by language."""
        counts: Counter[str] = Counter()
        for picture in self.pictures:
            counts.update({tag: len(bodies) for tag, bodies in picture.captions.items()})
        return dict(counts)


def read_photographs(file: Path | str, *, languages: Sequence[str]) -> Listed:
    """The pictures of a captions file with their captions in `languages`; copies of a picture become one.

    Raises UnreadableFileError when the file cannot be read, DatasetError when it has nothing to learn from.
    """
    file = Path(file)
    left_out: list[LeftOut] = []
    found: dict[str, Photograph] = {}  # by digest of the bytes
    others: Counter[str] = Counter()

    def malformed(error: MalformedDataError) -> None:
        left_out.append(LeftOut(f"{file}:{error.line}", error.reason))

    locate = Locator(str(file.absolute()), (), dict)
    for row in read_captions(file, on_error=malformed):
        path = locate.find(row.image)
        if path is None:
            left_out.append(LeftOut(f"{file}:{row.line}", f"there is no picture {row.image}"))
            continue
        bodies: dict[str, tuple[str, ...]] = {}
        for caption in row.captions:
            if caption.language in languages:
                bodies[caption.language] = (*bodies.get(caption.language, ()), caption.body)
            else:
                others[caption.language] += 1
        if not bodies:
            wanted = ", ".join(languages)
            left_out.append(LeftOut(f"{file}:{row.line}", f"{row.image} has no caption in {wanted}"))
            continue
        try:
            with open(path, "rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            left_out.append(LeftOut(path, error.strerror or "cannot be read"))
            continue
        sided = any(names_a_side(caption.body, caption.language) for caption in row.captions)
        picture = Photograph(Path(path), digest, bodies, sided)
        found[digest] = _joined(found[digest], picture) if digest in found else picture
    if not found:
        raise DatasetError(f"{file} has no picture with a caption in {', '.join(languages)}.")
    return Listed(tuple(found.values()), tuple(left_out), dict(others))


def _joined(first: Photograph, second: Photograph) -> Photograph:
    """Two listings of the same picture; apart, each would be a wrong answer for the captions of the other."""
    bodies = {
        tag: tuple(dict.fromkeys((*first.captions.get(tag, ()), *second.captions.get(tag, ()))))
        for tag in dict.fromkeys((*first.captions, *second.captions))
    }
    return replace(first, captions=bodies, sided=first.sided or second.sided)


def refuse_leaks(train: Iterable[Photograph], validation: Iterable[Photograph]) -> None:
    """Raises DatasetError when pictures of equal bytes are in both: what is learnt by heart would be measured."""
    known = {picture.digest: picture.file for picture in train}
    shared = [(known[p.digest], p.file) for p in validation if p.digest in known]
    if shared:
        first, second = shared[0]
        more = f"; so it is with {len(shared) - 1:,} more" if len(shared) > 1 else ""
        raise DatasetError(
            f"{second}, which is to be measured with, is the same picture as {first}, which is learnt from or chosen "
            f"by{more}.",
            hint="Split the data by picture: babelens dataset split",
        )


def some_of(photographs: Photographs, limit: int, *, seed: int) -> Photographs:
    """`limit` pictures drawn by `seed`, in their order; what a smaller limit draws is part of it. 0 takes all.

    The draw depends on the pictures' bytes, not on the order of lines.
    """
    pictures = photographs.pictures
    if not limit or limit >= len(pictures):
        return photographs

    def key(place: int) -> bytes:
        return hashlib.sha256(f"{seed} {pictures[place].digest}".encode()).digest()

    drawn = sorted(sorted(range(len(pictures)), key=key)[:limit])
    return replace(
        photographs, pictures=tuple(pictures[place] for place in drawn), rows=photographs.rows[drawn]
    )


def decode(
    listed: Listed, rule: Preprocess, *, threads: int = 0, progress: Progress | None = None
) -> Photographs:
    """The pictures as squares, from the cache where an earlier run left them there.

    Raises DatasetError when not a single one can be decoded.
    """
    pictures = listed.pictures
    squares, reasons = _cached(pictures, rule, threads, progress)
    rows = np.array([row for row in range(len(pictures)) if row not in reasons], dtype=np.int64)
    if not len(rows):
        raise DatasetError(
            f"None of {len(pictures)} pictures can be decoded, among them {pictures[0].file}: {reasons[0]}"
        )
    unreadable = tuple(LeftOut(str(pictures[row].file), reason) for row, reason in reasons.items())
    return Photographs(
        tuple(pictures[row] for row in rows),
        squares,
        rows,
        listed.left_out + unreadable,
        listed.other_languages,
    )


def _cached(
    pictures: Sequence[Photograph], rule: Preprocess, threads: int, progress: Progress | None
) -> tuple[Pixels, dict[int, str]]:
    """Every picture as a square, zeros where it cannot be decoded, and the reasons by row."""
    name = hashlib.sha256(f"1 {rule.key} {rule.reducing_gap}".encode())
    for picture in pictures:
        name.update(picture.digest.encode())
    folder = cache_folder() / "training"
    file, notes = (folder / f"{name.hexdigest()[:32]}.{end}" for end in ("npy", "json"))
    if notes.exists() and file.exists():  # the notes are written last
        reasons = json.loads(notes.read_text(encoding="utf-8"))
        return np.load(file, mmap_mode="r"), {int(row): reason for row, reason in reasons.items()}
    folder.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    shape = (len(pictures), rule.size, rule.size, 3)
    squares = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
    failed: dict[int, str] = {}

    def square(row: int) -> None:
        try:
            squares[row] = rule.to_pixels(load_image(pictures[row].file, target=rule.size))
        except UnreadableFileError as error:
            failed[row] = error.reason

    try:
        with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
            for start in range(0, len(pictures), _AT_ONCE):
                end = min(start + _AT_ONCE, len(pictures))
                list(pool.map(square, range(start, end)))
                if progress is not None:
                    progress(end, len(pictures))
        squares.flush()
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    failed = dict(sorted(failed.items()))
    part.replace(file)
    _write(notes, failed)
    return np.load(file, mmap_mode="r"), failed


def _write(path: Path, content: Any) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(content), encoding="utf-8")
    part.replace(path)
