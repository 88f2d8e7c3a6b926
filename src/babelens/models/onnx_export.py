"""Writes towers as ONNX graphs, and makes them smaller or quicker. Needs torch, onnx and onnxscript.

Two ways to int8. :func:`quantise_weights` stores weights as int8 and computes in float32: a quarter of the size, the
same speed, the same vectors but for rounding. :func:`quantise_products` also multiplies in int8: three to four times
the speed where the processor can, and vectors that have to be compared before anyone trusts them.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from ..errors import MissingExtraError

try:
    import onnx
    from onnx import helper, numpy_helper
except ImportError as error:
    raise MissingExtraError("onnx", "torch") from error

if TYPE_CHECKING:
    from torch import Tensor, nn

_SMALL: Final = 1024  # tensors below this size stay float32
_OPSET: Final = 18
_ONE_FILE: Final = 1_800_000_000  # bytes; protobuf ends at 2 GiB


def to_onnx(
    module: nn.Module,
    example: Sequence[Tensor],
    inputs: Sequence[str],
    output: str,
    axes: dict[int, str],
    file: Path,
) -> None:
    """Writes ``module(*example)`` as a graph; ``axes`` are those that every input may have in any size."""
    import torch

    shapes = tuple(dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for _ in example)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            module.eval(),
            tuple(example),
            dynamo=True,
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes=shapes,
            opset_version=_OPSET,
            verbose=False,
        )
    if sum(weight.numel() * weight.element_size() for weight in module.parameters()) > _ONE_FILE:
        program.save(file, external_data=True)  # file.data lies beside it
        graph = onnx.load(file, load_external_data=False)
    else:
        graph = program.model_proto
    for node in graph.graph.node:
        # Stack traces and file names of the machine that exported; nobody needs them.
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*graph.graph.input, *graph.graph.output, *graph.graph.initializer):
        del value.metadata_props[:]
    # Inferred shapes are left out: of folded weights they are wrong, and quantising reads them.
    del graph.graph.value_info[:], graph.graph.metadata_props[:], graph.metadata_props[:]
    onnx.save(graph, file)


def quantise_products(file: Path) -> None:
    """Rewrites a graph so that products with constant weights are made in int8.

    Weights have one scale per output channel, the other side one per call, measured as it comes (dynamic). Norms,
    softmax and products of two activations stay in float32. Tables that are gathered from become int8 as well.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().addFilter(_unasked)
    try:
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            quantised = Path(folder) / file.name
            quantize_dynamic(
                file,
                quantised,
                per_channel=True,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=["MatMul", "Gemm"],
                extra_options={"MatMulConstBOnly": True},
            )
            onnx.save(quantise_weights(onnx.load(quantised), gathered_only=True), file)
    finally:
        logging.getLogger().removeFilter(_unasked)


def _unasked(record: logging.LogRecord) -> bool:
    """Drops the advice to pre-process, which the graphs of :func:`to_onnx` do not need."""
    return "pre-processing before quantization" not in record.getMessage()


def quantise_weights(model: onnx.ModelProto, *, gathered_only: bool = False) -> onnx.ModelProto:
    """A copy with the large float32 initializers as int8, symmetric, one scale per index of the first axis.

    A table that is only gathered from is gathered as int8; other weights become Cast and Mul of constants, which the
    runtime folds when it loads the graph. ``gathered_only`` leaves all but such tables alone.
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
        name = tensor.name
        gathered = all(node.op_type == "Gather" and node.input[0] == name for node in users)
        if gathered_only and not gathered:
            kept.append(tensor)
            continue
        small, scale = to_int8(array)
        kept.append(numpy_helper.from_array(small, f"{name}.int8"))
        kept.append(numpy_helper.from_array(scale, f"{name}.scale"))
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
