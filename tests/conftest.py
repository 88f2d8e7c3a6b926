"""Shared fakes and fixtures. Fakes are real classes that keep the protocols, never patches."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from PIL import Image

from babelens.types import EncoderFingerprint
from babelens.vectors import Floats, normalize
from tests.vocabulary import MEANINGS, directions

# The default encoder has to be fetched; the tests run offline, in this process and in those they start.
os.environ["BABELENS_MODEL"] = "mini"

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("repeatable")

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 30, 30),
    "green": (30, 180, 50),
    "blue": (40, 60, 220),
    "yellow": (240, 220, 40),
    "black": (10, 10, 10),
    "white": (245, 245, 245),
    "purple": (130, 40, 160),
    "orange": (250, 140, 20),
}
TRANSLATIONS: dict[str, dict[str, str]] = {
    "red": {"es": "rojo", "fr": "rouge", "hi": "लाल", "de": "rot", "it": "rosso", "ja": "赤", "ar": "أحمر"},
    "green": {
        "es": "verde",
        "fr": "vert",
        "hi": "हरा",
        "de": "grün",
        "it": "verde",
        "ja": "緑",
        "ar": "أخضر",
    },
    "blue": {"es": "azul", "fr": "bleu", "hi": "नीला", "de": "blau", "it": "blu", "ja": "青", "ar": "أزرق"},
}
_WORDS = {
    **{name: name for name in COLOURS},
    **{word: name for name, row in TRANSLATIONS.items() for word in row.values()},
}


class FakeEncoder:
    """Sees the mean colour of a 4 × 4 grid; a text means the colours it names. Deterministic, no weights."""

    photographs = False
    image_size = 8
    max_tokens = 16
    languages = ("en", "es", "fr", "hi", "de", "it", "ja", "ar")

    def __init__(self, name: str = "fake", revision: str = "1") -> None:
        self.fingerprint = EncoderFingerprint(name, revision, "fake-8", 51)
        self.calibration: dict[str, float] = {}
        self.vocabulary = np.empty((0, 51), dtype=np.float32)
        self.images_encoded = 0
        self.texts_encoded = 0

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        return np.asarray(image.convert("RGB").resize((8, 8), Image.Resampling.BOX))

    def encode_prepared(self, pixels: Sequence[NDArray[np.uint8]]) -> Floats:
        self.images_encoded += len(pixels)
        batch = np.stack(pixels).astype(np.float32) / 255 - 0.45
        cells = batch.reshape(len(pixels), 4, 2, 4, 2, 3).mean(axis=(2, 4)).reshape(len(pixels), 48)
        constant = np.full((len(pixels), 3), 0.01, dtype=np.float32)
        return normalize(np.concatenate([cells, constant], axis=1))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        self.texts_encoded += len(texts)
        rows = []
        for text in texts:
            named = [_WORDS[word] for word in text.casefold().replace(",", " ").split() if word in _WORDS]
            if named:
                colour = np.mean([COLOURS[name] for name in named], axis=0).astype(np.float32)
                rows.append(np.concatenate([np.tile(colour / 255 - 0.45, 16), np.full(3, 0.01)]))
            else:  # words it does not know point somewhere fixed and unrelated
                rows.append(np.random.default_rng(abs(sum(map(ord, text)))).normal(size=51) * 0.1)
        return normalize(np.array(rows))


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with one plain PNG per colour, named after it."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, colour in COLOURS.items():
        Image.new("RGB", (32, 24), colour).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="session")
def onnx_text_tower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sentence-transformers with ``onnx/model.onnx``. The export takes seconds, so all tests share it."""
    for package in ("torch", "transformers", "onnxscript"):
        pytest.importorskip(package, reason="needs pip install 'babelens[torch]'")
    from tests.checkpoints import text_towers

    folder = tmp_path_factory.mktemp("onnx") / "tower"
    return text_towers.add_onnx(text_towers.sentence_tower(folder))


@pytest.fixture(scope="session")
def writers(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Folders of tiny captioners and translators by the name of their function in ``checkpoints/words.py``."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tests.checkpoints import words

    base, made = tmp_path_factory.mktemp("writers"), dict[str, Path]()

    def folder(family: str, name: str = "", **settings: object) -> Path:
        name = name or family
        if name not in made:
            made[name] = getattr(words, family)(base / name, **settings)
        return made[name]

    return folder


@pytest.fixture
def sample_data() -> Path:
    """Real photographs and documents for trials; not part of the repository."""
    folder = Path(os.environ.get("BABELENS_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no sample data: set BABELENS_TEST_DATA to a folder that holds coco51/ and flickr8k/")
    return folder


class FakePassageEncoder:
    """A text means the things of :mod:`tests.vocabulary` that it names, in whatever language. No weights."""

    languages = ("en", "es", "fr", "hi", "de", "it", "ja", "ar")
    max_tokens = 40

    def __init__(self, name: str = "fake-passages", dim: int = 32) -> None:
        self.fingerprint = EncoderFingerprint(name, "1", "words", dim)
        self.calibration: dict[str, float] = {}
        self.passages_encoded = 0

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def encode_passages(self, texts: Sequence[str]) -> Floats:
        self.passages_encoded += len(texts)
        return self._encode(texts)

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        return self._encode(texts)

    def _encode(self, texts: Sequence[str]) -> Floats:
        known = directions(self.fingerprint.dim)
        rows = np.zeros((len(texts), self.fingerprint.dim))
        for row, text in zip(rows, texts, strict=True):
            words = re.sub(r"[.,:;!?¿؟。、#]", " ", text.casefold()).split()[: self.max_tokens]
            for word in words:
                row += known.get(MEANINGS.get(word, ""), 0)
            # Other words point somewhere fixed, and hardly.
            noise = np.random.default_rng(sum(map(ord, " ".join(words)))).normal(size=len(row))
            row += 0.02 * noise
        return normalize(rows) if len(rows) else np.empty((0, self.fingerprint.dim), dtype=np.float32)


@pytest.fixture(scope="session")
def passage_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A passage encoder with random weights, for ONNX Runtime and for PyTorch, under the name that E5 has."""
    for package in ("torch", "transformers", "onnxscript"):
        pytest.importorskip(package, reason="needs pip install 'babelens[torch]'")
    from tests.checkpoints import passages

    folder = tmp_path_factory.mktemp("passages") / "multilingual-e5-small"
    return passages.add_onnx(passages.e5(folder))


@pytest.fixture(scope="session")
def own_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder such as `babelens train` makes, with random weights, in float32."""
    for package in ("torch", "onnxscript"):
        pytest.importorskip(package, reason="needs pip install 'babelens[torch]'")
    from tests import tuning

    return tuning.write_own(tmp_path_factory.mktemp("own") / "encoder")


class OtherEncoder(FakeEncoder):
    """Another space over the same pictures and words: their mean colour, as 5 numbers."""

    def __init__(self, name: str = "other", revision: str = "1") -> None:
        super().__init__(name, revision)
        self.fingerprint = EncoderFingerprint(name, revision, "fake-8", 5)

    def encode_prepared(self, pixels: Sequence[NDArray[np.uint8]]) -> Floats:
        return _mean_colour(super().encode_prepared(pixels))

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        return _mean_colour(super().encode_texts(texts))


def _mean_colour(vectors: Floats) -> Floats:
    colours = vectors[:, :48].reshape(len(vectors), 16, 3).mean(axis=1)
    return normalize(np.concatenate([colours, np.full((len(vectors), 2), 0.01)], axis=1))
