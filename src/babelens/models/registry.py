"""Models by name or folder. The names are data (``catalog.toml``); loading is lazy."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ..errors import UnknownModelError
from .onnx import CONFIG_FILE, OnnxEncoder, read_config
from .protocols import Encoder


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One row of the catalogue, with what the files on this machine add. ``bytes`` is None when they are not here."""

    name: str
    description: str
    licence: str
    languages: tuple[str, ...]
    photographs: bool
    dim: int | None
    image_size: int | None
    bytes: int | None
    folder: Path | None


def _bundled(name: str) -> Path:
    return Path(str(resources.files(__package__))) / name


def list_models() -> tuple[ModelInfo, ...]:
    """All models that have a name, in the catalogue's order."""
    table = tomllib.loads(
        (Path(str(resources.files(__package__))) / "catalog.toml").read_text(encoding="utf-8")
    )
    rows = []
    for name, row in table.items():
        folder = _bundled(name) if row["bundled"] else None
        here = folder is not None and (folder / CONFIG_FILE).is_file()
        config = read_config(folder) if folder and here else None
        rows.append(
            ModelInfo(
                name=name,
                description=row["description"],
                licence=row["licence"],
                languages=tuple(row["languages"]),
                photographs=row["photographs"],
                dim=config.dim if config else None,
                image_size=config.image_size if config else None,
                bytes=sum(file.stat().st_size for file in folder.iterdir()) if folder and here else None,
                folder=folder if here else None,
            )
        )
    return tuple(rows)


def load_encoder(model: str | Path, *, threads: int = 0) -> Encoder:
    """The encoder of a catalogue name, or of a folder that holds ``encoder.json``.

    Raises :class:`UnknownModelError` (with near names) when it is neither, and
    :class:`WeightsUnavailableError` when its files are missing or broken.
    """
    folder = Path(model).expanduser()
    if (folder / CONFIG_FILE).is_file():
        return OnnxEncoder(folder, threads=threads)
    names = [row.name for row in list_models()]
    if str(model) not in names:
        raise UnknownModelError(str(model), names)
    return OnnxEncoder(_bundled(str(model)), threads=threads)
