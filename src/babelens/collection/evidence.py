"""What a search found, as evidence that an answer may cite, and whether it is enough to answer from.

Passages come first, best first. Behind the passage that mentions it comes a figure, with its caption; a figure that was
found itself brings the passages it stands among, and one that was hardly found comes along where it stands beside the
best of them. Photographs and figures are found, too, where words say what is in
them: something without words tells an answer nothing, so pages, whose words are in their passages, are not asked for.

Whether the documents answer a question is judged by the words of passages and captions, and by their meaning where
there is an encoder of passages; never by pictures, whose encoder may be blind to drawings.
"""

from __future__ import annotations

import io
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ..answering import Evidence
from ..errors import UnreadableFileError
from ..passages import body_of, without_contents
from ..retrieval.calibration import CONFIDENT
from ..search.words import Coverage
from ..types import Hit, Item, SearchResult, Text

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..storage.catalog import Catalog

# What a model is asked about though sentences would not be quoted from it: a model can still refuse.
WORTH_ASKING: Final = 0.25

_BEST: Final = 3  # passages that are judged and bring their figures
_FIGURES: Final = 4
_PASSAGES_OF_A_FIGURE: Final = 2
_SURE: Final = 0.5  # of all places: so far up goes a passage that holds every word of the question
_UNKNOWN: Final = "und"


@dataclass(frozen=True, slots=True)
class Findings:
    """``evidence`` is best first and numbered from 1; ``confidence``, in [0, 1], is how likely it answers."""

    evidence: tuple[Evidence, ...]
    confidence: float
    notes: tuple[str, ...]


def findings(
    catalog: Catalog,
    question: str,
    *,
    language: str | None,
    passages: SearchResult,
    pictures: SearchResult,
    k: int,
    picture: Callable[[str], Image] | None = None,
) -> Findings:
    """The evidence for a question from the passages and from the figures and photographs found for it.

    ``language`` is the question's where it shows. At most ``k`` passages, and what comes along with them. ``picture``
    gives the picture of an item, for a model that sees; a figure without words is evidence for such a model only.
    """
    hits = _telling(catalog, passages.hits, language)
    chosen = _chosen(catalog, hits, pictures.hits, k)
    said = _texts(catalog, chosen)
    captions = [
        text.body for item_id, (item, _) in chosen.items() if item.kind == "figure" for text in said[item_id]
    ]
    notes = list(passages.notes)  # those of pictures are about what they look like
    evidence: list[Evidence] = []
    for item, score in chosen.values():
        one = _evidence(len(evidence) + 1, item, said[item.id], score, captions)
        if picture is not None and item.kind in ("figure", "image"):
            try:
                one = replace(one, image=_encoded(picture(item.id)))
            except UnreadableFileError as error:
                notes.append(f"The picture of [{one.number}] could not be read: {error.message}.")
        if one.image is not None or _has_letters(one.body):
            evidence.append(one)
    confidence = _confidence(catalog, question, language, hits, pictures.hits)
    return Findings(tuple(evidence), confidence, tuple(notes))


def _telling(catalog: Catalog, hits: Sequence[Hit], language: str | None) -> list[Hit]:
    """The passages that say something, those that are surest further up, in the language of the question unless there
    are none: where words of two languages are spelt alike it is mostly an accident. What was found by its meaning
    stays, whatever its language."""
    texts = _texts(catalog, [hit.item.id for hit in hits])
    said = [hit for hit in hits if any(_has_letters(_body(hit.item, text)) for text in texts[hit.item.id])]
    own = [
        hit
        for hit in said
        if language is None
        or any(reason.ranking == "passage" for reason in hit.why)
        or any(text.language in (language, _UNKNOWN) for text in texts[hit.item.id])
    ]
    found = own or said
    # BM25 over n-grams weighs long words; "What does E2 mean?" is about a short one.
    order = sorted(range(len(found)), key=lambda i: i / len(found) - _SURE * _score(found[i]))
    return [found[i] for i in order]


def _chosen(
    catalog: Catalog, passages: Sequence[Hit], pictures: Sequence[Hit], k: int
) -> dict[str, tuple[Item, float]]:
    """Items with their scores, in the order in which they are cited, each once."""
    chosen: dict[str, tuple[Item, float]] = {}
    figures = 0
    for place, hit in enumerate(passages[:k]):
        chosen.setdefault(hit.item.id, (hit.item, _score(hit)))
        if place < _BEST:
            for figure in _items(catalog, hit.item.metadata.get("figures", ())):
                if figures < _FIGURES and figure.id not in chosen:
                    figures += 1
                    chosen[figure.id] = figure, _score(hit)
    best = {hit.item.id for hit in passages[:_BEST]}
    for hit in pictures:
        around = hit.item.metadata.get("passages", ())
        found = _score(hit) >= CONFIDENT
        if (found or best.intersection(around)) and hit.item.id not in chosen and figures < _FIGURES:
            figures += 1
            chosen[hit.item.id] = hit.item, _score(hit)
            for passage in _items(catalog, around[:_PASSAGES_OF_A_FIGURE] if found else ()):
                chosen.setdefault(passage.id, (passage, _score(hit)))
    return chosen


def _items(catalog: Catalog, ids: Iterable[str]) -> Iterator[Item]:
    listed = list(ids)
    found = catalog.get_items(listed)
    return (found[item_id] for item_id in listed if item_id in found)


def _score(hit: Hit) -> float:
    """How sure the surest ranking is of a hit."""
    return max((reason.confidence or 0.0 for reason in hit.why), default=0.0)


def _texts(catalog: Catalog, item_ids: Iterable[str]) -> dict[str, list[Text]]:
    listed = list(item_ids)
    found = catalog.texts_of(listed)
    return {item_id: [text for text in found.get(item_id, []) if text.status == "ok"] for item_id in listed}


# -- one piece of evidence ---------------------------------------------------------------------------------------


def _evidence(
    number: int, item: Item, texts: Sequence[Text], score: float, captions: Sequence[str]
) -> Evidence:
    if item.kind == "passage":
        body = "\n".join(_body(item, text) for text in texts)
        for caption in captions:  # they are evidence of their own
            body = _without(body, caption)
    else:
        body = "\n".join(_told(texts))
    language = texts[0].language if texts else _UNKNOWN
    return Evidence(
        number=number,
        item_id=item.id,
        document=os.path.basename(item.source.path),
        page=item.source.page,
        kind=item.kind,
        body=body,
        language=None if language == _UNKNOWN else language,
        headings=_headings(item),
        score=score,
        image=None,
    )


def _headings(item: Item) -> tuple[str, ...]:
    return tuple(map(str, item.metadata.get("headings", ())))


def _body(item: Item, text: Text) -> str:
    return without_contents(body_of(text.body, _headings(item))).strip()


def _told(texts: Sequence[Text]) -> list[str]:
    """A picture's caption (where there are several they say the same), and the words that were read in it."""
    captions = [text.body for text in texts if text.origin not in ("ocr", "filename")]
    return captions[:1] + [text.body for text in texts if text.origin == "ocr"]


def _without(body: str, caption: str) -> str:
    """The body without lines that are a caption, which may be broken elsewhere."""
    words = r"\s+".join(map(re.escape, caption.split()))
    return re.sub(rf"^{words}$\n?", "\n", body, flags=re.MULTILINE).strip() if words else body


def _has_letters(body: str) -> bool:
    return any(map(str.isalpha, body))


def _encoded(image: Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=90)
    return buffer.getvalue()


# -- confidence --------------------------------------------------------------------------------------------------


def _confidence(
    catalog: Catalog, question: str, language: str | None, passages: Sequence[Hit], pictures: Sequence[Hit]
) -> float:
    """How much of what the question is about stands in one place, or how near the meaning of a passage comes.

    A place is a page, as far as its passages were found: a table says "4 to 9" and the line above it what of. Where
    there are no pages it is the passage.
    """
    coverage = Coverage(catalog, question, language)
    places: dict[object, list[str]] = defaultdict(list)
    for hit in passages:
        places[_place(hit.item)].append(hit.item.id)
    best = passages[:_BEST]
    rows = catalog.text_rows_of([item_id for hit in best for item_id in places[_place(hit.item)]])
    judged = [
        coverage.of_rows([row for item_id in places[_place(hit.item)] for row in rows.get(item_id, ())])
        for hit in best
    ]
    judged += [
        reason.confidence or 0.0
        for hit in (*best, *pictures[:_BEST])
        for reason in hit.why
        if reason.ranking in ("words", "passage") and reason.text is not None  # else a file name was found
    ]
    return max(judged, default=0.0)


def _place(item: Item) -> object:
    return item.id if item.source.page is None else (item.source.path, item.source.page)
