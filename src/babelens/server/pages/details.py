"""What the view of one item shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ...passages import body_of
from ...types import Item, Text
from ..rendering import readable
from .language import N_, Speech
from .tiles import ORIGINS, best_caption, description_of, full_size, language_of, place_of

if TYPE_CHECKING:
    from ...collection import Collection

_STATUS: Final[Mapping[str, str]] = {
    "fallback": N_("Copied from another language"),
    "empty": N_("Empty"),
    "wrong-script": N_("In the wrong script"),
    "failed": N_("Failed the checks"),
}
# Keys of metadata that the interface has words for; any other is shown as it is called.
_FIELDS: Final[Mapping[str, str]] = {
    "document": N_("Document"),
    "name": N_("File"),
    "folder": N_("Folder"),
    "extension": N_("File type"),
    "format": N_("Format"),
    "pages": N_("Number of pages"),
    "taken": N_("Taken"),
    "camera": N_("Camera"),
}
# Shown elsewhere, or of no use to a reader.
_UNSHOWN: Final = frozenset(
    {"passages", "figures", "headings", "width", "height", "read", "vector", "table", "label"}
)
_LONGEST: Final = 300
_BESIDE: Final = 60  # passages of a page at most


@dataclass(frozen=True, slots=True)
class Said:
    """A text with what is to be said of it: the language's name, where it comes from, what is wrong with it."""

    body: str
    language: str | None
    language_name: str
    origin: str
    model: str | None
    doubt: str | None


@dataclass(frozen=True, slots=True)
class Box:
    """A place on a page, in the page's pixels."""

    item: Item
    x: int
    y: int
    width: int
    height: int
    current: bool


@dataclass(frozen=True, slots=True)
class OnPage:
    """A page of a document and what stands on it. ``page`` is None when its picture is not in the collection."""

    page: Item
    width: int
    height: int
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What stands on the same page as an item, in reading order as far as it is known."""

    page: Item | None
    passages: tuple[tuple[Item, str, str | None], ...]
    figures: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Detail:
    """``captions`` say what an item shows, the reader's language first; ``printed`` is what OCR read in it; ``written``
    is its text in the document."""

    item: Item
    title: str
    title_language: str | None
    alt: str
    place: str
    headings: tuple[str, ...]
    captions: tuple[Said, ...]
    printed: tuple[Said, ...]
    written: tuple[Said, ...]
    facts: tuple[tuple[str, str], ...]
    width: int
    height: int


def detail_of(item: Item, texts: Sequence[Text], speech: Speech, *, show_path: bool) -> Detail:
    best = best_caption(texts, speech.tag)
    headings = tuple(str(heading) for heading in item.metadata.get("headings", ()))
    described = item.kind != "passage" and best is not None
    alt = description_of(item, best, speech)
    place = place_of(item, speech)
    title = alt if described else headings[-1] if headings else str(item.metadata.get("label") or place)
    width, height = full_size(item)
    captions = [text for text in texts if text.origin != "ocr" and _describes(item, text)]
    captions.sort(key=lambda text: (text.language != speech.tag, text.status != "ok"))
    return Detail(
        item=item,
        title=title,
        title_language=language_of(best) if best is not None and (described or headings) else None,
        alt=alt,
        place=place,
        headings=headings,
        captions=tuple(_said(text, headings, speech) for text in captions),
        printed=tuple(_said(text, headings, speech) for text in texts if text.origin == "ocr"),
        written=tuple(
            _said(text, headings, speech)
            for text in texts
            if text.origin != "ocr" and not _describes(item, text)
        ),
        facts=tuple(_facts(item, speech, show_path=show_path)),
        width=width,
        height=height,
    )


def neighbours_of(collection: Collection, item: Item) -> Neighbours:
    """What a collection has of the page that an item stands on."""
    if item.kind == "image":
        return Neighbours(None, (), ())
    there = [one for one in collection.at(item.source.path) if one.source.page == item.source.page]
    there.sort(key=lambda one: one.source.box[1] if one.source.box else 0)
    passages = []
    for one in [one for one in there if one.kind == "passage"][:_BESIDE]:
        text = next(iter(collection.texts(one.id)), None)
        if text is not None:
            headings = [str(heading) for heading in one.metadata.get("headings", ())]
            passages.append((one, body_of(text.body, headings), language_of(text)))
    return Neighbours(
        next((one for one in there if one.kind == "page"), None),
        tuple(passages),
        tuple(one for one in there if one.kind == "figure"),
    )


def on_page(item: Item, around: Neighbours, related: Sequence[Item]) -> OnPage | None:
    """The page to show beside an item, with boxes around it and what belongs to it."""
    page = around.page
    if page is None:
        return None
    width, height = full_size(page)
    marked = [item, *(one for one in related if one.source.page == item.source.page)]
    boxes = [_box(one, current=one.id == item.id) for one in marked if one.source.box is not None]
    return OnPage(page, width, height, tuple(boxes))


def _box(item: Item, *, current: bool) -> Box:
    assert item.source.box is not None
    x0, y0, x1, y1 = item.source.box
    return Box(item, x0, y0, max(1, x1 - x0), max(1, y1 - y0), current)


def _describes(item: Item, text: Text) -> bool:
    """A figure's text of a document is its caption; that of a page or passage is what is written there."""
    return text.origin != "document" or item.kind == "figure"


def _said(text: Text, headings: Sequence[str], speech: Speech) -> Said:
    return Said(
        body=body_of(text.body, headings),
        language=language_of(text),
        language_name=speech.language_name(text.language) or speech.text(N_("Language not known")),
        origin=speech.text(ORIGINS[text.origin]),
        model=text.model.rstrip("/").rpartition("/")[2] if text.model else None,
        doubt=speech.text(_STATUS[text.status]) if text.status in _STATUS else None,
    )


def _facts(item: Item, speech: Speech, *, show_path: bool) -> list[tuple[str, str]]:
    found = []
    if show_path:
        found.append((speech.text(N_("Path")), readable(item.source.path)))
    found += [
        (speech.text(label), _shown(item.metadata[key], speech, moment=key == "taken"))
        for key, label in _FIELDS.items()
        if key in item.metadata
    ]
    if item.source.page is not None:
        found.append((speech.text(KIND_PAGE), speech.number(item.source.page)))
    if item.kind == "image" and "width" in item.metadata:
        width, height = full_size(item)
        size = speech.text(
            N_("%(width)s × %(height)s pixels"), width=speech.number(width), height=speech.number(height)
        )
        found.append((speech.text(N_("Size")), size))
    hidden = {*_FIELDS, *_UNSHOWN, *(("year",) if "taken" in item.metadata else ())}
    for key, value in item.metadata.items():
        if key not in hidden and value not in (None, ""):
            found.append((readable(str(key)), _shown(value, speech)))
    return found


KIND_PAGE: Final = N_("Page")


def _shown(value: object, speech: Speech, *, moment: bool = False) -> str:
    if moment and (said := speech.moment(value)):
        return said
    if isinstance(value, bool) or not isinstance(value, int | float):
        return readable(str(value))[:_LONGEST]
    # Years and numbers of things are no quantities: they are written without separators.
    return str(value) if isinstance(value, int) else speech.number(value)
