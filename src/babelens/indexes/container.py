"""One file for one index, so that a rename makes it appear whole or not at all.

    body | array | array | ... | footer (JSON) | length, CRC-32 of the footer, magic

The body, if any, is what a library wrote (it expects offset 0 and ignores what follows); arrays are aligned to
64 bytes and opened memory-mapped. The footer lists the arrays and a CRC-32 of every block of the file.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CollectionError, CorruptIndexError, StorageFullError

MAGIC = b"BABELENS"
FORMAT = 1
TEMPORARY = ".partial"
_TAIL = struct.Struct("<QI8s")
_ALIGN = 64
_BLOCK = 1 << 18
# An opening reads this many blocks, spread over the file: damage by a crash or a full disk is wide.
_SAMPLED = 8
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Container:
    """``header`` is what the writer said about the index; ``arrays`` are read-only and memory-mapped."""

    header: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


def write(
    path: Path,
    header: Mapping[str, Any],
    *,
    arrays: Mapping[str, NDArray[Any]],
    body: Callable[[Path], None] | None = None,
) -> None:
    """Writes beside ``path`` and renames. Raises :class:`StorageFullError`; what was there is then as before."""
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        with writing(temporary):
            if body is None:
                temporary.write_bytes(b"")
            else:
                body(temporary)
            _append(temporary, header, arrays)
            temporary.replace(path)
            sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read(path: Path, *, every_block: bool = False) -> Container:
    """Opens and checks a file. Raises :class:`CorruptIndexError` when it is missing, cut short or damaged."""
    try:
        with path.open("rb") as file:
            footer, end = _footer(path, file)
            crcs = footer["crcs"]
            count = len(crcs)
            blocks = range(count)
            if not every_block and count > _SAMPLED:
                blocks = np.linspace(0, count - 1, _SAMPLED).astype(int).tolist()
            for block in blocks:
                file.seek(block * _BLOCK)
                if zlib.crc32(file.read(min(_BLOCK, end - block * _BLOCK))) != crcs[block]:
                    raise damaged(path, f"block {block} does not match its checksum")
        arrays = {name: _map(path, **place) for name, place in footer["arrays"].items()}
        return Container(footer["header"], arrays)
    except FileNotFoundError as error:
        raise damaged(path, "the file is missing") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(path, str(error)) from error


def damaged(path: Path, reason: str) -> CorruptIndexError:
    return CorruptIndexError(
        f"The index file {path} cannot be used: {reason}.",
        hint="Nothing is lost: it is rebuilt from the catalog.",
    )


def sync_folder(folder: Path) -> None:
    """Makes a rename in ``folder`` durable, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _full(path) from error
        raise CollectionError(f"The index file {path} cannot be written: {error.strerror}.") from error
    except RuntimeError as error:  # what FAISS raises for all that goes wrong
        short = (
            any(os.strerror(code) in str(error) for code in _FULL)
            or shutil.disk_usage(path.parent).free < _BLOCK
        )
        if short:
            raise _full(path) from error
        raise CollectionError(f"The index file {path} cannot be written: {error}") from error


def _full(path: Path) -> StorageFullError:
    return StorageFullError(
        f"There is no room to write the index file {path}.",
        hint="Free some space; the catalog is whole, and the index is built again from it.",
    )


def _append(path: Path, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    places: dict[str, Any] = {}
    with path.open("ab") as file:
        for name, array in arrays.items():
            file.write(b"\0" * (-file.tell() % _ALIGN))
            places[name] = {"offset": file.tell(), "dtype": array.dtype.str, "shape": list(array.shape)}
            for start in range(0, len(array), 1 << 16):  # in pieces: the array may be a map of another file
                file.write(np.ascontiguousarray(array[start : start + (1 << 16)]).data)
    with path.open("rb") as file:
        crcs = [zlib.crc32(block) for block in iter(lambda: file.read(_BLOCK), b"")]
    footer = json.dumps({"format": FORMAT, "header": dict(header), "arrays": places, "crcs": crcs}).encode()
    with path.open("ab") as file:
        file.write(footer + _TAIL.pack(len(footer), zlib.crc32(footer), MAGIC))
        file.flush()
        os.fsync(file.fileno())


def _footer(path: Path, file: Any) -> tuple[dict[str, Any], int]:
    """The footer and where it begins."""
    size = file.seek(0, os.SEEK_END)
    if size < _TAIL.size:
        raise damaged(path, "it is cut short")
    file.seek(size - _TAIL.size)
    length, crc, magic = _TAIL.unpack(file.read(_TAIL.size))
    if magic != MAGIC or length > size - _TAIL.size:
        raise damaged(path, "it is cut short or not an index")
    end = size - _TAIL.size - length
    file.seek(end)
    text = file.read(length)
    if zlib.crc32(text) != crc:
        raise damaged(path, "its footer does not match its checksum")
    footer: dict[str, Any] = json.loads(text)
    if footer["format"] != FORMAT:
        raise damaged(path, f"it has format {footer['format']}, and this version reads {FORMAT}")
    if len(footer["crcs"]) != -(-end // _BLOCK):
        raise damaged(path, "it is cut short")
    return footer, end


def _map(path: Path, *, offset: int, dtype: str, shape: list[int]) -> NDArray[Any]:
    if 0 in shape:
        return np.empty(shape, dtype=dtype)
    # As plain arrays: the memmap subclass costs microseconds in every operation.
    return np.asarray(np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=tuple(shape)))
