"""What every encoder promises, whatever family it is of and whatever runs it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from babelens.models.encoder import TwoTowerEncoder
from babelens.models.layouts import read_towers
from babelens.models.protocols import Encoder, ImageEncoder, TextEncoder
from babelens.models.registry import load_encoder
from babelens.models.towers import digest
from babelens.vectors import is_unit
from tests.checkpoints.texts import SENTENCES

LONG = "red word " * 10_000
TEXTS = [*SENTENCES, "🐕‍🦺 woof", "a", "A red car. " * 12]
WHOLE = ("clip", "siglip", "siglip2", "chinese_clip", "altclip")
# Text towers, which are joined with CLIP's picture tower as their publishers mean them to be.
TEXT_ONLY = ("sentence-transformers", "sentence-transformers on ONNX", "M-CLIP")
OTHERS = ("OpenCLIP", "OpenCLIP with XLM-R", "transformers.js", "Immich")


@dataclass(frozen=True)
class Model:
    """The folders of one model, and how to load them."""

    folders: tuple[Path, ...]
    load: Callable[[tuple[Path, ...]], Encoder]

    def encoder(self) -> Encoder:
        return self.load(self.folders)


def joined(folders: tuple[Path, ...]) -> Encoder:
    image, text = read_towers(folders[0]).image, read_towers(folders[1]).text
    assert image is not None
    assert text is not None
    return TwoTowerEncoder("joined", digest((*image.files, *text.files)), image, text, languages=("en", "ja"))


def whole(folders: tuple[Path, ...]) -> Encoder:
    return load_encoder(folders[0])


@pytest.fixture(scope="module", params=["mini", *WHOLE, *TEXT_ONLY, *OTHERS])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    family: str = request.param
    if family == "mini":
        import babelens.models

        return Model((Path(babelens.models.__path__[0]) / "mini",), whole)
    for package in ("torch", "transformers", "onnxscript"):
        pytest.importorskip(package, reason="needs pip install 'babelens[torch]'")
    from tests.checkpoints import onnx_folders, openclip, text_towers, transformers

    folder = tmp_path_factory.mktemp("models")
    if family in WHOLE:
        return Model((transformers.FAMILIES[family](folder / family),), whole)
    if family in OTHERS:
        folder = folder / "model"
        if family == "transformers.js":
            onnx_folders.write_transformersjs(folder, "siglip2")
        elif family == "Immich":
            onnx_folders.write_immich(folder, "clip")
        else:
            texts = {"text_cfg": openclip.XLMR} if "XLM-R" in family else {}
            openclip.write_openclip(folder, openclip.model_cfg(**texts))
        return Model((folder,), whole)
    pictures = transformers.clip(folder / "pictures")
    if family == "M-CLIP":
        return Model((pictures, text_towers.mclip(folder / "texts")), joined)
    if "ONNX" in family:
        return Model((pictures, request.getfixturevalue("onnx_text_tower")), joined)
    return Model((pictures, text_towers.sentence_tower(folder / "texts")), joined)


@pytest.fixture(scope="module")
def encoder(model: Model) -> Encoder:
    return model.encoder()


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    draw = np.random.default_rng(0)
    sizes = [(30, 30), (40, 51), (200, 33), (7, 9), (1, 90)]
    return [
        Image.fromarray(draw.integers(0, 256, (height, width, 3), dtype=np.uint8)) for width, height in sizes
    ]


def test_it_keeps_the_protocols(encoder: Encoder) -> None:
    assert isinstance(encoder, Encoder)
    assert isinstance(encoder, ImageEncoder)
    assert isinstance(encoder, TextEncoder)
    assert encoder.languages
    assert encoder.image_size > 0
    assert all(isinstance(value, float) for value in encoder.calibration.values())


def test_vectors_are_of_unit_length_and_tell_inputs_apart(
    encoder: Encoder, pictures: list[Image.Image]
) -> None:
    images = encoder.encode_prepared([encoder.prepare(picture) for picture in pictures])
    texts = encoder.encode_texts(TEXTS)
    for vectors, count in ((images, len(pictures)), (texts, len(TEXTS))):
        assert vectors.shape == (count, encoder.fingerprint.dim)
        assert vectors.dtype == np.float32
        assert is_unit(vectors, 1e-5)
        alike = vectors @ vectors.T - 2 * np.eye(count)
        assert alike.max() < 0.99999


def test_neither_order_nor_company_changes_a_text(encoder: Encoder) -> None:
    together = encoder.encode_texts(TEXTS)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS[::-1])[::-1], together, atol=1e-5)
    alone = np.concatenate([encoder.encode_texts([text]) for text in TEXTS])
    np.testing.assert_allclose(alone, together, atol=1e-5)


def test_neither_order_nor_company_changes_a_picture(encoder: Encoder, pictures: list[Image.Image]) -> None:
    pixels = [encoder.prepare(picture) for picture in pictures]
    together = encoder.encode_prepared(pixels)
    np.testing.assert_allclose(encoder.encode_prepared(pixels[::-1])[::-1], together, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_prepared(pixels[1:2])[0], together[1], atol=1e-5)
    many = encoder.encode_prepared(pixels * 15)  # more than a batch
    np.testing.assert_allclose(many, np.tile(together, (15, 1)), atol=1e-5)


def test_pictures_are_prepared_to_one_size_and_only_in_rgb(
    encoder: Encoder, pictures: list[Image.Image]
) -> None:
    side = encoder.image_size
    for picture in pictures:
        pixels = encoder.prepare(picture)
        assert pixels.shape == (side, side, 3)
        assert pixels.dtype == np.uint8
    with pytest.raises(ValueError, match="takes RGB pictures, not L"):
        encoder.prepare(pictures[0].convert("L"))


def test_nothing_gives_nothing(encoder: Encoder) -> None:
    dim = encoder.fingerprint.dim
    assert encoder.encode_texts([]).shape == (0, dim)
    assert encoder.encode_prepared([]).shape == (0, dim)
    assert encoder.count_tokens([]) == []


def test_a_text_of_no_words_has_a_vector(encoder: Encoder) -> None:
    vectors = encoder.encode_texts(["", "   ", "a red car"])
    assert is_unit(vectors, 1e-5)
    np.testing.assert_allclose(vectors[0], encoder.encode_texts([""])[0], atol=1e-5)


def test_a_long_text_is_counted_and_cut(encoder: Encoder) -> None:
    short, long = encoder.count_tokens(["red", LONG])
    assert short <= encoder.max_tokens
    assert long > 10_000
    vectors = encoder.encode_texts([LONG, "red"])
    assert is_unit(vectors, 1e-5)
    np.testing.assert_allclose(vectors[1], encoder.encode_texts(["red"])[0], atol=1e-5)


def test_threads_may_share_it_from_the_first_call_on(model: Model, pictures: list[Image.Image]) -> None:
    shared = model.encoder()

    def work(turn: int) -> tuple[np.ndarray, np.ndarray]:
        pixels = [shared.prepare(picture) for picture in pictures]
        if turn % 2:
            return shared.encode_prepared(pixels), shared.encode_texts(TEXTS)
        texts = shared.encode_texts(TEXTS)
        return shared.encode_prepared(pixels), texts

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(work, range(16)))
    alone = model.encoder()
    images = alone.encode_prepared([alone.prepare(picture) for picture in pictures])
    texts = alone.encode_texts(TEXTS)
    for found_images, found_texts in results:
        np.testing.assert_allclose(found_images, images, atol=1e-5)
        np.testing.assert_allclose(found_texts, texts, atol=1e-5)


def test_loading_it_again_changes_nothing(model: Model, encoder: Encoder) -> None:
    again = model.encoder()
    assert again.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(again.encode_texts(TEXTS[:2]), encoder.encode_texts(TEXTS[:2]))


def test_other_weights_or_another_tokenizer_have_another_fingerprint(
    model: Model, encoder: Encoder, tmp_path: Path
) -> None:
    if model.load is whole and (model.folders[0] / "encoder.json").is_file():
        pytest.skip("this layout states its revision")
    copies = tuple(tmp_path / str(place) / folder.name for place, folder in enumerate(model.folders))
    for folder, copy in zip(model.folders, copies, strict=True):
        shutil.copytree(folder, copy)
    assert model.load(copies).fingerprint == encoder.fingerprint
    weights = next(
        file
        for pattern in ("onnx/*.onnx", "visual/*.onnx", "*.safetensors", "*.bin")
        for file in sorted(copies[-1].glob(pattern))
    )
    content = bytearray(weights.read_bytes())
    content[-100] ^= 1
    weights.write_bytes(content)
    changed = model.load(copies).fingerprint
    assert changed.revision != encoder.fingerprint.revision
    vocabulary = copies[-1] / "tokenizer.json"
    if vocabulary.is_file():
        vocabulary.write_bytes(vocabulary.read_bytes() + b" ")
        assert model.load(copies).fingerprint.preprocess != changed.preprocess
