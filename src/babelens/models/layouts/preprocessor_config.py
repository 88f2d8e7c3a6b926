"""``preprocessor_config.json``, as transformers and transformers.js write it, to a :class:`.preprocess.Preprocess`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ...errors import WeightsUnavailableError
from ..preprocess import INTERPOLATION, Preprocess, Triple

FILE: Final = "preprocessor_config.json"
_COMBINED: Final = (
    "processor_config.json"  # where transformers 5 saves the same table, beside that of the tokenizer
)
_STEPS: Final = frozenset({"do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb"})
_NAMES: Final = {number: name for name, number in INTERPOLATION.items()}


def read_json(path: Path) -> dict[str, Any]:
    """An object from a JSON file. Raises :class:`WeightsUnavailableError` that names the file."""
    value = _read(path)
    if not isinstance(value, dict):
        raise WeightsUnavailableError(f"{path} holds no JSON object.")
    return value


def read_json_list(path: Path) -> list[dict[str, Any]]:
    """A list of objects from a JSON file. Raises :class:`WeightsUnavailableError` that names the file."""
    value = _read(path)
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise WeightsUnavailableError(f"{path} holds no list of JSON objects.")
    return value


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsUnavailableError(f"{path} is missing.", hint="Fetch the model again.") from None
    except OSError as error:
        raise WeightsUnavailableError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise WeightsUnavailableError(f"{path} is not valid JSON: {error}.") from error


def read_preprocess(folder: Path) -> Preprocess:
    """How the image tower of a folder wants its pictures, cropped as ``transformers`` does.

    Raises :class:`WeightsUnavailableError` that names the file and what in it cannot be done exactly.
    """
    path = folder / FILE
    if not path.is_file() and (folder / _COMBINED).is_file():
        path = folder / _COMBINED
    raw = read_json(path)
    raw = raw.get("image_processor", raw)
    try:
        return _parse(raw)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise WeightsUnavailableError(
            f"{path} asks for what Babelens cannot do exactly: {reason}.",
            hint="A picture is resized to a square, or by its shorter side and cropped to one; then normalised.",
        ) from error


def _parse(raw: Mapping[str, Any]) -> Preprocess:
    if raw.get("max_num_patches"):
        raise ValueError("a size of its own for each picture (NaFlex); the fixed-size variants work")
    for step in ("do_resize", "do_rescale"):
        if not raw.get(step, True):
            raise ValueError(f"{step} is false")
    for step, wanted in raw.items():
        if step.startswith("do_") and wanted and step not in _STEPS:
            raise ValueError(f"{step} is true")
    if abs(raw.get("rescale_factor", 1 / 255) * 255 - 1) > 1e-6:
        raise ValueError(f"rescale_factor is {raw['rescale_factor']}, not 1/255")
    resample = raw.get("resample", INTERPOLATION["bicubic"])
    if resample not in _NAMES:
        raise ValueError(f"resample is {resample!r}; known are {_NAMES}")
    size, rule = _resize(raw)
    # Towers trained on plain values in 0..1 (MobileCLIP) have no statistics.
    normalize = raw.get("do_normalize", True)
    mean = _three(raw, "image_mean") if normalize else (0.0, 0.0, 0.0)
    std = _three(raw, "image_std") if normalize else (1.0, 1.0, 1.0)
    return Preprocess(size, rule, mean, std, _NAMES[resample])


def _resize(raw: Mapping[str, Any]) -> tuple[int, str]:
    """The size and the rule. Old files give sizes as plain numbers: the shorter side where a crop follows."""
    size = raw["size"]
    shorter = isinstance(size, dict) and "shortest_edge" in size
    cropped = raw.get("do_center_crop", shorter or "crop_size" in raw)
    crop = _square(raw.get("crop_size", size), "crop_size") if cropped else None
    side = _square(size["shortest_edge"] if shorter else size, "size")
    if crop not in (None, side):
        raise ValueError(f"pictures are resized to {side} pixels and cropped to {crop}")
    if shorter and not cropped:
        raise ValueError(f"pictures keep their shape (shortest_edge {side} without do_center_crop)")
    return side, "crop" if shorter or (cropped and not isinstance(size, dict)) else "squash"


def _square(size: Any, name: str) -> int:
    named = size if isinstance(size, dict) else {"height": size}
    sides = {named[key] for key in ("height", "width", "shortest_edge") if key in named}
    if len(sides) != 1 or not all(isinstance(side, int) for side in sides):
        raise ValueError(f"{name} is {size}, not one side")
    return int(sides.pop())


def _three(raw: Mapping[str, Any], name: str) -> Triple:
    values = raw[name]
    if not isinstance(values, list) or len(values) != 3:
        raise ValueError(f"{name} is {values}, not one value a colour")
    red, green, blue = values
    return float(red), float(green), float(blue)
