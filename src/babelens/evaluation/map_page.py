"""The interactive map: one HTML file that holds its data, its thumbnails and its script, and asks for nothing else."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template
from typing import Any, Final

from ..errors import UnreadableFileError
from ..languages import LANGUAGES
from ..sources.images import load_image
from ..types import Item, Progress, Skip, Text
from .figures import PICTURES, SERIES, in_order, series

# Pixels of the longer side, and how many there may be: a photograph takes about 5 kB, a thousand of them 5 MB.
THUMBNAIL: Final = 160
THUMBNAILS: Final = 1000
_QUALITY: Final = 60
_FOLDERS: Final = len(SERIES) - 1  # folders that get a colour; the others share one
CAPPED: Final = "beyond the number of thumbnails that a page holds"


@dataclass(frozen=True, slots=True)
class MapPicture:
    """A picture and its place."""

    item: Item
    place: tuple[float, float]


@dataclass(frozen=True, slots=True)
class MapText:
    """A text, the number of the picture it belongs to, and its place."""

    text: Text
    picture: int
    place: tuple[float, float]


def map_page(
    pictures: Sequence[MapPicture],
    texts: Sequence[MapText],
    *,
    caption: Iterable[str],
    progress: Progress | None = None,
) -> tuple[str, tuple[Skip, ...]]:
    """The page, and the pictures that stay blank on it, with the reason. A file that cannot be read ends nothing."""
    rows: list[dict[str, Any]] = []
    blank: list[Skip] = []
    for number, picture in enumerate(pictures):
        item = picture.item
        thumbnail, reason = None, CAPPED
        if number < THUMBNAILS:
            try:
                thumbnail = _thumbnail(item)
            except UnreadableFileError as error:
                reason = error.reason
        if thumbnail is None:
            blank.append(Skip(item.source.path, reason))
        rows.append(
            {
                "at": _rounded(picture.place),
                "name": _readable(str(item.metadata.get("name") or item.id)),
                "folder": _readable(str(item.metadata.get("folder") or "")),
                "thumbnail": thumbnail,
                "blank": reason if thumbnail is None else None,
            }
        )
        if progress is not None:
            progress(number + 1, len(pictures), "thumbnails")
    tags = in_order(text.text.language for text in texts)
    data = {
        "pictures": rows,
        "texts": [
            {
                "at": _rounded(text.place),
                "picture": text.picture,
                "language": text.text.language,
                "body": text.text.body,
            }
            for text in texts
        ],
        "groups": {
            "language": [
                _group("", "pictures", PICTURES, "square", len(pictures)),
                *(_language(tag, number, texts) for number, tag in enumerate(tags)),
            ],
            "folder": _folders(rows, texts),
        },
    }
    template = Template(resources.files(__package__).joinpath("embedding_map.html").read_text("utf-8"))
    page = template.substitute(
        caption="\n".join(f"<p>{escape(paragraph)}</p>" for paragraph in caption), data=_inline(data)
    )
    return page, tuple(blank)


def _thumbnail(item: Item) -> str:
    """The picture as a data URI."""
    image = load_image(item.source.path, THUMBNAIL)
    if item.source.box is not None:
        image = image.crop(item.source.box)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _language(tag: str, number: int, texts: Sequence[MapText]) -> dict[str, Any]:
    colour, _, marker = series(tag, number)
    name = LANGUAGES[tag].own_name if tag in LANGUAGES else "language not stated"
    n = sum(text.text.language == tag for text in texts)
    return _group(tag, name, colour, marker, n)


def _folders(rows: Sequence[dict[str, Any]], texts: Sequence[MapText]) -> list[dict[str, Any]]:
    """The folders with most pictures in colours of their own; the last group, ``null``, is all others."""
    points = Counter(row["folder"] for row in rows)
    points.update(rows[text.picture]["folder"] for text in texts)
    named = [folder for folder, _ in points.most_common(_FOLDERS)]
    groups = [
        _group(folder, folder or "no folder", SERIES[1 + number][0], "circle", points[folder])
        for number, folder in enumerate(named)
    ]
    others = sum(n for folder, n in points.items() if folder not in named)
    return [*groups, _group(None, "other folders", PICTURES, "circle", others)] if others else groups


def _group(key: str | None, name: str, colour: str, marker: str, n: int) -> dict[str, Any]:
    return {"key": key, "name": name, "colour": colour, "marker": marker, "n": n}


def _rounded(place: tuple[float, float]) -> list[float]:
    return [float(f"{value:.5g}") for value in place]


def _readable(text: str) -> str:
    """Bytes of a file name that are not UTF-8 as ``\\xff``: a page cannot hold them."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _inline(data: dict[str, Any]) -> str:
    """JSON for a script element: nothing in it can end the element, begin a comment, or break a line of script."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
