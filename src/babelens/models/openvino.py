"""Towers on OpenVINO: the same ONNX files, in bfloat16 where the processor has units for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..errors import MissingExtraError, WeightsUnavailableError
from ..vectors import Floats
from .towers import ImageForward, TextForward, Tokens

RUNTIME: Final = "OpenVINO"
_HINTS: Final = {"fp32": "f32", "bf16": "bf16"}


def image_forward(path: Path, *, precision: str) -> ImageForward:
    """A picture tower. ``precision`` is ``"fp32"`` or ``"bf16"``, of the products."""
    run = _compile(path, precision)
    return lambda pixels: run({"pixel_values": pixels})


def text_forward(path: Path, *, precision: str) -> TextForward:
    """A text tower. ``precision`` is as for :func:`image_forward`."""
    run = _compile(path, precision)

    def forward(ids: Tokens, mask: Tokens) -> Floats:
        return run({"input_ids": ids, "attention_mask": mask})

    return forward


def _compile(path: Path, precision: str) -> Callable[[dict[str, Any]], Floats]:
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError("openvino", "openvino") from error
    try:
        model = openvino.Core().compile_model(
            str(path), "CPU", {"INFERENCE_PRECISION_HINT": _HINTS[precision], "PERFORMANCE_HINT": "LATENCY"}
        )
    except Exception as error:  # the library raises plain RuntimeError, and more
        raise WeightsUnavailableError(f"{path} cannot be loaded by OpenVINO: {error}") from error
    names = {name for source in model.inputs for name in source.names}

    def run(feed: dict[str, Any]) -> Floats:
        # A request of its own for every call: they are not safe to share between threads. A graph whose text tower
        # does not look at the mask has no such input.
        result = model.create_infer_request().infer(
            {name: value for name, value in feed.items() if name in names}
        )
        return np.array(result[model.outputs[0]], dtype=np.float32)

    return run
