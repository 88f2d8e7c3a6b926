"""Models that write: which there are, where their files lie, and how a checkpoint is loaded with ``transformers``.

The names are data (``writers.toml``). What a folder holds is told by its ``config.json``; :mod:`.captioners` and
:mod:`.translators` say which families they know.
"""

from __future__ import annotations

import fnmatch
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

from ..errors import BabelensError, MissingExtraError, UnknownModelError, WeightsUnavailableError
from ..types import Progress
from . import hub
from . import torch as runtime
from .towers import digest

Kind = Literal["captioner", "translator"]

# Weights come in one of these; the pickled kind is fetched only where there is no other.
_SAFE: Final = ("model.safetensors", "model.safetensors.index.json")
_PICKLED: Final = ("pytorch_model.bin", "pytorch_model.bin.index.json")


@dataclass(frozen=True, slots=True)
class WriterInfo:
    """One row of ``writers.toml``, which says what the columns mean."""

    name: str
    kind: Kind
    repo: str
    revision: str
    licence: str
    commercial: bool
    languages: tuple[str, ...]
    pairs: tuple[str, ...]
    patterns: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder with a model of a known family. ``revision`` changes with the contents of its files."""

    folder: Path
    name: str
    revision: str
    config: Mapping[str, Any]

    @property
    def family(self) -> str:
        return str(self.config["model_type"])


@cache
def list_writers() -> tuple[WriterInfo, ...]:
    """All captioners and translators that have a name, in the order of the file."""
    path = resources.files(__package__).joinpath("writers.toml")
    rows = []
    for name, row in tomllib.loads(path.read_text(encoding="utf-8")).items():
        row |= {key: tuple(row.get(key, ())) for key in ("languages", "pairs", "patterns")}
        rows.append(WriterInfo(name=name, **row))
    return tuple(rows)


def find_checkpoint(
    model: str | Path, kind: Kind, *, needs: Mapping[str, Sequence[str]], progress: Progress | None = None
) -> Checkpoint:
    """The files of a model: a local folder, a name of ``writers.toml``, or a hub id.

    ``needs`` are the known families (``model_type`` of ``config.json``), each with the files it cannot do without;
    ``a|b`` means one of them. Raises :class:`UnknownModelError`; :class:`WeightsUnavailableError` when files are
    missing, or the family is not known.
    """
    folder, row, name = _look_up(model, kind)
    if folder is None:
        if row is not None:
            folder = _fetch(row.repo, row.revision, row.patterns, progress)
        elif hub.REPOSITORY.fullmatch(name):
            folder = _fetch(name, "", ("*.json", "*.txt", "*.spm", "*.model"), progress)
        else:
            raise UnknownModelError(name, [row.name for row in list_writers() if row.kind == kind])
    config = _read_config(folder)
    family = str(config.get("model_type"))
    if family not in needs:
        raise WeightsUnavailableError(
            f"{folder} holds a model of the family {family!r}, which is no {kind} that Babelens knows.",
            hint=f"Known families: {', '.join(needs)}.",
        )
    missing = [
        names.replace("|", " or ")
        for names in ("|".join(_SAFE + _PICKLED), *needs[family])
        if not any((folder / file).is_file() for file in names.split("|"))
    ]
    if missing:
        raise WeightsUnavailableError(
            f"{folder} is no whole {family} model: it lacks {'; '.join(missing)}.",
            hint="Copy all files of the model into one folder, as they are in its repository.",
        )
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    return Checkpoint(folder, name, digest(files), config)


def name_of(model: str | Path, kind: Kind) -> str:
    """The name that texts by a model carry; nothing is loaded, nor looked for on the network."""
    return _look_up(model, kind)[2]


def _look_up(model: str | Path, kind: Kind) -> tuple[Path | None, WriterInfo | None, str]:
    """A local folder or a row, whichever it is, and its name. A folder with a model goes before a name."""
    name = str(model)
    rows = (row for row in list_writers() if row.kind == kind and name in (row.name, row.repo))
    row, folder = next(rows, None), Path(model).expanduser()
    if (folder / "config.json").is_file() or (folder.is_dir() and row is None):
        return folder, None, folder.resolve().name
    return None, row, name if row is None else row.name


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise WeightsUnavailableError(
            f"{folder} is no model: it has no config.json.",
            hint="Name the folder that the model's files lie in.",
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsUnavailableError(f"{path} is not JSON: {error}.") from error
    if not isinstance(config, dict):
        raise WeightsUnavailableError(f"{path} does not describe a model.")
    return config


def _fetch(repo: str, revision: str, patterns: Sequence[str], progress: Progress | None) -> Path:
    """The folder of a repository: as it is on this machine when it is whole, else fetched, its weights last."""
    folder = _cached(repo, revision)
    if folder is not None:
        return folder
    names = hub.list_files(repo, revision=revision)
    return hub.fetch(repo, revision=revision, files=choose_files(names, patterns), progress=progress)


def find_folder(row: WriterInfo) -> Path | None:
    """Where a model lies on this machine; None when it is not here. Asks no network."""
    return _cached(row.repo, row.revision)


def _cached(repo: str, revision: str) -> Path | None:
    found = (
        hub.cached(repo, revision=revision, files=["config.json", weights]) for weights in (*_SAFE, *_PICKLED)
    )
    return next((folder for folder in found if folder is not None), None)


def choose_files(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """What to fetch of a repository: the files that ``patterns`` name, then weights of one kind, their index last.

    Weights last: where they are, everything is.
    """
    chosen = [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    for whole, index in (_SAFE, _PICKLED):
        if whole in names:
            return [*chosen, whole]
        if index in names:
            stem, kind = whole.split(".")
            return [*chosen, *(name for name in names if re.fullmatch(rf"{stem}-\d.*\.{kind}", name)), index]
    return chosen


# -- loading -------------------------------------------------------------------------------------------------


def load_model(checkpoint: Checkpoint, class_name: str) -> Any:
    """The model in float32, ready to generate, on the GPU where there is one.

    Raises :class:`WeightsUnavailableError` when the weights are damaged, incomplete or not numbers.
    """
    # No caption looks at a pooler; repositories leave it out, and transformers fills it in.
    model = runtime.load_pretrained(class_name, checkpoint.folder, unused=(".pooler.",), more=True)
    if not all(bool(parameter.isfinite().all()) for parameter in model.parameters()):
        raise WeightsUnavailableError(
            f"The weights in {checkpoint.folder} hold values that are not numbers (NaN or infinity).",
            hint="The file is damaged, or its training failed. Fetch it again.",
        )
    # Lengths and sampling that a repository sets would fight with the ones we ask for.
    for part in (model, getattr(model, "text_decoder", model)):
        part.generation_config.update(
            do_sample=False, max_length=None, early_stopping=False, temperature=None, top_k=None, top_p=None
        )
    return model.to(runtime.device()).eval()


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """The tokenizer that the folder describes. Raises :class:`WeightsUnavailableError`."""
    with _reading(checkpoint) as transformers:
        return transformers.AutoTokenizer.from_pretrained(checkpoint.folder, local_files_only=True)


def load_image_processor(checkpoint: Checkpoint) -> Any:
    """The preprocessing that the folder describes, done with Pillow: these models were trained on its resizing."""
    with _reading(checkpoint) as transformers:
        return transformers.AutoImageProcessor.from_pretrained(
            checkpoint.folder, local_files_only=True, backend="pil"
        )


@contextmanager
def _reading(checkpoint: Checkpoint) -> Iterator[Any]:
    """``transformers``, with whatever it raises about broken files turned into a typed error."""
    runtime.import_torch()  # transformers imports without it, and fails later
    try:
        with runtime.quiet_transformers() as transformers:
            yield transformers
    except BabelensError:
        raise
    except ImportError as error:  # sentencepiece and the like
        raise MissingExtraError(error.name or _first_line(error), "torch") from error
    except Exception as error:
        raise WeightsUnavailableError(
            f"{checkpoint.folder} cannot be loaded: {_first_line(error)}",
            hint="A file of it is damaged or belongs to another model. Fetch it again.",
        ) from error


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
