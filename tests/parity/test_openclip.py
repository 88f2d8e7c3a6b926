"""OpenCLIP checkpoints against OpenCLIP's arithmetic.

The reference is the plain statement in tests/checkpoints/openclip.py, so that this runs where open_clip cannot be
installed. The statement and the loader were compared with open_clip 3.3.0 in all the configurations below: the
statement gave equal vectors, the loader vectors within 2e-7. Where open_clip can be imported, the last tests do it.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="OpenCLIP weights need torch: pip install 'babelens[torch]'")
pytest.importorskip(
    "transformers", reason="OpenCLIP weights need transformers: pip install 'babelens[torch]'"
)

from babelens.errors import WeightsUnavailableError  # noqa: E402
from babelens.models.layouts import read_towers  # noqa: E402
from babelens.models.registry import load_encoder  # noqa: E402
from babelens.vectors import normalize  # noqa: E402
from tests.checkpoints.openclip import SAMPLES, TEXT, VISION, XLMR, OpenClip, model_cfg, write_openclip  # noqa: E402

CONFIGS = {
    "clip": model_cfg(),
    "quickgelu": model_cfg(quick_gelu=True),
    "custom text": model_cfg(custom_text=True),
    "heads and ratio": model_cfg(vision_cfg={**VISION, "mlp_ratio": 3.3, "head_width": 32}),
    "xlm-r mlp": model_cfg(text_cfg=XLMR),
    "xlm-r linear": model_cfg(text_cfg={**XLMR, "hf_proj_type": "linear"}),
}


def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    sizes = [(70, 45), (33, 90), (20, 20)]
    return [Image.fromarray(rng.integers(0, 256, (h, w, 3), dtype=np.uint8)) for w, h in sizes]


def vectors_of(model: Any, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Of ``pictures`` and ``SAMPLES``, by a reference with ``visual`` and ``text``."""
    towers = read_towers(folder)
    assert towers.image is not None
    assert towers.text is not None
    rule = towers.image.preprocess
    pixels = rule.standardize(np.stack([rule.to_pixels(image) for image in pictures()]))
    ids, _ = towers.text.tokenizer()(SAMPLES)
    with torch.inference_mode():
        images, texts = model.visual(torch.from_numpy(pixels)), model.text(torch.from_numpy(ids))
    return normalize(images.numpy()), normalize(texts.numpy())


def assert_same(folder: Path, model: Any) -> None:
    encoder = load_encoder(folder)
    images, texts = vectors_of(model, folder)
    got = encoder.encode_prepared([encoder.prepare(image) for image in pictures()])
    np.testing.assert_allclose(got, images, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_texts(SAMPLES), texts, atol=1e-5)
    for expected in (images, texts):  # vectors that are all alike would prove nothing
        assert expected.std(axis=0).mean() > 1e-3


@pytest.mark.parametrize("name", CONFIGS)
def test_vectors_are_those_of_the_architecture(tmp_path: Path, name: str) -> None:
    assert_same(tmp_path, write_openclip(tmp_path, CONFIGS[name]))


def test_both_kinds_of_gelu_differ(tmp_path: Path) -> None:
    weights = write_openclip(tmp_path / "a", CONFIGS["clip"]).published()
    write_openclip(tmp_path / "b", CONFIGS["quickgelu"], weights=weights)
    vectors = [load_encoder(tmp_path / name).encode_texts(SAMPLES[:3]) for name in "ab"]
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-4


def test_weights_in_a_bin_file_in_half_precision_with_the_constants_of_older_files(tmp_path: Path) -> None:
    model = write_openclip(tmp_path, CONFIGS["xlm-r mlp"])
    state = {name: tensor.half() for name, tensor in model.published().items()}
    state |= {
        "text.transformer.embeddings.position_ids": torch.arange(90)[None],
        "logit_bias": torch.tensor(-10.0),
    }
    write_openclip(tmp_path, CONFIGS["xlm-r mlp"], weights=state, binary=True)
    (tmp_path / "open_clip_model.safetensors").unlink()
    halved = OpenClip(CONFIGS["xlm-r mlp"]).eval()
    halved.load_state_dict({name: state[name].float() for name in model.published()})
    assert_same(tmp_path, halved)


def test_pictures_are_cropped_as_torchvision_does_or_squashed(tmp_path: Path) -> None:
    keys = []
    for number, preprocess in enumerate(
        ({}, {"resize_mode": "squash", "interpolation": "bilinear", "mean": 0.5})
    ):
        write_openclip(tmp_path / str(number), CONFIGS["clip"], preprocess=preprocess)
        image = read_towers(tmp_path / str(number)).image
        assert image is not None
        keys.append(image.preprocess.key)
    assert keys[0].startswith("crop-round-32 mean=(0.48145466, 0.4578275, 0.40821073)")
    assert keys[1].startswith("squash-32 mean=(0.5, 0.5, 0.5)")
    assert keys[1].endswith("bilinear")


def test_texts_are_cleaned_as_in_training(tmp_path: Path) -> None:
    write_openclip(tmp_path, CONFIGS["clip"])
    text = read_towers(tmp_path).text
    assert text is not None
    tokenizer = text.tokenizer()
    for written, same in (("L’été  &amp;\n“RED”", 'l\'été & "red"'), ("ｆｕｌｌ　ｗｉｄｔｈ", "full width")):
        assert tokenizer([written])[0].tolist() == tokenizer([same])[0].tolist()
    assert tokenizer.count("red car " * 200) > tokenizer.max_length == 77


def test_the_vocabulary_of_older_files_is_taken_where_tokenizer_json_is_missing(tmp_path: Path) -> None:
    write_openclip(tmp_path, CONFIGS["clip"])
    expected = load_encoder(tmp_path).encode_texts(SAMPLES)
    (tmp_path / "tokenizer.json").unlink()
    np.testing.assert_allclose(load_encoder(tmp_path).encode_texts(SAMPLES), expected, atol=1e-6)
    (tmp_path / "merges.txt").unlink()
    with pytest.raises(WeightsUnavailableError, match=r"there is no tokenizer\.json"):
        load_encoder(tmp_path).encode_texts(["a"])


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        (
            model_cfg(vision_cfg={"timm_model_name": "vit_base_patch16_siglip_256", "image_size": 256}),
            "tower of timm",
        ),
        (model_cfg(vision_cfg={**VISION, "layers": [3, 4, 6, 3]}), "a ResNet image tower"),
        (model_cfg(multimodal_cfg={"layers": 12}), "a CoCa model"),
        (model_cfg(text_cfg={**XLMR, "hf_model_name": "google/mt5-base"}), "the text tower google/mt5-base"),
        (model_cfg(text_cfg={**XLMR, "hf_pooler_type": "cls_pooler"}), "pooled by cls_pooler"),
        (model_cfg(vision_cfg={**VISION, "no_ln_pre": True}), "vision_cfg with no_ln_pre = True"),
        (model_cfg(text_cfg={**TEXT, "pool_type": "last"}), "text_cfg with pool_type = 'last'"),
        (model_cfg(vision_cfg={**VISION, "image_size": [32, 64]}), "no square"),
        ({"embed_dim": 8, "text_cfg": TEXT}, "not a valid OpenCLIP description: KeyError"),
    ],
)
def test_what_is_not_supported_is_named(tmp_path: Path, cfg: dict[str, Any], message: str) -> None:
    described = {"model_cfg": cfg, "preprocess_cfg": {}}
    (tmp_path / "open_clip_model.safetensors").touch()
    (tmp_path / "open_clip_config.json").write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(WeightsUnavailableError, match=message):
        load_encoder(tmp_path)


def test_padding_pictures_with_black_is_refused(tmp_path: Path) -> None:
    write_openclip(tmp_path, CONFIGS["clip"], preprocess={"resize_mode": "longest"})
    with pytest.raises(WeightsUnavailableError, match="'longest'"):
        load_encoder(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"token_embedding.weight": None}, "lacks token_embedding.weight"),
        (
            {"transformer.resblocks.1.attn.in_proj_bias": None},
            r"lacks transformer\.resblocks\.1\.attn\.in_proj_bias",
        ),
        ({"transformer.resblocks.2.ln_1.bias": (64,)}, r"has transformer\.resblocks\.2\.ln_1\.bias, which"),
        ({"text_projection": (48, 64)}, r"text_projection of shape \(48, 64\) instead of \(64, 48\)"),
        ({"input_resolution": (), "context_length": (), "vocab_size": ()}, "weights of OpenAI.*quick_gelu"),
    ],
)
def test_weights_left_over_or_missing_are_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    weights = write_openclip(tmp_path, CONFIGS["clip"]).published()
    for name, shape in change.items():
        if shape is None:
            del weights[name]
        else:
            weights[name] = torch.zeros(shape)
    write_openclip(tmp_path, CONFIGS["clip"], weights=weights)
    with pytest.raises(WeightsUnavailableError, match=message):
        load_encoder(tmp_path).encode_texts(["a"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text.proj.0.weight": None}, "lacks text.proj.0.weight"),
        (
            {"text.transformer.pooler.dense.bias": (128,)},
            "pooler.dense.bias, which its description does not ask",
        ),
        ({"text.transformer.embeddings.word_embeddings.weight": None}, "lacks the weight .*word_embeddings"),
    ],
)
def test_the_same_of_xlm_roberta(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    weights = write_openclip(tmp_path, CONFIGS["xlm-r mlp"]).published()
    for name, shape in change.items():
        if shape is None:
            del weights[name]
        else:
            weights[name] = torch.zeros(shape)
    write_openclip(tmp_path, CONFIGS["xlm-r mlp"], weights=weights)
    with pytest.raises(WeightsUnavailableError, match=message):
        load_encoder(tmp_path).encode_texts(["a"])


@pytest.mark.parametrize("binary", [False, True])
def test_a_truncated_weights_file_is_named(tmp_path: Path, binary: bool) -> None:
    write_openclip(tmp_path, CONFIGS["clip"], binary=binary)
    file = next(tmp_path.glob("open_clip_*model.*"))
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(WeightsUnavailableError, match=f"{file.name} (is damaged|cannot be read)"):
        load_encoder(tmp_path).encode_texts(["a"])
    file.unlink()
    with pytest.raises(
        WeightsUnavailableError, match=r"OpenCLIP: open_clip_config\.json and open_clip_\*model\*"
    ):
        load_encoder(tmp_path)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    small = model_cfg(text_cfg={**TEXT, "vocab_size": 300})
    write_openclip(tmp_path, small)
    with pytest.raises(WeightsUnavailableError, match="do not belong together"):
        load_encoder(tmp_path).encode_texts(["a"])


@pytest.mark.parametrize("name", ["clip", "quickgelu", "custom text", "heads and ratio"])
def test_vectors_are_those_of_open_clip(tmp_path: Path, name: str) -> None:
    real = pytest.importorskip("open_clip.model", reason="needs torchvision")
    cfg = dict(CONFIGS[name])
    custom = cfg.pop("custom_text", False)
    torch.manual_seed(1)
    model = (real.CustomTextCLIP if custom else real.CLIP)(**cfg).eval()
    write_openclip(tmp_path, CONFIGS[name], weights=model.state_dict())
    assert_same(tmp_path, model if custom else SimpleNamespace(visual=model.visual, text=model.encode_text))


@pytest.mark.parametrize("name", ["xlm-r mlp", "xlm-r linear"])
def test_vectors_of_its_xlm_roberta_are_those_of_open_clip(tmp_path: Path, name: str) -> None:
    real = pytest.importorskip("open_clip.hf_model", reason="needs torchvision")
    stated = OpenClip(CONFIGS[name]).eval()
    kind = CONFIGS[name]["text_cfg"].get("hf_proj_type", "mlp")
    text = real.HFTextEncoder(
        "",
        CONFIGS[name]["embed_dim"],
        stated.text.transformer.config,
        pooler_type="mean_pooler",
        proj_type=kind,
    ).eval()
    state = {f"text.{key}": tensor for key, tensor in text.state_dict().items() if ".pooler." not in key}
    visual = {f"visual.{key}": tensor for key, tensor in stated.visual.state_dict().items()}
    write_openclip(tmp_path, CONFIGS[name], weights=visual | state)
    assert_same(tmp_path, SimpleNamespace(visual=stated.visual, text=text))


def test_ids_are_those_of_open_clip(tmp_path: Path) -> None:
    """With OpenCLIP's own 49,408 words in the files that ``transformers`` writes."""
    real = pytest.importorskip("open_clip.tokenizer", reason="needs torchvision")
    from transformers import CLIPTokenizer

    simple = real.SimpleTokenizer()
    renamed = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    words = {renamed.get(word, word): place for word, place in simple.encoder.items()}
    merges = sorted(simple.bpe_ranks, key=simple.bpe_ranks.__getitem__)
    write_openclip(tmp_path, CONFIGS["clip"])
    CLIPTokenizer(vocab=words, merges=merges, model_max_length=77).save_pretrained(tmp_path)
    text = read_towers(tmp_path).text
    assert text is not None
    ids, mask = text.tokenizer()(SAMPLES)
    np.testing.assert_array_equal(ids * mask, simple(list(SAMPLES)).numpy())  # which pads with 0
