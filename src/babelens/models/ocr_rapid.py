"""RapidOCR: the PP-OCR models that its wheel carries, on ONNX Runtime. Reads Latin letters and Japanese."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import WeightsUnavailableError
from .ocr_layout import Quads, bounds, is_blank, reading_order, turned
from .onnx import import_runtime, open_session
from .protocols import OcrLine

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[np.uint8]

# The longer side of what is read, in pixels: lines are cut from it.
_LONGEST: Final = 2400
_SHORTEST: Final = 960
# The longer side of what lines are looked for in.
_SEARCHED: Final = 1280
# A flat picture is given borders above and below: the detector finds nothing that touches an edge.
_BORDER: Final = 32
# A crop of this height over its width stands on its side, and is turned to the left (so RapidOCR does).
_ON_ITS_SIDE: Final = 1.5
# But a crop that is hardly longer than lines are high is one narrow letter that stands upright.
_ONE_LETTER: Final = 1.6
# Over this a line is read as surely as lines are in a script that the models know. On rendered pages (clean and poor,
# 100 to 300 dpi) the mean confidence of a page was above 0.96 in those six languages, below 0.7 in Arabic and Hindi.
SURE: Final = 0.85
# Under this next to nothing is read, because the script is a strange one. Lines on their heads give 0.6 to 0.7.
_STRANGE: Final = 0.3
# Lines that are read at once: two take a tenth more time, and six twice the memory of a page.
_BATCH: Final = 1
# How many of the longest lines say which way up a page is.
_ASKED: Final = 12


@dataclass(frozen=True, slots=True)
class Examined:
    """The lines that were read, and how much of what looked like text that is: by length, 1 where nothing did.

    What RapidOCR cannot read (Arabic, Devanagari) it finds all the same; it gives nothing then, or is not sure.
    """

    lines: tuple[OcrLine, ...]
    read: float


class RapidEngine:
    """The models are loaded when the first picture is read. Threads take turns: one picture keeps all cores busy."""

    name = "rapidocr"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._models: Any = None

    def read(self, image: Image, languages: Sequence[str] = ()) -> list[OcrLine]:  # noqa: ARG002 (one model for all)
        """See :class:`~babelens.models.protocols.OcrEngine`."""
        return list(self.examine(image).lines)

    def examine(self, image: Image) -> Examined:
        """The lines of a picture in reading order, and whether they are all of its text."""
        if min(image.size) < 4 or is_blank(image):
            return Examined((), 1.0)
        pixels, scale, border = _fitted(image)
        with self._lock:
            if self._models is None:
                self._models = _load()
            page = _read(self._models, pixels)
        if not page.texts:
            return Examined((), 1.0)
        length = np.array([len(text.strip()) > 0 for text in page.texts]) * page.lengths
        sure = float(length[page.scores >= SURE].sum() / page.lengths.sum())
        boxes = bounds(page.quads / scale - border)
        limit = np.array([*image.size, *image.size])
        boxes = np.clip(np.concatenate([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])], axis=1), 0, limit)
        lines = []
        for row in reading_order(bounds(turned(page.quads, page.angle))):
            x0, y0, x1, y1 = map(int, boxes[row])
            if page.texts[row].strip() and x1 > x0 and y1 > y0:
                lines.append(OcrLine(page.texts[row].strip(), (x0, y0, x1, y1), float(page.scores[row])))
        return Examined(tuple(lines), sure)


def _load() -> Any:
    """RapidOCR with its three models open. It is never asked to find a model itself: it would fetch one."""
    import_runtime()
    found = find_spec("rapidocr")
    if found is None or not found.submodule_search_locations:
        raise WeightsUnavailableError(
            "The package 'rapidocr', which reads text in pictures, is not installed.",
            hint="Install Babelens again: it comes with it.",
        )
    folder = Path(found.submodule_search_locations[0]) / "models"
    from rapidocr import RapidOCR

    # It sets its own logger to write to stderr, at import and again when it is made.
    engine = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_vertical_padding": False,
            "Global.text_score": 0.0,
            "Det.limit_type": "max",
            "Det.limit_side_len": _SEARCHED,
            "Rec.rec_batch_num": _BATCH,
        }
    )
    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL + 1)
    for part, task in (("Det", "det"), ("Cls", "cls"), ("Rec", "rec")):
        settings = engine.cfg[part]
        settings._set_flag("allow_objects", True)
        settings["session"] = open_session(model_file(folder, task), arena=False)
    return engine


def model_file(folder: Path, task: str) -> Path:
    """The model for ``det``, ``cls`` or ``rec`` in a folder. Raises :class:`WeightsUnavailableError` without one."""
    files = sorted(folder.glob(f"*_{task}_*.onnx"))
    if not files:
        raise WeightsUnavailableError(
            f"The package 'rapidocr' lacks its model {task!r} in {folder}.",
            hint="Install it again with: pip install --force-reinstall 'rapidocr>=3.10,<4'",
        )
    return files[-1]


def _fitted(image: Image) -> tuple[Pixels, float, NDArray[np.float64]]:
    """A picture as (height, width, 3) uint8 in BGR, by how much it was scaled, and the border put around it before."""
    from PIL import Image as PILImage
    from PIL import ImageOps

    rgb = image.convert("RGB")
    border = (
        np.array([_BORDER, _BORDER])
        if max(rgb.size) > 8 * min(rgb.size) or min(rgb.size) < 64
        else np.zeros(2)
    )
    if border.any():
        colour = tuple(int(value) for value in np.median(_edges(rgb), axis=0))
        rgb = ImageOps.expand(rgb, _BORDER, fill=colour)
    longest = max(rgb.size)
    scale = _LONGEST / longest if longest > _LONGEST else min(4.0, max(1.0, _SHORTEST / longest))
    if scale != 1.0:
        size = tuple(max(1, round(side * scale)) for side in rgb.size)
        rgb = rgb.resize((size[0], size[1]), PILImage.Resampling.LANCZOS)
    return np.ascontiguousarray(np.asarray(rgb)[:, :, ::-1]), scale, border


def _edges(image: Image) -> Pixels:
    pixels = np.asarray(image)
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


@dataclass(frozen=True, slots=True)
class _Page:
    """What was found: ``angle`` is that at which most lines run (radians, clockwise as seen)."""

    quads: Quads
    texts: list[str]
    scores: NDArray[np.float64]
    lengths: NDArray[np.float64]
    angle: float


def _read(engine: Any, pixels: Pixels) -> _Page:
    from rapidocr.main import RapidOCRError

    try:
        crops, found = engine.detect_and_crop(pixels, {})
    except RapidOCRError:  # nothing looks like text
        return _Page(np.empty((0, 4, 2)), [], np.empty(0), np.empty(0), 0.0)
    quads = np.asarray(found.boxes, dtype=np.float64)
    across = np.linalg.norm(quads[:, 1] - quads[:, 0], axis=1)
    down = np.linalg.norm(quads[:, 3] - quads[:, 0], axis=1)
    # RapidOCR has turned these to the left, so that what ran down the page runs to the right.
    sideways = np.array([len(crop) <= crop.shape[1] for crop in crops]) & (down >= _ON_ITS_SIDE * across)
    if not sideways.all():
        letters = sideways & (down < _ONE_LETTER * np.median(down[~sideways]))
        for row in np.flatnonzero(letters):
            crops[row] = np.ascontiguousarray(np.rot90(crops[row], -1))
        sideways &= ~letters
    length = np.where(sideways, down, across)
    of_page = sideways if length[sideways].sum() > length[~sideways].sum() else ~sideways
    # Lines of a page stand on their heads together: the longest vote. Labels that run the other way may differ.
    asked = np.flatnonzero(of_page)[np.argsort(-length[of_page], kind="stable")][:_ASKED]
    head = of_page & (_votes(engine, [crops[row] for row in asked]).sum() > 0)
    others = np.flatnonzero(~of_page)
    if len(others):
        head[others] = _votes(engine, [crops[row] for row in others]) > 0
    texts, scores = _recognised(engine, crops, head)
    share = (scores * length)[of_page].sum() / length[of_page].sum()
    if _STRANGE <= share < SURE:
        # A vote of few lines may be wrong: then the other way up is read with more confidence.
        other_head = np.where(of_page, ~head, head)
        other_texts, other_scores = _recognised(engine, crops, other_head)
        if (other_scores * length)[of_page].sum() > (scores * length)[of_page].sum():
            head, texts, scores = other_head, other_texts, other_scores
    along = np.where(sideways[:, None], quads[:, 3] - quads[:, 0], quads[:, 1] - quads[:, 0])
    x, y = np.where(head[:, None], -along, along)[of_page].sum(axis=0)
    return _Page(quads, texts, scores, length, float(np.arctan2(y, x)))


def _votes(engine: Any, crops: list[Pixels]) -> NDArray[np.float64]:
    """How sure the classifier is that crops stand on their heads, in [-1, 1]; negative when they do not."""
    _, result = engine.cls_and_rotate(crops)
    return np.array([score if label == "180" else -score for label, score in result.cls_res])


def _recognised(
    engine: Any, crops: list[Pixels], head: NDArray[np.bool_]
) -> tuple[list[str], NDArray[np.float64]]:
    upright = [
        np.ascontiguousarray(np.rot90(crop, 2)) if turn else crop
        for crop, turn in zip(crops, head, strict=True)
    ]
    result = engine.recognize_txt(upright)
    return list(result.txts), np.array(result.scores, dtype=np.float64)
