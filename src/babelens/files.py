"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of ``path`` at the end, when it is on the disk.

    A reader, and whoever is killed meanwhile, finds the file before or the new one, never a part. What fails leaves
    the one before, and nothing beside it.
    """
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        if part.is_file():  # else it could not even be opened
            part.unlink()
        raise


def replace_text(path: Path, text: str, *, errors: str = "strict") -> None:
    """Writes ``text`` as UTF-8 in the place of ``path``; ``errors`` is what becomes of lone surrogates."""
    with replacing(path) as file:
        file.write(text.encode("utf-8", errors))
