"""How published models lie in a folder: one module a layout, which reads the folder into two towers.

A layout says whether a folder is its own by the files in it (:func:`matches` must not read weights), and then reads
the description, not the weights, which load when they are first used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, Literal

from ...errors import WeightsUnavailableError
from ..towers import Towers

Runtime = Literal["onnx", "torch"]


@dataclass(frozen=True, slots=True)
class Layout:
    """``marks`` are the files that tell it, as glob patterns: all of them must be there.

    ``reader`` is a function of ``module``.
    """

    name: str
    runtime: Runtime
    module: str
    marks: tuple[str, ...]
    reader: str = "read"

    def matches(self, folder: Path) -> bool:
        return all(any(folder.glob(mark)) for mark in self.marks)

    def read(self, folder: Path) -> Towers:
        reader: Callable[[Path], Towers] = getattr(import_module(f".{self.module}", __package__), self.reader)
        return reader(folder)


# The order decides where a folder has the marks of several: the first that fits is taken.
LAYOUTS: Final = (
    Layout("Babelens", "onnx", "native", ("encoder.json",)),
    Layout("Immich", "onnx", "immich", ("config.json", "visual/model.onnx", "textual/model.onnx")),
    Layout("transformers.js", "onnx", "transformersjs", ("onnx/vision_model*.onnx",)),
    Layout("transformers.js", "onnx", "transformersjs", ("onnx/text_model*.onnx",)),
    Layout(
        "sentence-transformers",
        "onnx",
        "sentence_transformers",
        ("modules.json", "onnx/model.onnx"),
        "read_onnx",
    ),
    Layout("OpenCLIP", "torch", "openclip", ("open_clip_config.json", "open_clip_*model*")),
    Layout("sentence-transformers", "torch", "sentence_transformers", ("modules.json",)),
    Layout("transformers", "torch", "transformers", ("config.json",)),
)


def find_layout(folder: Path, *, runtime: Runtime | None = None) -> Layout | None:
    """The layout of a folder, of one runtime if that is named; ``None`` when it is no model."""
    for layout in LAYOUTS:
        if runtime in (None, layout.runtime) and layout.matches(folder):
            return layout
    return None


def read_towers(folder: Path, *, runtime: Runtime | None = None) -> Towers:
    """The towers of a folder. Raises :class:`WeightsUnavailableError` that says what a model's folder has."""
    layout = find_layout(folder, runtime=runtime)
    if layout is None:
        known = "; ".join(
            f"{layout.name}: {' and '.join(layout.marks)}"
            for layout in LAYOUTS
            if runtime in (None, layout.runtime)
        )
        raise WeightsUnavailableError(
            f"{folder} is no model that Babelens knows.", hint=f"A folder has — {known}."
        )
    return layout.read(folder)
