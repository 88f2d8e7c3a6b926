"""Asks a collection of the gallery everything that has a known answer, through the public `Collection` alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from ..languages import LANGUAGES
from .bundled import Gallery, Picture

if TYPE_CHECKING:
    from ..collection import Collection
    from ..types import SearchResult

K = 5


@dataclass(frozen=True, slots=True)
class Part:
    """One term of a query: words or a picture; ``minus`` takes it away."""

    text: str | None = None
    picture: Picture | None = None
    minus: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """A query and what came back. ``hits`` are pictures, or for image→text the pictures whose captions were found.

    ``right`` says of each hit whether it is a true answer; ``positives`` counts the true answers there are. ``about``
    names the picture or thing asked about: trials about the same one are not independent.
    """

    task: str
    language: str
    query: tuple[Part, ...]
    hits: tuple[Picture, ...]
    right: tuple[bool, ...]
    positives: int
    about: str
    confident: bool = True
    confidence: float | None = None

    @property
    def rank(self) -> int | None:
        """The place of the first right hit, from 1."""
        return next((rank for rank, right in enumerate(self.right, 1) if right), None)


class Examiner:
    """Asks one collection that holds the gallery's pictures."""

    def __init__(self, collection: Collection, gallery: Gallery) -> None:
        self._collection = collection
        self._gallery = gallery
        by_name = {picture.path.name: picture for picture in gallery.pictures}
        self._pictures = {
            item.id: by_name[name]
            for item in collection.items()
            if (name := PurePath(item.source.path).name) in by_name
        }
        self._ids = {picture: item_id for item_id, picture in self._pictures.items()}

    def text_to_image(self) -> Iterator[Trial]:
        """Every caption in every language. Ask before the collection holds captions, or it reads the answer."""
        right = {picture: self._showing(picture.things) for picture in self._gallery.pictures}
        for language in LANGUAGES:
            for picture in self._gallery.pictures:
                parts = (Part(picture.captions[language]),)
                yield self._search("text_to_image", language, parts, right[picture], picture.path.name)

    def image_to_text(self) -> Iterator[Trial]:
        """Every picture, with captions wanted in every language. A caption is right when it is true of the picture."""
        pictures = self._gallery.pictures
        right = {
            picture: frozenset(other for other in pictures if other.things <= picture.things)
            for picture in pictures
        }
        for language in LANGUAGES:
            for picture in self._gallery.pictures:
                found = self._collection.captions(self._ids[picture], language=language, k=K)
                hits = tuple(self._pictures[caption.text.item_id] for caption in found)
                yield _judged(
                    "image_to_text",
                    language,
                    (Part(picture=picture),),
                    hits,
                    right[picture],
                    picture.path.name,
                )

    def image_to_image(self) -> Iterator[Trial]:
        """Every picture. Another picture that shares a thing with it is right."""
        for picture in self._gallery.pictures:
            hits = self._others(self._collection.similar(self._ids[picture], k=K + 1), picture)
            others = (other for other in self._gallery.pictures if other is not picture)
            alike = frozenset(other for other in others if other.things & picture.things)
            yield _judged("image_to_image", "", (Part(picture=picture),), hits, alike, picture.path.name)

    def combined(self) -> Iterator[Trial]:
        """A picture and words, from every scene of two things; languages take turns.

        Plus: a picture of A alone and the name of B must find the scene of A and B. Minus: that scene less the name
        of B must find other pictures of A without B.
        """
        alone = {next(iter(p.things)): p for p in self._gallery.pictures if len(p.things) == 1}
        tags = list(LANGUAGES)
        scenes = [picture for picture in self._gallery.pictures if len(picture.things) == 2]
        for number, scene in enumerate(scenes):
            language = tags[number % len(tags)]
            kept, other = sorted(scene.things)
            name = self._gallery.things[other][language]
            both = self._showing(scene.things)
            if kept in alone:
                parts = (Part(picture=alone[kept]), Part(name))
                yield self._search("combined_plus", language, parts, both, scene.path.name)
            without = self._showing(frozenset({kept})) - both
            parts = (Part(picture=scene), Part(name, minus=True))
            yield self._search("combined_minus", language, parts, without, scene.path.name)

    def no_match(self) -> Iterator[Trial]:
        """Names of things that no picture shows. No hit is right; saying that nothing matches is."""
        for language in LANGUAGES:
            for thing, names in self._gallery.absent.items():
                yield self._search("no_match", language, (Part(names[language]),), frozenset(), thing)

    def _showing(self, things: frozenset[str]) -> frozenset[Picture]:
        """The pictures that show all of ``things``, perhaps among others."""
        return frozenset(picture for picture in self._gallery.pictures if things <= picture.things)

    def _search(
        self, task: str, language: str, parts: tuple[Part, ...], right: frozenset[Picture], about: str
    ) -> Trial:
        words = [part.text for part in parts if part.text and not part.minus]
        picture = next((part.picture for part in parts if part.picture), None)
        result = self._collection.search(
            words[0] if words else None,
            image=self._ids[picture] if picture else None,
            minus=[part.text for part in parts if part.text and part.minus],
            language=language,
            k=K + (picture is not None),
            mode="vector",
        )
        return _judged(task, language, parts, self._others(result, picture), right, about, result)

    def _others(self, result: SearchResult, asked_with: Picture | None) -> tuple[Picture, ...]:
        """The hits without the picture that was part of the query."""
        hits = (self._pictures[hit.item.id] for hit in result.hits)
        return tuple(picture for picture in hits if picture is not asked_with)[:K]


def _judged(
    task: str,
    language: str,
    parts: tuple[Part, ...],
    hits: tuple[Picture, ...],
    right: frozenset[Picture],
    about: str,
    result: SearchResult | None = None,
) -> Trial:
    return Trial(
        task,
        language,
        parts,
        hits,
        tuple(hit in right for hit in hits),
        len(right),
        about,
        result.confident if result else True,
        result.confidence if result else None,
    )
