"""A captioner, a translator and an OCR engine that need no weights, and a collection to try them on."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from babelens import Collection
from babelens.models.protocols import OcrLine
from tests.conftest import COLOURS, TRANSLATIONS, FakeEncoder


class FakeCaptioner:
    """Names the colour of a picture. Says nothing about those in ``silent``; ``limit`` calls, then Ctrl-C."""

    revision = "1"
    languages = ("en",)
    image_size = 8

    def __init__(
        self, name: str = "colours", *, silent: Sequence[str] = (), limit: int | None = None
    ) -> None:
        self.name = name
        self.silent = silent
        self.limit = limit
        self.batches: list[int] = []

    def caption(self, images: Sequence[Image.Image]) -> list[str]:
        if self.limit is not None and len(self.batches) == self.limit:
            raise KeyboardInterrupt
        self.batches.append(len(images))
        return [self._one(np.asarray(image).mean(axis=(0, 1))) for image in images]

    def _one(self, colour: np.ndarray) -> str:
        name = min(COLOURS, key=lambda name: float(np.abs(colour - COLOURS[name]).sum()))
        return "" if name in self.silent else f"a {name} square"


class FakeTranslator:
    """Knows the colours of ``conftest.TRANSLATIONS``. ``spoils`` maps words to what comes back instead."""

    revision = "1"

    def __init__(
        self,
        name: str = "words",
        *,
        sources: Sequence[str] = ("en",),
        spoils: dict[str, str] | None = None,
        limit: int | None = None,
    ) -> None:
        self.name = name
        self.sources = sources
        self.spoils = spoils or {}
        self.limit = limit
        self.asked: list[str] = []

    def supports(self, source: str, target: str) -> bool:
        return source in self.sources and source != target

    def translate(self, texts: Sequence[str], *, source: str, target: str) -> list[str]:
        if self.limit is not None and len(self.asked) >= self.limit:
            raise KeyboardInterrupt
        self.asked += texts
        return [self._one(text, target) for text in texts]

    def _one(self, text: str, target: str) -> str:
        for word, answer in self.spoils.items():
            if word in text.split():
                return answer
        known = {
            own: row.get(target, name) if target != "en" else name
            for name, row in TRANSLATIONS.items()
            for own in (name, *row.values())
        }
        found = next((known[word] for word in text.casefold().split() if word in known), None)
        return f"{found} {found} {found}" if found else ""


class FakeReader:
    """Reads the lines that ``signs`` gives for the colour in the middle of a picture, and those of ``doubtful`` with
    little confidence; ``limit`` pictures, then Ctrl-C."""

    def __init__(
        self,
        signs: Mapping[str, Sequence[str]],
        *,
        name: str = "fake",
        doubtful: Mapping[str, Sequence[str]] | None = None,
        limit: int | None = None,
    ) -> None:
        self.name = name
        self.signs = signs
        self.doubtful = doubtful or {}
        self.limit = limit
        self.read_pictures = 0
        self.languages: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def read(self, image: Image.Image, languages: Sequence[str] = ()) -> list[OcrLine]:
        with self._lock:
            if self.limit is not None and self.read_pictures == self.limit:
                raise KeyboardInterrupt
            self.read_pictures += 1
            self.languages = tuple(languages)
        middle = np.array(image.getpixel((image.width // 2, image.height // 2)))
        name = min(COLOURS, key=lambda name: float(np.abs(middle - COLOURS[name]).sum()))
        lines = [(line, 0.95) for line in self.signs.get(name, ())]
        lines += [(line, 0.4) for line in self.doubtful.get(name, ())]
        return [OcrLine(line, (0, 0, 4, 4), confidence) for line, confidence in lines]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BABELENS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def collection(tmp_path: Path, pictures: Path, encoder: FakeEncoder) -> Iterator[Collection]:
    """Red, green, blue and so on; nothing is said about them yet."""
    with Collection.open(tmp_path / "collection", model=encoder) as collection:
        collection.add(pictures)
        yield collection


def named(collection: Collection, name: str) -> str:
    """The id of the picture with this colour."""
    return next(item.id for item in collection.items() if Path(item.source.path).stem == name)
