"""Towers on ONNX Runtime: one file a tower, whatever its inputs and outputs are called."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..errors import WeightsUnavailableError
from ..vectors import Floats
from .towers import ImageForward, TextForward, Tokens

RUNTIME: Final = "ONNX Runtime"

# What exporters call the vector of a whole picture or text, best first; and what they call the ids.
_EMBEDDINGS: Final = (
    "image_embeds", "text_embeds", "embedding", "sentence_embedding", "pooler_output", "output"
)  # fmt: skip
# A graph whose weights lie outside is small. Its protocol buffer names each file as a pair of "location" and a value,
# which has its length before it; reading it so needs no other library.
_GRAPH_ALONE: Final = 1 << 26
_LOCATION: Final = re.compile(rb"\x0a\x08location\x12([\x01-\x7f])", re.DOTALL)
_IDS: Final = frozenset({"input_ids", "text", "input", "tokens"})


def image_forward(path: Path, *, output: str | None = None, dim: int | None = None) -> ImageForward:
    """A picture tower. ``output`` is the one to take, where it is known; ``dim`` what it must give."""
    session = open_session(path)
    source = session.get_inputs()[0]
    wanted = _embedding(session, path, output)
    dtype = np.float16 if "float16" in source.type else np.float32

    def forward(pixels: Floats) -> Floats:
        feed = {source.name: pixels.astype(dtype, copy=False)}
        return _checked(_run(session, path, wanted, feed), dim, path)

    return forward


def text_forward(path: Path, *, output: str | None = None, dim: int | None = None) -> TextForward:
    """A text tower. ``output`` is the one to take, where it is known; ``dim`` what it must give."""
    session = open_session(path)
    forward = _text_forward(session, path, _embedding(session, path, output))
    return lambda ids, mask: _checked(forward(ids, mask), dim, path)


def hidden_forward(path: Path) -> Callable[[Tokens, Tokens], Floats]:
    """A transformer without its pooling. Shape: (n, length) twice -> (n, length, width)."""
    session = open_session(path)
    deep = [output.name for output in session.get_outputs() if len(output.shape) == 3]
    if not deep:
        raise WeightsUnavailableError(f"{path} has no output with one vector a token.")
    return _text_forward(session, path, deep[0])


def _text_forward(session: Any, path: Path, output: str) -> TextForward:
    inputs = session.get_inputs()

    def forward(ids: Tokens, mask: Tokens) -> Floats:
        feed = {}
        for source in inputs:
            values = ids if source.name in _IDS else mask if "mask" in source.name else np.zeros_like(ids)
            feed[source.name] = values.astype(np.int32 if "int32" in source.type else np.int64, copy=False)
        return _run(session, path, output, feed)

    return forward


def weight_files(path: Path) -> tuple[Path, ...]:
    """A graph and the files that hold its weights: those of more than 2 GB lie outside of it, under any name.

    Raises :class:`WeightsUnavailableError` that names the one that is missing.
    """
    if path.stat().st_size > _GRAPH_ALONE:
        return (path,)
    graph = path.read_bytes()
    names = {graph[match.end() : match.end() + match[1][0]] for match in _LOCATION.finditer(graph)}
    outside = [path.parent / name.decode("utf-8", "replace") for name in sorted(names)]
    for file in outside:
        if not file.is_file():
            raise WeightsUnavailableError(
                f"{file} is missing, where {path.name} keeps its weights.", hint="Fetch the model again."
            )
    return (path, *outside)


def import_runtime() -> Any:
    """The module ``onnxruntime``. Whatever else imports it must call this first."""
    # ONNX Runtime 1.31 writes a device id into the home directory and reports its use, unless this is set before
    # it is imported; its own disable_telemetry_events() comes too late. Nothing may leave the user's machine.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def open_session(path: Path, *, arena: bool = True) -> Any:
    """An ``onnxruntime.InferenceSession``. Raises :class:`WeightsUnavailableError` that names the file.

    The ``arena`` keeps memory for the next call: good for inputs of one shape, wasteful where every one has its own.
    """
    onnxruntime = import_runtime()
    options = onnxruntime.SessionOptions()
    # Spinning threads make a single call a little quicker and starve the decoders that feed the next one.
    options.enable_cpu_mem_arena = arena
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise WeightsUnavailableError(
            f"{path} cannot be loaded by ONNX Runtime: {error}", hint="Fetch or export the encoder again."
        ) from error


def _embedding(session: Any, path: Path, known: str | None) -> str:
    """The output that holds one vector a row."""
    outputs: dict[str, list[Any]] = {output.name: output.shape for output in session.get_outputs()}
    if known is not None and known not in outputs:
        raise WeightsUnavailableError(
            f"{path} has the outputs {', '.join(outputs)}, not {known}, which holds the vector of a whole picture or "
            "text in models of its family."
        )
    for name in (known,) if known else _EMBEDDINGS:
        if name in outputs:
            return name
    flat = [name for name, shape in outputs.items() if len(shape) == 2]
    if len(flat) == 1:
        return flat[0]
    raise WeightsUnavailableError(
        f"{path} has the outputs {', '.join(outputs)}; none is known to hold the vector of a whole picture or text."
    )


def _run(session: Any, path: Path, output: str, feed: dict[str, Any]) -> Floats:
    rows = len(next(iter(feed.values())))
    step = (
        1 if session.get_inputs()[0].shape[:1] == [1] else rows
    )  # some graphs are exported for a batch of one
    try:
        parts = [
            session.run([output], {name: values[row : row + step] for name, values in feed.items()})[0]
            for row in range(0, rows, step)
        ]
    except Exception as error:  # the runtime's errors share no other base
        raise WeightsUnavailableError(
            f"{path} does not run: {error}", hint="Its files may belong to different models: fetch it again."
        ) from error
    return np.concatenate(parts).astype(np.float32, copy=False)


def _checked(vectors: Floats, dim: int | None, path: Path) -> Floats:
    if dim is not None and vectors.shape[1:] != (dim,):
        shape = " × ".join(map(str, vectors.shape[1:]))
        raise WeightsUnavailableError(
            f"{path} gives {shape} numbers a row; the description beside it says {dim}."
        )
    return vectors
