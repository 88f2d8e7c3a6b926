"""Draws a scene: a calm ground, soft shadows, and one to three things standing on it or hanging in the air."""

from __future__ import annotations

import io
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import resvg_py
from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = tuple[int, int, int]

SHAPES = ((288, 288), (288, 288), (320, 256), (256, 320))
OVERSAMPLE = 2
# Lightness, chroma and hues of a ground in OKLCH: pale, soft, mid, deep. All are muted so that the things stand out;
# warm hues are left out where they would be muddy.
_ALL_HUES = (20, 45, 70, 95, 140, 180, 215, 250, 285, 340)
TONES = (
    (0.945, 0.03, _ALL_HUES),
    (0.91, 0.05, _ALL_HUES),
    (0.85, 0.075, _ALL_HUES),
    (0.76, 0.085, (20, 45, 160, 195, 225, 255, 285, 345)),
    (0.43, 0.07, (190, 225, 250, 275, 300)),
)


@dataclass(frozen=True)
class Drawing:
    """A picture of one thing, cut to its outline. ``colours`` are its pixels in OKLab. Shape: (n, 3)."""

    image: Image.Image
    colours: np.ndarray
    aloft: bool


@dataclass(frozen=True)
class Place:
    """Centre, and side of the box a thing may fill, as shares of the picture's shorter side around its middle."""

    x: float
    y: float
    size: float


_ONE = [[Place(0, 0, 0.66)], [Place(-0.06, 0.03, 0.58)], [Place(0.06, -0.02, 0.6)], [Place(0, 0.04, 0.54)]]
_TWO = [
    [Place(-0.225, 0.05, 0.46), Place(0.235, 0.0, 0.44)],
    [Place(-0.2, 0.09, 0.51), Place(0.25, -0.16, 0.4)],
    [Place(-0.25, -0.16, 0.4), Place(0.19, 0.1, 0.51)],
    [Place(-0.19, -0.21, 0.44), Place(0.19, 0.21, 0.44)],
]
_THREE = [
    [Place(-0.24, 0.2, 0.39), Place(0.0, -0.22, 0.4), Place(0.24, 0.2, 0.39)],
    [Place(-0.24, -0.21, 0.39), Place(0.24, -0.19, 0.39), Place(0.0, 0.21, 0.42)],
    [Place(-0.24, 0.0, 0.42), Place(0.21, -0.23, 0.38), Place(0.21, 0.22, 0.4)],
]
_PLACES = {1: _ONE, 2: _TWO, 3: _THREE}


def oklch(lightness: float, chroma: float, hue: float) -> Colour:
    """sRGB of an OKLCH colour (Ottosson 2020), clipped to the gamut."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    r, g, b = (
        round(255 * (12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055))
        for c in (min(max(c, 0.0), 1.0) for c in linear)
    )
    return r, g, b


def oklab(rgb: np.ndarray) -> np.ndarray:
    """OKLab of sRGB bytes. Shape: (n, 3) -> (n, 3) float."""
    c = np.asarray(rgb, dtype=np.float64) / 255
    c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    to_lms = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566]]
    to_lms.append([0.0883024619, 0.2817188376, 0.6299787005])
    lms = np.cbrt(c @ np.array(to_lms).T)
    to_lab = [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099]]
    to_lab.append([0.0259040371, 0.7827717662, -0.8086757660])
    return lms @ np.array(to_lab).T


def render(svg: str, *, aloft: bool, side: int = 512) -> Drawing:
    """One drawing from its SVG, ``side`` pixels at most on its longer side."""
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side))
    image = Image.open(io.BytesIO(png)).convert("RGBA")
    image = image.crop(image.getchannel("A").getbbox())
    pixels = np.asarray(image).reshape(-1, 4)
    solid = pixels[pixels[:, 3] > 200][:, :3]
    return Drawing(image, oklab(solid[:: max(1, len(solid) // 400)]), aloft)


def compose(things: Sequence[Drawing], rng: random.Random) -> Image.Image:
    """A scene of one to three things; everything about it is drawn from ``rng``."""
    shape = rng.choice(SHAPES)
    width, height = (side * OVERSAMPLE for side in shape)
    unit = min(width, height)
    lightness, chroma, hue = _ground_for(things, rng)
    style = rng.choice(("plain", "disc", "floor", "hill", "arch"))
    if style == "floor" and (len(things) == 3 or (len(things) == 2 and width < height)):
        style = "plain"  # they would not find room side by side
    scene = _gradient((width, height), lightness, chroma, hue, rng)
    _decorate(scene, style, lightness, chroma, hue, rng)
    shade = oklch(max(0.12, lightness * 0.45), min(chroma * 1.2, 0.08), hue)

    places = rng.choice(_PLACES[len(things)])
    sizes = [place.size * math.sqrt(width * height) * rng.uniform(0.94, 1.06) for place in places]
    centres = []
    for place in places:
        x = width / 2 + (place.x * width / unit + rng.uniform(-0.012, 0.012)) * unit
        y = height / 2 + (place.y * height / unit + rng.uniform(-0.012, 0.012)) * unit
        centres.append((x, y))
    standing = [style == "floor" and not (thing.aloft and len(things) > 1) for thing in things]
    for _ in range(12):  # smaller until nothing touches
        boxes = [
            _settle(thing, centre, size, (width, height), stands)
            for thing, centre, size, stands in zip(things, centres, sizes, standing, strict=True)
        ]
        if not any(_touch(a, b) for a, b in combinations(boxes, 2)):
            break
        sizes = [size * 0.95 for size in sizes]
    for thing, (x, y, w, h), grounded in zip(things, boxes, standing, strict=True):
        angle = 0.0 if grounded else rng.uniform(-7, 7)
        _paste(scene, thing, (x, y), max(w, h), shade, angle, grounded)
    return scene.resize(shape, Image.Resampling.LANCZOS)


Box = tuple[float, float, float, float]  # centre x, centre y, width, height


def _settle(
    thing: Drawing, centre: tuple[float, float], size: float, scene: tuple[int, int], stands: bool
) -> Box:
    """Where a thing goes: on the floor if it stands, and never over the edge of the picture."""
    scale = size / max(thing.image.size)
    w, h = thing.image.width * scale, thing.image.height * scale
    margin = 0.06 * min(scene)
    x = min(max(centre[0], margin + w / 2), scene[0] - margin - w / 2)
    y = scene[1] * 0.80 - h / 2 if stands else centre[1]
    return x, min(max(y, margin + h / 2), scene[1] - margin - h / 2), w, h


def _touch(a: Box, b: Box) -> bool:
    """Whether two boxes overlap by more than the empty corners that most drawings have."""
    slack = 0.96
    return abs(a[0] - b[0]) < slack * (a[2] + b[2]) / 2 and abs(a[1] - b[1]) < slack * (a[3] + b[3]) / 2


def _ground_for(things: Sequence[Drawing], rng: random.Random) -> tuple[float, float, float]:
    """A ground that none of the things melts into: of a few drawn at random, the first with enough contrast."""
    best, best_contrast = (0.9, 0.05, 255.0), -1.0
    for _ in range(24):
        lightness, chroma, hues = rng.choices(TONES, weights=(3, 4, 4, 2, 1))[0]
        hue = float(rng.choice(hues))
        ground = oklab(np.array([oklch(lightness, chroma, hue)]))
        # The share of each thing's pixels that differ clearly from the ground; the least visible thing decides.
        contrast = min(
            float((np.linalg.norm(thing.colours - ground, axis=1) > 0.14).mean()) for thing in things
        )
        if contrast > 0.8:
            return lightness, chroma, hue
        if contrast > best_contrast:
            best, best_contrast = (lightness, chroma, hue), contrast
    return best


def _gradient(
    size: tuple[int, int], lightness: float, chroma: float, hue: float, rng: random.Random
) -> Image.Image:
    """Two neighbouring colours, blended at an angle. A little noise keeps the bands of 8 bits from showing."""
    width, height = size
    first = np.array(oklch(min(lightness + 0.035, 0.975), chroma * 0.8, hue - 12), dtype=np.float64)
    last = np.array(oklch(lightness - 0.035, chroma * 1.15, hue + 14), dtype=np.float64)
    angle = rng.uniform(-0.6, 0.6)
    ys, xs = np.mgrid[0:height, 0:width]
    along = (ys / height - 0.5) * math.cos(angle) + (xs / width - 0.5) * math.sin(angle) + 0.5
    share = np.clip(along, 0, 1)[..., None]
    return Image.fromarray(np.round(first * (1 - share) + last * share).astype(np.uint8), "RGB")


def _decorate(
    scene: Image.Image, style: str, lightness: float, chroma: float, hue: float, rng: random.Random
) -> None:
    width, height = scene.size
    unit = min(scene.size)
    step = 0.045 if lightness < 0.9 else -0.04
    tint = oklch(lightness + step, chroma * 1.1, hue + rng.choice((-35, 30)))
    draw = ImageDraw.Draw(scene)
    if style == "disc":
        x, y, r = width / 2, height / 2, unit * rng.uniform(0.38, 0.43)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=tint)
    elif style == "floor":
        draw.rectangle((0, height * 0.66, width, height), fill=tint)
    elif style == "hill":
        x, r = width * rng.uniform(0.2, 0.8), unit * 1.5
        draw.ellipse((x - r, height * 0.62, x + r, height * 0.62 + 2 * r), fill=tint)
    elif style == "arch":
        inset = unit * 0.1
        box = (width / 2 - unit * 0.37, inset, width / 2 + unit * 0.37, height + unit)
        draw.rounded_rectangle(box, radius=unit * 0.37, fill=tint)


def _paste(
    scene: Image.Image,
    thing: Drawing,
    centre: tuple[float, float],
    size: float,
    shade: Colour,
    angle: float,
    grounded: bool,
) -> None:
    scale = size / max(thing.image.size)
    wanted = (max(1, round(thing.image.width * scale)), max(1, round(thing.image.height * scale)))
    picture = thing.image.resize(wanted, Image.Resampling.LANCZOS)
    picture = picture.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    left, top = round(centre[0] - picture.width / 2), round(centre[1] - picture.height / 2)
    unit = min(scene.size)

    shadow = Image.new("L", scene.size, 0)
    if grounded:  # a flat shadow where it touches the floor
        draw = ImageDraw.Draw(shadow)
        half, bottom = picture.width * 0.46, top + picture.height
        draw.ellipse(
            (centre[0] - half, bottom - unit * 0.026, centre[0] + half, bottom + unit * 0.026), fill=115
        )
        shadow = shadow.filter(ImageFilter.GaussianBlur(unit * 0.018))
    else:  # a soft one thrown behind it
        silhouette = picture.getchannel("A").point(lambda value: round(value * 0.42))
        shadow.paste(silhouette, (left, top + round(unit * 0.022)))
        shadow = shadow.filter(ImageFilter.GaussianBlur(unit * 0.024))
    scene.paste(Image.new("RGB", scene.size, shade), (0, 0), shadow)
    layer = Image.new("L", scene.size, 0)
    layer.paste(picture.getchannel("A"), (left, top))
    colours = Image.new("RGB", scene.size)
    colours.paste(picture.convert("RGB"), (left, top))
    scene.paste(colours, (0, 0), ImageChops.duplicate(layer))
