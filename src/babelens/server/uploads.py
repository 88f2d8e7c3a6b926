"""Pictures that clients send: bounded in bytes and pixels, decoded, and kept where the service may write."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import UnreadableFileError
from ..sources.images import image_metadata, load_image
from .problems import ProblemError

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..collection import Collection
    from ..types import Item

FOLDER: Final = "uploads"
_DECODED_TO: Final = 512
_EXTENSIONS: Final = {"jpeg": "jpg", "tiff": "tif"}


def facts_of(data: bytes, *, max_pixels: int) -> dict[str, object]:
    """What the header of a sent picture says. Raises a problem for what is no picture, or too large to decode."""
    try:
        facts = image_metadata(data, name="The upload")
    except UnreadableFileError as error:
        bomb = "pixels" in error.reason
        raise _unusable(413 if bomb else 422, error) from error
    pixels = facts["width"] * facts["height"]
    if pixels > max_pixels:
        raise ProblemError(
            413, "too-many-pixels", f"The upload has {pixels:,} pixels; {max_pixels:,} are allowed."
        )
    return facts


def decoded(data: bytes, *, max_pixels: int) -> Image:
    """A sent picture, upright RGB, decoded no larger than a search needs. Raises a problem."""
    facts_of(data, max_pixels=max_pixels)
    try:
        return load_image(data, _DECODED_TO)
    except UnreadableFileError as error:
        raise _unusable(422, error) from error


def _unusable(status: int, error: UnreadableFileError) -> ProblemError:
    name = "too-many-pixels" if status == 413 else "no-picture"
    return ProblemError(status, name, f"The upload is of no use: {error.reason}.", hint=error.hint)


def keep(
    collection: Collection, data: bytes, *, caption: str | None, language: str | None, max_pixels: int
) -> Item:
    """Adds a sent picture to a collection, under a name made of its bytes. Raises a problem, and what
    :meth:`Collection.add` raises; nothing is left behind then."""
    facts = facts_of(data, max_pixels=max_pixels)
    decoded(data, max_pixels=max_pixels)  # all of it can be read, or nothing is kept
    folder = collection.path / FOLDER
    folder.mkdir(exist_ok=True)
    kind = str(facts["format"])
    path = folder / f"{hashlib.sha256(data).hexdigest()[:40]}.{_EXTENSIONS.get(kind, kind)}"
    fresh = not path.exists()
    path.write_bytes(data)
    if caption is not None:
        path.with_suffix(".txt").write_text(caption, encoding="utf-8")
    try:
        report = collection.add(path, caption_language=language, ocr=False)
        found = collection.at(path)
    except BaseException:
        if fresh:
            _remove(path)
        raise
    if not found:
        _remove(path)
        reason = report.skipped[0].reason if report.skipped else "not a picture"
        raise ProblemError(422, "no-picture", f"The upload is of no use: {reason}.")
    return found[0]


def forget(collection: Collection, item_id: str) -> None:
    """Takes an item out; its file is deleted only where it came by upload. Raises :class:`UnknownItemError`."""
    path = Path(collection.get(item_id).source.path)
    collection.remove(item_id)
    if path.parent == collection.path / FOLDER and not collection.at(path):
        _remove(path)


def _remove(path: Path) -> None:
    for one in (path, path.with_suffix(".txt")):
        one.unlink(missing_ok=True)
