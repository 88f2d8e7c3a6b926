"""Writes JSON lines whole or not at all, with pictures named relative to the file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..files import replace_text


def write_text(path: Path, text: str) -> None:
    """A file that is there in full or not at all."""
    replace_text(path, text, errors="surrogatepass")


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """One JSON object a line."""
    write_text(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def relative_path(image: Path, folder: Path) -> str:
    """A picture's path as a file in ``folder`` names it."""
    return Path(os.path.relpath(image, folder)).as_posix()
