"""Writes a trained model as the folder that `babelens.models` serves: two ONNX graphs and ``encoder.json``.

Weights are stored as int8 with one scale per output channel (or per n-gram) and turned back into float32 when the
graph is loaded, or when a row is looked up; all arithmetic stays in float32. That quarters the files and, unlike
quantised arithmetic, does not depend on what the processor can multiply.
"""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from babelens.errors import MissingExtraError, TrainingError

try:
    import onnx
    import torch
    from onnx import helper, numpy_helper
    from torch import Tensor, nn
except ImportError as error:
    raise MissingExtraError(error.name or "onnx", "torch") from error

from babelens.retrieval.calibration import MIN_BACKGROUND, Pair, fit_confidence

from .augment import WIDE
from .data import MEAN, STD
from .towers import TextTower
from .validate import Matrix, separation

if TYPE_CHECKING:
    from .loop import Trainer

Mask = npt.NDArray[np.bool_]

FORMAT = 1
_SCENES = 600  # composed to fit the confidence on
_SMALL = 1024  # tensors below this size stay float32


class _ServedText(nn.Module):
    """The text tower with a gather where training uses embedding_bag, which ONNX does not have."""

    def __init__(self, tower: TextTower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        rows = self.tower.table(ids)  # (n, L, width)
        pooled = torch.bmm(self.tower.shares(ids, mask)[:, None, :], rows).squeeze(1)
        return self.tower.head(pooled)


def export_encoder(trainer: Trainer, out: Path | str, *, weights: str | None = None) -> Path:
    """Write ``encoder.json``, ``image.onnx`` and ``text.onnx`` of the averaged weights to `out`.

    `weights` is "int8" or "float32"; without it the recipe decides. The graphs are run once and compared with torch.

    Raises TrainingError when the written model does not reproduce the trained one.
    """
    recipe = trainer.recipe
    weights = weights or recipe.export.weights
    if weights not in ("int8", "float32"):
        raise TrainingError(f"export.weights is {weights!r}; it can be int8 or float32")
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    model = trainer.average.cpu().float().eval()
    side, languages = recipe.model.image_size, list(recipe.data.languages)

    pixels = torch.rand(3, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
    ids, mask = (torch.from_numpy(a) for a in trainer.tokenizer(["red apple", "chien", "犬と猫"]))
    image_file, text_file = out / "image.onnx", out / "text.onnx"
    _to_onnx(model.image, (pixels,), ["pixel_values"], "image_embeds", {0: "n"}, image_file)
    _to_onnx(
        _ServedText(model.text),
        (ids, mask),
        ["input_ids", "attention_mask"],
        "text_embeds",
        {0: "n", 1: "length"},
        text_file,
    )
    if weights == "int8":
        for file in (image_file, text_file):
            onnx.save(quantise_weights(onnx.load(file)), file)

    with torch.no_grad():
        expected = {image_file: model.image(pixels).numpy(), text_file: model.text(ids, mask).numpy()}
    feeds = {
        image_file: {"pixel_values": pixels.numpy()},
        text_file: {"input_ids": ids.numpy(), "attention_mask": mask.numpy()},
    }
    for file, rows in expected.items():
        served = run_onnx(file, feeds[file])
        cosine = float((served * rows).sum(1).min())
        if not cosine > (0.98 if weights == "int8" else 0.9999):
            raise TrainingError(f"{file.name} does not reproduce the trained tower: cosine {cosine:.4f}")

    digest = hashlib.sha256(image_file.read_bytes() + text_file.read_bytes()).hexdigest()
    config: dict[str, Any] = {
        "format": FORMAT,
        "name": recipe.export.name,
        "revision": digest[:12],
        "dim": recipe.model.dim,
        "image": {
            "file": image_file.name,
            "size": side,
            # Measured on the training styles, composed on coloured 5:4 grounds: text to image R@1 88 % squashed,
            # 85 % padded with the border's colour, 50 % padded with white.
            "resize": "squash",
            "mean": list(MEAN),
            "std": list(STD),
        },
        "text": {"file": text_file.name, "tokenizer": trainer.tokenizer.to_config()},
        "languages": languages,
        "calibration": calibration(trainer),
        "weights": weights,
        "license": recipe.export.license,
    }
    (out / "encoder.json").write_text(
        json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return out


def calibration(trainer: Trainer) -> dict[str, Any]:
    """What scores mean: the confidence weights of `babelens.retrieval.calibration`, and what they were fitted on.

    Fitted on the held-out style: its plain pictures, the same ones changed as in `widen`, and scenes. A run without one
    takes a style it was trained on, and only the changed pictures: those that it knows by heart would make it too sure.
    Concepts of one CLDR subgroup ("person-role", "food-fruit") do not count as wrong answers for each other.

    ``measured`` holds, per direction and as the mean over languages, the cosines of matches (``matched_*``), of the
    best candidate when the match was taken out (``unmatched_*``), and ``auc``: the chance that a query with its
    match present has a higher best score than one without.
    """
    style = trainer.validation_style
    unseen = style in trainer.recipe.data.held_out
    changed, texts = trainer.vectors(style, redrawn=WIDE)
    images = trainer.vectors(style)[0] if unseen else changed
    scenes, scene_captions, scene_sets = trainer.scene_vectors(style, _SCENES)
    table: dict[str, Any] = {"style": style, "style_seen_in_training": not unseen, "candidates": len(images)}

    drawn = np.flatnonzero(trainer.full.drawn[style])
    each = np.eye(len(trainer.full), dtype=np.float32)[drawn]  # (n, concepts): which concepts a row holds
    several = np.zeros((_SCENES, len(trainer.full)), dtype=np.float32)
    for members, row in zip(scene_sets, several, strict=True):
        row[members[members >= 0]] = 1
    groups = np.unique([concept.group for concept in trainer.full.concepts], return_inverse=True)[1]
    member = np.eye(groups.max() + 1, dtype=np.float32)[groups]  # (concepts, groups)

    # Each concept is asked for in one language and answered in another, so that all languages weigh alike.
    order = np.arange(len(images))
    turn = order % len(texts)
    stacked = np.stack(list(texts.values()))  # (languages, n, dim)
    asked = np.concatenate([stacked[turn, order], scene_captions])
    named = np.concatenate([each, several])
    pictured = np.concatenate([images, changed, scenes] if unseen else [changed, scenes])
    shown = np.concatenate([each, each, several] if unseen else [each, several])
    # A picture matches a caption when it shows all that the caption names.
    fits = named @ shown.T == named.sum(1)[:, None]
    near = (named @ member) @ (shown @ member).T > 0
    alike = np.eye(len(images), dtype=np.bool_), each @ member @ (each @ member).T > 0
    pairs: tuple[tuple[Pair, Matrix, Matrix, tuple[Mask, Mask]], ...] = (
        ("text_image", asked, pictured, (fits, near)),
        ("image_text", pictured, asked, (fits.T, near.T)),
        ("text_text", stacked[turn, order], stacked[turn - 1, order], alike),
    )
    if len(images) > 2 * MIN_BACKGROUND:
        for pair, queries, candidates, (matches, related) in pairs:
            weights = fit_confidence(queries @ candidates.T, matches, related=related, pair=pair)
            table.update({key: round(value, 4) for key, value in weights.items()})
    table["measured"] = {}
    for name, measured in (
        ("text_to_image", [separation(rows, images) for rows in texts.values()]),
        ("image_to_text", [separation(images, rows) for rows in texts.values()]),
    ):
        fields = ("matched_mean", "matched_std", "unmatched_mean", "unmatched_std", "auc")
        table["measured"][name] = {
            f: round(float(np.mean([getattr(m, f) for m in measured])), 4) for f in fields
        }
    return table


def run_onnx(file: Path, feeds: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    """The one output of a graph on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (rows,) = session.run(None, feeds)
    return np.asarray(rows, dtype=np.float32)


def _to_onnx(
    module: nn.Module,
    example: tuple[Tensor, ...],
    inputs: list[str],
    output: str,
    axes: dict[int, str],
    file: Path,
) -> None:
    shapes = tuple(dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for _ in example)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            module.eval(),
            example,
            dynamo=True,
            input_names=inputs,
            output_names=[output],
            dynamic_shapes=shapes,
            opset_version=18,
            verbose=False,
        )
    graph = program.model_proto
    for node in graph.graph.node:
        # Stack traces and file names of the machine that exported; nobody needs them.
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*graph.graph.value_info, *graph.graph.input, *graph.graph.output, *graph.graph.initializer):
        del value.metadata_props[:]
    del graph.graph.metadata_props[:], graph.metadata_props[:]
    onnx.save(graph, file)


def quantise_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with the large float32 initializers as int8, symmetric, one scale per index of the first axis.

    A table that is only gathered from is gathered as int8; other weights become Cast and Mul of constants,
    which the runtime folds when it loads the graph.
    """
    out = onnx.ModelProto()
    out.CopyFrom(model)
    graph = out.graph
    nodes = list(graph.node)
    before: list[onnx.NodeProto] = []
    kept = []
    for tensor in list(graph.initializer):
        users = [node for node in nodes if tensor.name in node.input]
        array = numpy_helper.to_array(tensor)
        if tensor.data_type != onnx.TensorProto.FLOAT or array.size < _SMALL or array.ndim < 2 or not users:
            kept.append(tensor)
            continue
        small, scale = to_int8(array)
        name = tensor.name
        kept.append(numpy_helper.from_array(small, f"{name}.int8"))
        kept.append(numpy_helper.from_array(scale, f"{name}.scale"))
        gathered = all(node.op_type == "Gather" and node.input[0] == name for node in users)
        if not gathered:
            before += _restore(f"{name}.int8", f"{name}.scale", name)
            continue
        for number, node in enumerate(users):
            place, ids, result = nodes.index(node), node.input[1], node.output[0]
            rows, scales = f"{name}.rows{number}", f"{name}.scales{number}"
            nodes[place : place + 1] = [
                helper.make_node("Gather", [f"{name}.int8", ids], [rows], axis=0),
                helper.make_node("Gather", [f"{name}.scale", ids], [scales], axis=0),
                *_restore(rows, scales, result),
            ]
    del graph.initializer[:], graph.node[:], graph.value_info[:]
    graph.initializer.extend(kept)
    graph.node.extend(before + nodes)
    onnx.checker.check_model(out)
    return out


def _restore(small: str, scale: str, result: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Cast", [small], [f"{small}.float"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", [f"{small}.float", scale], [result]),
    ]


def to_int8(array: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Symmetric int8 of `array` and its scales, shaped (rows, 1, ...); ``small * scale`` restores it."""
    axes = tuple(range(1, array.ndim))
    scale = np.abs(array).max(axis=axes, keepdims=True).astype(np.float32) / 127
    scale[scale == 0] = 1.0
    return np.round(array / scale).astype(np.int8), scale
