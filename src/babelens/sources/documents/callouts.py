"""Finds the words that belong to a drawing: callouts, dimensions, a legend beside it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from .drawings import merge
from .labels import caption_label
from .layout import Rect, Region, Segment, union

# In pixels at 150 dpi.
_NEAR: Final = 14.0
_BESIDE: Final = 48.0
_CAPTION: Final = 60.0
_LOOSE: Final = 0.6  # of the size, between lines
_LONG: Final = 20  # letters
_HEADING: Final = 1.2  # of the size of running text
_SIGN: Final = 2  # letters of a large "A" or "2" in a drawing


def with_callouts(
    regions: Sequence[Region], segments: Sequence[Segment], rules: Sequence[Rect], size: tuple[float, float]
) -> tuple[Region, ...]:
    """Regions with their words, from the top. ``rules`` divide words of another cell of a table from a drawing."""
    running = _running_size(segments)
    words = [s for s in segments if s.size < _HEADING * running or len(s.text) <= _SIGN]
    captions = [segment.rect for segment in segments if caption_label(segment.text) is not None]
    grown = []
    for region in regions:
        rect = _with_near(region.rect, segments, words, rules)
        rect = _with_legend(rect, segments, words, captions)
        grown.append(Region(rect.clipped(*size), region.vector))
    return tuple(sorted(merge(grown), key=lambda region: (region.rect.y0, region.rect.x0)))


def _running_size(segments: Sequence[Segment]) -> float:
    """The size most letters have; what is clearly larger is a heading."""
    weights: dict[float, int] = {}
    for segment in segments:
        weights[segment.size] = weights.get(segment.size, 0) + len(segment.text)
    return max(weights, key=lambda size: weights[size], default=0.0)


def _with_near(
    rect: Rect, segments: Sequence[Segment], words: Sequence[Segment], rules: Sequence[Rect]
) -> Rect:
    """A region with the words that stand partly inside it, and short ones at its edge."""
    inside = [segment.rect for segment in segments if 0.3 < segment.rect.inside(rect) < 1.0]
    wide = union([rect, *inside])
    outside = [segment for segment in segments if segment.rect.inside(wide) < 0.3]
    near = [
        segment.rect
        for segment in words
        if segment in outside
        and len(segment.text) < _LONG
        and segment.rect.meets(wide.grown(_NEAR))
        and not _has_neighbour(segment, outside)
        and not _is_divided(segment.rect, wide, rules)
    ]
    return union([wide, *near])


def _has_neighbour(segment: Segment, lines: Sequence[Segment]) -> bool:
    """Whether a line stands in running text: a long one is right above or below it."""
    around = segment.rect.grown(segment.size * 0.8)
    return any(
        other is not segment and len(other.text) >= _LONG and other.rect.meets(around) for other in lines
    )


def _is_divided(words: Rect, drawing: Rect, rules: Sequence[Rect]) -> bool:
    """Whether the side of a cell, a rule that goes beyond both, runs between words and a drawing."""
    for rule in rules:
        lying = rule.width >= rule.height
        if lying and rule.x0 <= min(words.x0, drawing.x0) and rule.x1 >= max(words.x1, drawing.x1):
            first, second = sorted([(words.y0, words.y1), (drawing.y0, drawing.y1)])
            middle = (rule.y0 + rule.y1) / 2
        elif not lying and rule.y0 <= min(words.y0, drawing.y0) and rule.y1 >= max(words.y1, drawing.y1):
            first, second = sorted([(words.x0, words.x1), (drawing.x0, drawing.x1)])
            middle = (rule.x0 + rule.x1) / 2
        else:
            continue
        if first[1] - _NEAR / 2 < middle < second[0] + _NEAR / 2:
            return True
    return False


def _with_legend(
    rect: Rect, segments: Sequence[Segment], words: Sequence[Segment], captions: Sequence[Rect]
) -> Rect:
    """A region with the short words that stand beside it, if its caption is centred under both, or if they are set
    too loosely for running text and are no part of a table."""
    level = [s for s in segments if rect.y0 - _NEAR < s.rect.y0 and s.rect.y1 < rect.y1 + _NEAR]
    for right in (True, False):
        side = sorted((s for s in level if _gap(rect, s.rect, right) >= 0), key=lambda s: s.rect.y0)
        beside = [
            s for s in side if s in words and len(s.text) < _LONG and _gap(rect, s.rect, right) < _BESIDE
        ]
        if not beside:
            continue
        both = union([rect, *(s.rect for s in beside)])
        loose = all(b.rect.y0 - a.rect.y1 > _LOOSE * a.size for a, b in pairwise(beside))
        # Words farther out would be another column.
        alone = len(beside) > 1 and all(s in beside for s in side)
        if (loose and alone) or _is_centred(rect, both, captions):
            rect = both
    return rect


def _gap(rect: Rect, words: Rect, right: bool) -> float:
    return words.x0 - rect.x1 if right else rect.x0 - words.x1


def _is_centred(rect: Rect, both: Rect, captions: Sequence[Rect]) -> bool:
    """Whether the caption right under or above a region is centred under ``both`` rather than under the region."""
    for caption in captions:
        apart = caption.y0 - rect.y1 if caption.y0 > rect.y0 else rect.y0 - caption.y1
        if -2 <= apart < _CAPTION and caption.x0 < rect.x1 and caption.x1 > rect.x0:
            middle = caption.x0 + caption.x1
            return abs(middle - both.x0 - both.x1) < 0.3 * abs(middle - rect.x0 - rect.x1)
    return False
