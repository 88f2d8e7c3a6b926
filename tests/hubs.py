"""A collection with hubs planted in it: pictures that lie near to every English caption, and to no German one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from babelens.collection import Collection
from babelens.storage import Catalog
from babelens.types import EncoderFingerprint
from babelens.vectors import Floats, normalize
from tests.catalogs import text
from tests.conftest import FakeEncoder

DIM = 32
PICTURES = 160
HUBS = 3


class PlantedEncoder(FakeEncoder):
    """Knows the vectors of some texts; it never sees a picture."""

    def __init__(self, known: Mapping[str, Floats]) -> None:
        super().__init__()
        self.fingerprint = EncoderFingerprint("planted", "imported", "unknown", DIM)
        self._known = known

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        stranger = normalize(np.ones(DIM))
        return np.stack([self._known.get(text, stranger) for text in texts])


def body(number: int, language: str) -> str:
    return f"q{number}{language}"


def plant(
    folder: Path, *, hubs: int = HUBS, pictures: int = PICTURES, noise: float = 0.8, seed: int = 0
) -> PlantedEncoder:
    """A collection of ``pictures`` with a caption in each language, and ``hubs`` pictures without.

    Pictures are random; a caption is its picture with noise, the English ones also with a direction they share,
    where the hubs are. Without hubs, that direction leads nowhere.
    """
    random = np.random.default_rng(seed)
    shared = normalize(random.normal(size=DIM))
    shown = normalize(random.normal(size=(pictures, DIM)))
    shown = normalize(shown - (shown @ shared)[:, None] * shared)
    there = normalize(shared + 0.02 * random.normal(size=(hubs, DIM))) if hubs else np.empty((0, DIM))
    captions = {
        language: normalize(shown + pull * shared + noise * normalize(random.normal(size=(pictures, DIM))))
        for language, pull in (("en", 1.3), ("de", 0.0))
    }
    names = [
        *(f"/pictures/p{row:03d}.jpg" for row in range(pictures)),
        *(f"/pictures/hub{n}.jpg" for n in range(hubs)),
    ]
    with Collection.open(folder) as collection:
        collection.import_vectors(np.concatenate([shown, there]), names, encoder="planted")
        ids = {item.source.path: item.id for item in collection.items()}
    with Catalog.open(folder) as catalog:
        ((encoder, _),) = catalog.encoders().items()
        for language, vectors in captions.items():
            rows = catalog.put_texts(
                [text(ids[name], body(row, language), language) for row, name in enumerate(names[:pictures])]
            )
            catalog.put_vectors(encoder, "text", rows, vectors, dtype="float32")
    return PlantedEncoder(
        {
            body(row, language): vectors[row]
            for language, vectors in captions.items()
            for row in range(pictures)
        }
    )
