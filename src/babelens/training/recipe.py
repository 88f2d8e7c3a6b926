"""A training recipe: one TOML file, one frozen dataclass per table, unknown keys refused.

``[data] kind`` says what is trained on and so which tables and keys there are: ``"pictographs"`` (the default) or
``"photographs"``, which are pictures with captions that people wrote.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from babelens.errors import TrainingError
from babelens.languages import LANGUAGES


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
    style_free: int = 2
    """Stages of the image tower that normalise half of their channels per picture, against drawing styles."""
    dropout: float = 0.0
    """Share of numbers hidden before the last layer of both towers (training only)."""


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
class PhotographData:
    path: str = "."
    """The folder that holds the two files, and below it the pictures they name."""
    train: str = "train.jsonl"
    validation: str = "val.jsonl"
    languages: tuple[str, ...] = ("en", "es", "fr", "hi", "de", "it", "ja", "ar")
    """Captions in other languages are left out, and counted."""
    limit: int = 0
    """Train on so many pictures only, drawn by the seed; 0 takes all. A smaller draw is a part of a larger one."""
    pictures: int = 128
    """Pictures per batch."""
    captions: int = 2
    """Captions per picture, each in a random one of its languages."""
    side: int = 128
    """Side of the squares that pictures are decoded to, once, before they are cropped."""
    crop: float = 0.35
    """The smallest share of a picture's area that a crop keeps."""
    colour: float = 0.3
    """How far brightness, contrast and saturation stray."""
    grey: float = 0.1
    """Share of pictures without colours."""
    erase: float = 0.25
    """Share of pictures with a hidden rectangle."""


@dataclass(frozen=True, slots=True)
class PhotographLoss:
    temperature: float = 0.07
    """Start value; learned."""
    smoothing: float = 0.1
    """Share of the InfoNCE target that is spread over all candidates: pictures of a batch may well be alike."""
    text_text: float = 0.5
    words_image: float = 1.0
    """Weight of guessing the words of all captions of a picture from the picture."""
    words_text: float = 0.5
    """The same from one caption: also those of its other captions, in all languages."""
    words_scale: float = 16.0
    rare: float = 0.01
    """A word is to be guessed when at least this share of the pictures have it,"""
    common: float = 0.15
    """and at most this one."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Early stopping."""

    patience: int = 0
    """Validations in a row without a better mean before the run stops; 0 never stops it."""


@dataclass(frozen=True, slots=True)
class Export:
    name: str = "mini"
    weights: str = "int8"
    license: str = "Apache-2.0"
    remark: str = ""
    """What whoever is given the encoder must know, such as a limit set by the licence of the data."""


# Keys that are younger than the first published weights. At their defaults they change nothing, so that they must
# not change a digest either.
_YOUNGER: Final = {"model": ("style_free", "dropout")}


@dataclass(frozen=True, slots=True)
class Recipe:
    """What every kind of run has."""

    kind: ClassVar[str]
    free: ClassVar[tuple[str, ...]] = ("validate_every", "checkpoint_every", "threads")
    """Keys of `run` that do not change the result."""
    run: Run = field(default_factory=Run)
    model: Model = field(default_factory=Model)
    optim: Optim = field(default_factory=Optim)
    export: Export = field(default_factory=Export)

    @property
    def languages(self) -> tuple[str, ...]:
        raise NotImplementedError

    @property
    def folder(self) -> str:
        """Where the data are."""
        raise NotImplementedError

    @property
    def start_temperature(self) -> float:
        raise NotImplementedError

    def digest(self) -> str:
        """Hex digest of every value that changes the result; checkpoints of another recipe are refused."""
        values = dataclasses.asdict(self)
        values["export"] = {}
        for stage in ("widen", "polish"):
            if stage in values and not values[stage]["steps"]:
                del values[stage]
        values["data"]["path"] = ""
        for key in self.free:
            del values["run"][key]
        defaults = {"model": dataclasses.asdict(Model())}
        for table, keys in _YOUNGER.items():
            for key in keys:
                if values[table][key] == defaults[table][key]:
                    del values[table][key]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    def problem(self) -> str | None:
        """Why nothing can be trained with these values; ``None`` when it can."""
        return "needs at least one step" if self.run.steps < 1 else None


@dataclass(frozen=True, slots=True)
class PictographRecipe(Recipe):
    kind: ClassVar[str] = "pictographs"
    data: Data = field(default_factory=Data)
    loss: Loss = field(default_factory=Loss)
    widen: Widen = field(default_factory=Widen)
    polish: Polish = field(default_factory=Polish)

    @property
    def training_styles(self) -> tuple[str, ...]:
        return tuple(style for style in self.data.styles if style not in self.data.held_out)

    @property
    def languages(self) -> tuple[str, ...]:
        return self.data.languages

    @property
    def folder(self) -> str:
        return self.data.path

    @property
    def start_temperature(self) -> float:
        return self.loss.temperature

    def problem(self) -> str | None:
        if len(self.training_styles) < 1:
            return "every style is held out; nothing is left to train on"
        if self.run.steps < 1 or self.data.concepts < 2:
            return "needs at least one step and two concepts per batch"
        return None


@dataclass(frozen=True, slots=True)
class PhotographRecipe(Recipe):
    kind: ClassVar[str] = "photographs"
    free: ClassVar[tuple[str, ...]] = (
        "checkpoint_every",
        "threads",
    )  # the best validation decides what is shipped
    data: PhotographData = field(default_factory=PhotographData)
    loss: PhotographLoss = field(default_factory=PhotographLoss)
    stop: Stop = field(default_factory=Stop)

    @property
    def languages(self) -> tuple[str, ...]:
        return self.data.languages

    @property
    def folder(self) -> str:
        return self.data.path

    @property
    def start_temperature(self) -> float:
        return self.loss.temperature

    def problem(self) -> str | None:
        data = self.data
        if self.run.steps < 1 or data.pictures < 2 or data.captions < 1:
            return "needs at least one step, two pictures per batch and one caption per picture"
        if not 0 < data.crop <= 1:
            return f"data.crop is {data.crop}; it is a share of the area, above 0 and at most 1"
        unknown = [tag for tag in data.languages if tag not in LANGUAGES]
        if unknown or not data.languages:
            return f"data.languages has {', '.join(unknown) or 'nothing'}; known are {', '.join(LANGUAGES)}"
        return None


_KINDS: Final[dict[str, type[Recipe]]] = {kind.kind: kind for kind in (PictographRecipe, PhotographRecipe)}


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
    chosen = tables.get("data", {}).get("kind", PictographRecipe.kind)
    kind = _KINDS.get(chosen)
    if kind is None:
        raise TrainingError(f"{source}: data.kind is {chosen!r}", hint=f"Known: {', '.join(_KINDS)}.")
    table_types: dict[str, Any] = {part.name: part.default_factory for part in dataclasses.fields(kind)}
    parts: dict[str, Any] = {}
    for table, values in tables.items():
        make = table_types.get(table)
        if make is None:
            raise TrainingError(
                f"{source}: unknown table [{table}]",
                hint=f"With data.kind {chosen!r} there are: {', '.join(table_types)}.",
            )
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        if table == "data":
            values.pop("kind", None)
        known = {part.name for part in dataclasses.fields(make)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise TrainingError(
                f"{source}: [{table}] has no key {', '.join(unknown)}",
                hint=f"Known: {', '.join(sorted(known))}.",
            )
        parts[table] = make(**values)
    recipe = kind(**parts)
    if problem := recipe.problem():
        raise TrainingError(f"{source}: {problem}")
    return recipe
