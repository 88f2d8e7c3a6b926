"""A small gallery on disk, and a collection that knows the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

from babelens.demo.bundled import Gallery, load_gallery
from babelens.languages import LANGUAGES
from babelens.types import Caption, Hit, Item, Query, SearchResult, Source, Text

SCENES = {
    "1.webp": ["red"],
    "2.webp": ["blue"],
    "3.webp": ["red", "blue"],
    "4.webp": ["green", "red"],
    "5.webp": ["green"],
    "6.webp": ["green", "blue"],
    "7.webp": ["yellow"],
}
ABSENT = ("purple", "orange")


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    """Seven plain pictures of four things, whose captions are ``"red+blue in de"``."""
    folder = tmp_path / "gallery"
    (folder / "pictures").mkdir(parents=True)
    lines = []
    for name, things in SCENES.items():
        Image.new("RGB", (24, 20), things[0]).save(folder / "pictures" / name)
        for language in LANGUAGES:
            row = {
                "image": f"pictures/{name}",
                "captions": [_caption(things, language)],
                "language": language,
            }
            lines.append(json.dumps(row))
    (folder / "captions.jsonl").write_text("\n".join(lines), "utf-8")
    about = {
        "pictures": {f"pictures/{name}": things for name, things in SCENES.items()},
        "things": {t: {x: f"{t} in {x}" for x in LANGUAGES} for t in ("red", "blue", "green", "yellow")},
        "absent": {t: {x: f"{t} in {x}" for x in LANGUAGES} for t in ABSENT},
    }
    (folder / "gallery.json").write_text(json.dumps(about), "utf-8")
    return load_gallery(folder)


def _caption(things: Sequence[str], language: str) -> str:
    return f"{'+'.join(things)} in {language}"


class KnowingCollection:
    """Keeps the part of `Collection` that the demo uses; ranks by the words of the captions, without any encoder."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self._items = {
            f"id{i}": Item(f"id{i}", "image", Source(str(p.path), "0" * 64))
            for i, p in enumerate(gallery.pictures)
        }
        self._things = {f"id{i}": p.things for i, p in enumerate(gallery.pictures)}

    def items(self) -> Iterator[Item]:
        return iter(self._items.values())

    def search(
        self,
        text: str | None = None,
        *,
        image: str | None = None,
        minus: Sequence[str] = (),
        language: str | None = None,
        k: int = 10,
        mode: str = "hybrid",
    ) -> SearchResult:
        assert mode == "vector"  # anything else reads the captions
        wanted = {thing for thing in ["red", "blue", "green", "yellow"] if text and thing in text}
        wanted |= self._things[image] if image else set()
        unwanted = {word.split()[0] for word in minus}
        order = sorted(
            self._items,
            key=lambda i: (
                len(self._things[i] & unwanted),
                -len(self._things[i] & (wanted - unwanted)),
                len(self._things[i] ^ (wanted - unwanted)),
            ),
        )
        return self._result(order[:k], confident=bool(wanted))

    def similar(self, image: str, *, k: int = 10) -> SearchResult:
        things = self._things[image]
        order = sorted(self._items, key=lambda i: (i != image, -len(self._things[i] & things)))
        return self._result(order[:k], confident=True)

    def captions(self, image: str, *, language: str, k: int = 5) -> list[Caption]:
        things = self._things[image]
        order = sorted(self._items, key=lambda i: len(self._things[i] ^ things))[:k]
        bodies = [self._gallery.pictures[int(i[2:])].captions[language] for i in order]
        return [
            Caption(Text(i, language, body, "human"), rank, 1 / rank)
            for rank, (i, body) in enumerate(zip(order, bodies, strict=True), 1)
        ]

    def _result(self, ids: Sequence[str], *, confident: bool) -> SearchResult:
        hits = tuple(Hit(self._items[i], rank, 1 / rank) for rank, i in enumerate(ids, 1))
        return SearchResult(Query(()), hits, confident, 0.9 if confident else 0.1)


@pytest.fixture
def collection(gallery: Gallery) -> KnowingCollection:
    return KnowingCollection(gallery)
