"""Captions: of single pictures, and of all pictures of a collection that have none by this model yet."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import UnreadableFileError
from ..models.captioners import DEFAULT_CAPTIONER, Captioner, load_captioner
from ..models.protocols import TextEncoder
from ..models.writers import name_of
from ..plausibility import judge_caption
from ..retrieval.filters import parse_filter
from ..sources.images import as_rgb, load_picture, quiet_pillow
from ..storage.catalog import Catalog
from ..types import DescribeReport, Item, Progress, Skip, Text
from .writing import DescriptionWriter, fetching

if TYPE_CHECKING:
    from PIL.Image import Image

_BATCH: Final = 16  # pictures captioned, and committed, at a time
_THREADS: Final = 4
_PAGE: Final = 1000


def generate_caption(
    images: Image | str | Path | Sequence[Image | str | Path],
    *,
    model: str | Path | Captioner = DEFAULT_CAPTIONER,
) -> list[str]:
    """What pictures show, in English: one caption each, for one or many, files or Pillow images.

    A caption is empty where the model says nothing. Raises :class:`UnreadableFileError`,
    :class:`UnknownModelError`, :class:`WeightsUnavailableError`, :class:`MissingExtraError`.
    """
    captioner = _loaded(str(model)) if isinstance(model, str | Path) else model
    pictures = list(images) if isinstance(images, Sequence) and not isinstance(images, str) else [images]
    captions: list[str] = []
    for start in range(0, len(pictures), _BATCH):
        batch = [as_rgb(picture, captioner.image_size) for picture in pictures[start : start + _BATCH]]
        captions += captioner.caption(batch)
    return captions


@lru_cache(maxsize=2)  # loading costs more than captioning a picture
def _loaded(model: str) -> Captioner:
    return load_captioner(model)


def caption_items(
    catalog: Catalog,
    encoder: TextEncoder,
    model: str | Path | Captioner = DEFAULT_CAPTIONER,
    *,
    where: str | None = None,
    progress: Progress | None = None,
) -> DescribeReport:
    """Captions the pictures that pass ``where`` and have no caption by ``model`` yet.

    ``model`` is a name, a folder, a hub id or a captioner. Each batch is committed by itself: what is written stays,
    whatever ends the run, and the next run goes on from there. Human captions are not touched. A picture that cannot
    be read is skipped and reported.
    """
    condition = parse_filter(where) if where else None
    name = name_of(model, "captioner") if isinstance(model, str | Path) else model.name
    with catalog.writing(), quiet_pillow(), ThreadPoolExecutor(_THREADS, "babelens-decode") as pool:
        writer = DescriptionWriter(catalog, encoder)
        allowed = None if condition is None else catalog.matching_items(condition)
        total = sum(1 for _ in _without_caption(catalog, name, allowed, writer))
        if total:
            captioner = model
            if isinstance(captioner, str | Path):
                captioner = load_captioner(captioner, progress=fetching(progress))
            items = _without_caption(catalog, name, allowed, None)
            done = 0
            for batch in _decoded(items, captioner.image_size, pool):
                done += len(batch)
                _caption(batch, captioner, name, writer)
                if progress is not None:
                    progress(done, total, f"{len(writer.skipped):,} skipped" if writer.skipped else "")
        return writer.report()


def _caption(
    batch: list[tuple[Item, Future[Image]]], captioner: Captioner, name: str, writer: DescriptionWriter
) -> None:
    items, pictures = [], []
    for item, decoded in batch:
        try:
            pictures.append(decoded.result())
            items.append(item)
        except UnreadableFileError as error:
            writer.skipped.append(Skip(item.source.path, error.reason))
    texts = []
    for item, body in zip(items, captioner.caption(pictures) if pictures else [], strict=True):
        verdict = judge_caption(body)
        texts.append(
            Text(item.id, captioner.languages[0], body, "caption-model", verdict.status, name, verdict.reason)
        )
    writer.write(texts)


def _without_caption(
    catalog: Catalog, name: str, allowed: set[str] | None, writer: DescriptionWriter | None
) -> Iterator[Item]:
    """Pictures to be captioned, a page at a time; ``writer`` counts the others."""
    items = catalog.items(["image"])
    while page := list(itertools.islice(items, _PAGE)):
        texts = catalog.texts_of([item.id for item in page])
        for item in page:
            if allowed is not None and item.id not in allowed:
                continue
            if any(text.origin == "caption-model" and text.model == name for text in texts.get(item.id, ())):
                if writer is not None:
                    writer.unchanged += 1
            else:
                yield item


def _decoded(
    items: Iterator[Item], size: int, pool: ThreadPoolExecutor
) -> Iterator[list[tuple[Item, Future[Image]]]]:
    """Batches of pictures, the next one decoding while one is captioned."""

    def submit() -> list[tuple[Item, Future[Image]]]:
        return [
            (item, pool.submit(_load, item.source.path, size)) for item in itertools.islice(items, _BATCH)
        ]

    ahead = submit()
    while ahead:
        batch, ahead = ahead, submit()
        yield batch


def _load(path: str, size: int) -> Image:
    return load_picture(path, target=size).image
