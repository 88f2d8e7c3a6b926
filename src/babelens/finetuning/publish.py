"""Writes fine-tuned weights as a folder that ``--model`` accepts, and reads them back before anyone trusts it."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..errors import ExportError, StorageFullError
from ..models.export import replace_encoder, write_towers
from ..models.layouts.native import CONFIG_FILE
from ..models.registry import load_encoder
from ..training.calibrate import calibrate_recall
from ..vectors import Floats
from .data import Domain
from .measure import vectors
from .tunable import Tunable

FOLDER: Final = "encoder"
_NEAR: Final = 1e-3
"""By how much a number of a vector may change: float32 in another order of operations."""


def publish(
    tunable: Tunable, domain: Domain, out: Path, *, name: str, photographs: bool, about: dict[str, Any]
) -> Path:
    """The folder ``out/encoder`` with the present weights, in this project's own layout, which needs no PyTorch to run.

    What scores mean is measured anew on ``domain``, the validation split. The vectors of common words that the base
    model may bring were made by other weights and are left out. ``about`` goes into ``encoder.json``.

    Raises :class:`ExportError` when what was written gives other vectors, :class:`StorageFullError`.
    """
    images, texts = vectors(tunable, domain)
    base = tunable.base
    measured = calibrate_recall(images, {tag: (rows, domain.owners[tag]) for tag, rows in texts.items()})
    encoder = tunable.encoder(
        name,
        _revision(tunable),
        languages=base.languages,
        photographs=photographs,
        calibration={key: value for key, value in measured.items() if isinstance(value, float)},
    )
    try:
        with tempfile.TemporaryDirectory(dir=out, prefix=".encoder-") as temporary:
            folder = Path(temporary) / FOLDER
            folder.mkdir()
            write_towers(encoder, folder, "fp32")
            config = folder / CONFIG_FILE
            described = {**json.loads(config.read_text(encoding="utf-8")), "finetuned": about}
            config.write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            _compare(folder, domain, images, texts)
            target = out / FOLDER
            replace_encoder(target, folder)
    except OSError as error:
        raise StorageFullError(
            f"{out / FOLDER} cannot be written: {error.strerror}.",
            hint="Make room, then repeat the command with --resume: nothing is trained again.",
        ) from error
    return target


def withdraw(out: Path) -> None:
    """Removes what an earlier run into the same folder published: judged anew, it has not earned it."""
    folder = out / FOLDER
    config = folder / CONFIG_FILE
    if config.is_file() and "finetuned" in json.loads(config.read_text(encoding="utf-8")):
        shutil.rmtree(folder)


def _revision(tunable: Tunable) -> str:
    """12 hex digits of the weights themselves."""
    seen = hashlib.sha256()
    for name, value in tunable.named():
        seen.update(name.encode() + value.detach().cpu().numpy().tobytes())
    return seen.hexdigest()[:12]


def _compare(folder: Path, domain: Domain, images: Floats, texts: Mapping[str, Floats]) -> None:
    written = load_encoder(folder, runtime="onnx")
    first = next(iter(domain.bodies))
    pairs = (
        ("picture", images, written.encode_prepared(list(domain.pixels))),
        ("text", texts[first], written.encode_texts(domain.bodies[first])),
    )
    for what, before, after in pairs:
        far = float(np.abs(before - after).max())
        if far > _NEAR:
            raise ExportError(
                f"The {what} tower in {folder} gives other vectors than the weights it was written from: a number "
                f"differs by {far:.2g}.",
                hint="This is a fault of the export; the checkpoint is sound. Please report it with the model's name.",
            )
