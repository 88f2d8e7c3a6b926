"""From what a user names to the collection that is measured.

A collection is measured as it is. A data set becomes a collection first, in ``work/`` below the report's folder: a run
that was stopped goes on there, and a second one encodes nothing again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..collection import Collection, resolve_collection_path
from ..errors import DatasetError
from ..models.registry import default_model, load_encoder
from ..types import IngestReport, Progress
from .corpus import Labels

if TYPE_CHECKING:
    from ..models.protocols import Encoder

GALLERY: Final = "gallery"
_BUNDLED: Final = "mini"


@dataclass(frozen=True, slots=True)
class Subject:
    """A collection that is to be measured. ``ingested`` is None for one that was there before."""

    name: str
    collection: Collection
    labels: Labels | None
    ingested: IngestReport | None


@contextmanager
def open_subject(
    source: str | Path,
    work: Path,
    *,
    model: str | Path | Encoder | None = None,
    images: Sequence[str | Path] = (),
    caption_language: str | None = None,
    sample: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Iterator[Subject]:
    """The collection of ``source``: ``"gallery"``, a file that lists pictures with captions, or a collection.

    ``images`` are folders to look for the listed pictures in, ``caption_language`` is that of captions that do not say
    theirs; ``sample`` takes that many pictures, drawn by ``seed``.
    Raises :class:`DatasetError` when ``source`` is none of these or a collection comes with a model, and what
    opening and adding raise.
    """
    labels: Labels | None = None
    if str(source) == GALLERY:
        from ..demo.bundled import load_gallery

        gallery = load_gallery()
        labels = {picture.path.name: picture.things for picture in gallery.pictures}
        file, name, model, caption_language = (
            gallery.captions_file,
            "the bundled gallery",
            model or _BUNDLED,
            None,
        )
    elif Path(source).is_file():
        file = Path(source)
        name = file.name
    elif resolve_collection_path(source).is_dir():
        if sample is not None:
            raise DatasetError(f"{source} is a collection and is measured whole, not in samples.")
        with Collection.open(source, model=model, create=False, read_only=True) as collection:
            yield Subject(str(source), collection, None, None)
        return
    else:
        raise DatasetError(
            f"{source} is neither a file that lists pictures and captions nor a collection.",
            hint="Name a JSONL, CSV, Flickr8k or COCO file, a collection, or leave it away for the bundled gallery.",
        )
    encoder = (
        load_encoder(model or default_model()) if model is None or isinstance(model, str | Path) else model
    )
    # One collection for each content of the file, encoder, language and sample.
    digest = hashlib.sha256(file.read_bytes())
    drawn = (sample, seed) if sample else None
    digest.update(repr((str(file.absolute()), encoder.fingerprint, caption_language, drawn)).encode())
    place = work / f"{_slug(encoder.fingerprint.name)}-{digest.hexdigest()[:12]}"
    with Collection.open(place.absolute(), model=encoder if model is None else model) as collection:
        report = collection.add(
            [file, *images], caption_language=caption_language, sample=sample, seed=seed, progress=progress
        )
        yield Subject(name, collection, labels, report)


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-._" else "-" for letter in name)
