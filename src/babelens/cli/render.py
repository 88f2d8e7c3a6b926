"""How values look on a terminal and in JSON. Knows nothing of collections.

Text comes from files and strangers, so nothing is printed raw: control characters are escaped, names that are not
UTF-8 show their bytes, right-to-left text is isolated so that it cannot reorder the columns beside it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
# Controls that change the direction of what follows; harmless inside a word, misleading in a file name.
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
_GAP = "  "


def printable(text: str, *, spaces: bool = False) -> str:
    """``text`` on one line, without anything that a terminal acts on.

    Bytes that are not UTF-8 (surrogate escapes) become ``\\xNN``; so do control and direction characters. Runs of
    white space become one space, unless ``spaces``.
    """
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if not spaces:
        text = " ".join(text.split())
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if character in _BIDI_CONTROLS or unicodedata.category(character) == "Cc"
        else character
        for character in text
    )


def shown_path(path: str) -> str:
    """A path as a person would type it here: relative when it lies below the working directory."""
    try:
        relative = os.path.relpath(path) if path.startswith(os.getcwd() + os.sep) else path
    except OSError:  # the working directory is gone
        relative = path
    return printable(relative)


def isolate(text: str) -> str:
    """``text`` wrapped in bidi isolates when it holds right-to-left letters, else as it is."""
    if any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text):
        return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}"
    return text


@dataclass(frozen=True, slots=True)
class Column:
    """A table column. ``crop`` says which end goes when the terminal is narrow; ``None`` never shrinks."""

    title: str
    align: Literal["left", "right"] = "left"
    crop: Literal["end", "start"] | None = None


def terminal_width() -> int | None:
    """Columns of the terminal on stdout, or ``None`` when stdout is a file or a pipe: then nothing is cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], *, width: int | None = None
) -> Iterator[str]:
    """The lines of a table, the header first; columns line up by terminal cells, whatever the script.

    ``width`` is where lines are cut, by shortening the columns that may be cropped; ``None`` cuts nothing.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [
        max([cell_width(c.title), *(cell_width(row[i]) for row in cells)]) for i, c in enumerate(columns)
    ]
    if width is not None:
        _shrink(widths, columns, width - len(_GAP) * (len(columns) - 1))
    for row in ([column.title for column in columns], *cells):
        parts = []
        for column, cell, size in zip(columns, row, widths, strict=True):
            text = cropped(cell, size, column.crop)
            padding = " " * (size - cell_width(text))
            parts.append(padding + isolate(text) if column.align == "right" else isolate(text) + padding)
        yield _GAP.join(parts).rstrip(" ")


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table to stdout, its header in bold, as wide as the terminal."""
    for number, line in enumerate(table(columns, rows, width=terminal_width())):
        click.secho(line, bold=True if number == 0 else None)


def cell_width(text: str) -> int:
    """How many cells of a terminal a text takes: two for many letters of East Asia, none for signs on others."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cropped(text: str, size: int, end: Literal["end", "start"] | None) -> str:
    """``text`` in at most ``size`` cells, with … where its ``end`` was cut off."""
    if cell_width(text) <= size:
        return text
    characters = list(text)
    while characters and cell_width("".join(characters)) > size - 1:
        characters.pop(0 if end == "start" else -1)
    if end == "start":
        # A combining mark must not be left without its letter.
        while characters and unicodedata.category(characters[0]).startswith("M"):
            characters.pop(0)
        return "…" + "".join(characters)
    return "".join(characters) + "…"


def _shrink(widths: list[int], columns: Sequence[Column], available: int) -> None:
    """Takes cells from the widest croppable column until all fit, but leaves each at least 12."""
    flexible = [i for i, column in enumerate(columns) if column.crop]
    while sum(widths) > available:
        widest = max((i for i in flexible if widths[i] > 12), key=lambda i: widths[i], default=None)
        if widest is None:
            return
        widths[widest] -= 1


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on one line of stdout.

    File names that are not UTF-8 keep their bytes as lone surrogates, which Python's ``json`` and ``os.fsencode``
    turn back into the very name.
    """
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    line = json.dumps(value, ensure_ascii=not utf8, default=_jsonable)
    # UTF-8 cannot hold lone surrogates; JSON can, escaped.
    line = "".join(rf"\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in line)
    click.echo(line)


def _jsonable(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "item"):  # a NumPy scalar
        return value.item()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def message(text: str) -> None:
    """A line for the person at the keyboard: stderr, never part of the output."""
    click.echo(text, err=True)


def count(number: int, singular: str, plural: str | None = None) -> str:
    """``"1 picture"``, ``"12,000 pictures"``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def size(number: int) -> str:
    """Bytes for a person: ``"12 kB"``, ``"3.4 MB"`` (powers of 1000)."""
    value = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def duration(seconds: float) -> str:
    """``"0.4 s"``, ``"12 s"``, ``"3 min 20 s"``, ``"2 h 5 min"``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
