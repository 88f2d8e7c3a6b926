"""Reads the towers that `babelens.training.export` wrote back into the modules they came from.

The folder of an encoder is all that training needs to go on from: the shapes of its weights say how its networks are
built, and int8 weights become the float32 values that are served.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from babelens.errors import MissingExtraError, WeightsUnavailableError

try:
    import onnx
    import torch
    from onnx import numpy_helper
    from torch import Tensor, nn
except ImportError as error:
    raise MissingExtraError(error.name or "onnx", "torch") from error

from .recipe import Model
from .towers import Conv, ImageTower, TextTower


def restore_image(file: Path, *, size: int) -> ImageTower:
    """The image tower of a file, for pictures ``size`` pixels wide. Raises :class:`WeightsUnavailableError` when
    another architecture is in it."""
    weights = _weights(file)
    stages = sorted({int(name.split(".")[1]) for name in weights if name.startswith("stages.")})
    blocks = Counter(
        int(name.split(".")[1]) for name in weights if re.fullmatch(r"stages\.\d+\.\d+\.first\.weight", name)
    )
    styled = {int(name.split(".")[1]) for name in weights if ".norm1.norm." in name}
    return _filled(
        file,
        weights,
        lambda: ImageTower(
            Model(
                dim=len(weights["project.bias"]),
                image_size=size,
                widths=tuple(len(weights[f"stages.{stage}.0.weight"]) for stage in stages),
                depths=tuple(blocks[stage] for stage in stages),
                style_free=len(styled),
                mix_style=0.0,
            )
        ),
    )


def restore_text(file: Path) -> TextTower:
    """The text tower of a file. Raises as :func:`restore_image` does."""
    weights = {name.removeprefix("tower."): value for name, value in _weights(file).items()}
    return _filled(
        file,
        weights,
        lambda: TextTower(
            Model(
                dim=len(weights["project.bias"]),
                buckets=len(weights["table.weight"]),
                text_width=weights["table.weight"].shape[1],
            )
        ),
    )


T = TypeVar("T", ImageTower, TextTower)


def _filled(file: Path, weights: dict[str, Tensor], make: Callable[[], T]) -> T:
    try:
        tower = make()
    except (KeyError, IndexError) as error:
        raise _other(file, f"it has no {error}") from error
    own = tower.state_dict()
    counters = {name for name in own if name.endswith("num_batches_tracked")}  # of no use to what is finished
    missing = sorted(set(own) - set(weights) - counters)
    if missing:
        raise _other(file, f"it has no {missing[0]}")
    other = [name for name in own if name not in counters and own[name].shape != weights[name].shape]
    if other:
        raise _other(file, f"{other[0]} has the shape {tuple(weights[other[0]].shape)}")
    tower.load_state_dict({name: own[name] if name in counters else weights[name] for name in own})
    return tower


def _other(file: Path, why: str) -> WeightsUnavailableError:
    return WeightsUnavailableError(
        f"{file} is no tower that `babelens train` made: {why}.",
        hint="Only PyTorch models and encoders made by `babelens train` can be trained; "
        "name the original of what was exported.",
    )


def _weights(file: Path) -> dict[str, Tensor]:
    """All constants of a graph by name; int8 ones with their scale become float32."""
    found = {one.name: numpy_helper.to_array(one) for one in onnx.load(file).graph.initializer}
    weights = {}
    for name, array in found.items():
        if name.endswith(".int8"):
            plain = name.removesuffix(".int8")
            weights[plain] = torch.from_numpy(array.astype("float32") * found[f"{plain}.scale"])
        elif not name.endswith(".scale"):
            weights[name] = torch.from_numpy(array.copy())
    return weights


# -- convolutions as others know them ----------------------------------------------------------------------------


def with_plain_convolutions(tower: nn.Module) -> nn.Module:
    """Replaces every :class:`Conv` of a module by ``nn.Conv2d`` with the same weights, in place."""
    for name, child in list(tower.named_children()):
        if not isinstance(child, Conv):
            with_plain_convolutions(child)
            continue
        after, side, _, before = child.shape
        plain = nn.Conv2d(before, after, side, stride=child.stride, padding=side // 2, bias=False)
        plain.weight.data = child.weight.data.view(child.shape).permute(0, 3, 1, 2).contiguous()
        setattr(tower, name, plain)
    return tower


def with_own_convolutions(tower: nn.Module) -> nn.Module:
    """The inverse of :func:`with_plain_convolutions`."""
    for name, child in list(tower.named_children()):
        if not isinstance(child, nn.Conv2d):
            with_own_convolutions(child)
            continue
        own = Conv(child.in_channels, child.out_channels, child.kernel_size[0], child.stride[0])
        own.weight.data = child.weight.data.permute(0, 2, 3, 1).reshape(child.out_channels, -1).contiguous()
        setattr(tower, name, own)
    return tower
