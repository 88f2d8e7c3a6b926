"""Run by test_ingest_kill.py: kills ingestion again and again, and compares what is left with undisturbed runs.

A small process of its own, so that it may fork: a child that starts with everything imported can be killed within
its first milliseconds. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from babelens.ingest import decode, ingest, pictures
from babelens.storage.catalog import Catalog
from babelens.types import EncoderFingerprint
from babelens.vectors import Floats, normalize
from tests.processes import in_a_child

# Many small commits: many moments to be killed at.
pictures._ENCODE = 4  # type: ignore[misc]
pictures._COMMIT_SECONDS = 0.0  # type: ignore[misc]
decode._WINDOW = 12  # type: ignore[misc]

PICTURES = 60


class Encoder:
    """The mean colour of four stripes; a text by its letters."""

    fingerprint = EncoderFingerprint("stripes", "1", "4", 12)
    image_size = 4
    photographs = True
    calibration: ClassVar[dict[str, float]] = {}
    vocabulary = np.empty((0, 12), dtype=np.float32)
    languages = ("en",)
    max_tokens = 100

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        return np.asarray(image.resize((4, 4), Image.Resampling.BOX))

    def encode_prepared(self, pixels: Sequence[NDArray[np.uint8]]) -> Floats:
        return normalize(np.stack(pixels).astype(np.float32).mean(axis=1).reshape(len(pixels), 12) + 1)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        return normalize(np.array([[1 + text.count(letter) for letter in "abcdefghijkl"] for text in texts]))


class Folder:
    """Pictures that change from phase to phase, always in the same way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = 1_600_000_000
        self.random = random.Random(7)
        self.made = 0

    def start(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        (self.path / "sub").mkdir(parents=True)
        for _ in range(PICTURES):
            self.paint(self.path / f"{self.made:03}.png")
        self.write(self.path / "broken.png", b"\x89PNG\r\n\x1a\n and no more")
        self.write_notes()
        self.write_captions()

    def change(self) -> None:
        """Some are edited, moved, deleted, copied, new, captioned."""
        here = sorted(self.path.rglob("*.png"))
        edited, moved, deleted, copied, named = self.random.sample(here, 40)[::8]
        for path in self.random.sample(here, 8):
            self.paint(path)
        moved.rename(self.path / "sub" / f"moved{self.made}.png")
        deleted.unlink()
        shutil.copy(copied, self.path / f"copy{self.made}.png")
        self.stamp(self.path / f"copy{self.made}.png")
        self.write(named.with_suffix(".txt"), f"by hand {self.made}\nabc".encode())
        self.paint(edited)
        for _ in range(12):
            self.paint(self.path / f"{self.made:03}.png")
        self.write_notes()
        self.write_captions()

    def write_notes(self) -> None:
        """Two documents, one of which changes."""
        for name, words in (("old.md", "always the same"), ("new.md", f"written {self.made}")):
            self.write(self.path / name, f"# Notes\n\nWhat is in here was {words}.\n".encode())

    def paint(self, path: Path) -> None:
        self.made += 1
        pixels = np.random.default_rng(self.made).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        self.stamp(path)

    def write_captions(self) -> None:
        names = sorted(path.relative_to(self.path).as_posix() for path in self.path.rglob("*.png"))
        rows = [
            {"image": name, "captions": {"en": [f"{name} {self.made}"], "es": ["igual"]}} for name in names
        ]
        self.write(self.path / "captions.jsonl", "\n".join(map(json.dumps, rows)).encode())

    def write(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        self.stamp(path)

    def stamp(self, path: Path) -> None:
        self.clock += 1
        os.utime(path, (self.clock, self.clock))


def run(collection: Path, folder: Path) -> None:
    with Catalog.open(collection) as catalog:
        captions = [folder / "captions.jsonl"]
        ingest(catalog, Encoder(), [folder], captions=captions, filename_captions=True)


def state(collection: Path) -> dict[str, Any]:
    """Everything that must be equal, in plain values."""
    with Catalog.open(collection) as catalog:
        row = catalog.encoder_id(Encoder.fingerprint)
        items = {item.id: item for item in catalog.items()}
        vectors = catalog.vectors_of(row, items)
        return {
            "items": {
                key: [item.source.path, item.source.sha256, dict(item.metadata)]
                for key, item in items.items()
            },
            "files": {path: repr(known) for path, known in catalog.file_states().items()},
            "texts": {
                key: sorted((text.origin, text.language, text.body) for text in texts)
                for key, texts in catalog.texts_of(items).items()
            },
            "vectors": {key: np.round(vector, 3).tolist() for key, vector in vectors.items()},
            "counts": [catalog.count_vectors(row, "image"), catalog.count_vectors(row, "text")],
            "words": len(catalog.search_words("igual", k=10_000)),
        }


def main(place: Path, kills_wanted: int, seed: int) -> dict[str, Any]:
    chance = random.Random(seed)
    folder = Folder(place / "pictures")
    folder.start()
    disturbed, undisturbed = place / "disturbed", place / "undisturbed"
    for collection in (disturbed, undisturbed):
        Catalog.create(collection, {}).close()
    problems: list[str] = []
    kills, phases, length = 0, 1, 0.25
    while True:
        for _ in range(12):
            started = time.monotonic()
            killed = not in_a_child(lambda: run(disturbed, folder.path), kill_after=chance.uniform(0, length))
            kills += killed
            with Catalog.open(disturbed) as catalog:
                problems += catalog.verify()
            if not killed:
                length = min(0.25, max(0.05, 0.5 * (length + time.monotonic() - started)))
                break
        if kills >= kills_wanted:
            break
        run(disturbed, folder.path)
        folder.change()
        phases += 1
    run(disturbed, folder.path)

    folder = Folder(place / "pictures")
    folder.start()
    run(undisturbed, folder.path)
    for _ in range(phases - 1):
        folder.change()
        run(undisturbed, folder.path)
    first, second = state(disturbed), state(undisturbed)
    return {
        "kills": kills,
        "phases": phases,
        "items": len(second["items"]),
        "problems": problems,
        "different": [part for part in first if first[part] != second[part]],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
