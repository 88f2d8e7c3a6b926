"""Finds files: recursively, hidden ones left out, links followed once, filtered by globs.

A scan streams, so its memory does not grow with the collection, and it never mistakes "cannot look" for "is gone":
a root that does not exist is an error, and a folder that cannot be read is reported.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from ..errors import UnreadableFileError
from ..languages import LANGUAGES
from ..types import Skip

_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
_SIDECAR: Final = ".txt"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A text file beside a picture: ``beach.txt``, or ``beach.hi.txt`` with a language."""

    path: str
    size: int
    mtime_ns: int
    language: str | None = None


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file, by its size in bytes and its time of change, with the sidecars that share its stem."""

    path: str
    size: int
    mtime_ns: int
    sidecars: tuple[Sidecar, ...] = ()


@dataclass(slots=True)
class Scan:
    """What to look at. Iterate over :meth:`files` as often as needed; each time the disk is read anew.

    ``include`` and ``exclude`` are globs: ``*`` stays inside a name, ``**`` crosses folders, ``?`` and ``[a-z]`` as
    usual, letter case does not matter. A glob with ``/`` is matched against the path below the root, one without
    against the file's name and, to exclude, also against the names of the folders above it.
    """

    roots: Sequence[str]
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    skipped: list[Skip] = field(default_factory=list)

    def check_roots(self) -> None:
        """Raises :class:`UnreadableFileError` for the first root that cannot be looked at."""
        for root in self.roots:
            try:
                with os.scandir(root):
                    pass
            except NotADirectoryError:
                continue
            except OSError as error:
                raise _unreachable(root, error) from error

    def files(self) -> Iterator[FoundFile]:
        """Every file once, in an order that depends on names alone. ``skipped`` then tells what could not be read."""
        self.check_roots()
        self.skipped.clear()
        seen_folders: set[tuple[int, int]] = set()
        seen_files: set[str] = set()
        # Linked folders come last, so that a file reached both ways keeps the path without the link.
        linked: list[tuple[str, str]] = []
        for root in self.roots:
            if root not in seen_files and not os.path.isdir(root):
                seen_files.add(root)
                yield _single(root)
        for root in self.roots:
            for file in self._walk(root, "", seen_folders, linked):
                if file.path not in seen_files:
                    yield file
        while linked:
            path, below = linked.pop(0)
            for file in self._walk(path, below, seen_folders, linked):
                if file.path not in seen_files:
                    yield file

    def _walk(
        self, folder: str, below: str, seen: set[tuple[int, int]], linked: list[tuple[str, str]]
    ) -> Iterator[FoundFile]:
        stack = [(folder, below)]
        while stack:
            folder, below = stack.pop()
            try:
                status = os.stat(folder)
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
                with os.scandir(folder) as listing:
                    entries = sorted(
                        (entry for entry in listing if not entry.name.startswith(".")),
                        key=lambda entry: entry.name,
                    )
            except OSError as error:
                if error.errno not in _GONE:
                    self.skipped.append(Skip(folder, f"folder cannot be read: {error.strerror}"))
                continue
            files: list[_Entry] = []
            folders: list[tuple[str, str]] = []
            for entry in entries:
                relative = below + entry.name
                try:
                    if entry.is_dir():
                        if not _matches_any(self.exclude, relative, entry.name):
                            (linked if entry.is_symlink() else folders).append((entry.path, relative + "/"))
                        continue
                    info = entry.stat()
                except FileNotFoundError:
                    if entry.is_symlink():
                        self.skipped.append(Skip(entry.path, "link to a file that does not exist"))
                    continue  # else deleted while we looked
                except OSError as error:
                    self.skipped.append(Skip(entry.path, f"cannot be read: {error.strerror}"))
                    continue
                if entry.is_file() and not _matches_any(self.exclude, relative, entry.name):
                    wanted = not self.include or _matches_any(self.include, relative, entry.name)
                    files.append(_Entry(entry.name, entry.path, info, wanted))
            yield from _with_sidecars(files)
            stack.extend(reversed(folders))


def is_gone(path: str) -> bool:
    """Whether ``path`` certainly does not exist. False when nobody can tell, as without permission."""
    try:
        os.stat(path)
    except OSError as error:
        return error.errno in _GONE
    return False


def absolute(path: str | Path) -> str:
    """The path by which files are known: absolute, links kept as the user wrote them."""
    return os.path.abspath(os.path.expanduser(path))


class _Entry(NamedTuple):
    name: str
    path: str
    info: os.stat_result
    wanted: bool


def sidecars_of(path: str) -> tuple[Sidecar, ...]:
    """The captions beside one picture, as :class:`Scan` would find them."""
    folder, name = os.path.split(path)
    stem = _stem(name)
    names = {f"{stem}.{tag}{_SIDECAR}": tag for tag in LANGUAGES}
    sidecars = []
    for beside, tag in {stem + _SIDECAR: None, **names, name + _SIDECAR: None}.items():
        beside_path = os.path.join(folder, beside)
        with contextlib.suppress(OSError):  # most pictures have none
            info = os.stat(beside_path)
            if beside != name and stat.S_ISREG(info.st_mode):
                sidecars.append(Sidecar(beside_path, info.st_size, info.st_mtime_ns, tag))
    return tuple(sidecars)


def _single(path: str) -> FoundFile:
    """A file named by the user, hidden or not. Raises :class:`UnreadableFileError`."""
    try:
        info = os.stat(path)
    except OSError as error:
        raise _unreachable(path, error) from error
    if not stat.S_ISREG(info.st_mode):
        raise UnreadableFileError(path, "is neither a file nor a folder")
    return FoundFile(path, info.st_size, info.st_mtime_ns, sidecars_of(path))


def _with_sidecars(files: list[_Entry]) -> Iterator[FoundFile]:
    """The files of one folder. A text file that belongs to another file is a sidecar; the others are files too."""
    texts: dict[str, list[Sidecar]] = {}
    for name, path, info, _ in files:
        if name.endswith(_SIDECAR):
            stem = name.removesuffix(_SIDECAR)
            texts.setdefault(stem, []).append(Sidecar(path, info.st_size, info.st_mtime_ns))
            stem, _, tag = stem.rpartition(".")
            if tag in LANGUAGES:
                texts.setdefault(stem, []).append(Sidecar(path, info.st_size, info.st_mtime_ns, tag))
    claimed: set[str] = set()
    if texts:
        stems = {part for name, *_ in files if not name.endswith(_SIDECAR) for part in (name, _stem(name))}
        claimed = {sidecar.path for stem in texts.keys() & stems for sidecar in texts[stem]}
    for name, path, info, wanted in files:
        if wanted and path not in claimed:
            sidecars: list[Sidecar] = []
            if texts and not name.endswith(_SIDECAR):
                sidecars = [*texts.get(_stem(name), ()), *(texts.get(name, ()) if "." in name else ())]
            yield FoundFile(path, info.st_size, info.st_mtime_ns, tuple(sidecars))


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _matches_any(globs: Sequence[str], relative: str, name: str) -> bool:
    return any(_compile(glob).match(relative if "/" in glob else name) for glob in globs)


@lru_cache(maxsize=256)
def _compile(glob: str) -> re.Pattern[str]:
    """A glob as a regular expression (``fnmatch`` lets ``*`` cross folders, which is not what people mean)."""
    pattern, place = "", 0
    glob = glob.removeprefix("./").strip("/") if "/" in glob else glob
    while place < len(glob):
        rest = glob[place:]
        if rest.startswith("**/"):
            pattern, place = pattern + "(?:.*/)?", place + 3
        elif rest.startswith("**"):
            pattern, place = pattern + ".*", place + 2
        elif rest[0] == "*":
            pattern, place = pattern + "[^/]*", place + 1
        elif rest[0] == "?":
            pattern, place = pattern + "[^/]", place + 1
        elif found := re.match(r"\[(!?)(\]?[^\]]+)\]", rest):
            inside = found[2].replace("\\", "\\\\").replace("[", "\\[")
            pattern, place = pattern + f"[{'^' if found[1] else ''}{inside}]", place + len(found[0])
        else:
            pattern, place = pattern + re.escape(rest[0]), place + 1
    return re.compile(pattern + r"\Z", re.IGNORECASE | re.DOTALL)


def _unreachable(path: str, error: OSError) -> UnreadableFileError:
    if error.errno in _GONE:
        return UnreadableFileError(
            path,
            "there is no such file or folder",
            hint="If it lies on a drive that is not connected, connect it. Nothing was removed from the collection.",
        )
    return UnreadableFileError(path, f"cannot be read: {error.strerror}")
