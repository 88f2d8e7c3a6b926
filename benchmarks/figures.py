"""Figures of manuals whose truth is known: how many are found, and how many of those reported are figures.

    python -m benchmarks figures               the nine bundled manuals
    python -m benchmarks.figures FOLDER ...    folders that `recipes/manuals` made in other styles

A figure counts when the box reported covers it and little else, an intersection over union of at least 0.7, one to
one on its page. Warnings with their symbols, tables and running heads are on the pages, and none of them is a figure.
A caption is right when it is the whole caption and nothing else, a label when it is the number of the figure.
Intervals come from drawing devices with replacement where there are several looks, else manuals: languages of a
device share drawings.
"""

from __future__ import annotations

import argparse
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from babelens.demo.manuals import Box, Manual, load_manuals
from babelens.demo.manuals import Figure as TrueFigure
from babelens.metrics.statistics import Bootstrap
from babelens.sources.documents import Figure, read_document

LEAST = 0.7


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in one manual: counts of figures, and of captions and labels among those found."""

    manual: str
    truth: int
    reported: int
    right: int
    captions: int
    captions_right: int
    labels_right: int
    overlaps: tuple[float, ...]
    missed: tuple[str, ...]
    wrong: tuple[str, ...]


def run(folders: Sequence[Path] = ()) -> None:
    """Prints a row for each manual, and recall, precision and the like over all of them."""
    everything: list[Found] = []
    for folder in folders or (None,):
        print(f"\n{folder.name if folder else 'the bundled manuals'}")
        print(
            f"{'manual':<22}{'figures':>8}{'reported':>9}{'right':>6}{'captions':>9}{'labels':>7}{'overlap':>8}"
        )
        found = [judged(manual) for manual in load_manuals(folder)]
        for one in found:
            print(
                f"{one.manual:<22}{one.truth:>8}{one.reported:>9}{one.right:>6}"
                f"{f'{one.captions_right}/{one.captions}':>9}{f'{one.labels_right}/{one.captions}':>7}"
                f"{np.mean(one.overlaps) if one.overlaps else 0.0:>8.2f}"
            )
            for what in one.missed:
                print(f"    missed: {what}")
            for what in one.wrong:
                print(f"    not a figure: {what}")
        _print_shares(found)
        everything += found
    if len(folders) > 1:
        print("\nall of them")
        _print_shares(everything)


def judged(manual: Manual) -> Found:
    """Reads a manual and compares its figures with the truth."""
    document = read_document(manual.path)
    pairs = matched(manual.figures, document.figures)
    named = [(true, document.figures[place]) for true, place in pairs if true.label is not None]
    used = {place for _, place in pairs}
    seen = [true for true, _ in pairs]
    return Found(
        manual=manual.path.stem,
        truth=len(manual.figures),
        reported=len(document.figures),
        right=len(pairs),
        captions=len(named),
        captions_right=sum(is_caption(figure.caption, true) for true, figure in named),
        labels_right=sum(number(figure.label) == number(true.label) for true, figure in named),
        overlaps=tuple(overlap(true.box, document.figures[place].box) for true, place in pairs),
        missed=tuple(f"{true.label or 'the cover'}, page {true.page}" for true in manual.figures if true not in seen),
        wrong=tuple(
            f"page {figure.page}, {figure.box}" for place, figure in enumerate(document.figures) if place not in used
        ),
    )  # fmt: skip


def matched(truth: Sequence[TrueFigure], reported: Sequence[Figure]) -> list[tuple[TrueFigure, int]]:
    """Figures with the place of the one reported for each, the best pairs first; each is used once."""
    pairs = sorted(
        (
            (overlap(true.box, figure.box), first, second)
            for first, true in enumerate(truth)
            for second, figure in enumerate(reported)
            if true.page == figure.page
        ),
        reverse=True,
    )
    result: dict[int, int] = {}
    for share, first, second in pairs:
        if share >= LEAST and first not in result and second not in result.values():
            result[first] = second
    return [(truth[first], second) for first, second in sorted(result.items())]


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return shared / (areas - shared) if areas > shared else 0.0


def is_caption(text: str | None, true: TrueFigure) -> bool:
    """Whether a text is the label and caption of a figure, white space and the look of letters apart."""
    return text is not None and _plain(text) == _plain(f"{true.label} {true.caption}")


def number(label: str | None) -> str | None:
    """The digits of a label: "3" of "الشكل ٣" and of "figure 3"."""
    found = re.search(r"\d+(?:-\d+)*", _plain(label)) if label is not None else None
    return found[0] if found else None


def _plain(text: str) -> str:
    text = re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).casefold()
    return "".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in text)


def _print_shares(found: Sequence[Found]) -> None:
    groups = np.array([one.manual for one in found])
    columns = {
        "recall": ([one.right for one in found], [one.truth for one in found]),
        "precision": ([one.right for one in found], [one.reported for one in found]),
        "captions right, of figures found": ([one.captions_right for one in found], [one.captions for one in found]),
        "labels right, of figures found": ([one.labels_right for one in found], [one.captions for one in found]),
    }  # fmt: skip
    for name, (parts, wholes) in columns.items():
        print(f"{name:<34}{share(np.array(parts), np.array(wholes), groups)}")


def share(parts: NDArray[np.int64], wholes: NDArray[np.int64], groups: NDArray[np.str_]) -> str:
    """``"61/63 = 0.968 (0.937-1.000)"``: with its 95 % interval from drawing groups with replacement.

    Where all are right every draw is the same; the interval is then that of so many groups (Clopper and Pearson 1934).
    """
    bootstrap = Bootstrap(groups)
    draws = bootstrap.each(lambda weights: (weights @ parts) / (weights @ wholes))
    low, high = np.percentile(draws, [2.5, 97.5])
    total, whole = int(parts.sum()), int(wholes.sum())
    if total == whole:
        low = 0.025 ** (1 / bootstrap.groups)
    return f"{total}/{whole} = {total / whole:.3f} ({low:.3f}-{high:.3f}, {bootstrap.groups} manuals)"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.figures", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("folders", type=Path, nargs="*", help="of PDFs and what is true of them; see above")
    run(folders=parser.parse_args().folders)
