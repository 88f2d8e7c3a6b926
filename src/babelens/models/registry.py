"""Models by name or folder. The names are data (``catalog.toml``); loading is lazy."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ..errors import UnknownModelError, WeightsUnavailableError
from .encoder import TwoTowerEncoder
from .layouts import native, read_towers
from .protocols import Encoder
from .towers import Towers, digest


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
        here = folder is not None and (folder / native.CONFIG_FILE).is_file()
        config = native.read_config(folder) if folder and here else None
        rows.append(
            ModelInfo(
                name=name,
                description=row["description"],
                licence=row["licence"],
                languages=tuple(row["languages"]),
                photographs=row["photographs"],
                dim=config.dim if config else None,
                image_size=config.preprocess.size if config else None,
                bytes=sum(file.stat().st_size for file in folder.iterdir()) if folder and here else None,
                folder=folder if here else None,
            )
        )
    return tuple(rows)


def load_encoder(model: str | Path) -> Encoder:
    """The encoder of a catalogue name, or of a folder in any of the layouts of :mod:`.layouts`.

    Raises :class:`UnknownModelError` (with near names) when it is neither, and
    :class:`WeightsUnavailableError` when its files are missing or broken.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _joined(read_towers(folder), folder)
    names = [row.name for row in list_models()]
    if str(model) not in names:
        raise UnknownModelError(str(model), names)
    return _joined(read_towers(_bundled(str(model))), _bundled(str(model)))


def _joined(towers: Towers, folder: Path) -> TwoTowerEncoder:
    if towers.image is None or towers.text is None:
        lacking = "picture" if towers.image is None else "text"
        raise WeightsUnavailableError(
            f"{folder} has no {lacking} tower.",
            hint="An encoder needs both. `babelens models` names those whose towers come from two places.",
        )
    return TwoTowerEncoder(
        towers.name or folder.absolute().name,
        towers.revision or digest((*towers.image.files, *towers.text.files)),
        towers.image,
        towers.text,
        languages=towers.languages,
        photographs=towers.photographs,
        calibration=towers.calibration,
    )
