"""A training recipe: one TOML file, one frozen dataclass per table, unknown keys refused."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from babelens.errors import TrainingError


@dataclass(frozen=True, slots=True)
class Run:
    seed: int = 0
    steps: int = 3400
    threads: int = 0
    """CPU threads for torch; 0 leaves its default."""
    validate_every: int = 400
    checkpoint_every: int = 100


@dataclass(frozen=True, slots=True)
class Data:
    path: str = "pictographs"
    """The folder that `babelens dataset pictographs` wrote."""
    styles: tuple[str, ...] = ("noto", "twemoji", "openmoji", "openmoji-black")
    held_out: tuple[str, ...] = ()
    """Styles never trained on; the first one is the validation set."""
    languages: tuple[str, ...] = ("en", "es", "fr", "hi", "de", "it", "ja", "ar")
    concepts: int = 128
    """Concepts per batch; each brings two pictures (in two styles) and two captions (in random languages)."""
    scenes: int = 24
    """Pictures of two or three concepts per batch."""
    keywords: float = 0.15
    """Share of captions that use keywords beside or instead of the name."""
    phrases: float = 0.2
    """Share of captions set in a phrase ("a picture of a ...")."""
    calm: float = 0.2
    """The last share of the steps, in which pictures are changed less and look more like those to be searched."""


@dataclass(frozen=True, slots=True)
class Model:
    dim: int = 256
    image_size: int = 72
    small_size: int = 48
    """Side of the pictures in the first part of the run; costs less than half of the full size."""
    small_share: float = 0.7
    """The share of steps at `small_size`."""
    widths: tuple[int, ...] = (64, 128, 256)
    depths: tuple[int, ...] = (2, 2, 2)
    mix_style: float = 0.2
    """Probability of mixing feature statistics between pictures of a batch (training only)."""
    buckets: int = 32768
    max_n: int = 4
    text_width: int = 192
    gram_dropout: float = 0.1


@dataclass(frozen=True, slots=True)
class Optim:
    lr: float = 8e-3
    weight_decay: float = 0.05
    warmup: int = 80
    clip: float = 3.0
    average: float = 0.999
    """Decay of the exponential moving average of the weights, which is what is validated and shipped."""


@dataclass(frozen=True, slots=True)
class Loss:
    temperature: float = 0.06
    """Start value; learned."""
    image_image: float = 1.0
    text_text: float = 0.5
    prototype_image: float = 1.0
    prototype_text: float = 0.5
    prototype_scale: float = 16.0
    prototype_margin: float = 0.0
    sigmoid: float = 0.1


@dataclass(frozen=True, slots=True)
class Widen:
    """After the run: both towers once more at full size, with small sprites, busy grounds and more scenes."""

    steps: int = 0
    lr: float = 3e-3
    warmup: int = 40
    scenes: int = 64


@dataclass(frozen=True, slots=True)
class Polish:
    """After the run: the text tower alone, against the finished image tower. Captions are cheap, pictures are not."""

    steps: int = 0
    lr: float = 2e-3
    captions: int = 512
    """Captions per step."""
    scenes: float = 0.35
    """Share of captions that name two or three concepts."""
    phrases: float = 0.4
    keywords: float = 0.15


@dataclass(frozen=True, slots=True)
class Export:
    name: str = "mini"
    weights: str = "int8"
    license: str = "Apache-2.0"


@dataclass(frozen=True, slots=True)
class Recipe:
    run: Run = field(default_factory=Run)
    data: Data = field(default_factory=Data)
    model: Model = field(default_factory=Model)
    optim: Optim = field(default_factory=Optim)
    loss: Loss = field(default_factory=Loss)
    widen: Widen = field(default_factory=Widen)
    polish: Polish = field(default_factory=Polish)
    export: Export = field(default_factory=Export)

    @property
    def training_styles(self) -> tuple[str, ...]:
        return tuple(style for style in self.data.styles if style not in self.data.held_out)

    def digest(self) -> str:
        """Hex digest of every value that changes the result; checkpoints of another recipe are refused."""
        values = dataclasses.asdict(self)
        values["export"] = {}
        for stage in ("widen", "polish"):
            if not values[stage]["steps"]:
                del values[stage]
        values["data"]["path"] = ""
        for key in ("validate_every", "checkpoint_every", "threads"):
            del values["run"][key]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


_TABLES: dict[str, type] = {
    "run": Run,
    "data": Data,
    "model": Model,
    "optim": Optim,
    "loss": Loss,
    "widen": Widen,
    "polish": Polish,
    "export": Export,
}


def load_recipe(path: Path | str, *, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Read a recipe; `overrides` are dotted keys (``{"run.steps": 100}``) that win over the file.

    Raises TrainingError for a file that does not parse and for a table or key that does not exist.
    """
    path = Path(path)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path}: not a readable recipe: {error}") from error
    for key, value in (overrides or {}).items():
        table, _, name = key.partition(".")
        tables = {**tables, table: {**tables.get(table, {}), name: value}}
    return recipe_from(tables, source=str(path))


def recipe_from(tables: Mapping[str, Mapping[str, Any]], *, source: str = "recipe") -> Recipe:
    """A recipe from nested tables, checked."""
    parts: dict[str, Any] = {}
    for table, values in tables.items():
        kind = _TABLES.get(table)
        if kind is None:
            raise TrainingError(f"{source}: unknown table [{table}]", hint=f"Known: {', '.join(_TABLES)}.")
        known = {f.name for f in dataclasses.fields(kind)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise TrainingError(
                f"{source}: [{table}] has no key {', '.join(unknown)}",
                hint=f"Known: {', '.join(sorted(known))}.",
            )
        parts[table] = kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    recipe = Recipe(**parts)
    if len(recipe.training_styles) < 1:
        raise TrainingError(f"{source}: every style is held out; nothing is left to train on")
    if recipe.run.steps < 1 or recipe.data.concepts < 2:
        raise TrainingError(f"{source}: needs at least one step and two concepts per batch")
    return recipe
