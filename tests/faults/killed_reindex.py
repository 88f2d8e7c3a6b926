"""Run by test_reindex_kill.py: kills a reindex at each of its writes, and compares the end with an undisturbed one.

A small process of its own, so that it may fork. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from babelens.collection import Collection, reindex
from babelens.ingest import reencode
from babelens.storage import Catalog
from babelens.types import EncoderFingerprint
from babelens.vectors import Floats, normalize
from tests.processes import in_a_child

# Many small commits: many moments to be killed at.
reencode._ENCODE = 4  # type: ignore[misc]
reencode._TEXTS = 5  # type: ignore[misc]
reencode._COMMIT_SECONDS = 0.0  # type: ignore[misc]
reindex._BATCH = 7  # type: ignore[misc]

PICTURES = 12


class Encoder:
    """The mean colour of ``stripes`` stripes; a text by its letters."""

    photographs = True
    image_size = 12
    calibration: ClassVar[dict[str, float]] = {}
    vocabulary = np.empty((0, 12), dtype=np.float32)
    languages = ("en",)
    max_tokens = 100

    def __init__(self, name: str, stripes: int) -> None:
        self.fingerprint = EncoderFingerprint(name, "1", "12", 3 * stripes)
        self.stripes = stripes

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        return np.asarray(image.resize((12, 12), Image.Resampling.BOX))

    def encode_prepared(self, pixels: Sequence[NDArray[np.uint8]]) -> Floats:
        stripes = np.stack(pixels).astype(np.float32).reshape(len(pixels), self.stripes, -1, 3)
        return normalize(stripes.mean(axis=2).reshape(len(pixels), -1) - 120)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        letters = "0123456789ab"[: self.fingerprint.dim]
        return normalize(np.array([[1 + text.count(letter) for letter in letters] for text in texts]))


OLD, NEW = Encoder("old", 4), Encoder("new", 2)


class Doomed(Catalog):
    """Kills its process at its n-th write: some lie between two transactions, some inside one."""

    left = 0

    @contextmanager
    def writing(self) -> Iterator[None]:
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        with super().writing():
            yield


def run(collection: Path, kill_at: int = 0) -> bool:
    """Whether a run of its own process got to its end."""

    def work() -> None:
        catalog = Doomed.open(collection)
        catalog.left = kill_at
        with Collection(collection, catalog) as opened:
            opened.reindex(NEW)

    return in_a_child(work)


def searched(collection: Path, folder: Path) -> str:
    """The encoder of record, after every picture was found by its own vector in it, and a text by words."""
    with Collection.open(collection, read_only=True) as opened:
        fingerprint = opened.info().encoder
        encoder = OLD if fingerprint == OLD.fingerprint else NEW
        report = opened.verify()
        if not report.ok:
            raise SystemExit(f"not sound: {report.problems}")
        for path in sorted(folder.glob("*.png")):
            vector = encoder.encode_prepared([encoder.prepare(Image.open(path))])[0]
            hits = opened.search(vector=vector, mode="vector", k=PICTURES).hits
            if len(hits) != PICTURES or Path(hits[0].item.source.path) != path:
                raise SystemExit(f"{path} is not found with {encoder.fingerprint.name}")
        if not opened.search("caption", mode="text").hits:
            raise SystemExit("words are not found")
        return encoder.fingerprint.name


def state(collection: Path) -> dict[str, Any]:
    """Everything that must be equal, in plain values."""
    with Catalog.open(collection, read_only=True) as catalog:
        ((number, fingerprint),) = catalog.encoders().items()
        ids = [item.id for item in catalog.items()]
        rows = [row for rows in catalog.text_rows_of(ids).values() for row in rows]
        return {
            "encoder": fingerprint.name,
            "settings": [
                catalog.get_setting(key) for key in ("encoder", "model", "reindex", "reindex.leftovers")
            ],
            "pictures": {key: value.tolist() for key, value in catalog.vectors_of(number, ids).items()},
            "texts": {key: value.tolist() for key, value in catalog.text_vectors(number, rows).items()},
            "counts": [catalog.count_vectors(number, "image"), catalog.count_vectors(number, "text")],
        }


def main(place: Path) -> dict[str, Any]:
    folder = place / "pictures"
    folder.mkdir()
    for number in range(PICTURES):
        pixels = np.random.default_rng(number).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
        (folder / f"{number:02}.txt").write_text(f"caption {number}")
    begun, undisturbed, disturbed = place / "begun", place / "undisturbed", place / "disturbed"
    with Collection.open(begun, model=OLD) as opened:
        opened.add(folder, caption_language="en")
    shutil.copytree(begun, undisturbed)
    if not run(undisturbed):
        raise SystemExit("the undisturbed run was disturbed")
    wanted = state(undisturbed)

    seen, different, kill_at = [], set(), 1
    while True:  # every moment there is
        shutil.rmtree(disturbed, ignore_errors=True)
        shutil.copytree(begun, disturbed)
        if run(disturbed, kill_at):
            break
        seen.append(searched(disturbed, folder))
        # A second kill on what the first one left, then a run to the end.
        if not run(disturbed, 1 + kill_at % 7):
            searched(disturbed, folder)
            run(disturbed)
        found = state(disturbed)
        different |= {part for part in found if found[part] != wanted[part]}
        kill_at += 1
    return {"seen": seen, "vectors": wanted["counts"], "different": sorted(different)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))))
