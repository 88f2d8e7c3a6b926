"""Batched picture changes that keep what is drawn and alter how it is drawn.

All on float32 RGBA sprites (n, 4, s, s) with straight alpha in 0..1, a handful of tensor operations for the whole
batch. The aim is a tower for drawing styles that nobody has seen: colours, line, shading, resolution and shape
vary; identity does not. Concepts that colour or direction tells apart (flags, hearts, arrows) are spared by masks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor

_LUMA = torch.tensor([0.299, 0.587, 0.114])


@dataclass(frozen=True, slots=True)
class Variety:
    """How far training pictures stray. `scale` is the sprite's share of the canvas; a share of `small` ones is smaller
    still (`small_scale`). `white`, `shapes`: shares of white grounds, and of grounds with a shape on them. `redraw`:
    how often the medium changes; `erase`: how often a rectangle is hidden."""

    scale: tuple[float, float]
    white: float
    redraw: float = 1.0
    erase: float = 0.15
    small: float = 0.0
    small_scale: tuple[float, float] = (0.36, 0.7)
    shapes: float = 0.0
    aspect: float = 0.09
    """Spread of the logarithm of half the change in width over height; 0.14 is a picture of 4:3 made square."""
    blend: float = 0.0
    """How often a sprite is mixed with the same thing drawn in another style."""


ROUGH = Variety(scale=(0.68, 1.12), white=0.55, blend=0.25)
# Nearer to what will be searched: mostly whole, on white, and seldom in another medium.
CALM = Variety(scale=(0.75, 1.08), white=0.8, redraw=0.4, erase=0.0, blend=0.15)
# Also small in the picture, anywhere in it, and in front of something.
WIDE = Variety(
    scale=(0.7, 1.1), white=0.35, redraw=0.5, erase=0.08, small=0.4, shapes=0.6, aspect=0.14, blend=0.15
)


def uniform(n: int, low: float, high: float) -> Tensor:
    return torch.rand(n) * (high - low) + low


def chance(n: int, probability: float) -> Tensor:
    return torch.rand(n) < probability


def place(
    sprites: Tensor, *, scale: Tensor, shift: Tensor, flip: Tensor, wobble: float = 0.04, aspect: float = 0.09
) -> Tensor:
    """Draws each sprite (n, 4, s, s) scaled, rotated, sheared and bent on a transparent canvas of the same size.

    `scale` (n,) is the share of the canvas, `shift` (n, 2) the centre in -1..1, `flip` (n,) bool mirrors. `wobble`
    is the size of the smooth random bending, as a share of the canvas.
    """
    n, _, side, _ = sprites.shape
    angle = torch.randn(n) * math.radians(9.0)
    stretch = torch.exp(torch.randn(n) * aspect)
    shear = torch.randn(n) * 0.09
    inverse = 1.0 / scale
    mirror = torch.where(flip, -1.0, 1.0)
    cos, sin = torch.cos(angle) * inverse, torch.sin(angle) * inverse
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = mirror * cos * stretch, mirror * (sin + shear * inverse)
    theta[:, 1, 0], theta[:, 1, 1] = -sin, cos / stretch
    theta[:, :, 2] = -(theta[:, :, :2] @ shift[:, :, None]).squeeze(2)
    grid = functional.affine_grid(theta, [n, 4, side, side], align_corners=False)
    # Smooth bending: a coarse grid of random offsets, enlarged. It also turns waving flags into flat ones and back.
    strength = wobble * 2 * torch.rand(n, 1, 1, 1)
    coarse = torch.randn(n, 2, 5, 5) * strength * inverse.clamp(max=2.0)[:, None, None, None]
    bend = functional.interpolate(coarse, (side, side), mode="bicubic", align_corners=True)
    grid = grid + bend.permute(0, 2, 3, 1)
    # Colour is multiplied by alpha before it is interpolated: transparent pixels carry no colour of their own.
    alpha = sprites[:, 3:]
    premultiplied = torch.cat([sprites[:, :3] * alpha, alpha], 1)
    shrunk = scale < 0.6
    if shrunk.any():
        # Bilinear sampling skips pixels when it shrinks; average them first.
        halved = functional.avg_pool2d(premultiplied[shrunk], 2)
        premultiplied[shrunk] = functional.interpolate(halved, (side, side), mode="bilinear")
    drawn = functional.grid_sample(premultiplied, grid, align_corners=False)
    return torch.cat([drawn[:, :3] / drawn[:, 3:].clamp(min=1e-3), drawn[:, 3:]], 1)


def blend(sprites: Tensor, probability: float) -> Tensor:
    """Mixes some sprites (n, 4, s, s) with their partners: rows 2i and 2i+1 show one thing in two styles.

    Half of the mixtures are see-through, the others join along a soft straight edge: drawings between the styles,
    and still of the same thing, so that the label needs no mixing (unlike CutMix, Yun et al. 2019).
    """
    if not probability:
        return sprites
    n, _, side, _ = sprites.shape
    partner = sprites.view(n // 2, 2, 4, side, side).flip(1).view_as(sprites)
    axis = torch.linspace(-1, 1, side)
    turn, offset = uniform(n, 0, 2 * math.pi)[:, None, None], uniform(n, -0.35, 0.35)[:, None, None]
    across = axis[None, None, :] * torch.cos(turn) + axis[None, :, None] * torch.sin(turn)
    joined = ((across - offset) * 6).sigmoid()
    share = torch.where(chance(n, 0.5)[:, None, None], uniform(n, 0.25, 0.75)[:, None, None], joined)
    share = torch.where(chance(n, probability)[:, None, None], share, torch.ones(()))[:, None]
    alpha = share * sprites[:, 3:] + (1 - share) * partner[:, 3:]
    colour = share * sprites[:, :3] * sprites[:, 3:] + (1 - share) * partner[:, :3] * partner[:, 3:]
    return torch.cat([colour / alpha.clamp(min=1e-3), alpha], 1)


def recolour(rgb: Tensor, spare: Tensor) -> Tensor:
    """Random colours by one 3x3 matrix per picture (hue, saturation, channel order), then contrast and gamma.

    `rgb` (n, 3, s, s); pictures in `spare` (n,) bool keep hue and channel order.
    """
    n = len(rgb)
    kind = torch.rand(n)
    hue = torch.randn(n) * 0.18
    hue = torch.where((kind < 0.15) & ~spare, uniform(n, -math.pi, math.pi), hue)
    saturation = uniform(n, 0.5, 1.5)
    saturation = torch.where((kind > 0.85) & ~spare, torch.zeros(n), saturation)
    matrix = _hue_matrix(hue)
    swap = chance(n, 0.08) & ~spare
    order = torch.eye(3).expand(n, 3, 3).clone()
    order[swap] = order[swap][:, :, torch.randperm(3)]
    grey = _LUMA.expand(3, 3)
    saturate = saturation[:, None, None] * torch.eye(3) + (1 - saturation[:, None, None]) * grey
    matrix = saturate @ matrix @ order
    contrast = torch.exp(torch.randn(n) * 0.2)[:, None, None]
    brightness = torch.randn(n, 1, 1) * 0.08
    flat = torch.bmm(contrast * matrix, rgb.flatten(2) - 0.5) + 0.5 + brightness
    gamma = torch.exp(torch.randn(n, 1, 1) * 0.25)
    return flat.clamp(1e-4, 1).pow(gamma).view_as(rgb)


def _hue_matrix(angle: Tensor) -> Tensor:
    """Rotations (n, 3, 3) about the grey axis."""
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    third = torch.full((3, 3), 1 / 3)
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3)
    return cos * (torch.eye(3) - third) + sin * cross + third


def shade(rgba: Tensor) -> Tensor:
    """Glossy or matt: a random linear light over the sprite."""
    n, _, side, _ = rgba.shape
    axis = torch.linspace(-1, 1, side)
    slope = torch.randn(n, 2, 1, 1) * 0.16
    light = slope[:, 0, :, :] * axis[None, None, :] + slope[:, 1, :, :] * axis[None, :, None]
    return torch.cat([(rgba[:, :3] + light[:, None]).clamp(0, 1), rgba[:, 3:]], 1)


def outline(rgba: Tensor, probability: float = 0.2) -> Tensor:
    """A dark, white or coloured contour around some sprites."""
    chosen = chance(len(rgba), probability).nonzero().squeeze(1)
    if not len(chosen):
        return rgba
    part = rgba[chosen]
    alpha = part[:, 3:]
    wide = functional.max_pool2d(alpha, 3, 1, 1)
    thick = chance(len(part), 0.4)
    wide = torch.where(thick[:, None, None, None], functional.max_pool2d(wide, 3, 1, 1), wide)
    ink = torch.rand(len(part), 3) * torch.rand(len(part), 1) * 0.5
    ink = torch.where(chance(len(part), 0.3)[:, None], torch.ones(3), ink)
    colour = part[:, :3] * alpha + ink[:, :, None, None] * (1 - alpha)
    out = rgba.clone()
    out[chosen] = torch.cat([colour, wide], 1)
    return out


def grounds(n: int, side: int, *, white: float = 0.55) -> Tensor:
    """Backgrounds (n, 3, s, s): white for a share of `white`, else one colour, a gradient or soft blotches."""
    corner = torch.rand(n, 3, 3, 3)
    colour = torch.rand(n, 3, 1, 1)
    spread = torch.where(chance(n, 0.5), torch.zeros(n), torch.rand(n) * 0.6)[:, None, None, None]
    coarse = colour + (corner - 0.5) * spread
    light = chance(n, 0.5)[:, None, None, None]
    coarse = torch.where(light, 1 - (1 - coarse) * 0.4, coarse)
    coarse = torch.where(chance(n, white)[:, None, None, None], torch.ones(()), coarse)
    return functional.interpolate(coarse, (side, side), mode="bilinear", align_corners=True).clamp(0, 1)


def shapes(ground: Tensor, probability: float) -> Tensor:
    """Some grounds (n, 3, s, s) with one large shape on them: a disc, an arch, a hill or horizon, or stripes."""
    if not probability:
        return ground
    n, _, side, _ = ground.shape
    axis = torch.linspace(-1, 1, side)
    x, y = axis[None, None, :], axis[None, :, None]  # y grows downward
    cx, cy, radius, wave = (
        uniform(n, low, high)[:, None, None]
        for low, high in ((-0.4, 0.4), (-0.4, 0.4), (0.35, 1.0), (-0.4, 0.4))
    )
    disc = (x - cx).square() + (y - cy).square() < radius.square()
    arch = disc | (((x - cx).abs() < radius) & (y > cy))
    hill = y > 1.2 * cy + 0.2 + wave * torch.cos(2 * (x - cx))
    stripes = torch.sin((x * torch.cos(4 * cx) + y * torch.sin(4 * cx)) * (4 + 6 * radius)) > 0
    kinds = torch.stack([disc, arch, hill, stripes])  # (4, n, s, s)
    # Stripes are the rarest.
    kind = torch.randint(0, 10, (n,)) // 3
    inside = kinds[kind, torch.arange(n)]
    inside &= chance(n, probability)[:, None, None]
    strength = uniform(n, 0.15, 0.8)[:, None, None, None]
    other = ground + strength * (torch.rand(n, 3, 1, 1) - ground)
    return torch.where(inside[:, None], other, ground)


def over(ground: Tensor, rgba: Tensor) -> Tensor:
    """`rgba` (n, 4, s, s) laid over `ground` (n, 3, s, s)."""
    return ground + rgba[:, 3:] * (rgba[:, :3] - ground)


def shadow(ground: Tensor, rgba: Tensor, probability: float = 0.12) -> Tensor:
    """A soft shadow of the sprite on some grounds."""
    chosen = chance(len(rgba), probability).nonzero().squeeze(1)
    if not len(chosen):
        return ground
    soft = functional.avg_pool2d(rgba[chosen, 3:], 5, 1, 2)
    dx, dy = int(torch.randint(-4, 5, ())), int(torch.randint(0, 5, ()))
    soft = torch.roll(soft, (dy, dx), (2, 3)) * uniform(len(chosen), 0.2, 0.6)[:, None, None, None]
    out = ground.clone()
    out[chosen] = ground[chosen] * (1 - soft)
    return out


def redraw(rgb: Tensor, spare: Tensor, *, share: float = 1.0) -> Tensor:
    """Changes the medium of some pictures: line drawing, dark edges, few colours, coarse pixels, blur, sharpening.

    `rgb` (n, 3, s, s); pictures in `spare` keep their colours (no line drawings). At `share` 1 about two thirds are
    changed, below it fewer.
    """
    n, _, side, _ = rgb.shape
    out = rgb.clone()
    pick = torch.rand(n) / share

    lines = ((pick < 0.10) & ~spare).nonzero().squeeze(1)
    if len(lines):
        strength = uniform(len(lines), 2.0, 5.0)[:, None, None, None]
        out[lines] = (1 - edges(rgb[lines]) * strength).clamp(0, 1).expand(-1, 3, -1, -1)
    dark = ((pick >= 0.10) & (pick < 0.25)).nonzero().squeeze(1)
    if len(dark):
        strength = uniform(len(dark), 1.0, 3.0)[:, None, None, None]
        out[dark] = rgb[dark] * (1 - edges(rgb[dark]) * strength).clamp(0, 1)
    few = ((pick >= 0.25) & (pick < 0.37)).nonzero().squeeze(1)
    if len(few):
        levels = torch.randint(2, 5, (len(few), 1, 1, 1)).float()
        out[few] = torch.round(rgb[few] * levels) / levels
    coarse = ((pick >= 0.37) & (pick < 0.45)).nonzero().squeeze(1)
    if len(coarse):
        small = functional.interpolate(rgb[coarse], (side // 2, side // 2), mode="area")
        out[coarse] = functional.interpolate(small, (side, side), mode="nearest")
    blurred = ((pick >= 0.45) & (pick < 0.55)).nonzero().squeeze(1)
    if len(blurred):
        out[blurred] = functional.avg_pool2d(rgb[blurred], 3, 1, 1, count_include_pad=False)
    sharp = ((pick >= 0.55) & (pick < 0.62)).nonzero().squeeze(1)
    if len(sharp):
        soft = functional.avg_pool2d(rgb[sharp], 3, 1, 1, count_include_pad=False)
        out[sharp] = (rgb[sharp] * 2.2 - soft * 1.2).clamp(0, 1)
    negative = ((pick >= 0.62) & (pick < 0.64) & ~spare).nonzero().squeeze(1)
    if len(negative):
        out[negative] = 1 - rgb[negative]
    return out


def edges(rgb: Tensor) -> Tensor:
    """Gradient magnitude of the brightness, (n, 1, s, s)."""
    grey = (rgb * _LUMA[None, :, None, None]).sum(1, keepdim=True)
    grey = functional.pad(grey, (1, 1, 1, 1), mode="replicate")
    across = grey[:, :, 1:-1, 2:] - grey[:, :, 1:-1, :-2]
    down = grey[:, :, 2:, 1:-1] - grey[:, :, :-2, 1:-1]
    return (across.square() + down.square() + 1e-8).sqrt()


def erase(rgb: Tensor, probability: float = 0.15) -> Tensor:
    """Hides a random rectangle of some pictures (random erasing, Zhong et al. 2017)."""
    n, _, side, _ = rgb.shape
    axis = torch.arange(side)
    size = uniform(2 * n, 0.1, 0.35).view(n, 2) * side
    start = torch.rand(n, 2) * side - size / 2
    inside = (axis >= start[:, :, None]) & (axis < (start + size)[:, :, None])  # (n, 2, s)
    hole = inside[:, 0, :, None] & inside[:, 1, None, :] & chance(n, probability)[:, None, None]
    return torch.where(hole[:, None], torch.rand(n, 3, 1, 1), rgb)


def single(sprites: Tensor, *, spare_colour: Tensor, may_flip: Tensor, variety: Variety = ROUGH) -> Tensor:
    """One training picture (n, 3, s, s) in 0..1 from each sprite (n, 4, s, s)."""
    n, _, side, _ = sprites.shape
    spare = spare_colour & ~chance(n, 0.05)
    scale = uniform(n, *variety.scale)
    if variety.small:
        scale = torch.where(chance(n, variety.small), uniform(n, *variety.small_scale), scale)
    room = (1 - scale).abs() + 0.06
    shift = (torch.rand(n, 2) * 2 - 1) * room[:, None]
    rgba = place(sprites, scale=scale, shift=shift, flip=may_flip & chance(n, 0.25), aspect=variety.aspect)
    rgba = torch.cat([recolour(rgba[:, :3], spare), rgba[:, 3:]], 1)
    rgba = outline(shade(rgba))
    ground = shapes(grounds(n, side, white=variety.white), variety.shapes)
    picture = redraw(over(shadow(ground, rgba), rgba), spare, share=variety.redraw)
    return erase(picture, variety.erase) if variety.erase else picture


def scene(
    sprites: Tensor, present: Tensor, *, spare_colour: Tensor, may_flip: Tensor, variety: Variety = ROUGH
) -> Tensor:
    """Pictures (n, 3, s, s) of several sprites each: `sprites` (n, k, 4, s, s), `present` (n, k) bool.

    Sprites stand side by side, above each other or in corners, and may overlap a little.
    """
    n, k, _, side, _ = sprites.shape
    count = present.sum(1)
    turn = torch.rand(n) * 2 * math.pi
    # Spread evenly around the centre: two end up opposite each other, three in a triangle.
    angle = turn[:, None] + torch.arange(k)[None, :] * (2 * math.pi / count.clamp(min=1))[:, None]
    reach = torch.where(count > 1, 0.5, 0.0)[:, None] + torch.randn(n, k) * 0.06
    centre = torch.stack([torch.cos(angle), torch.sin(angle)], 2) * reach[:, :, None]
    scale = torch.where(count > 2, 0.46, 0.54)[:, None] * torch.exp(torch.randn(n, k) * 0.12)
    flat = place(
        sprites.flatten(0, 1),
        scale=scale.flatten(),
        shift=centre.flatten(0, 1),
        flip=may_flip.flatten() & chance(n * k, 0.25),
        wobble=0.03,
        aspect=variety.aspect,
    )
    flat = torch.cat([recolour(flat[:, :3], spare_colour.flatten()), flat[:, 3:]], 1)
    layers = outline(flat).view(n, k, 4, side, side)
    picture = shapes(grounds(n, side, white=0.25), variety.shapes)
    for layer in range(k):
        rgba = layers[:, layer]
        rgba = torch.cat([rgba[:, :3], rgba[:, 3:] * present[:, layer, None, None, None]], 1)
        picture = over(shadow(picture, rgba), rgba)
    return redraw(picture, spare_colour.any(1), share=variety.redraw)
