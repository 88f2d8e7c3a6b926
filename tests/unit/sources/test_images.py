from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from babelens.errors import UnreadableFileError
from babelens.sources import images
from babelens.sources.images import (
    image_metadata,
    load_image,
    load_picture,
    looks_like_picture,
    path_metadata,
    quiet_pillow,
)

RED, BLUE, GREY = (255, 0, 0), (0, 0, 255), (76, 76, 76)


def two_halves(mode: str = "RGB") -> Image.Image:
    """Red on the left, blue on the right, 40 × 20."""
    image = Image.new("RGB", (40, 20), BLUE)
    image.paste(RED, (0, 0, 20, 20))
    return image.convert(mode)


def save(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def left_and_right(image: Image.Image) -> tuple[tuple[int, ...], tuple[int, ...]]:
    assert image.mode == "RGB"
    pixels = np.asarray(image)
    return tuple(pixels[10, 5].tolist()), tuple(pixels[10, 35].tolist())


def close(actual: tuple[int, ...], expected: tuple[int, ...], tolerance: int = 12) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(actual, expected, strict=True))


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        *(
            (kind, "RGB", {})
            for kind in ("BMP", "GIF", "PNG", "TIFF", "PPM", "TGA", "PCX", "SGI", "DDS", "QOI")
        ),
        ("JPEG", "RGB", {"quality": 95, "subsampling": 0}),
        ("JPEG", "CMYK", {"quality": 95, "subsampling": 0}),
        ("JPEG", "RGB", {"quality": 95, "subsampling": 0, "progressive": True}),
        ("JPEG2000", "RGB", {}),
        ("WEBP", "RGB", {"lossless": True}),
        ("AVIF", "RGB", {"quality": 95, "subsampling": "4:4:4"}),
        ("PNG", "P", {}),
        ("PNG", "RGBA", {}),
        ("TIFF", "CMYK", {}),
        ("TIFF", "LAB", {}),
        ("TIFF", "YCbCr", {}),
    ],
)
def test_every_kind_and_mode_gives_the_same_picture(kind: str, mode: str, options: dict[str, Any]) -> None:
    data = save(two_halves(mode) if mode != "LAB" else _lab(two_halves()), kind, **options)
    picture = load_picture(data)
    left, right = left_and_right(picture.image)
    assert close(left, RED), left
    assert close(right, BLUE, 25), right
    assert (picture.metadata["width"], picture.metadata["height"]) == (40, 20)


def _lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab = ImageCms.profileToProfile(
        image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    return lab


def test_heic() -> None:
    import pillow_heif

    stream = io.BytesIO()
    pillow_heif.from_pillow(two_halves()).save(stream, quality=95, chroma=444)
    picture = load_picture(stream.getvalue())
    assert close(left_and_right(picture.image)[0], RED)
    assert picture.metadata["format"] == "heif"
    assert looks_like_picture(stream.getvalue()[:32])


@pytest.mark.parametrize(
    "grey",
    [
        Image.fromarray(np.full((20, 40), 76 * 257, dtype=np.uint16)),
        Image.fromarray(np.full((20, 40), 76 * 257, dtype=np.int32)),
        Image.fromarray(np.full((20, 40), 76 / 255, dtype=np.float32)),
    ],
    ids=["16 bits", "32 bits", "float"],
)
def test_deep_greys_are_scaled_not_clipped_to_white(grey: Image.Image) -> None:
    assert left_and_right(load_image(save(grey, "TIFF")))[0] == GREY


def test_a_deep_grey_png() -> None:
    grey = Image.fromarray(np.full((20, 40), 76 * 257, dtype=np.uint16))
    assert left_and_right(load_image(save(grey, "PNG")))[0] == GREY


def test_floats_outside_of_0_to_1_are_stretched() -> None:
    ramp = np.tile(np.linspace(-4, 4, 40, dtype=np.float32), (20, 1))
    ramp[0, 0] = np.nan
    pixels = np.asarray(load_image(save(Image.fromarray(ramp), "TIFF")))[10, :, 0]
    assert pixels[0] == 0
    assert pixels[-1] == 255


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_transparency_lies_over_white(kind: str) -> None:
    image = Image.new("RGBA", (40, 20), (255, 0, 0, 0))
    image.paste((0, 0, 255, 128), (20, 0, 40, 20))
    left, right = left_and_right(load_image(save(image, kind)))
    assert close(left, (255, 255, 255), 3)
    assert close(right, (127, 127, 255), 3)


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_a_transparent_colour_is_white(mode: str) -> None:
    image = Image.new("RGB", (40, 20), (0, 0, 0)) if mode != "L" else Image.new("L", (40, 20), 0)
    image.paste(BLUE if mode != "L" else 29, (20, 0, 40, 20))
    image = image.convert("P", palette=Image.Palette.ADAPTIVE, colors=2) if mode == "P" else image
    key = {"L": 0, "RGB": (0, 0, 0), "P": image.getpixel((0, 0))}[mode]
    left, _ = left_and_right(load_image(save(image, "PNG", transparency=key), target=2))
    assert left == (255, 255, 255)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation(kind: str) -> None:
    frames = [Image.new("RGB", (40, 20), colour) for colour in (RED, BLUE)]
    data = save(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    assert close(left_and_right(load_image(data))[0], RED)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_undone(kind: str, orientation: int) -> None:
    upright = Image.new("RGB", (48, 32), (128, 128, 128))
    upright.paste(RED, (0, 0, 24, 16))
    upright.paste(BLUE, (24, 16, 48, 32))
    undo = Image.Transpose
    stored = upright
    inverse = {
        2: undo.FLIP_LEFT_RIGHT,
        3: undo.ROTATE_180,
        4: undo.FLIP_TOP_BOTTOM,
        5: undo.TRANSPOSE,
        6: undo.ROTATE_90,
        7: undo.TRANSVERSE,
        8: undo.ROTATE_270,
    }
    if orientation in inverse:
        stored = upright.transpose(inverse[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = save(stored, kind, exif=exif, **({"quality": 95} if kind != "PNG" else {}))
    picture = load_picture(data)
    assert picture.image.size == (48, 32)
    assert (picture.metadata["width"], picture.metadata["height"]) == (48, 32)
    assert image_metadata(data) == picture.metadata
    assert close(picture.image.getpixel((6, 6)), RED, 30)  # type: ignore[arg-type]
    assert close(picture.image.getpixel((40, 28)), BLUE, 30)  # type: ignore[arg-type]


def test_large_jpegs_are_decoded_small_and_look_the_same() -> None:
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((1600, 1200), 3)
    data = save(smooth, "JPEG", quality=92)
    small, full = load_picture(data, target=64), load_picture(data)
    assert small.image.size == (200, 150)
    assert full.image.size == (1600, 1200)
    assert small.metadata == full.metadata
    size = (64, 64)
    difference = np.asarray(small.image.resize(size), dtype=float) - np.asarray(full.image.resize(size))
    assert np.abs(difference).mean() < 1.0


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "CMYK"])
def test_other_kinds_are_reduced_but_stay_larger_than_the_target(mode: str) -> None:
    image = two_halves().resize((800, 600), 0).convert(mode)
    small = load_image(save(image, "TIFF" if mode == "CMYK" else "PNG"), target=32)
    assert min(small.size) >= 192
    if mode not in ("P", "CMYK"):
        assert small.size == (267, 200)


def test_a_12_megapixel_jpeg_is_decoded_at_a_quarter() -> None:
    assert load_image(save(Image.new("RGB", (4000, 3000)), "JPEG"), target=224).size == (1000, 750)
    assert load_image(save(Image.new("RGB", (4000, 600)), "JPEG"), target=224).size == (4000, 600)


def test_metadata_from_exif() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "Canon EOS 5D"
    exif.get_ifd(0x8769)[0x9003] = "2021:07:03 10:20:30"
    metadata = image_metadata(save(two_halves(), "JPEG", exif=exif))
    assert metadata == {
        "width": 40,
        "height": 20,
        "format": "jpeg",
        "taken": "2021-07-03T10:20:30",
        "year": 2021,
        "camera": "Canon EOS 5D",
    }


@pytest.mark.parametrize(
    "date", ["0000:00:00 00:00:00", "    :  :     :  :  ", "2021:13:01 00:00:00", "yesterday"]
)
def test_a_date_that_is_none_is_left_out(date: str) -> None:
    exif = Image.Exif()
    exif[0x0132] = date
    assert "year" not in image_metadata(save(two_halves(), "JPEG", exif=exif))


def test_broken_exif_does_not_cost_the_picture() -> None:
    data = save(two_halves(), "JPEG", exif=b"Exif\0\0" + b"II*\0\xff\xff\xff\x7f" + b"\0" * 20)
    assert load_image(data).size == (40, 20)
    with quiet_pillow():
        assert load_picture(data).metadata["width"] == 40


def test_path_metadata(tmp_path: Path) -> None:
    assert path_metadata("/photos/Trips/Beach.JPG") == {
        "name": "Beach.JPG",
        "extension": "jpg",
        "folder": "Trips",
    }
    assert path_metadata("/a/caf\udce9.png")["name"] == "caf\\xe9.png"


def bomb(side: int) -> bytes:
    """A PNG that promises side × side pixels and holds none."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def damaged() -> dict[str, Callable[[], bytes]]:
    jpeg = save(two_halves(), "JPEG")
    png = save(Image.effect_noise((200, 200), 30), "PNG")
    return {
        "empty file": lambda: b"",
        "truncated": lambda: jpeg[: len(jpeg) // 2],
        "not a picture": lambda: b"This is a letter, not a photograph." * 10,
        "damaged": lambda: png[:45] + bytes(200) + png[245:],
        "decompression bomb": lambda: bomb(20_000),
    }


@pytest.mark.parametrize("reason", list(damaged()))
def test_what_cannot_be_read_says_why(reason: str) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        load_image(damaged()[reason]())
    assert reason in caught.value.reason or reason == "damaged"


def test_a_bomb_is_not_decoded_even_where_pillow_only_warns() -> None:
    data = bomb(10_000)
    with quiet_pillow(), pytest.raises(UnreadableFileError, match="bomb: 10000 × 10000"):
        load_picture(data)


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "really-a-jpeg.png"
    path.write_bytes(save(two_halves(), "JPEG"))
    assert load_picture(path).metadata["format"] == "jpeg"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="No such file"):
        load_image(tmp_path / "none.png")


def test_postscript_is_never_run() -> None:
    with pytest.raises(UnreadableFileError, match="not a picture"):
        load_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n")


@pytest.mark.parametrize(
    "kind", ["BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP", "AVIF", "JPEG2000", "QOI", "PPM"]
)
def test_signatures_are_known(kind: str) -> None:
    assert looks_like_picture(save(two_halves(), kind)[:32])


@pytest.mark.parametrize(
    "head", [b"", b'{"image"', b"%PDF-1.7", b"PK\x03\x04", b"\x00\x00\x00\x18ftypmp42", b"a,b\n"]
)
def test_other_signatures_are_not(head: bytes) -> None:
    assert not looks_like_picture(head)


def test_extensions_cover_what_pillow_writes() -> None:
    assert {"jpg", "jpeg", "png", "webp", "heic", "avif", "tif", "gif", "bmp"} <= images.EXTENSIONS
