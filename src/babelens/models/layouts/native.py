"""This project's own layout: ``encoder.json`` (format 1) beside one ONNX file a tower, for ONNX Runtime or OpenVINO.

``babelens train`` and ``babelens models export`` write it, and `mini` is shipped in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import WeightsUnavailableError
from ...vectors import Floats, is_unit, normalize
from .. import onnx, openvino
from ..ngrams import NgramTokenizer
from ..preprocess import Preprocess, Triple
from ..subwords import SubwordTokenizer
from ..towers import ImageForward, ImageTower, TextForward, TextTower, Tokenizer, Towers

CONFIG_FILE: Final = "encoder.json"
VOCABULARY_FILE: Final = "vocabulary.npy"
_IMAGE_BATCH: Final = 64
_TEXT_BATCH: Final = 256

_RUNTIMES: Final = {"onnx": onnx.RUNTIME, "openvino": openvino.RUNTIME}
_TOKENIZERS: Final[dict[str, Callable[[Mapping[str, Any], Path], Tokenizer]]] = {
    "ngrams": lambda config, _: NgramTokenizer.from_config(config),
    "subwords": SubwordTokenizer.from_config,
}


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """What ``encoder.json`` says. ``precision`` is that of the weights, ``prepared`` what the fingerprint says of the
    input, where the model that was exported had its own words for it. ``vocabulary_file`` holds vectors of common
    words, (v, dim) float16, made by the text tower.
    """

    name: str
    revision: str
    dim: int
    image_file: str
    preprocess: Preprocess
    text_file: str
    tokenizer: dict[str, Any]
    languages: tuple[str, ...]
    photographs: bool = False
    precision: str = "fp32"
    runtime: str = "onnx"
    prepared: str | None = None
    vocabulary_file: str | None = None
    calibration: dict[str, float] = field(default_factory=dict)


def read_config(folder: Path) -> EncoderConfig:
    """Reads ``encoder.json``. Raises :class:`WeightsUnavailableError` that names the file and what is wrong."""
    path = folder / CONFIG_FILE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        version = raw["format"]
        kind = raw["text"]["tokenizer"]["type"]
        runtime = raw.get("runtime", "onnx")
        if version != 1 or kind not in _TOKENIZERS or runtime not in _RUNTIMES:
            raise WeightsUnavailableError(
                f"{path} asks for format {version}, tokenizer {kind!r} and runtime {runtime!r}; this version of "
                f"Babelens knows format 1, {' and '.join(map(repr, _TOKENIZERS))}, "
                f"{' and '.join(map(repr, _RUNTIMES))}.",
                hint="Update Babelens, or export the encoder again.",
            )
        config = _parse(raw)
    except OSError as error:
        raise WeightsUnavailableError(f"{path} cannot be read: {error.strerror}.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsUnavailableError(f"{path} is not a valid encoder description: {error!r}.") from error
    for name in (config.image_file, config.text_file, config.vocabulary_file):
        if name is not None and not (folder / name).is_file():
            raise WeightsUnavailableError(f"{folder / name} is missing, though {CONFIG_FILE} names it.")
    return config


def _parse(raw: Mapping[str, Any]) -> EncoderConfig:
    image, text = raw["image"], raw["text"]
    gap = image.get("reducing_gap", 3.0)  # what this layout's first encoders were trained with
    return EncoderConfig(
        name=raw["name"],
        revision=str(raw["revision"]),
        dim=int(raw["dim"]),
        image_file=image["file"],
        preprocess=Preprocess(
            int(image["size"]),
            image["resize"],
            _three(image["mean"]),
            _three(image["std"]),
            image.get("interpolation", "bicubic"),
            None if gap is None else float(gap),
        ),
        text_file=text["file"],
        tokenizer=text["tokenizer"],
        languages=tuple(raw["languages"]),
        photographs=bool(raw.get("photographs", False)),
        precision=str(raw.get("weights", "fp32")),
        runtime=str(raw.get("runtime", "onnx")),
        prepared=raw.get("prepared"),
        vocabulary_file=raw.get("vocabulary"),
        calibration={
            key: float(value)
            for key, value in raw.get("calibration", {}).items()
            if isinstance(value, int | float)
        },
    )


def read(folder: Path) -> Towers:
    """The towers of a folder."""
    config = read_config(folder)
    image, text = folder / config.image_file, folder / config.text_file
    name = _RUNTIMES[config.runtime]
    load_image: Callable[[Path], ImageForward] = onnx.image_forward
    load_text: Callable[[Path], TextForward] = onnx.text_forward
    if config.runtime == "openvino":
        load_image = partial(openvino.image_forward, precision=config.precision)
        load_text = partial(openvino.text_forward, precision=config.precision)
    runtime = f"{name}, {config.precision}"
    tokenizer = partial(_TOKENIZERS[config.tokenizer["type"]], config.tokenizer, folder)
    return Towers(
        ImageTower(
            config.dim,
            config.preprocess,
            (image,),
            runtime,
            partial(load_image, image),
            _IMAGE_BATCH,
        ),
        TextTower(
            config.dim,
            tokenizer,
            (text,),
            runtime,
            partial(load_text, text),
            batch=_TEXT_BATCH,
        ),
        name=config.name,
        revision=config.revision,
        languages=config.languages,
        photographs=config.photographs,
        calibration=config.calibration,
        preprocess=config.prepared,
        vocabulary=None
        if config.vocabulary_file is None
        else partial(read_vocabulary, folder / config.vocabulary_file, config.dim),
    )


def read_vocabulary(file: Path, dim: int) -> Floats:
    """The vectors of common words. Shape: (v, dim) float32, rows of unit length.

    Raises :class:`WeightsUnavailableError` when the file is no array of such rows.
    """
    try:
        rows = np.load(file, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise WeightsUnavailableError(
            f"{file} cannot be read: {error}.", hint="Fetch the model again, or export it again."
        ) from error
    if rows.ndim != 2 or rows.shape[1] != dim or rows.dtype.kind != "f" or not is_unit(rows):
        raise WeightsUnavailableError(
            f"{file} does not hold rows of {dim} numbers and unit length; its shape is {rows.shape}, of {rows.dtype}.",
            hint="Fetch the model again, or export it again.",
        )
    return normalize(rows)


def write_vocabulary(folder: Path, vectors: NDArray[Any]) -> str:
    """Writes the vectors of common words, (v, dim), as float16. Returns the file's name, for ``encoder.json``."""
    np.save(folder / VOCABULARY_FILE, np.asarray(vectors, dtype=np.float16), allow_pickle=False)
    return VOCABULARY_FILE


def _three(values: Sequence[float]) -> Triple:
    red, green, blue = values
    return float(red), float(green), float(blue)
