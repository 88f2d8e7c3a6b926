"""Models by name, folder or hub repository. The names are data (``catalog.toml``); loading is lazy.

A name is looked up in the catalogue, and the first of its sources that is here, or that can run here, is taken. Which
source runs a model of the catalogue does not show in its fingerprint: all of them hold the same weights.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ..errors import MissingExtraError, UnknownModelError, WeightsUnavailableError
from ..types import Progress
from . import hub
from .catalog import CatalogRow, Source, read_catalog
from .encoder import TwoTowerEncoder
from .export import quickest
from .layouts import Runtime, find_layout, read_towers
from .paths import cache_folder
from .towers import Towers, digest

MODEL_VARIABLE: Final = "BABELENS_MODEL"
RUNTIME_VARIABLE: Final = "BABELENS_RUNTIME"

# What a repository may hold of use, besides its weights; weights are chosen below, one kind of them.
_DESCRIPTIONS: Final = re.compile(
    r"[^/]+\.(json|txt|model)|(1_Pooling|2_Dense|0_CLIPModel|visual|textual)/.+\.json"
)
_WEIGHTS: Final = (
    ("encoder.json", r"[^/]+\.(onnx[^/]*|npy)"),
    ("onnx/vision_model.onnx", r"onnx/(vision|text)_model\.onnx[^/]*"),
    ("visual/model.onnx", r"(visual|textual)/model\.onnx[^/]*"),
    ("open_clip_model.safetensors", r"open_clip_model\.safetensors"),
    ("open_clip_pytorch_model.bin", r"open_clip_pytorch_model\.bin"),
    ("model.safetensors", r"(.+/)?model\.safetensors"),
    ("model.safetensors.index.json", r"model-.+\.safetensors"),
    ("0_CLIPModel/model.safetensors", r"0_CLIPModel/model\.safetensors"),
    ("pytorch_model.bin", r"(.+/)?pytorch_model\.bin"),
    ("0_CLIPModel/pytorch_model.bin", r"0_CLIPModel/pytorch_model\.bin"),
)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One row of the catalogue, with what is on this machine.

    ``here`` tells whether the files of one source are; ``bytes`` is their size, or about what would be fetched.
    ``folder`` is where a bundled model lies, or the picture tower of one that was fetched.
    """

    name: str
    description: str
    licence: str
    commercial: bool
    languages: tuple[str, ...]
    photographs: bool
    dim: int
    image_size: int
    max_tokens: int
    bytes: int
    runtimes: tuple[str, ...]
    here: bool
    folder: Path | None


def _bundled(name: str) -> Path:
    return Path(str(resources.files(__package__))) / name


def default_model() -> str:
    """What new collections are made with: ``BABELENS_MODEL``, or the multilingual CLIP."""
    return os.environ.get(MODEL_VARIABLE) or "clip-multilingual"


def is_here(model: str | Path) -> bool:
    """Whether a model can be loaded without a network. Asks none."""
    if Path(model).expanduser().is_dir():
        return True
    row = read_catalog().get(str(model))
    if row is not None:
        return row.bundled or any(_folders(source) for source in row.sources)
    return bool(hub.REPOSITORY.fullmatch(str(model))) and _complete(str(model)) is not None


def exports_folder() -> Path:
    """Where ``babelens models export`` puts quicker forms of models: in ``BABELENS_CACHE``, or the user's cache."""
    return cache_folder() / "exports"


def list_models() -> tuple[ModelInfo, ...]:
    """All models that have a name, in the catalogue's order. Asks no network."""
    return tuple(_info(row) for row in read_catalog().values())


def _info(row: CatalogRow) -> ModelInfo:
    if row.bundled:
        folder: Path | None = _bundled(row.name)
        size = sum(file.stat().st_size for file in _bundled(row.name).iterdir())
        runtimes: tuple[str, ...] = ("onnx",)
    else:
        found = [(source, _folders(source)) for source in row.sources]
        source, folders = next(((source, here) for source, here in found if here), found[0])
        folder, size = (folders[0] if folders else None), source.bytes
        runtimes = tuple(source.runtime for source in row.sources)
    return ModelInfo(
        name=row.name,
        description=row.description,
        licence=row.licence,
        commercial=row.commercial,
        languages=row.languages,
        photographs=row.photographs,
        dim=row.dim,
        image_size=row.image_size,
        max_tokens=row.max_tokens,
        bytes=size,
        runtimes=runtimes,
        here=folder is not None,
        folder=folder,
    )


def load_encoder(
    model: str | Path,
    *,
    runtime: Runtime | None = None,
    fetch: bool = True,
    progress: Progress | None = None,
) -> TwoTowerEncoder:
    """The encoder of a catalogue name, of a folder in any of the layouts of :mod:`.layouts`, or of a hub repository
    (``owner/name``). What is not on this machine is fetched, unless ``fetch`` is False; ``progress`` hears the bytes.

    ``runtime`` is ``"onnx"`` or ``"torch"`` where there is a choice; ``BABELENS_RUNTIME`` is the same for all calls.
    Raises :class:`UnknownModelError` (with near names), :class:`WeightsUnavailableError` when files are missing, broken
    or out of reach, and :class:`MissingExtraError`.
    """
    runtime = runtime or wished_runtime()
    encoder = _load(model, runtime, progress, fetch=fetch)
    # An export has been compared and measured on this machine; naming a runtime is asking for the original.
    return encoder if runtime else quickest(encoder, exports_folder())


def load_original(model: str | Path, *, runtime: Runtime | None = None) -> TwoTowerEncoder:
    """As :func:`load_encoder`, but never an export: what exports are made from, PyTorch if there is a choice."""
    wished = runtime or wished_runtime()
    row = read_catalog().get(str(model))
    if wished is None and row is not None and any(source.runtime == "torch" for source in row.sources):
        wished = "torch"
    return _load(model, wished, None)


def _load(
    model: str | Path, runtime: Runtime | None, progress: Progress | None, *, fetch: bool = True
) -> TwoTowerEncoder:
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _joined(read_towers(folder, runtime=runtime), folder.absolute().name, folder)
    name = str(model)
    row = read_catalog().get(name)
    if row is not None:
        return _from_row(row, runtime, progress, fetch=fetch)
    if hub.REPOSITORY.fullmatch(name):
        if not fetch and _complete(name) is None:
            raise _not_here(name)
        folder = _repository(name, progress)
        return _joined(read_towers(folder, runtime=runtime), name, folder)
    raise UnknownModelError(name, read_catalog())


def pull(name: str, *, runtime: Runtime | None = None, progress: Progress | None = None) -> tuple[Path, ...]:
    """Fetches a model of the catalogue, or a hub repository, unless it is here. Returns the folders.

    Raises as :func:`load_encoder` does.
    """
    row = read_catalog().get(name)
    if row is None and hub.REPOSITORY.fullmatch(name):
        return (_repository(name, progress),)
    if row is None:
        raise UnknownModelError(name, read_catalog())
    return (_bundled(name),) if row.bundled else _fetch(_source(row, runtime or wished_runtime()), progress)


# -- models of the catalogue ---------------------------------------------------------------------------------


def _from_row(
    row: CatalogRow, runtime: Runtime | None, progress: Progress | None, *, fetch: bool
) -> TwoTowerEncoder:
    if row.bundled:
        folder = _bundled(row.name)
        return _joined(read_towers(folder), row.name, folder)
    source = _source(row, runtime)
    if not fetch and not _folders(source):
        raise _not_here(row.name)
    folders = _fetch(source, progress)
    first = read_towers(folders[0], runtime=source.runtime)
    second = read_towers(folders[-1], runtime=source.runtime)
    towers = replace(
        first,
        text=second.text,
        name=row.name,
        revision="catalogue",
        languages=row.languages,
        photographs=row.photographs,
        # The same whatever source runs it: their tokenizer files differ in their bytes, not in what they do.
        preprocess=f"{row.image_size} pixels, {row.max_tokens} tokens of {row.tokenizer}",
    )
    return _joined(towers, row.name, folders[0])


def wished_runtime() -> Runtime | None:
    """What ``BABELENS_RUNTIME`` asks for. Raises :class:`UnknownModelError` for what is no runtime."""
    value = os.environ.get(RUNTIME_VARIABLE)
    if value in (None, "", "onnx", "torch"):
        return value or None  # type: ignore[return-value]
    raise UnknownModelError(f"{RUNTIME_VARIABLE}={value}", ("onnx", "torch"))


def _source(row: CatalogRow, runtime: Runtime | None) -> Source:
    """The first source of a model that is here, or else that can run here."""
    sources = [source for source in row.sources if runtime in (None, source.runtime)]
    able = [source for source in sources if source.runtime == "onnx" or find_spec("torch") is not None]
    if not sources:
        raise WeightsUnavailableError(f"{row.name} is not published for the runtime {runtime!r}.")
    if not able:
        raise MissingExtraError("torch", "torch")
    return next((source for source in able if _folders(source)), able[0])


def _folders(source: Source) -> tuple[Path, ...]:
    """The folders of a source's repositories; empty unless all of their files are on this machine."""
    found = [hub.cached(part.repo, revision=part.revision, files=part.files) for part in source.repositories]
    return tuple(folder for folder in found if folder is not None) if all(found) else ()


def _fetch(source: Source, progress: Progress | None) -> tuple[Path, ...]:
    return tuple(
        hub.fetch(part.repo, revision=part.revision, files=part.files, progress=progress)
        for part in source.repositories
    )


def _not_here(name: str) -> WeightsUnavailableError:
    return WeightsUnavailableError(
        f"{name} is not on this machine.", hint=f"Fetch it with `babelens models pull {name}`."
    )


# -- other models --------------------------------------------------------------------------------------------


def _complete(name: str) -> Path | None:
    """The folder of a hub repository in the cache; None when what is there is no whole model."""
    folder = hub.snapshot(name)
    if folder is None or find_layout(folder) is None:
        return None
    try:
        towers = read_towers(folder)
    except WeightsUnavailableError:  # an interrupted download
        return None
    # One tower alone: a model of the catalogue needed no more of it.
    return folder if towers.image and towers.text else None


def _repository(name: str, progress: Progress | None) -> Path:
    """The folder of a hub repository: from the cache if it is complete there, or else fetched."""
    folder = _complete(name)
    if folder is not None:
        return folder
    names = hub.list_files(name)
    chosen = next((pattern for mark, pattern in _WEIGHTS if mark in names), None)
    if chosen is None:
        raise WeightsUnavailableError(
            f"{name} holds no weights that Babelens can read.",
            hint="It reads ONNX towers, OpenCLIP checkpoints, and models of transformers and sentence-transformers.",
        )
    files = [file for file in names if _DESCRIPTIONS.fullmatch(file)]
    weights = [file for file in names if re.fullmatch(chosen, file)]
    return hub.fetch(name, files=[*files, *weights], progress=progress)


def _joined(towers: Towers, name: str, folder: Path) -> TwoTowerEncoder:
    if towers.image is None or towers.text is None:
        lacking = "picture" if towers.image is None else "text"
        raise WeightsUnavailableError(
            f"{folder} has no {lacking} tower.",
            hint="An encoder needs both. `babelens models` names those whose towers come from two places.",
        )
    return TwoTowerEncoder(
        towers.name or name,
        towers.revision or digest((*towers.image.files, *towers.text.files)),
        towers.image,
        towers.text,
        languages=towers.languages,
        photographs=towers.photographs,
        calibration=towers.calibration,
        preprocess=towers.preprocess,
        vocabulary=towers.vocabulary,
    )
