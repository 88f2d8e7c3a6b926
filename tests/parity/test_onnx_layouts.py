"""ONNX folders of transformers.js and Immich against the models they were exported from."""

from __future__ import annotations

import json
import shutil
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnx", reason="exporting a test model needs onnx: pip install 'babelens[torch]'")
torch = pytest.importorskip("torch", reason="the reference needs torch: pip install 'babelens[torch]'")
transformers = pytest.importorskip("transformers", reason="the reference: pip install 'babelens[torch]'")

from babelens.errors import WeightsUnavailableError  # noqa: E402
from babelens.models.layouts import read_towers  # noqa: E402
from babelens.models.registry import load_encoder  # noqa: E402
from babelens.vectors import normalize  # noqa: E402
from tests.checkpoints.onnx_folders import write_immich, write_transformersjs  # noqa: E402
from tests.checkpoints.texts import TEXTS  # noqa: E402

FAMILIES = ("clip", "siglip", "siglip2")


def picture(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


PICTURES = [picture(70, 45), picture(33, 90), picture(20, 20), picture(32, 32)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Any]]:
    made = {}
    for family in FAMILIES:
        folder = tmp_path_factory.mktemp(family) / "model"
        made[family] = (folder, write_transformersjs(folder, family))
    for kind in ("clip", "xlmr", "mclip"):
        folder = tmp_path_factory.mktemp(f"immich-{kind}") / "model"
        made[f"immich-{kind}"] = (folder, write_immich(folder, kind))
    return made


def reference_ids(family: str, folder: Path) -> np.ndarray:
    """By the tokenizer of ``transformers``, on texts as SigLIP's training saw them (see test_transformers.py)."""
    texts = list(TEXTS)
    if family == "clip":
        tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
        return tokenizer(texts, padding=True, truncation=True, return_tensors="np").input_ids
    if family == "siglip":
        punctuation = str.maketrans("", "", string.punctuation)
        texts = [" ".join(text.translate(punctuation).split()) for text in texts]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return tokenizer(
        [text.lower() for text in texts],
        padding="max_length",
        max_length=64,
        truncation=True,
        return_tensors="np",
    ).input_ids


@pytest.mark.parametrize("family", FAMILIES)
def test_ids_are_those_of_transformers(folders: dict[str, tuple[Path, Any]], family: str) -> None:
    folder, _ = folders[family]
    towers = read_towers(folder)
    assert towers.text is not None
    ids, _ = towers.text.tokenizer()(TEXTS)
    np.testing.assert_array_equal(ids, reference_ids(family, folder))


@pytest.mark.parametrize("family", FAMILIES)
def test_pixels_are_those_of_transformers(folders: dict[str, tuple[Path, Any]], family: str) -> None:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    folder, _ = folders[family]
    tower = read_towers(folder).image
    assert tower is not None
    processor = (CLIPImageProcessorPil if family == "clip" else SiglipImageProcessorPil).from_pretrained(
        folder
    )
    expected = processor(PICTURES, return_tensors="np").pixel_values
    pixels = np.stack([tower.preprocess.to_pixels(image) for image in PICTURES])
    np.testing.assert_allclose(tower.preprocess.standardize(pixels), expected, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_are_those_of_transformers(folders: dict[str, tuple[Path, Any]], family: str) -> None:
    folder, model = folders[family]
    encoder = load_encoder(folder)
    pixels = [encoder.prepare(image) for image in PICTURES]
    tower = read_towers(folder).image
    assert tower is not None
    with torch.inference_mode():
        images = model.get_image_features(torch.from_numpy(tower.preprocess.standardize(np.stack(pixels))))
        texts = model.get_text_features(torch.from_numpy(reference_ids(family, folder).astype(np.int64)))
    np.testing.assert_allclose(
        encoder.encode_prepared(pixels), normalize(images.pooler_output.numpy()), atol=1e-4
    )
    expected = normalize(texts.pooler_output.numpy())
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), expected, atol=1e-4)
    assert expected.std(axis=0).mean() > 1e-3  # vectors that are all alike would prove nothing


@pytest.mark.parametrize("kind", ["clip", "xlmr", "mclip"])
def test_immichs_folders_give_the_vectors_of_the_model(
    folders: dict[str, tuple[Path, Any]], kind: str
) -> None:
    folder, model = folders[f"immich-{kind}"]
    encoder = load_encoder(folder)
    towers = read_towers(folder)
    assert towers.image is not None
    assert towers.text is not None
    pixels = [encoder.prepare(image) for image in PICTURES]
    ids, mask = towers.text.tokenizer()(TEXTS)
    assert ids.shape == (len(TEXTS), 77)
    if kind != "clip":  # both text towers count positions from the padding, which is 1
        assert (ids[mask == 0] == 1).all()
    with torch.inference_mode():
        images = model.visual(torch.from_numpy(towers.image.preprocess.standardize(np.stack(pixels))))
        texts = model.text(torch.from_numpy(ids))
    np.testing.assert_allclose(encoder.encode_prepared(pixels), normalize(images.numpy()), atol=1e-4)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), normalize(texts.numpy()), atol=1e-4)


def test_immichs_pictures_are_cropped_as_torchvision_does(folders: dict[str, tuple[Path, Any]]) -> None:
    tower = read_towers(folders["immich-clip"][0]).image
    assert tower is not None
    assert tower.preprocess.key == "crop-round-32 mean=(0.48, 0.46, 0.41) std=(0.27, 0.26, 0.28)"


def copy_of(folders: dict[str, tuple[Path, Any]], name: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folders[name][0], tmp_path / "copy"))


def test_a_precision_that_loses_is_taken_only_alone_and_said(
    folders: dict[str, tuple[Path, Any]], tmp_path: Path
) -> None:
    folder = copy_of(folders, "clip", tmp_path)
    onnx_folder = folder / "onnx"
    for precision in ("q4", "int8", "fp16"):
        shutil.copy(onnx_folder / "text_model.onnx", onnx_folder / f"text_model_{precision}.onnx")
    assert load_encoder(folder).runtime == "ONNX Runtime, fp32"
    for left, said in (("", "fp16"), ("_fp16", "int8"), ("_int8", "4-bit")):
        (onnx_folder / f"text_model{left}.onnx").unlink()
        runtime = load_encoder(folder).runtime
        assert runtime == f"ONNX Runtime, fp32 (pictures), ONNX Runtime, {said} (texts)"
    (onnx_folder / "text_model_q4.onnx").rename(onnx_folder / "text_model_odd.onnx")
    with pytest.raises(WeightsUnavailableError, match=r"text_model_odd\.onnx; known are text_model\.onnx"):
        load_encoder(folder)


def test_a_folder_with_one_tower_lends_it(folders: dict[str, tuple[Path, Any]], tmp_path: Path) -> None:
    """The catalogue takes CLIP's pictures without its texts."""
    folder = copy_of(folders, "clip", tmp_path)
    whole = read_towers(folder)
    (folder / "onnx" / "text_model.onnx").unlink()
    for file in (*folder.glob("token*"), *folder.glob("*.safetensors")):
        file.unlink()
    towers = read_towers(folder)
    assert towers.text is None
    assert towers.image is not None
    assert whole.image is not None
    pixels = np.zeros((2, 3, towers.image.preprocess.size, towers.image.preprocess.size), dtype=np.float32)
    np.testing.assert_array_equal(towers.image.load()(pixels), whole.image.load()(pixels))


def test_weights_outside_of_the_graph_tell_versions_apart(
    folders: dict[str, tuple[Path, Any]], tmp_path: Path
) -> None:
    import onnx

    folder = copy_of(folders, "clip", tmp_path)
    file = folder / "onnx" / "vision_model.onnx"
    before = load_encoder(folder)
    pixels = [before.prepare(image) for image in PICTURES]
    onnx.save_model(
        onnx.load(file),
        str(file),
        save_as_external_data=True,
        location="onnx__MatMul_1234",
        size_threshold=0,
    )
    encoder = load_encoder(folder)
    np.testing.assert_allclose(encoder.encode_prepared(pixels), before.encode_prepared(pixels), atol=1e-6)
    outside = folder / "onnx" / "onnx__MatMul_1234"
    values = np.fromfile(outside, dtype=np.float32)
    (values * 1.01).astype(np.float32).tofile(outside)
    assert load_encoder(folder).fingerprint.revision != encoder.fingerprint.revision
    outside.unlink()
    with pytest.raises(WeightsUnavailableError, match=r"onnx__MatMul_1234 is missing"):
        load_encoder(folder).encode_prepared(pixels)


@pytest.mark.parametrize(
    ("layout", "file"),
    [
        ("clip", "config.json"),
        ("clip", "preprocessor_config.json"),
        ("clip", "tokenizer.json"),
        ("immich-clip", "visual/preprocess_cfg.json"),
        ("immich-clip", "textual/tokenizer_config.json"),
        ("immich-clip", "textual/tokenizer.json"),
    ],
)
def test_a_missing_file_is_named(
    folders: dict[str, tuple[Path, Any]], tmp_path: Path, layout: str, file: str
) -> None:
    folder = copy_of(folders, layout, tmp_path)
    (folder / file).unlink()
    for older in ("vocab.json", "merges.txt", "textual/vocab.json", "textual/merges.txt"):
        (folder / older).unlink(missing_ok=True)
    with pytest.raises(WeightsUnavailableError, match=file.replace("/", ".*")):
        load_encoder(folder).encode_texts(["a"])


def test_a_damaged_graph_is_named(folders: dict[str, tuple[Path, Any]], tmp_path: Path) -> None:
    folder = copy_of(folders, "immich-clip", tmp_path)
    graph = folder / "textual" / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:1000])
    with pytest.raises(WeightsUnavailableError, match=r"model\.onnx cannot be loaded"):
        load_encoder(folder).encode_texts(["a"])


def test_a_graph_with_other_outputs_is_refused(folders: dict[str, tuple[Path, Any]], tmp_path: Path) -> None:
    folder = copy_of(folders, "clip", tmp_path)
    shutil.copy(folders["siglip"][0] / "onnx" / "text_model.onnx", folder / "onnx" / "text_model.onnx")
    with pytest.raises(WeightsUnavailableError, match=r"has the outputs pooler_output, not text_embeds"):
        load_encoder(folder).encode_texts(["a"])


@pytest.mark.parametrize(
    ("layout", "change", "message"),
    [
        ("clip", {"model_type": "clap"}, "a 'clap' model, which Babelens does not know"),
        ("clip", {"projection_dim": 25}, "gives 24 numbers a row; the description beside it says 25"),
        ("immich-clip", {"embed_dim": 7}, "gives 48 numbers a row; the description beside it says 7"),
        ("immich-clip", {"embed_dim": "many"}, "not a valid OpenCLIP description"),
        ("immich-clip", {"text_cfg": {"hf_model_name": "facebook/nllb-200"}}, "NLLB-CLIP"),
    ],
)
def test_a_description_that_does_not_fit_says_so(
    folders: dict[str, tuple[Path, Any]], tmp_path: Path, layout: str, change: dict[str, Any], message: str
) -> None:
    folder = copy_of(folders, layout, tmp_path)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(WeightsUnavailableError, match=message):
        load_encoder(folder).encode_texts(["a"])


def test_canonicalised_texts_of_immichs_siglip(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    write_immich(folder, "xlmr", tokenizer_kwargs={"clean": "canonicalize"})
    text = read_towers(folder).text
    assert text is not None
    ids, _ = text.tokenizer()(["A photo, of a RED_car!", "a photo of a red car"])
    np.testing.assert_array_equal(ids[0], ids[1])
