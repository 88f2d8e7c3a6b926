"""What the wall shows of an item: a picture with its size and description, or a sheet with the words found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

from ...passages import body_of
from ...retrieval.calibration import CONFIDENT
from ...search.excerpts import Excerpt, excerpt
from ...types import Hit, Item, Origin, Reason, Text
from ..rendering import confidence_of, readable
from ..service import THUMBNAIL_SIDE
from .language import N_, Speech

STRONG: Final = 0.8
_EXCERPT: Final = 150
_ALT: Final = 240
_NO_LANGUAGE: Final = "und"

# Which text describes a picture best, where several are in the same language.
_TRUST: Final[tuple[Origin, ...]] = ("human", "alt", "document", "translation", "caption-model", "filename")
ORIGINS: Final[Mapping[str, str]] = {
    "human": N_("written by a person"),
    "alt": N_("written by a person"),
    "caption-model": N_("written by a model"),
    "translation": N_("translated by a model"),
    "filename": N_("from the file name"),
    "document": N_("from the document"),
    "ocr": N_("printed in the picture"),
}
KIND_NAMES: Final[Mapping[str, str]] = {
    "image": N_("Pictures"),
    "page": N_("Pages"),
    "figure": N_("Figures"),
    "passage": N_("Passages"),
}
KIND_NAME: Final[Mapping[str, str]] = {
    "image": N_("Picture"),
    "page": N_("Page"),
    "figure": N_("Figure"),
    "passage": N_("Passage"),
}
STRENGTHS: Final[Mapping[str, str]] = {
    "strong": N_("Strong match"),
    "fair": N_("Fair match"),
    "weak": N_("Weak match"),
}
_FOUND_BY: Final[Mapping[str, str]] = {
    "image": N_("picture"),
    "caption": N_("caption"),
    "passage": N_("document text"),
    "ocr": N_("printed text"),
    "document": N_("document text"),
    "words": N_("words of the caption"),
}

# Shapes that rows are made of, width over height. The style sheet has a class for each: a strict
# Content-Security-Policy allows no styles in the page, and rows must not wait for a script.
_NARROWEST: Final = 0.5
_WIDEST: Final = 2.6
_STEP: Final = 0.05
_SHEET: Final = 1.5
_SHEETS: Final = frozenset({"passage", "page"})


@dataclass(frozen=True, slots=True)
class Tile:
    """``shape`` names the class of its proportions; ``excerpt`` is marked up, None where the picture says all.
    ``strength`` is one of :data:`STRENGTHS`, None when nothing can tell."""

    item: Item
    address: str
    more: str
    thumbnail: str | None
    width: int
    height: int
    shape: str
    alt: str
    alt_language: str | None
    origin: str | None
    place: str
    excerpt: Markup | None
    excerpt_language: str | None
    strength: str | None
    why: str
    rank: int | None

    @property
    def is_sheet(self) -> bool:
        return self.item.kind in _SHEETS


def tile_of(
    item: Item,
    texts: Sequence[Text],
    speech: Speech,
    *,
    address: str,
    more: str,
    thumbnail: str | None,
    hit: Hit | None = None,
    rank: int | None = None,
    confident: bool = True,
    words: str = "",
) -> Tile:
    """``address`` is where the item is, ``more`` where what is like it; ``words`` are those to mark."""
    best = best_caption(texts, speech.tag)
    width, height = small_size(item)
    shown = sheet_text(texts, hit) if item.kind in _SHEETS else None
    marked = None if shown is None else excerpt(_body(item, shown), words, language_of(shown), width=_EXCERPT)
    place = place_of(item, speech)
    return Tile(
        item=item,
        address=address,
        more=more,
        thumbnail=thumbnail,
        width=width,
        height=height,
        shape=shape_of(_SHEET if item.kind in _SHEETS else width / height),
        alt=description_of(item, best, speech),
        alt_language=None if best is None else language_of(best),
        origin=None if best is None else speech.text(ORIGINS[best.origin]),
        place=place,
        excerpt=None if marked is None else marked_up(marked),
        excerpt_language=None if shown is None else language_of(shown),
        strength=None if hit is None else strength_of(hit, confident=confident),
        why="" if hit is None else why_of(hit, speech),
        rank=rank,
    )


# -- sizes -------------------------------------------------------------------------------------------------------


def small_size(item: Item) -> tuple[int, int]:
    """Width and height of an item's thumbnail; a square where they are not known."""
    width, height = full_size(item)
    scale = (
        min(1.0, THUMBNAIL_SIDE / max(width, height))
        if item.kind == "image"
        else THUMBNAIL_SIDE / max(width, height)
    )
    return max(1, round(width * scale)), max(1, round(height * scale))


def full_size(item: Item) -> tuple[int, int]:
    """Width and height of an item in pixels, of its box where it is part of a page."""
    if item.source.box is not None:
        x0, y0, x1, y1 = item.source.box
        return max(1, x1 - x0), max(1, y1 - y0)
    width, height = item.metadata.get("width"), item.metadata.get("height")
    if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
        return width, height
    return THUMBNAIL_SIDE, THUMBNAIL_SIDE


def shape_of(ratio: float) -> str:
    """The class of a shape, such as ``r130`` for 1.3, to the nearest of those that there are."""
    bounded = min(max(ratio, _NARROWEST), _WIDEST)
    return f"r{round(100 * _STEP * round(bounded / _STEP)):03d}"


def shapes() -> list[tuple[str, float]]:
    """All classes and what they stand for."""
    first, last = round(_NARROWEST / _STEP), round(_WIDEST / _STEP)
    return [(shape_of(step * _STEP), round(step * _STEP, 2)) for step in range(first, last + 1)]


# -- words -------------------------------------------------------------------------------------------------------


def best_caption(texts: Sequence[Text], tag: str) -> Text | None:
    """The text that describes an item to a reader of a language: in that language if there is one, else in English,
    else any."""
    usable = [text for text in texts if text.status == "ok" and text.origin in _TRUST]
    return min(
        usable,
        key=lambda text: (text.language != tag, text.language != "en", _TRUST.index(text.origin)),
        default=None,
    )


def description_of(item: Item, caption: Text | None, speech: Speech) -> str:
    """What stands in for a picture where it cannot be seen."""
    if caption is not None and item.kind != "passage":
        return _cut(_body(item, caption))
    if item.kind == "image":
        name = readable(str(item.metadata.get("name") or "?"))
        return speech.text(N_("Picture without a description, %(name)s"), name=name)
    label = item.metadata.get("label")
    name = str(label) if label else speech.text(KIND_NAME[item.kind])
    return f"{readable(name)} · {place_of(item, speech)}"


def place_of(item: Item, speech: Speech) -> str:
    """Where an item stands: its document and page, or the name of its file."""
    name = readable(str(item.metadata.get("document") or item.metadata.get("name") or ""))
    isolated = f"\u2068{name}\u2069" if name else ""
    if item.source.page is None:
        return isolated
    return speech.text(
        N_("%(document)s, page %(page)s"),
        document=isolated,
        page=speech.number(item.source.page),
    )


def sheet_text(texts: Sequence[Text], hit: Hit | None) -> Text | None:
    """The text that a sheet shows: the one that was found, else the item's own."""
    for reason in surest(hit) if hit is not None else ():
        if reason.text is not None:
            return reason.text
    return next((text for text in texts if text.status == "ok" and text.body.strip()), None)


def language_of(text: Text) -> str | None:
    return None if text.language == _NO_LANGUAGE else text.language


def marked_up(found: Excerpt) -> Markup:
    """An excerpt with ``<mark>`` around the words that were found, everything else escaped."""
    pieces, last = [], 0
    for start, end in found.spans:
        pieces += [escape(found.text[last:start]), Markup("<mark>%s</mark>") % found.text[start:end]]
        last = end
    return Markup("").join([*pieces, escape(found.text[last:])])


def _body(item: Item, text: Text) -> str:
    return body_of(text.body, [str(heading) for heading in item.metadata.get("headings", ())])


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _ALT else text[: _ALT - 1].rstrip() + "…"


# -- why ---------------------------------------------------------------------------------------------------------


def strength_of(hit: Hit, *, confident: bool = True) -> str | None:
    """One of :data:`STRENGTHS`; where a search is not ``confident`` of anything, none of its hits is more than weak."""
    sure = confidence_of(hit)
    if sure is None:
        return None
    return "strong" if sure >= STRONG and confident else "fair" if sure >= CONFIDENT and confident else "weak"


def surest(hit: Hit) -> list[Reason]:
    return sorted(hit.why, key=lambda reason: (-(reason.confidence or 0.0), reason.rank))


def why_of(hit: Hit, speech: Speech) -> str:
    """What found a hit, in words: all that makes it a match, or what is nearest where nothing does."""
    reasons = surest(hit)
    enough = [reason for reason in reasons if (reason.confidence or 0.0) >= CONFIDENT] or reasons[:1]
    return speech.listed(list(dict.fromkeys(found_by(reason, speech) for reason in enough)))


def found_by(reason: Reason, speech: Speech) -> str:
    """What a ranking looked at, with the language of its text: ``caption (German)``."""
    text = reason.text
    kind = reason.ranking
    name = _FOUND_BY[
        text.origin if kind == "words" and text is not None and text.origin in _FOUND_BY else kind
    ]
    said = speech.text(name)
    language = None if text is None else speech.language_name(text.language)
    return said if language is None else f"{said} ({language})"
