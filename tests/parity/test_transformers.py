"""Encoders of transformers' families against transformers itself: ids, pixels and vectors."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="needs pip install 'babelens[torch]'")
transformers = pytest.importorskip("transformers", reason="needs pip install 'babelens[torch]'")

from babelens.models.encoder import TwoTowerEncoder  # noqa: E402
from babelens.models.registry import load_encoder  # noqa: E402
from babelens.vectors import Floats, normalize  # noqa: E402
from tests.checkpoints.texts import AWKWARD, SENTENCES, TEXTS  # noqa: E402
from tests.checkpoints.transformers import FAMILIES  # noqa: E402

PIL_PROCESSORS = {
    "clip": "CLIPImageProcessorPil",
    "siglip": "SiglipImageProcessorPil",
    "siglip2": "SiglipImageProcessorPil",
    "chinese_clip": "ChineseCLIPImageProcessorPil",
    "altclip": "CLIPImageProcessorPil",
}


@dataclass
class Pair:
    """One checkpoint, loaded twice."""

    family: str
    folder: Path
    ours: TwoTowerEncoder
    model: Any
    tokenizer: Any
    pictures: Any

    def tokens(self, texts: list[str]) -> dict[str, Any]:
        """As the family's model card calls its processor."""
        if self.family == "siglip2":
            # Trained on lower case, which transformers leaves to the caller for these repositories.
            texts = [text.lower() for text in texts]
        if self.family.startswith("siglip"):
            made = self.tokenizer(
                texts, padding="max_length", max_length=64, truncation=True, return_tensors="pt"
            )
            return {"input_ids": made["input_ids"]}
        made = self.tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        return {name: made[name] for name in ("input_ids", "attention_mask")}


@pytest.fixture(scope="module", params=list(FAMILIES))
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    family = request.param
    folder = FAMILIES[family](tmp_path_factory.mktemp("checkpoints") / family)
    ours = load_encoder(folder)
    assert isinstance(ours, TwoTowerEncoder)
    return Pair(
        family,
        folder,
        ours,
        transformers.AutoModel.from_pretrained(folder).eval(),
        transformers.AutoTokenizer.from_pretrained(folder),
        getattr(transformers, PIL_PROCESSORS[family]).from_pretrained(folder),
    )


def test_ids_are_equal(pair: Pair) -> None:
    texts = list(TEXTS)
    ids, mask = pair.ours.text_tower.tokenizer()(texts)
    expected = pair.tokens(texts)
    np.testing.assert_array_equal(ids, expected["input_ids"].numpy())
    if "attention_mask" in expected:
        np.testing.assert_array_equal(mask, expected["attention_mask"].numpy())


@pytest.mark.parametrize("size", [(31, 30), (45, 61), (200, 33), (7, 9), (1, 400), (640, 427)])
def test_pixels_are_equal(pair: Pair, size: tuple[int, int]) -> None:
    drawn = np.random.default_rng(size[0]).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(drawn)
    expected = pair.pictures(image, return_tensors="np")["pixel_values"]
    ours = pair.ours.image_tower.preprocess.standardize(pair.ours.prepare(image)[None])
    if size == (1, 400):  # a strip is cut before it is made large; only the order of rounding differs
        assert np.abs(ours - expected).mean() < 0.1
    else:
        np.testing.assert_allclose(ours, expected, atol=2e-6)


def test_vectors_of_pictures_are_equal(pair: Pair) -> None:
    drawn = np.random.default_rng(0).integers(0, 256, (5, 40, 50, 3), dtype=np.uint8)
    images = [Image.fromarray(picture) for picture in drawn]
    with torch.no_grad():
        features = pair.model.get_image_features(**pair.pictures(images, return_tensors="pt"))
    expected = normalize(features.pooler_output.numpy())
    ours = pair.ours.encode_prepared([pair.ours.prepare(image) for image in images])
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    assert _spread(ours) > 0.005


def test_vectors_of_texts_are_equal(pair: Pair) -> None:
    texts = [*SENTENCES, *AWKWARD[2:]]
    with torch.no_grad():
        features = pair.model.get_text_features(**pair.tokens(texts))
    ours = pair.ours.encode_texts(texts)
    np.testing.assert_allclose(ours, normalize(features.pooler_output.numpy()), atol=1e-5)
    assert _spread(ours) > 0.005


def test_older_vocabulary_files_serve_as_well(pair: Pair, tmp_path: Path) -> None:
    """vocab.json and merges.txt, vocab.txt, sentencepiece.bpe.model: what repositories had before tokenizer.json."""
    older = {
        "clip": ("vocab.json", "merges.txt"),
        "chinese_clip": ("vocab.txt",),
        "siglip": ("spiece.model",),
    }
    if pair.family not in older:
        pytest.skip("published with tokenizer.json")
    for name in (*older[pair.family], "tokenizer_config.json", "config.json", "preprocessor_config.json"):
        shutil.copy(pair.folder / name, tmp_path)
    shutil.copy(pair.folder / "model.safetensors", tmp_path)
    ours = load_encoder(tmp_path)
    texts = [*SENTENCES, *AWKWARD[2:]]
    np.testing.assert_array_equal(ours.encode_texts(texts), pair.ours.encode_texts(texts))
    # Nor do the settings have to say what is padded with, which the tower of SigLIP sees.
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    del settings["pad_token"]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    np.testing.assert_array_equal(load_encoder(tmp_path).encode_texts(texts), pair.ours.encode_texts(texts))


def test_weights_in_parts_and_pickles_are_the_same_weights(pair: Pair, tmp_path: Path) -> None:
    folder = tmp_path / pair.family
    shutil.copytree(pair.folder, folder)
    (folder / "model.safetensors").unlink()
    pair.model.save_pretrained(folder, max_shard_size="40KB")
    assert (folder / "model.safetensors.index.json").is_file()
    parts = load_encoder(folder)
    expected = pair.ours.encode_texts(SENTENCES)
    np.testing.assert_array_equal(parts.encode_texts(SENTENCES), expected)
    for file in folder.glob("model*.safetensors*"):
        file.unlink()
    torch.save(pair.model.state_dict(), folder / "pytorch_model.bin")
    pickled = load_encoder(folder)
    np.testing.assert_array_equal(pickled.encode_texts(SENTENCES), expected)
    assert pickled.fingerprint.revision != parts.fingerprint.revision


def _spread(vectors: Floats) -> float:
    """A comparison of vectors that are all alike would prove nothing."""
    return float(vectors.std(axis=0).mean())
