"""A map of a collection's pictures and captions: vectors laid out in the plane, as PNG, SVG and one interactive page.

It illustrates and proves nothing: neighbours on the map are often neighbours in the space, but distances, sizes of
clusters and empty room between them mean little (Wattenberg et al. 2016, "How to use t-SNE effectively"). What can be
said in figures is said in figures beside it: the modality gap, and how texts score with their own picture.
"""

from __future__ import annotations

import textwrap
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import CollectionError, InvalidQueryError
from ..metrics.statistics import Estimate
from ..types import Progress, Skip, Text
from .figures import PICTURES, QUIET, in_order, new_figure, save, series, styled
from .map_page import CAPPED, MapPicture, MapText, map_page
from .modality_gap import ModalityGap, modality_gap
from .projection import NAMES, Method, Projection, project

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..collection import Collection, EmbeddedItem

LIMIT: Final = 2000
_NAME: Final = "map"


@dataclass(frozen=True, slots=True)
class MapReport:
    """What was drawn and where it lies. ``texts`` counts by language; ``gap`` is None without two pictures and a text.

    ``method`` is what was used, with all its ``parameters``; ``blank`` are pictures that the page has no thumbnail of.
    """

    html: Path
    png: Path
    svg: Path
    html_bytes: int
    method: Method
    parameters: Mapping[str, float | int | str]
    seed: int
    pictures: int
    texts: Mapping[str, int]
    gap: ModalityGap | None
    blank: tuple[Skip, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def unreadable(self) -> int:
        """How many pictures are blank since their file could not be read, not since the page is full."""
        return sum(skip.reason != CAPPED for skip in self.blank)


def embedding_map(
    collection: Collection,
    out: str | Path,
    *,
    method: Method = "tsne",
    languages: Sequence[str] | None = None,
    limit: int = LIMIT,
    seed: int = 0,
    progress: Progress | None = None,
) -> MapReport:
    """Draws a collection's pictures and human captions as ``map.png``, ``map.svg`` and ``map.html`` in ``out``.

    Up to ``limit`` points: pictures are drawn by lot, each with the first of its captions in each of ``languages`` (all
    of them, without). Reads the collection and writes nothing to it; needs no encoder. ``progress`` counts pictures
    while their thumbnails are made.

    Raises :class:`CollectionError` when there are no vectors, :class:`InvalidQueryError`,
    :class:`UnknownLanguageError`, :class:`MissingExtraError`.
    """
    started = time.perf_counter()
    if limit < 1:
        raise InvalidQueryError("A map needs room for one point at least.")
    drawn = within(collection.draw(limit, languages=languages, seed=seed), limit)
    if not drawn:
        raise CollectionError(
            f"{collection.path} holds no vectors of pictures, so there is nothing to draw.",
            hint="Add pictures with `babelens index`.",
        )
    texts = [text for item in drawn for text in item.texts]
    owners = np.array([row for row, item in enumerate(drawn) for _ in item.texts], dtype=np.int64)
    images = np.stack([item.vector for item in drawn])
    captions = np.concatenate([item.text_vectors for item in drawn])

    layout = project(np.concatenate([images, captions]), method, seed=seed, progress=progress)
    gap = modality_gap(images, captions, owners, seed=seed) if len(images) > 1 and len(texts) else None
    notes = _notes(method, layout, texts, languages)
    by_language = Counter(text.language for text in texts)
    counts = {tag: by_language[tag] for tag in in_order(by_language)}
    caption = describe(
        layout, gap, pictures=len(drawn), texts=counts, encoder=Path(collection.model).name, seed=seed
    )

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    places = layout.places
    figure = map_figure(
        places[: len(drawn)], places[len(drawn) :], [text.language for text in texts], caption=caption
    )
    png, svg = save(figure, folder / _NAME)
    page, blank = map_page(
        [
            MapPicture(item.item, place)
            for item, place in zip(drawn, _pairs(places[: len(drawn)]), strict=True)
        ],
        [
            MapText(text, owner, place)
            for text, owner, place in zip(texts, owners.tolist(), _pairs(places[len(drawn) :]), strict=True)
        ],
        caption=caption,
        progress=progress,
    )
    html = folder / f"{_NAME}.html"
    html.write_text(page, encoding="utf-8")
    return MapReport(
        html=html,
        png=png,
        svg=svg,
        html_bytes=html.stat().st_size,
        method=layout.method,
        parameters=layout.parameters,
        seed=seed,
        pictures=len(drawn),
        texts=counts,
        gap=gap,
        blank=blank,
        notes=notes,
        seconds=time.perf_counter() - started,
    )


def describe(
    layout: Projection,
    gap: ModalityGap | None,
    *,
    pictures: int,
    texts: Mapping[str, int],
    encoder: str,
    seed: int,
) -> tuple[str, ...]:
    """The caption of a map, a paragraph each: what it is not, how it was made, and what was measured instead."""
    parameters = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in layout.parameters.items())
    total = sum(texts.values())
    shown = ", ".join(f"{tag} {n:,}" for tag, n in texts.items())
    made = (
        f"{NAMES[layout.method]} ({parameters}; seed {seed}) of {_count(pictures, 'picture')} and "
        f"{_count(total, 'caption')}{f' ({shown})' if shown else ''}, as {encoder} sees them."
    )
    illustration = (
        "An illustration: distances in a map of two dimensions are not distances in the space, and groups may come "
        "from the method."
    )
    if gap is None:
        measured = "The modality gap was not measured: that takes two pictures and a caption."
    else:
        measured = (
            f"Modality gap {_figure(gap.distance)}: the distance between the centroids of unit picture and text "
            f"vectors; none would be 0. Mean cosine of a caption with its own picture {_figure(gap.matched)}, with the "
            f"other pictures {_figure(gap.mismatched)}. n\u00a0=\u00a0{_count(gap.distance.n, 'caption')} of "
            f"{_count(gap.pictures, 'picture')}; 95 % intervals, pictures resampled."
        )
    return illustration, made, measured


@styled
def map_figure(
    pictures: NDArray[np.float32],
    texts: NDArray[np.float32],
    languages: Sequence[str],
    *,
    caption: Sequence[str],
) -> Figure:
    """A still map: pictures as open squares, texts by language. Shape: (m, 2), (n, 2), n tags."""
    figure = new_figure(8.0, 7.6)
    axes = figure.subplots()
    size = 26 if len(pictures) + len(texts) <= 1000 else 14
    axes.scatter(
        pictures[:, 0], pictures[:, 1], s=size, marker="s", facecolors="none", edgecolors=PICTURES, linewidths=0.9,
        label=f"pictures, n = {len(pictures):,}",
    )  # fmt: skip
    tags = np.array(languages, dtype=object)
    for number, tag in enumerate(in_order(languages)):
        colour, marker, _ = series(tag, number)
        chosen = texts[tags == tag]
        axes.scatter(
            chosen[:, 0], chosen[:, 1], s=size, marker=marker, color=colour, alpha=0.8, linewidths=0,
            label=f"{tag}, n = {len(chosen):,}",
        )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_title("Pictures and captions in one space")
    figure.legend(loc="outside right upper", markerscale=1.3)
    lines = [line for paragraph in caption for line in textwrap.wrap(paragraph, 118)]
    figure.supxlabel("\n".join(lines), fontsize=8.5, color=QUIET, ha="left", x=0.015)
    return figure


def within(drawn: Sequence[EmbeddedItem], limit: int) -> list[EmbeddedItem]:
    """The first items that fit whole, each with the first of its texts in each language; a lone one may be cut."""
    kept: list[EmbeddedItem] = []
    room = limit
    for item in drawn:
        first: dict[str, int] = {}
        for row, text in enumerate(item.texts):
            first.setdefault(text.language, row)
        rows = [first[tag] for tag in in_order(first)]
        if 1 + len(rows) > room:
            if kept:
                break
            rows = rows[: room - 1]
        texts = tuple(item.texts[row] for row in rows)
        kept.append(type(item)(item.item, item.vector, texts, item.text_vectors[rows]))
        room -= 1 + len(rows)
    return kept


def _notes(
    method: Method, layout: Projection, texts: Sequence[Text], languages: Sequence[str] | None
) -> tuple[str, ...]:
    notes = []
    if layout.method != method:
        notes.append(f"So few points were laid out with {NAMES[layout.method]}: {NAMES[method]} needs five.")
    if not texts:
        asked = f" in {', '.join(languages)}" if languages else ""
        notes.append(f"The pictures drawn have no human captions{asked}: the map shows pictures alone.")
    return tuple(notes)


def _pairs(places: NDArray[np.float32]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in places]


def _figure(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
