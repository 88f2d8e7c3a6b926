"""Files that take what room there is."""

from __future__ import annotations

import errno
from pathlib import Path


def fill_the_rest(file: Path) -> None:
    """Leaves no room on the file's disk."""
    with file.open("wb", buffering=0) as ballast:
        try:
            while ballast.write(b"x" * 4096):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
