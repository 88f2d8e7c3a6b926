"""The two networks of a small encoder: a convolutional image tower and a bag-of-n-grams text tower.

Plain 3x3 convolutions, because CPUs with matrix units run them three times faster than depthwise ones. Half of the
early channels are normalised per picture (IBN-Net, Pan et al. 2018, arXiv 1807.09441), and in training feature
statistics are mixed between pictures (MixStyle, Zhou et al. 2021, arXiv 2104.02008): both take away what tells one
drawing style from another and leave what is drawn.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from .recipe import Model


class _PerPicture(torch.autograd.Function):
    """Instance norm, without an affine part, of the first channels: 5 times faster on a CPU than by `var_mean`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, channels: int) -> Tensor:
        part = x[:, :channels].contiguous(memory_format=torch.channels_last)
        centred = part - part.mean((2, 3), keepdim=True)
        scale = torch.rsqrt((centred * centred).mean((2, 3), keepdim=True) + 1e-5)
        centred *= scale
        ctx.save_for_backward(centred, scale)
        out = x.clone()
        out[:, :channels] = centred
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        part, scale = ctx.saved_tensors
        channels = part.shape[1]
        grad = grads[0][:, :channels].contiguous(memory_format=torch.channels_last)
        along = (grad * part).mean((2, 3), keepdim=True)
        out = grads[0].clone()
        out[:, :channels] = (
            torch.addcmul(grad - grad.mean((2, 3), keepdim=True), part, along, value=-1) * scale
        )
        return out, None


class StyleNorm(nn.Module):
    """Batch norm whose first half of channels is first normalised per picture."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.half = channels // 2
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:  # (n, c, h, w)
        if self.training:
            mixed = _PerPicture.apply(x, self.half)
        else:  # the same in operations that can be exported
            styled = x[:, : self.half]
            var, mean = torch.var_mean(styled.float(), (2, 3), keepdim=True, correction=0)
            plain = ((styled - mean) * torch.rsqrt(var + 1e-5)).to(x.dtype)
            mixed = torch.cat([plain, x[:, self.half :]], 1)
        out: Tensor = self.norm(mixed)
        return out


class Conv(nn.Module):
    """A convolution without bias whose kernel is kept as a matrix (out, side * side * in), as Muon wants it."""

    def __init__(self, before: int, after: int, side: int, stride: int = 1) -> None:
        super().__init__()
        self.shape = (after, side, side, before)
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(after, side * side * before))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.weight.view(self.shape).permute(0, 3, 1, 2)  # channels last already
        return functional.conv2d(x, kernel, stride=self.stride, padding=self.shape[1] // 2)


class Block(nn.Module):
    """Two 3x3 convolutions with a residual connection (ResNet, He et al. 2015)."""

    def __init__(self, channels: int, *, style_free: bool) -> None:
        super().__init__()
        self.first = Conv(channels, channels, 3)
        self.norm1 = StyleNorm(channels) if style_free else nn.BatchNorm2d(channels)
        self.second = Conv(channels, channels, 3)
        self.norm2 = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm2.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.norm1(self.first(x)), inplace=True)
        return functional.relu(x + self.norm2(self.second(y)), inplace=True)


def mix_style(x: Tensor, probability: float) -> Tensor:
    """Gives pictures a blend of their own and another picture's channel statistics. Training only.

    `x` is (n, c, h, w); each picture takes part with `probability`; the share of the own statistics is
    Beta(0.3, 0.3) distributed, folded so that neither side is favoured.
    """
    n = len(x)
    still = x.detach()
    mean = still.mean((2, 3), keepdim=True).float()
    centred = still - mean.to(x.dtype)
    std = ((centred * centred).mean((2, 3), keepdim=True).float() + 1e-5).sqrt()
    other = torch.randperm(n)
    shape = torch.full((n, 1, 1, 1), 0.3)
    own = torch.distributions.Beta(shape, shape).sample()
    own = torch.where(torch.rand(n, 1, 1, 1) < probability, own, torch.ones_like(own)).to(x.device)
    scale = (own * std + (1 - own) * std[other]) / std
    shift = own * mean + (1 - own) * mean[other] - mean * scale
    return torch.addcmul(shift.to(x.dtype), x, scale.to(x.dtype))


class ImageTower(nn.Module):
    """Normalised pictures (n, 3, s, s) float to unit vectors (n, dim) float32; s is a multiple of 8."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.mix = model.mix_style
        stages: list[nn.Module] = []
        before = 3
        for index, (width, depth) in enumerate(zip(model.widths, model.depths, strict=True)):
            size, stride = (7, 4) if index == 0 else (3, 2)
            down = [
                Conv(before, width, size, stride),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            blocks = [Block(width, style_free=index < model.style_free) for _ in range(depth)]
            stages.append(nn.Sequential(*down, *blocks))
            before = width
        self.stages = nn.ModuleList(stages)
        self.norm = nn.BatchNorm1d(2 * before)
        self.dropout = nn.Dropout(model.dropout)
        self.project = nn.Linear(2 * before, model.dim)

    def forward(self, pixels: Tensor) -> Tensor:
        x = pixels
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if self.training and self.mix > 0 and index < 2:
                x = mix_style(x, self.mix)
        x = x.float()
        pooled = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)  # (n, 2 c)
        return functional.normalize(self.project(self.dropout(self.norm(pooled))).float(), dim=1)


class TextTower(nn.Module):
    """Ids (n, L) int64 and mask (n, L) to unit vectors (n, dim) float32.

    Each n-gram has a vector and a weight; the text is the weighted mean (a softmax over its n-grams, so that
    "of" can count for nothing), then a small residual network.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        width = model.text_width
        self.dropout = model.gram_dropout
        self.table = nn.Embedding(model.buckets, width)
        nn.init.normal_(self.table.weight, std=0.3)
        self.weight = nn.Embedding(model.buckets, 1)
        nn.init.zeros_(self.weight.weight)
        self.norm1 = nn.LayerNorm(width)
        self.hidden = nn.Linear(width, 4 * width)
        self.back = nn.Linear(4 * width, width)
        self.norm2 = nn.LayerNorm(width)
        self.hide = nn.Dropout(model.dropout)
        self.project = nn.Linear(width, model.dim)

    def shares(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The share of each n-gram in its text, (n, L), rows sum to 1, padding 0."""
        logits = self.weight(ids).squeeze(2)  # (n, L)
        return torch.softmax(logits.masked_fill(mask == 0, -1e4), dim=1) * mask

    def head(self, pooled: Tensor) -> Tensor:
        x = self.norm1(pooled)
        x = x + self.back(functional.gelu(self.hidden(x)))
        return functional.normalize(self.project(self.hide(self.norm2(x))).float(), dim=1)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        if self.training and self.dropout > 0:
            keep = (torch.rand(ids.shape) >= self.dropout).to(ids.device)
            keep[:, 0] = True  # never an empty text
            mask = mask * keep
        # embedding_bag never builds the (n, L, width) tensor that a gather would.
        pooled = functional.embedding_bag(
            ids, self.table.weight, mode="sum", per_sample_weights=self.shares(ids, mask)
        )
        return self.head(pooled)


class TwoTower(nn.Module):
    """Both towers, the learned temperatures and one prototype vector per concept (training only)."""

    def __init__(self, model: Model, *, concepts: int, temperature: float) -> None:
        super().__init__()
        self.image = ImageTower(model)
        self.text = TextTower(model)
        self.prototypes = nn.Parameter(torch.randn(concepts, model.dim) * 0.05)
        self.log_scale = nn.Parameter(torch.tensor(1.0 / temperature).log())
        # SigLIP's start values (Zhai et al. 2023, arXiv 2303.15343).
        self.sigmoid_scale = nn.Parameter(torch.tensor(10.0).log())
        self.sigmoid_bias = nn.Parameter(torch.tensor(-10.0))
