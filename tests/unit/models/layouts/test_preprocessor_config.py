"""Published preprocessor_config.json files, old and new, to rules; and what cannot be done exactly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from babelens.errors import WeightsUnavailableError
from babelens.models.layouts.preprocessor_config import read_preprocess

CLIP = {
    "crop_size": {"height": 224, "width": 224}, "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True,
    "do_rescale": True, "do_resize": True, "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28],
    "image_processor_type": "CLIPImageProcessor", "resample": 3, "rescale_factor": 0.00392156862745098,
    "size": {"shortest_edge": 224},
}  # fmt: skip
SIGLIP = {
    "do_convert_rgb": None, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "SiglipImageProcessor", "image_std": [0.5, 0.5, 0.5], "resample": 2,
    "rescale_factor": 0.00392156862745098, "size": {"height": 256, "width": 256},
}  # fmt: skip
OLD_CLIP = {
    "crop_size": 224, "do_center_crop": True, "do_normalize": True, "do_resize": True, "resample": 3, "size": 224,
    "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28],
}  # fmt: skip
PLAIN = {**CLIP, "do_normalize": False, "size": {"shortest_edge": 256}, "crop_size": 256, "resample": 2}


def write(folder: Path, raw: Any, name: str = "preprocessor_config.json") -> Path:
    (folder / name).write_text(json.dumps(raw), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        (CLIP, "crop-224 mean=(0.48, 0.46, 0.41) std=(0.27, 0.26, 0.28)"),
        (OLD_CLIP, "crop-224 mean=(0.48, 0.46, 0.41) std=(0.27, 0.26, 0.28)"),
        (SIGLIP, "squash-256 mean=(0.5, 0.5, 0.5) std=(0.5, 0.5, 0.5) bilinear"),
        ({**SIGLIP, "size": 256}, "squash-256 mean=(0.5, 0.5, 0.5) std=(0.5, 0.5, 0.5) bilinear"),
        (
            {**CLIP, "size": {"height": 224, "width": 224}},
            "squash-224 mean=(0.48, 0.46, 0.41) std=(0.27, 0.26, 0.28)",
        ),
        (PLAIN, "crop-256 mean=(0.0, 0.0, 0.0) std=(1.0, 1.0, 1.0) bilinear"),
    ],
)
def test_published_descriptions(tmp_path: Path, raw: dict[str, Any], key: str) -> None:
    preprocess = read_preprocess(write(tmp_path, raw))
    assert preprocess.key == key
    assert preprocess.reducing_gap is None


def test_the_combined_file_of_transformers_5(tmp_path: Path) -> None:
    combined = {"image_processor": CLIP, "processor_class": "CLIPProcessor"}
    folder = write(tmp_path, combined, "processor_config.json")
    assert read_preprocess(folder).resize == "crop"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crop_size": 196}, "resized to 224 pixels and cropped to 196"),
        ({"crop_size": {"height": 224, "width": 196}}, "crop_size is .* not one side"),
        ({"do_center_crop": False}, "keep their shape"),
        ({"do_resize": False}, "do_resize is false"),
        ({"do_rescale": False}, "do_rescale is false"),
        ({"do_pad": True}, "do_pad is true"),
        ({"rescale_factor": 0.00784}, "not 1/255"),
        ({"resample": 4}, "resample is 4"),
        ({"max_num_patches": 256}, "NaFlex"),
        ({"do_flip_channel_order": True}, "do_flip_channel_order is true"),
        ({"size": {"longest_edge": 224}}, "size is {'longest_edge': 224}, not one side"),
        ({"size": None}, "size is None, not one side"),
        ({"image_mean": [0.5]}, r"image_mean is \[0\.5\], not one value a colour"),
    ],
)
def test_what_cannot_be_done_exactly_is_an_error(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(WeightsUnavailableError, match=message):
        read_preprocess(write(tmp_path, CLIP | change))


def test_a_missing_entry_or_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailableError, match=r"preprocessor_config\.json is missing"):
        read_preprocess(tmp_path)
    without = {key: value for key, value in CLIP.items() if key != "image_std"}
    with pytest.raises(WeightsUnavailableError, match="lacks 'image_std'"):
        read_preprocess(write(tmp_path, without))
    with pytest.raises(WeightsUnavailableError, match="holds no JSON object"):
        read_preprocess(write(tmp_path, [1]))
    (tmp_path / "preprocessor_config.json").write_text("{", encoding="utf-8")
    with pytest.raises(WeightsUnavailableError, match="not valid JSON"):
        read_preprocess(tmp_path)
