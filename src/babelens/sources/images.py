"""Decodes pictures of every kind Pillow reads, and HEIC, to upright RGB. Content decides what a file is, not its name.

Pillow's parsers meet hostile and broken files here, so whatever they raise becomes :class:`UnreadableFileError`
with a short reason; nothing else is caught.
"""

from __future__ import annotations

import io
import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from ..errors import UnreadableFileError

if TYPE_CHECKING:
    from PIL.Image import Exif, Image

# Pillow's own line between a large picture and an attack. JPEG decodes at a fraction of its size and may pass it.
MAX_PIXELS: Final = 89_478_485
MAX_JPEG_PIXELS: Final = 2 * MAX_PIXELS

# A file with another extension is opened only if its first bytes are a picture's.
EXTENSIONS: Final = frozenset(
    {"apng", "avif", "avifs", "bmp", "dds", "dib", "gif", "heic", "heics", "heif", "hif", "icns", "ico"}
    | {
        "j2c",
        "j2k",
        "jfif",
        "jp2",
        "jpc",
        "jpe",
        "jpeg",
        "jpf",
        "jpg",
        "jpx",
        "pbm",
        "pcx",
        "pfm",
        "pgm",
        "png",
    }
    | {"pnm", "ppm", "psd", "qoi", "sgi", "tga", "tif", "tiff", "webp", "xbm", "xpm"}
)

_HEIF_BRANDS: Final = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})
_ORIENTATION, _DATE, _MAKE, _MODEL = 0x0112, 0x0132, 0x010F, 0x0110
_EXIF_BLOCK, _DATE_TAKEN = 0x8769, 0x9003
_EXIF_DATE: Final = re.compile(
    r"((?:18|19|20|21)\d\d)[:\-/.](\d\d)[:\-/.](\d\d)(?:[ T](\d\d):(\d\d):(\d\d))?"
)

# One picture at a time may take hundreds of megabytes; several at once would not fit small machines.
_LARGE_PIXELS: Final = 24_000_000
_large = threading.Lock()

# How many times a tower's size the shorter side keeps when a picture is made smaller on the way. Of the ten nearest
# photographs of 12 megapixels, by a ViT-B/32 of random weights at 224 px, 99.4 % stay the same with a JPEG draft of at
# least twice the size (98.6 % at one and a half times, 99.8 % at three times, which takes a third longer).
_DRAFT_MARGIN: Final = 2
# A draft saves most of the work of decoding. Averaging decoded pixels only makes resizing quicker, so it is left to
# pictures so large that nobody can tell.
_REDUCE_MARGIN: Final = 6


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture: upright, mode RGB, and what its file says about it (see :func:`load_picture`)."""

    image: Image
    metadata: dict[str, Any]


def load_image(source: str | Path | bytes, target: int | None = None) -> Image:
    """An upright RGB picture, transparency over white, first frame of an animation.

    ``target`` is the side in pixels of what the picture is for: decoding may stop once the shorter side is at least
    twice that, which for a large JPEG saves most of the work.
    Raises :class:`UnreadableFileError`.
    """
    with quiet_pillow():
        return load_picture(source, target=target).image


def as_rgb(picture: Image | str | Path, target: int | None = None) -> Image:
    """A picture in RGB, from a file (as :func:`load_image` reads it) or one in memory."""
    return load_image(picture, target) if isinstance(picture, str | Path) else to_rgb(picture)


def load_picture(
    source: str | Path | bytes, *, target: int | None = None, name: str | None = None
) -> Picture:
    """Like :func:`load_image`, with metadata; for threads, inside :func:`quiet_pillow`.

    The metadata are ``width`` and ``height`` in pixels as seen upright, ``format``, and, where EXIF has them,
    ``taken`` (ISO 8601, local time), ``year`` and ``camera``.

    ``source`` is a path or the file's bytes; ``name`` stands for the bytes in error messages.
    """
    name = name or (str(source) if not isinstance(source, bytes) else "picture")
    with _open(source, name) as image:
        size = image.size  # as the file has it; decoding may stop at less
        large = image.width * image.height > _LARGE_PIXELS and not _is_jpeg(image)
        with _large if large else nullcontext():
            upright = _decode(image, target)
        metadata = _describe(image, size)
    return Picture(upright, metadata)


def image_metadata(source: str | Path | bytes, *, name: str | None = None) -> dict[str, Any]:
    """The metadata of :func:`load_picture` from the file's header alone; the pixels may still be broken."""
    with _open(source, name or (str(source) if not isinstance(source, bytes) else "picture")) as image:
        return _describe(image, image.size)


def path_metadata(path: str) -> dict[str, Any]:
    """``name``, ``extension`` (lower case, without dot) and ``folder`` (the nearest one). Bytes that are not UTF-8
    are shown as ``\\xff``."""
    readable = os.fsencode(path).decode("utf-8", errors="backslashreplace")
    folder, name = os.path.split(readable)
    extension = os.path.splitext(name)[1].removeprefix(".").lower()
    return {"name": name, "extension": extension, "folder": os.path.basename(folder)}


def looks_like_picture(head: bytes) -> bool:
    """Whether a file that starts with ``head`` (32 bytes will do) may be a picture, by the formats' signatures."""
    if head[4:8] == b"ftyp":
        return head[8:12] in _HEIF_BRANDS | {b"avif", b"avis"}
    if head[:4] == b"RIFF":
        return head[8:12] == b"WEBP"
    return head.startswith(_SIGNATURES)


_SIGNATURES: Final = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    *(b"BM", b"8BPS", b"qoif", b"icns", b"DDS ", b"\0\0\x01\0", b"\0\0\x02\0", b"\x01\xda"),
    *(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"P1\n", b"P2\n", b"P3\n", b"P4\n", b"P5\n", b"P6\n", b"P7\n"),
    *(b"P4 ", b"P5 ", b"P6 ", b"PF\n", b"Pf\n", b"\x0a\x05\x01", b"/* XPM */", b"#define "),
)


@contextmanager
def _open(source: str | Path | bytes, name: str) -> Iterator[Image]:
    """An opened picture, header read; turns whatever Pillow raises, then and in the body, into a typed error."""
    from PIL import Image, UnidentifiedImageError

    stream: IO[bytes] | None = None
    try:
        stream = io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb")  # noqa: SIM115
        head = stream.read(32)
        stream.seek(0)
        if not head:
            raise UnreadableFileError(name, "empty file")
        heif = head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS
        with Image.open(stream, formats=_heif_formats() if heif else _formats()) as image:
            limit = MAX_JPEG_PIXELS if _is_jpeg(image) else MAX_PIXELS
            if image.width * image.height > limit:
                raise _bomb(name, f"{image.width} × {image.height} pixels")
            yield image
    except UnreadableFileError:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableFileError(name, "not a picture, or too damaged to tell") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _bomb(name, "too many pixels") from error
    except MemoryError as error:
        raise UnreadableFileError(name, "too large for this machine's memory") from error
    except OSError as error:
        if error.errno is not None:
            raise UnreadableFileError(name, f"cannot be read: {error.strerror}") from error
        reason = "truncated" if "truncated" in str(error).lower() else f"damaged: {error}"
        raise UnreadableFileError(name, reason) from error
    except Exception as error:  # parsers raise anything: SyntaxError, IndexError, struct.error …
        raise UnreadableFileError(name, f"damaged: {type(error).__name__}: {error}") from error
    finally:
        if stream is not None:
            stream.close()


def _bomb(name: str, size: str) -> UnreadableFileError:
    return UnreadableFileError(name, f"decompression bomb: {size}", hint="Save it smaller if it is meant.")


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silences Pillow's warnings about odd files, which are judged here. Enter it once, in the main thread."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", module=r"PIL\..*")
        yield


@cache
def _formats() -> tuple[str, ...]:
    from PIL import Image

    Image.init()
    # EPS would hand the file to Ghostscript, a program that runs what it reads.
    return tuple(name for name in Image.OPEN if name != "EPS")


@cache
def _heif_formats() -> tuple[str, ...]:
    import pillow_heif

    pillow_heif.register_heif_opener()
    return ("HEIF", "AVIF")  # a HEIF container may say "mif1" and hold AV1


def _is_jpeg(image: Image) -> bool:
    return image.format in ("JPEG", "MPO")


def _describe(image: Image, size: tuple[int, int]) -> dict[str, Any]:
    width, height = size
    if (
        _orientation(image) in (5, 6, 7, 8) and image.format != "TIFF"
    ):  # Pillow's TIFF size is upright already
        width, height = height, width
    name = "jpeg" if _is_jpeg(image) else str(image.format or "unknown").lower()
    metadata: dict[str, Any] = {"width": width, "height": height, "format": name}
    try:
        exif = _exif(image)
        taken = exif.get_ifd(_EXIF_BLOCK).get(_DATE_TAKEN) or exif.get(_DATE)
        camera = _camera(exif.get(_MAKE), exif.get(_MODEL))
    except Exception:  # EXIF written by anything; a picture is worth keeping without it
        return metadata
    if found := _EXIF_DATE.match(str(taken)):
        year, month, day, *clock = found.groups()
        if 1 <= int(month) <= 12 and 1 <= int(day) <= 31:
            metadata["taken"] = f"{year}-{month}-{day}" + (f"T{':'.join(clock)}" if clock[0] else "")
            metadata["year"] = int(year)
    if camera:
        metadata["camera"] = camera
    return metadata


def _camera(make: object, model: object) -> str:
    """``"Canon"`` and ``"Canon EOS 5D"`` -> ``"Canon EOS 5D"``."""
    maker, name = (str(part).replace("\0", "").strip() if part else "" for part in (make, model))
    if name.casefold().startswith(maker.casefold().split(" ")[0]):
        return name
    return f"{maker} {name}".strip()


def _exif(image: Image) -> Exif:
    from PIL import Image as PILImage

    if image.format != "PNG":
        return image.getexif()
    # PNG's own getexif decodes the pixels first, and leaves a picture that breaks doing so blank.
    exif = PILImage.Exif()
    exif.load(image.info.get("exif", b""))
    return exif


def _orientation(image: Image) -> int:
    try:
        value = _exif(image).get(_ORIENTATION, 1)
    except Exception:  # as in _describe
        return 1
    return value if isinstance(value, int) else 1


def _decode(image: Image, target: int | None) -> Image:
    from PIL import Image as PILImage

    if target is not None and _is_jpeg(image):
        # Decoded at 1/2, 1/4 or 1/8, the smallest that is still at least this large.
        factor = max(1, _reduction(image.size, target, _DRAFT_MARGIN))
        image.draft(
            "RGB" if image.mode == "RGB" else image.mode, (image.width // factor, image.height // factor)
        )
    image.load()
    orientation = _orientation(
        image
    )  # only now: TIFF turns its pixels itself while loading, PNG may say it last
    keyed = (
        image.mode != "RGBA" and "transparency" in image.info
    )  # one colour means transparent: do not blend it
    if target is not None and image.mode in ("L", "RGB", "RGBA") and not keyed:
        factor = _reduction(image.size, target, _REDUCE_MARGIN)
        image = image.reduce(factor) if factor >= 2 else image
    rgb = to_rgb(image)
    flip = PILImage.Transpose
    turn = {
        2: flip.FLIP_LEFT_RIGHT,
        3: flip.ROTATE_180,
        4: flip.FLIP_TOP_BOTTOM,
        5: flip.TRANSPOSE,
        6: flip.ROTATE_270,
        7: flip.TRANSVERSE,
        8: flip.ROTATE_90,
    }.get(orientation)
    rgb = rgb.transpose(turn) if turn is not None else rgb
    # A plain Image: the file behind it may be closed, and its metadata freed.
    return rgb.copy() if rgb is image else rgb


def _reduction(size: tuple[int, int], target: int, margin: int) -> int:
    """By how much a picture may shrink before it is resized: its shorter side stays ``margin`` times the target."""
    return min(size) // (margin * target)


def to_rgb(image: Image) -> Image:
    """Any Pillow picture as RGB: transparency lies on white, 16-bit and float values are scaled to 8 bits."""
    from PIL import Image as PILImage

    if image.mode[0] in "FI":  # F, I, I;16, I;16B …
        return PILImage.fromarray(_to_8_bit(np.asarray(image))).convert("RGB")
    if image.mode == "LAB":
        return _lab_to_rgb(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = PILImage.new("RGBA", rgba.size, (255, 255, 255, 255))
        return PILImage.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _to_8_bit(values: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Grey levels of 16 or 32 bits, or floats, to 8 bits; Pillow's own conversion clips them to white.

    Whole numbers are read as 16 bits, floats as 0..1, unless their range says otherwise: then it is stretched.
    """
    scaled = np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0)
    low, high = float(scaled.min()), float(scaled.max())
    full = 1.0 if values.dtype.kind == "f" else 65535.0
    if low < 0 or high > full:
        scaled, full = scaled - low, max(high - low, 1e-12)
    return np.asarray(np.rint(scaled * (255.0 / full)), dtype=np.uint8)


def _lab_to_rgb(image: Image) -> Image:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert converted is not None  # it is None only when asked to work in place
    return converted
