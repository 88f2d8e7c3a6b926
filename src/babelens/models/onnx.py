"""Encoders on ONNX Runtime: a folder with ``encoder.json``, ``image.onnx`` and ``text.onnx``.

``encoder.json`` (format 1) says everything the files need: see :func:`read_config`. Each tower is loaded when it
is first used, so a search by words never pays for the image tower.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import WeightsUnavailableError
from ..types import EncoderFingerprint
from ..vectors import Floats, normalize
from .ngrams import NgramTokenizer
from .preprocess import RESIZE, standardize, to_pixels

if TYPE_CHECKING:
    from PIL.Image import Image

CONFIG_FILE: Final = "encoder.json"
_IMAGE_BATCH: Final = 64
_TEXT_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """What ``encoder.json`` says. ``mean`` and ``std`` are per RGB channel, of values in 0..1."""

    name: str
    revision: str
    dim: int
    image_file: str
    image_size: int
    resize: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    text_file: str
    tokenizer: dict[str, Any]
    languages: tuple[str, ...]
    photographs: bool = False
    calibration: dict[str, float] = field(default_factory=dict)

    @property
    def preprocess(self) -> str:
        """Everything that changes a vector without changing the weights, in one line."""
        tokenizer = json.dumps(self.tokenizer, sort_keys=True, separators=(",", ":"))
        return f"{self.resize}-{self.image_size} mean={self.mean} std={self.std} {tokenizer}"


def read_config(folder: Path) -> EncoderConfig:
    """Reads ``encoder.json``. Raises :class:`WeightsUnavailableError` that names the file and what is wrong."""
    path = folder / CONFIG_FILE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        image, text = raw["image"], raw["text"]
        config = EncoderConfig(
            name=raw["name"],
            revision=str(raw["revision"]),
            dim=int(raw["dim"]),
            image_file=image["file"],
            image_size=int(image["size"]),
            resize=image["resize"],
            mean=_three(image["mean"]),
            std=_three(image["std"]),
            text_file=text["file"],
            tokenizer=text["tokenizer"],
            languages=tuple(raw["languages"]),
            photographs=bool(raw.get("photographs", False)),
            calibration={
                key: float(value)
                for key, value in raw.get("calibration", {}).items()
                if isinstance(value, int | float)
            },
        )
        kind = config.tokenizer["type"]
        version = raw["format"]
    except OSError as error:
        raise WeightsUnavailableError(f"{path} cannot be read: {error.strerror}.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsUnavailableError(f"{path} is not a valid encoder description: {error!r}.") from error
    if version != 1 or config.resize not in RESIZE or kind != "ngrams":
        raise WeightsUnavailableError(
            f"{path} asks for format {version}, resize rule {config.resize!r} and tokenizer {kind!r}; "
            f"this version of Babelens knows format 1, {', '.join(RESIZE)} and 'ngrams'.",
            hint="Update Babelens, or export the encoder again.",
        )
    for name in (config.image_file, config.text_file):
        if not (folder / name).is_file():
            raise WeightsUnavailableError(f"{folder / name} is missing, though {CONFIG_FILE} names it.")
    return config


class OnnxEncoder:
    """Both towers of a folder. Safe to use from several threads. See :class:`.protocols.Encoder`.

    ``threads`` is ONNX Runtime's own, 0 for one per core.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        self.folder = folder
        self.config = read_config(folder)
        self._threads = threads
        self._loading = threading.Lock()
        self._sessions: dict[str, Any] = {}
        self._mean = np.array(self.config.mean, dtype=np.float32)
        self._std = np.array(self.config.std, dtype=np.float32)

    @cached_property
    def fingerprint(self) -> EncoderFingerprint:
        config = self.config
        return EncoderFingerprint(config.name, config.revision, config.preprocess, config.dim)

    @property
    def image_size(self) -> int:
        return self.config.image_size

    @property
    def languages(self) -> tuple[str, ...]:
        return self.config.languages

    @property
    def photographs(self) -> bool:
        return self.config.photographs

    @property
    def calibration(self) -> dict[str, float]:
        return dict(self.config.calibration)

    @property
    def max_tokens(self) -> int:
        return self._tokenizer.max_length

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [self._tokenizer.count(text) for text in texts]

    def prepare(self, image: Image) -> NDArray[np.uint8]:
        return to_pixels(image, self.config.resize, self.config.image_size)

    def encode_prepared(self, pixels: Sequence[NDArray[np.uint8]]) -> Floats:
        session = self._session(self.config.image_file)
        parts = [np.empty((0, self.config.dim), dtype=np.float32)]
        for start in range(0, len(pixels), _IMAGE_BATCH):
            batch = np.stack(pixels[start : start + _IMAGE_BATCH])
            inputs = {"pixel_values": standardize(batch, self._mean, self._std)}
            parts.append(session.run(["image_embeds"], inputs)[0])
        return normalize(np.concatenate(parts))

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        session = self._session(self.config.text_file)
        result = np.empty((len(texts), self.config.dim), dtype=np.float32)
        # Texts of like length together: a batch is padded to its longest.
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        for start in range(0, len(order), _TEXT_BATCH):
            rows = order[start : start + _TEXT_BATCH]
            ids, mask = self._tokenizer([texts[row] for row in rows])
            result[rows] = session.run(["text_embeds"], {"input_ids": ids, "attention_mask": mask})[0]
        return normalize(result)

    @cached_property
    def _tokenizer(self) -> NgramTokenizer:
        return NgramTokenizer.from_config(self.config.tokenizer)

    def _session(self, file: str) -> Any:
        with self._loading:
            session = self._sessions.get(file)
            if session is None:
                session = self._sessions[file] = _open_session(self.folder / file, self._threads)
            return session


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = values
    return float(red), float(green), float(blue)


def _open_session(path: Path, threads: int) -> Any:
    # ONNX Runtime 1.31 writes a device id into the home directory and reports its use, unless this is set before
    # it is imported; its own disable_telemetry_events() comes too late. Nothing may leave the user's machine.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Spinning threads make a single call a little quicker and starve the decoders that feed the next one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise WeightsUnavailableError(
            f"{path} cannot be loaded by ONNX Runtime: {error}", hint="Fetch or export the encoder again."
        ) from error
