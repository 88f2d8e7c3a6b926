"""A model as a folder that the core installation runs, and the gate that a quicker one has to pass.

An exported encoder keeps the name and revision of what it was made from, so its vectors go into the same collections.
That is only honest while both rank alike: products in int8 are published when the ten nearest pictures of a sample, and
the ten best pictures for a sample of texts, are the same to 98 % (facts on int8 CLIP: cosine alone does not tell).
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ExportError
from ..types import Progress
from ..vectors import Floats, top_k
from .encoder import TwoTowerEncoder
from .layouts import native, read_towers
from .ngrams import NgramTokenizer
from .subwords import SubwordTokenizer
from .towers import ImageTower, TextTower

Precision = Literal["fp32", "bf16", "int8"]
Target = Literal["onnx", "openvino"]

# What each runtime can do here. bf16 is products in bfloat16 at run time: the file is that of fp32.
PRECISIONS: Final[dict[Target, tuple[Precision, ...]]] = {
    "onnx": ("fp32", "int8"),
    "openvino": ("fp32", "bf16"),
}

PASSING: Final = 0.98
MIN_PICTURES: Final = 100  # the ten nearest of fewer are too large a part of all
_TOP: Final = 10
_CLOSE: Final = 1e-4
_TIMED: Final = 64  # pictures encoded per timing
_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Gate:
    """How the exported towers compare with the original. Overlaps are means over queries, in [0, 1].

    ``cosine`` is the lowest between the two vectors of one picture or text; speeds are pictures per second on ready
    pixels, measured in turns on this machine.
    """

    pictures: int
    texts: int
    overlap_pictures: float
    overlap_texts: float
    cosine: float
    speed: float
    speed_before: float

    @property
    def passed(self) -> bool:
        return min(self.overlap_pictures, self.overlap_texts) >= PASSING


@dataclass(frozen=True, slots=True)
class Exported:
    """An exported encoder. ``bytes`` is the folder's size."""

    folder: Path
    precision: Precision
    bytes: int
    gate: Gate


def export_encoder(
    encoder: TwoTowerEncoder,
    out: Path,
    *,
    precision: Precision,
    to: Target = "onnx",
    pictures: Sequence[NDArray[np.uint8]],
    texts: Sequence[str],
    progress: Progress | None = None,
) -> Exported:
    """Writes ``encoder.json`` and two ONNX graphs to ``out``, once they have been compared with ``encoder``.

    ``to`` is what is to run it (see :data:`PRECISIONS`). ``pictures`` are prepared pixels (see ``encoder.prepare``) and
    ``texts`` sentences such as will be searched with; int8 and bf16 are judged by them. Raises
    :class:`ExportError`, and leaves ``out`` as it was, when the exported towers do not give the same vectors (fp32) or
    do not rank alike.
    """
    if precision not in PRECISIONS[to]:
        raise ExportError(
            f"There is no {precision} export to {to}.", hint=f"{to} takes {' and '.join(PRECISIONS[to])}."
        )
    if precision != "fp32" and len(pictures) < MIN_PICTURES:
        raise ExportError(
            f"{len(pictures)} pictures are too few to judge {precision} by: at least {MIN_PICTURES} are needed.",
            hint="Name more of your own pictures, or export with --precision fp32.",
        )
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as temporary:
        folder = Path(temporary) / "encoder"
        folder.mkdir()
        steps = _Steps(progress)
        write_towers(encoder, folder, precision, to=to, step=steps)
        steps("comparing")
        gate = _compare(encoder, _reload(encoder, folder), pictures, texts)
        _judge(encoder, gate, precision)
        _describe(encoder, folder, precision, to, gate)
        steps("done")
        replace_encoder(out, folder)
    size = sum(file.stat().st_size for file in out.iterdir())
    return Exported(out, precision, size, gate)


def write_towers(
    encoder: TwoTowerEncoder,
    folder: Path,
    precision: Precision,
    *,
    to: Target = "onnx",
    step: Callable[[str], None] = lambda _: None,
) -> None:
    """Writes the files of an export, with no comparison: whoever uses them has to know what they do."""
    step("picture tower")
    _write_image(encoder.image_tower, folder / "image.onnx", precision)
    step("text tower")
    _write_text(encoder.text_tower, encoder.max_tokens, folder / "text.onnx", precision)
    _describe(encoder, folder, precision, to)


class _Steps:
    def __init__(self, progress: Progress | None) -> None:
        self._progress, self._done = progress, -1

    def __call__(self, note: str) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, 3, note)


# -- writing -------------------------------------------------------------------------------------------------


def _write_image(tower: ImageTower, file: Path, precision: Precision) -> None:
    if tower.module is None:
        _copy(tower.files, file)
    else:
        import torch

        from .onnx_export import to_onnx

        pixels = torch.zeros(2, 3, tower.preprocess.size, tower.preprocess.size)
        to_onnx(tower.module(), [pixels], ["pixel_values"], "image_embeds", {0: "n"}, file)
    _quantise(file, precision)


def _write_text(tower: TextTower, max_tokens: int, file: Path, precision: Precision) -> None:
    if tower.module is None:
        _copy(tower.files, file)
    else:
        import torch

        from .onnx_export import to_onnx

        ids, mask = (torch.from_numpy(array) for array in tower.tokenizer()(["a red car", "two dogs"]))
        # A padded length is part of the model; any other is free, and must not look fixed because the example is.
        axes = {0: "n"} if ids.shape[1] == max_tokens else {0: "n", 1: "length"}
        to_onnx(tower.module(), [ids, mask], ["input_ids", "attention_mask"], "text_embeds", axes, file)
    _quantise(file, precision)


def _copy(files: Sequence[Path], file: Path) -> None:
    if len(files) != 1 or files[0].suffix != ".onnx":
        raise ExportError(
            f"{files[0]} cannot be exported: it is neither a PyTorch model nor a single ONNX file.",
            hint="Use the model's PyTorch files (pip install 'babelens[torch]').",
        )
    shutil.copyfile(files[0], file)


def _quantise(file: Path, precision: Precision) -> None:
    if precision == "int8":
        from .onnx_export import quantise_products

        quantise_products(file)


def _describe(
    encoder: TwoTowerEncoder, folder: Path, precision: Precision, to: Target, gate: Gate | None = None
) -> None:
    """Writes ``encoder.json`` and the tokenizer's file."""
    tokenizer = encoder.text_tower.tokenizer()
    if isinstance(tokenizer, SubwordTokenizer):
        tokenizer.save(folder)
    elif not isinstance(tokenizer, NgramTokenizer):
        raise ExportError(f"A {type(tokenizer).__name__} cannot be written to a file.")
    rule = asdict(encoder.image_tower.preprocess)
    fingerprint = encoder.fingerprint
    about: dict[str, Any] = {
        "format": 1,
        "name": fingerprint.name,
        "revision": fingerprint.revision,
        "dim": fingerprint.dim,
        "image": {"file": "image.onnx", **rule},
        "text": {"file": "text.onnx", "tokenizer": tokenizer.to_config()},
        "languages": list(encoder.languages),
        "photographs": encoder.photographs,
        "calibration": encoder.calibration,
        "weights": precision,
        "runtime": to,
        "exported_from": encoder.runtime,
        "prepared": fingerprint.preprocess,
    }
    if len(encoder.vocabulary):
        about["vocabulary"] = native.write_vocabulary(folder, encoder.vocabulary)
    if gate is not None:
        about["gate"] = {key: round(value, 4) for key, value in asdict(gate).items()}
    text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
    (folder / native.CONFIG_FILE).write_text(text, encoding="utf-8")


def _reload(encoder: TwoTowerEncoder, folder: Path) -> TwoTowerEncoder:
    towers = read_towers(folder)
    exported = encoder.with_towers(towers)
    before, after = (
        (one.image_tower.preprocess.key, one.text_tower.tokenizer().key) for one in (encoder, exported)
    )
    if before != after:
        raise ExportError(f"What was exported prepares its input otherwise: {after}, not {before}.")
    return exported


def replace_encoder(out: Path, folder: Path) -> None:
    """Puts the new folder in the old one's place; what is no encoder is never touched.

    Who is killed here finds the old encoder or the new one, whole, in ``out`` or beside ``folder``.
    """
    if out.exists():
        if not (out / native.CONFIG_FILE).is_file():
            raise ExportError(f"{out} is there already and is no encoder.", hint="Name another folder.")
        os.replace(out, folder.with_name(f"{folder.name}-before"))
    os.replace(folder, out)


# -- comparing -----------------------------------------------------------------------------------------------


def _compare(
    before: TwoTowerEncoder,
    after: TwoTowerEncoder,
    pictures: Sequence[NDArray[np.uint8]],
    texts: Sequence[str],
) -> Gate:
    old, new = before.encode_prepared(pictures), after.encode_prepared(pictures)
    asked, answered = before.encode_texts(texts), after.encode_texts(texts)
    cosines = [*np.einsum("ij,ij->i", old, new), *np.einsum("ij,ij->i", asked, answered)]
    timed = (
        list(pictures[:_TIMED]) or [np.zeros((before.image_size, before.image_size, 3), dtype=np.uint8)] * 16
    )
    speed_before, speed = _speeds(timed, before.encode_prepared, after.encode_prepared)
    return Gate(
        pictures=len(pictures),
        texts=len(texts),
        overlap_pictures=_overlap(_others(old), _others(new)),
        overlap_texts=_overlap(asked @ old.T, answered @ new.T),
        cosine=float(min(cosines, default=1.0)),
        speed=speed,
        speed_before=speed_before,
    )


def _overlap(before: Floats, after: Floats) -> float:
    """How many of the best ten columns are the same, as a mean over rows. Shapes: (queries, corpus), twice."""
    if not before.size:
        return 1.0
    first, second = top_k(before, _TOP), top_k(after, _TOP)
    shares = [
        len(set(one) & set(two)) / len(one) for one, two in zip(first.tolist(), second.tolist(), strict=True)
    ]
    return float(np.mean(shares))


def _others(vectors: Floats) -> Floats:
    """Scores of pictures with each other, a picture with itself left last. Shape: (n, dim) -> (n, n)."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    return scores


def _speeds(
    pictures: Sequence[NDArray[np.uint8]], *forwards: Callable[[Sequence[NDArray[np.uint8]]], Floats]
) -> list[float]:
    """Pictures a second of each, in turns, the best of a few rounds: machines have other things to do."""
    best = [float("inf")] * len(forwards)
    for _ in range(_ROUNDS):
        for place, forward in enumerate(forwards):
            start = time.perf_counter()
            forward(pictures)
            best[place] = min(best[place], time.perf_counter() - start)
    return [len(pictures) / seconds for seconds in best]


def _judge(encoder: TwoTowerEncoder, gate: Gate, precision: Precision) -> None:
    name = encoder.fingerprint.name
    if precision == "fp32" and not gate.cosine > 1 - _CLOSE:
        raise ExportError(
            f"The exported {name} does not give the same vectors: lowest cosine {gate.cosine:.5f}."
        )
    if not gate.passed:
        raise ExportError(
            f"The {precision} weights of {name} rank otherwise than the original: of the ten nearest pictures "
            f"{gate.overlap_pictures:.1%} are the same, of the ten best for a text {gate.overlap_texts:.1%} "
            f"({gate.pictures} pictures, {gate.texts} texts; at least {PASSING:.0%} is asked).",
            hint="Nothing was published. Export with --precision fp32.",
        )


# -- choosing ------------------------------------------------------------------------------------------------


def exports_of(encoder: TwoTowerEncoder, folder: Path) -> list[tuple[Path, Gate]]:
    """The exports of this very model below ``folder`` that passed their gate, quickest first."""
    found = []
    for config in folder.glob(f"*/{native.CONFIG_FILE}"):
        about = json.loads(config.read_text(encoding="utf-8"))
        same = (about["name"], about["revision"]) == (encoder.fingerprint.name, encoder.fingerprint.revision)
        installed = about.get("runtime") != "openvino" or find_spec("openvino") is not None
        if same and installed and "gate" in about:
            found.append((config.parent, Gate(**about["gate"])))
    return sorted(found, key=lambda pair: -pair[1].speed / pair[1].speed_before)


def quickest(encoder: TwoTowerEncoder, folder: Path) -> TwoTowerEncoder:
    """``encoder`` on the runtime that was quickest when measured: its own, or an export's in ``folder``."""
    for path, gate in exports_of(encoder, folder):
        if gate.speed > gate.speed_before:
            why = (
                f"exported by `babelens models export`: {gate.speed / gate.speed_before:.1f} times the pictures a "
                f"second of {encoder.runtime}, and {gate.overlap_pictures:.1%} of the ten nearest are the same "
                f"({gate.pictures} pictures)"
            )
            chosen = encoder.with_towers(read_towers(path), why)
            if chosen.fingerprint == encoder.fingerprint:
                return chosen
    return encoder
