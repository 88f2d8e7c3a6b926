"""From domain types to what clients get."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..types import Caption, Hit, Item, Reason, Text
from . import schemas

if TYPE_CHECKING:
    from ..answering import Answer
    from ..collection import CollectionInfo
    from .mapping import MapRow
    from .settings import Settings

# Ids of items and places of files are not for strangers, or said elsewhere.
_HIDDEN = frozenset({"passages", "figures"})


class Renderer:
    """Renders what belongs to one collection. Addresses name it unless it is the one meant without a name."""

    def __init__(self, settings: Settings, collection: str) -> None:
        self._show_paths = settings.show_paths
        self._collection = collection
        first = next(iter(settings.collections))
        self._query = "" if collection == first else f"?collection={quote(collection, safe='')}"

    def item(self, item: Item) -> schemas.ItemOut:
        return schemas.ItemOut(**self._fields(item))

    def detail(self, item: Item, texts: Iterable[Text], related: Iterable[Item]) -> schemas.ItemDetail:
        return schemas.ItemDetail(
            **self._fields(item),
            texts=[text_of(one) for one in texts],
            related=[self.item(one) for one in related],
        )

    def _fields(self, item: Item) -> dict[str, Any]:
        source = item.source
        looks = item.kind == "image" or source.page is not None
        name = item.metadata.get("document") or item.metadata.get("name")
        return {
            "id": item.id,
            "kind": item.kind,
            "document": None if name is None else readable(str(name)),
            "page": source.page,
            "box": source.box,
            "metadata": {key: value for key, value in item.metadata.items() if key not in _HIDDEN},
            "path": readable(source.path) if self._show_paths else None,
            "image": self.address(item.id, "image") if looks else None,
            "thumbnail": self.address(item.id, "thumbnail") if looks else None,
        }

    def address(self, item_id: str, part: str = "") -> str:
        """Where an item is, or a part of it such as its ``image``."""
        return f"/items/{quote(item_id, safe='')}{'/' if part else ''}{part}{self._query}"

    def hits(
        self, hits: Sequence[Hit], texts: Mapping[str, Sequence[Text]], *, first: int, language: str | None
    ) -> list[schemas.HitOut]:
        """Hits from the rank ``first`` on; ``texts`` are those of their items."""
        return [
            schemas.HitOut(
                rank=rank,
                score=rounded(hit.score),
                confidence=rounded(confidence_of(hit)),
                item=self.item(hit.item),
                text=shown(best_text(hit, texts.get(hit.item.id, ()), language)),
                why=[reason_of(one) for one in hit.why],
            )
            for rank, hit in enumerate(hits, start=first)
        ]

    def answer(self, answer: Answer, items: Mapping[str, Item]) -> schemas.AnswerOut:
        """``items`` are those that the answer cites; a citation of one that is gone by now is left out."""
        return schemas.AnswerOut(
            text=answer.text,
            language=answer.language,
            grounded=answer.grounded,
            extractive=answer.extractive,
            model=answer.model,
            citations=[
                schemas.CitationOut(
                    number=one.number,
                    item=self.item(items[one.item_id]),
                    document=one.document,
                    page=one.page,
                    quote=one.quote,
                )
                for one in answer.citations
                if one.item_id in items
            ],
            notes=list(answer.notes),
        )

    def points(self, rows: Iterable[MapRow]) -> list[schemas.MapPoint]:
        return [
            schemas.MapPoint(
                kind=row.kind,
                item_id=row.item_id,
                x=row.x,
                y=row.y,
                folder=row.folder,
                language=row.language,
                text=row.text,
                thumbnail=self.address(row.item_id, "thumbnail"),
            )
            for row in rows
        ]


def text_of(text: Text) -> schemas.TextOut:
    return schemas.TextOut(
        body=text.body, language=text.language, origin=text.origin, status=text.status, model=text.model
    )


def shown(text: Text | None) -> schemas.TextOut | None:
    return None if text is None else text_of(text)


def reason_of(reason: Reason) -> schemas.ReasonOut:
    return schemas.ReasonOut(
        ranking=reason.ranking,
        rank=reason.rank,
        score=round(reason.score, 6),
        confidence=rounded(reason.confidence),
        text=shown(reason.text),
    )


def caption_of(caption: Caption) -> schemas.CaptionOut:
    return schemas.CaptionOut(
        rank=caption.rank,
        score=round(caption.score, 6),
        text=text_of(caption.text),
        item_id=caption.text.item_id,
    )


def collection_of(name: str, info: CollectionInfo, version: str) -> schemas.CollectionOut:
    return schemas.CollectionOut(
        name=name,
        items=info.items,
        kinds=dict(info.kinds),
        texts=dict(info.texts),
        origins=dict(info.origins),
        model=info.encoder.name if info.encoder else info.model.rpartition("/")[2],
        indexes={
            modality: schemas.IndexOut(
                name=one.name,
                vectors=one.vectors,
                recall_at_10=one.recall_at_10,
                ms_per_query=one.ms_per_query,
                why=one.why,
            )
            for modality, one in info.indexes.items()
        },
        bytes=info.catalog_bytes + info.index_bytes,
        version=version,
    )


def confidence_of(hit: Hit) -> float | None:
    return max((one.confidence for one in hit.why if one.confidence is not None), default=None)


def has_text(hit: Hit, language: str | None) -> bool:
    """Whether a hit was found by a text, in the language asked for: no other one would be shown."""
    return any(one.text is not None and language in (None, one.text.language) for one in hit.why)


def best_text(hit: Hit, texts: Sequence[Text], language: str | None) -> Text | None:
    """What to show of a hit: the text it was found by, unless only another is in the language asked for."""
    sure = sorted(hit.why, key=lambda reason: (-(reason.confidence or 0.0), reason.rank))
    found = [reason.text for reason in sure if reason.text is not None]
    if found and (language is None or any(text.language == language for text in found)):
        return min(found, key=lambda text: text.language != (language or found[0].language))
    own = min(
        (text for text in texts if text.status == "ok"),
        key=lambda text: text.language != (language or "en"),
        default=None,
    )
    return own if own is not None and (not found or own.language == language) else next(iter(found), own)


def rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 6)


def readable(text: str) -> str:
    """Bytes that are not UTF-8, which file names may hold, as ``\\xff``."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
