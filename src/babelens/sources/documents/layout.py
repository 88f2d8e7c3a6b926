"""What is known of one page before the pages are seen together: lines in blocks, in reading order, and regions.

These travel from the process that reads a PDF to the one that asked, so each has a form in plain lists.
Coordinates are pixels at 150 dpi from the top left, as floats.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from .types import DPI, Box, PageSource

PIXELS_PER_POINT: Final = DPI / 72


class Rect(NamedTuple):
    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        return max(self.width, 0.0) * max(self.height, 0.0)

    def grown(self, by: float) -> Rect:
        return Rect(self.x0 - by, self.y0 - by, self.x1 + by, self.y1 + by)

    def meets(self, other: Rect) -> bool:
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1

    def shared(self, other: Rect) -> float:
        """The area both cover."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        return max(width, 0.0) * max(height, 0.0)

    def inside(self, other: Rect) -> float:
        """The share of this that lies in ``other``, in [0, 1]."""
        return self.shared(other) / self.area if self.area > 0 else 0.0

    def clipped(self, width: float, height: float) -> Rect:
        return Rect(
            min(max(self.x0, 0.0), width),
            min(max(self.y0, 0.0), height),
            min(max(self.x1, 0.0), width),
            min(max(self.y1, 0.0), height),
        )

    def pixels(self) -> Box:
        return (int(self.x0), int(self.y0), int(-(-self.x1 // 1)), int(-(-self.y1 // 1)))


def union(rects: Iterable[Rect]) -> Rect:
    """The smallest rectangle around all of ``rects``, of which there is at least one."""
    x0, y0, x1, y1 = zip(*rects, strict=True)
    return Rect(min(x0), min(y0), max(x1), max(y1))


@dataclass(frozen=True, slots=True)
class Segment:
    """Words on one line without a wide gap. ``size`` is the font size and ``baseline`` the height of its foot."""

    text: str
    rect: Rect
    size: float
    strong: bool = False
    baseline: float = 0.0


BlockKind = Literal["text", "table", "label"]


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that belong together: a paragraph, a heading, a table (one line a row) or the labels of a figure."""

    kind: BlockKind
    lines: tuple[Segment, ...]

    @property
    def rect(self) -> Rect:
        return union(line.rect for line in self.lines)

    @property
    def size(self) -> float:
        """The size most letters have."""
        weights: dict[float, int] = {}
        for line in self.lines:
            weights[line.size] = weights.get(line.size, 0) + len(line.text)
        return max(weights, key=lambda size: weights[size])

    @property
    def strong(self) -> bool:
        return all(line.strong for line in self.lines)


@dataclass(frozen=True, slots=True)
class Region:
    """A place on the page that holds a picture or a drawing. ``look`` is the same for two that look the same."""

    rect: Rect
    vector: bool
    look: str = ""


@dataclass(frozen=True, slots=True)
class PageLayout:
    """One page. ``unread`` tells why its words are not here although it has some; ``None`` when nothing is amiss."""

    number: int
    width: float
    height: float
    source: PageSource
    blocks: tuple[Block, ...] = ()
    regions: tuple[Region, ...] = ()
    unread: str | None = None
    rtl: bool = False


def to_plain(page: PageLayout) -> dict[str, Any]:
    """A page as JSON can carry it."""
    return {
        "number": page.number,
        "size": [page.width, page.height],
        "source": page.source,
        "unread": page.unread,
        "rtl": page.rtl,
        "regions": [[*map(_short, region.rect), region.vector, region.look] for region in page.regions],
        "blocks": [
            [
                block.kind,
                [
                    [*map(_short, line.rect), line.text, line.size, line.strong, _short(line.baseline)]
                    for line in block.lines
                ],
            ]
            for block in page.blocks
        ],
    }


def from_plain(data: dict[str, Any]) -> PageLayout:
    """The inverse of :func:`to_plain`, up to a tenth of a pixel."""
    return PageLayout(
        number=data["number"],
        width=data["size"][0],
        height=data["size"][1],
        source=data["source"],
        unread=data["unread"],
        rtl=data["rtl"],
        regions=tuple(Region(Rect(*row[:4]), row[4], row[5]) for row in data["regions"]),
        blocks=tuple(
            Block(kind, tuple(Segment(row[4], Rect(*row[:4]), row[5], bool(row[6]), row[7]) for row in lines))
            for kind, lines in data["blocks"]
        ),
    )


def _short(value: float) -> float:
    return round(value, 1)
