"""Ties figures to their captions, to the passages that mention them and to those around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from .labels import caption_label, is_certain_caption
from .layout import Block, PageLayout, Rect, Region, union
from .types import Figure, Passage

if TYPE_CHECKING:
    from .sections import Sections

_FARTHEST: Final = 130.0
_BESIDE: Final = 60.0
_SET_ASIDE: Final = 60.0
_FAR_ASIDE: Final = 350.0
_SAME_FIGURE: Final = 45.0
_NEXT_STEP: Final = 120.0
_LONGEST_CAPTION: Final = 400
_LEGEND_LINES: Final = 3
_LEGEND_GAP: Final = 14.0
_PROSE_LENGTH: Final = 25
_AROUND: Final = 2
_MOST_PASSAGES: Final = 12


@dataclass(frozen=True, slots=True)
class Caption:
    """A block that says what a figure shows; ``certain`` when it cannot be a sentence that only mentions one,
    ``strong`` when it is set as running text is not."""

    label: str | None
    text: str
    rect: Rect
    certain: bool
    strong: bool = False

    @property
    def firmness(self) -> tuple[bool, bool]:
        return self.certain, self.strong


def figures_of(page: PageLayout, sections: Sections, count: int) -> list[Figure]:
    """The figures of a page with their captions; ``count`` figures came before. Passages are tied later."""
    captions = list(_captions(page, sections))
    regions = list(page.regions)
    tied = _assign(regions, captions)
    prose = [
        line.rect
        for block in page.blocks
        if block.kind != "label"
        for line in block.lines
        if len(line.text) >= _PROSE_LENGTH
    ]
    regions, tied = _completed(regions, tied, prose)
    for index, region in enumerate(regions):
        block = next((block for block in page.blocks if is_legend(block, region)), None)
        if index not in tied and block is not None and caption_label(block.lines[0].text) is None:
            tied[index] = Caption(None, sections.joined(block.lines)[:_LONGEST_CAPTION], block.rect, False)
    figures = []
    for index, region in enumerate(regions):
        caption = tied.get(index)
        figures.append(
            Figure(
                key=f"f{page.number}.{count + index + 1}",
                page=page.number,
                box=region.rect.pixels(),
                label=caption.label if caption else None,
                caption=caption.text if caption else None,
                passages=(),
                vector=region.vector,
            )
        )
    return figures


def _completed(
    regions: list[Region], tied: dict[int, Caption], lines: Sequence[Rect]
) -> tuple[list[Region], dict[int, Caption]]:
    """Regions where a figure of several steps side by side is one: a part without a caption joins the neighbour that
    has one when it is near, or when the caption is centred under both."""
    for index, caption in sorted(tied.items()):
        for other, part in enumerate(regions):
            region = regions[index]
            both = union((region.rect, part.rect))
            level = min(region.rect.y1, part.rect.y1) - max(region.rect.y0, part.rect.y0)
            if (
                other in tied
                or caption.label is None
                or level < 0.5 * min(region.rect.height, part.rect.height)
            ):
                continue
            middle = caption.rect.x0 + caption.rect.x1
            centred = abs(middle - both.x0 - both.x1) < 0.6 * abs(middle - region.rect.x0 - region.rect.x1)
            apart = max(part.rect.x0 - region.rect.x1, region.rect.x0 - part.rect.x1)
            if (centred or apart < _NEXT_STEP) and not any(line.inside(both) > 0.5 for line in lines):
                regions[index] = Region(both, region.vector and part.vector, region.look)
                rest = [number for number in range(len(regions)) if number != other]
                tied = {rest.index(number): found for number, found in tied.items()}
                return _completed([regions[number] for number in rest], tied, lines)
    return regions, tied


def is_legend(block: Block, region: Region) -> bool:
    """Whether a block is a caption without a number: a few lines close under a figure, set like no running text."""
    rect, figure = block.rect, region.rect
    return (
        block.kind == "text"
        and len(block.lines) <= _LEGEND_LINES
        and block.strong
        and -0.3 * rect.height <= rect.y0 - figure.y1 <= _LEGEND_GAP
        and rect.x0 >= figure.x0 - 20
        and rect.x1 <= figure.x1 + 20
    )


def merged_parts(page: PageLayout) -> PageLayout:
    """The page with neighbouring regions that share one caption, and have nothing between them, as one region."""
    lines = [line.rect for block in page.blocks if block.kind != "label" for line in block.lines]
    labelled = sum(
        caption_label(block.lines[0].text) is not None for block in page.blocks if block.kind == "text"
    )
    regions = list(page.regions)
    changed = labelled > 0 and len(regions) > labelled
    while changed:
        changed = False
        for i, first in enumerate(regions):
            for second in regions[i + 1 :]:
                both = union((first.rect, second.rect))
                near = first.rect.grown(_SAME_FIGURE).meets(second.rect)
                if near and not any(line.inside(both) > 0.5 for line in lines):
                    regions = [region for region in regions if region not in (first, second)]
                    regions.append(Region(both, first.vector and second.vector))
                    changed = True
                    break
            if changed:
                break
    regions.sort(key=lambda region: (region.rect.y0, region.rect.x0))
    return replace(page, regions=tuple(regions))


def _captions(page: PageLayout, sections: Sections) -> list[Caption]:
    found = []
    for block in page.blocks:
        if block.kind == "table":
            continue
        for number, line in enumerate(block.lines):
            label = caption_label(line.text)
            if label is None or (block.kind == "text" and number > 0):
                continue
            lines = block.lines[number:] if block.kind == "text" else block.lines[number : number + 1]
            text = sections.joined(lines)[:_LONGEST_CAPTION]
            certain = is_certain_caption(line.text)
            if certain or len(lines) <= 3:
                rect = union(line.rect for line in lines)
                found.append(Caption(label, text, rect, certain, all(line.strong for line in lines)))
    # A page has one caption of a number: what else begins with it, and is set less firmly, is a sentence.
    firmest: dict[str | None, tuple[bool, bool]] = {}
    for caption in found:
        firmest[caption.label] = max(firmest.get(caption.label, (False, False)), caption.firmness)
    return [caption for caption in found if caption.firmness == firmest[caption.label]]


def _assign(regions: Sequence[Region], captions: Sequence[Caption]) -> dict[int, Caption]:
    """To each region the nearest caption that no nearer region has, the certain ones first."""
    pairs = []
    for i, region in enumerate(regions):
        for j, caption in enumerate(captions):
            distance = _distance(region.rect, caption.rect)
            if distance is not None:
                pairs.append((not caption.certain, distance, i, j))
    tied: dict[int, Caption] = {}
    used: set[int] = set()
    for _, _, i, j in sorted(pairs):
        if i not in tied and j not in used:
            tied[i] = captions[j]
            used.add(j)
    return tied


def _distance(region: Rect, caption: Rect) -> float | None:
    """How far a caption is from a figure, in pixels; ``None`` when it is too far or stands askew. One below counts
    as a little nearer than one above, one beside as farther."""
    across = min(region.x1, caption.x1) - max(region.x0, caption.x0)
    down = min(region.y1, caption.y1) - max(region.y0, caption.y0)
    if across > 0:
        gap = max(-down, 0.0)
        below = caption.y0 >= region.y0 + 0.5 * region.height
        return gap + (0.0 if below else 15.0) if gap <= _FARTHEST else None
    if down > 0 and -across <= _BESIDE:
        return -across + 40.0
    # One set to the margin, under or above a figure that is not.
    if 0 <= -down <= _SET_ASIDE and -across <= _FAR_ASIDE:
        return _FARTHEST - down + 0.2 * -across
    return None


def tie_passages(
    figures: Sequence[Figure], passages: Sequence[Passage], asides: dict[str, str]
) -> list[Figure]:
    """Figures with the keys of their passages: those that mention them, their own words (``asides``, by figure),
    and the nearest ones of the page."""
    mentions: dict[str, list[str]] = {}
    pages: dict[int, list[Passage]] = {}
    for passage in passages:
        pages.setdefault(passage.page, []).append(passage)
        for label in passage.mentions:
            mentions.setdefault(label, []).append(passage.key)
    own = set(asides.values())
    tied = []
    for figure in figures:
        keys = list(mentions.get(figure.label, ())) if figure.label else []
        around = [passage for passage in pages.get(figure.page, ()) if passage.key not in own]
        around.sort(key=lambda passage: _apart(passage.box, figure.box))
        keys = keys[: _MOST_PASSAGES - _AROUND - 1]
        keys += [asides[figure.key]] if figure.key in asides else []
        keys += [passage.key for passage in around[:_AROUND]]
        tied.append(replace(figure, passages=tuple(dict.fromkeys(keys))))
    return tied


def _apart(first: tuple[int, int, int, int], second: tuple[int, int, int, int]) -> int:
    across = max(first[0], second[0]) - min(first[2], second[2])
    down = max(first[1], second[1]) - min(first[3], second[3])
    return max(across, 0) + max(down, 0)
