"""Captions in tables: CSV and its like with a header, and Flickr8k's token file."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ..errors import MalformedDataError
from .records import CAPTION_KEY, IMAGE_KEYS, KNOWN_FORMATS, OnError, Record, stated_language, tag_of_column

_TOKEN_LINE: Final = re.compile(r"([^\t]+?)#\w+\t(.*)")


def is_token_line(line: str) -> bool:
    """Whether a line is one of Flickr8k's token file."""
    return _TOKEN_LINE.match(line) is not None


def token_lines(path: str | Path, file: Iterable[bytes], report: OnError) -> Iterator[Record]:
    """Flickr8k's ``Flickr8k.token.txt``: ``1000268201_693b08cb0e.jpg#0 <tab> A child in a pink dress``."""
    for number, raw in enumerate(file, start=1):
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip("\r\n ")
        except UnicodeDecodeError:
            report(MalformedDataError(path, number, "not UTF-8 text"))
            continue
        if not text:
            continue
        if match := _TOKEN_LINE.fullmatch(text):
            yield Record(match[1], ((None, match[2]),), number)
        else:
            report(MalformedDataError(path, number, "not of the form name.jpg#0 <tab> caption"))


def table(path: str | Path, file: Iterable[bytes], report: OnError) -> Iterator[Record]:
    """CSV with a header that names a picture column and caption columns, such as Flickr8k's ``captions.txt``."""
    lines = (raw.decode("utf-8", errors="surrogateescape") for raw in file)
    first = next(lines).removeprefix("\ufeff")
    delimiter = max(",;\t|", key=first.count)
    rows = csv.reader(itertools.chain([first], lines), delimiter=delimiter)
    header = [column.strip().casefold() for column in next(rows)]
    image_column = next((header.index(key) for key in IMAGE_KEYS if key in header), None)
    caption_columns: dict[int, str | None] = {}
    for place, column in enumerate(header):
        match = CAPTION_KEY.fullmatch(column)
        # "caption_en" and "en" are captions; "comment_number", which is no language, is not.
        tag = tag_of_column(match[1] if match else column)
        if tag or (match and not match[1]):
            caption_columns[place] = tag
    if image_column is None or not caption_columns:
        what = "picture" if image_column is None else "caption"
        raise MalformedDataError(path, 1, f"no {what} column in the header", hint=KNOWN_FORMATS)
    language_column = next((header.index(key) for key in ("language", "lang") if key in header), None)
    split_column = header.index("split") if "split" in header else None
    last = max(caption_columns)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            report(MalformedDataError(path, rows.line_num, f"not CSV: {error}"))
            continue
        if not any(row):
            continue
        if len(row) > len(header) and last == len(header) - 1:  # commas in an unquoted last column
            row[last:] = [delimiter.join(row[last:])]
        try:
            if len(row) <= image_column or not row[image_column].strip():
                raise ValueError("no picture")
            "".join(row).encode()
            said = (
                row[language_column] if language_column is not None and language_column < len(row) else None
            )
            texts: list[tuple[str | None, str]] = []
            for place, tag in caption_columns.items():
                cell = row[place] if place < len(row) else ""
                # An empty cell of several columns is a language that this picture lacks, not an empty caption.
                bodies = cell.splitlines() or ([] if len(caption_columns) > 1 else [""])
                texts += [(tag or stated_language(said), body) for body in bodies]
            image = re.sub(r"#\d+\Z", "", row[image_column].strip())
            split = (
                row[split_column].strip() if split_column is not None and split_column < len(row) else None
            )
            yield Record(image, tuple(texts), rows.line_num, split or None)
        except UnicodeEncodeError:
            report(MalformedDataError(path, rows.line_num, "not UTF-8 text"))
        except ValueError as error:
            report(MalformedDataError(path, rows.line_num, str(error)))
