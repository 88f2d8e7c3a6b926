"""Tesseract: a program with a pack for each of the eight languages, and the one engine that reads Arabic and Hindi.

It is started for each picture rather than through ``pytesseract``: that package hands on this process's environment,
and Tesseract is four times slower unless a variable holds its threads back that would hold back all other libraries
in this process, too.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Final

from ..errors import UnreadableFileError, WeightsUnavailableError
from ..languages import LANGUAGES, get_language, script_of
from .ocr_layout import is_blank
from .protocols import OcrLine

if TYPE_CHECKING:
    from PIL.Image import Image

PROGRAM: Final = "tesseract"
# Packs are called by ISO 639-2 codes, in Tesseract's own releases and in those of distributions.
_PACKS: Final[dict[str, str]] = {
    **{"en": "eng", "es": "spa", "fr": "fra", "hi": "hin", "de": "deu", "it": "ita", "ja": "jpn", "ar": "ara"}
}
_DETECTION: Final = "osd"  # the pack that tells scripts and orientations apart
# Names that script detection gives to the scripts of languages.Language, where it has others.
_SCRIPT_NAMES: Final = {
    **{"Latin": "Latn", "Fraktur": "Latn", "Arabic": "Arab", "Devanagari": "Deva"},
    **{"Japanese": "Hani", "Han": "Hani", "Hiragana": "Hani", "Katakana": "Hani"},
}
# Marks of direction, which Tesseract puts between scripts: the letters themselves say it.
_MARKS: Final = dict.fromkeys(
    map(ord, "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
)
_NO_SPACES: Final = frozenset(
    {"Hira", "Kana", "Hani"}
)  # scripts that are written without spaces between words

# Tesseract reads best what has about 300 dpi, where a page has this longer side.
_LONGEST: Final = 3500
_WANTED: Final = 2500
_MOST_ENLARGED: Final = 3.0
# Mean confidence under which a page may lie on its side or its head.
_UPRIGHT: Final = 0.65
# Packs that read "USB-C" as letters of their own script. With the English pack added a mixed page is read (error rate
# 36 % before, 1 % after) and a pure one worse (Arabic 4.9 % for 3.3 %, Hindi 0.6 % for 0.2 %); line by line, where the
# pack alone is in doubt and both together are surer by some margin, both are read as well as they can be.
_WITHOUT_LATIN: Final = frozenset({"ara", "hin"})
_DOUBTFUL: Final = 0.88
_SURER: Final = 0.05
_TIMEOUT: Final = 120.0  # seconds a picture
_ONE_THREAD: Final = "OMP_THREAD_LIMIT"


class TesseractEngine:
    """Each picture is read by a process of its own, so threads do not wait for each other."""

    name = PROGRAM

    def read(self, image: Image, languages: Sequence[str] = ()) -> list[OcrLine]:
        """See :class:`~babelens.models.protocols.OcrEngine`."""
        packs = _packs([get_language(tag).tag for tag in languages])
        if min(image.size) < 4 or is_blank(image):
            return []
        if not packs:
            script = self.script(image) or "Latn"
            packs = _packs([row.tag for row in LANGUAGES.values() if script in row.scripts], some=True)
        lines = _mixed(image, packs, "3")
        if mean_confidence(lines) >= _UPRIGHT or _DETECTION not in _installed(_program()):
            return lines
        return max(lines, _mixed(image, packs, "1"), key=evidence)

    def script(self, image: Image) -> str | None:
        """The ISO 15924 code of the script that most of a picture's text is in; ``None`` when that cannot be told."""
        if _DETECTION not in _installed(_program()):
            raise _missing([_DETECTION])
        # It fails where it sees too little text to tell.
        said = _run(_program(), ["stdin", "stdout", "--psm", "0"], _bitmap(image)[0], may_fail=True)
        found = re.search(r"^Script: (.+)$", said, re.MULTILINE)
        return _SCRIPT_NAMES.get(found[1]) if found else None

    def reads(self, tag: str) -> bool:
        """Whether the program and its pack for a language are here."""
        program = shutil.which(PROGRAM)
        return program is not None and _PACKS[tag] in _installed(program)


def mean_confidence(lines: Sequence[OcrLine]) -> float:
    """Over all letters, in [0, 1]; 0 where there is none."""
    letters = sum(len(line.text) for line in lines)
    return sum(line.confidence * len(line.text) for line in lines) / letters if letters else 0.0


def evidence(lines: Sequence[OcrLine]) -> float:
    """How much was read, and how surely: the sum of confidence over letters."""
    return sum(line.confidence * len(line.text) for line in lines)


def _program() -> str:
    path = shutil.which(PROGRAM)
    if path is None:
        packs = " ".join(f"tesseract-ocr-{pack}" for pack in _PACKS.values() if pack != "eng")
        raise WeightsUnavailableError(
            f"The program {PROGRAM!r}, which reads text in pictures, is not installed.",
            hint=f"Install it, on Debian and Ubuntu with: apt-get install tesseract-ocr {packs}",
        )
    return path


@cache
def _installed(program: str) -> frozenset[str]:
    """The packs that the program finds."""
    return frozenset(_run(program, ["--list-langs"], may_fail=True).splitlines()[1:])


def _packs(tags: Sequence[str], *, some: bool = False) -> list[str]:
    """The packs of languages. Raises when one is missing; with ``some``, when all are."""
    wanted = list(dict.fromkeys(_PACKS[tag] for tag in tags))
    known = _installed(_program())
    found = [pack for pack in wanted if pack in known]
    if len(found) < len(wanted) and not (some and found):
        raise _missing([pack for pack in wanted if pack not in known])
    return found


def _missing(packs: Sequence[str]) -> WeightsUnavailableError:
    return WeightsUnavailableError(
        f"Tesseract has no pack for {', '.join(packs)}; "
        f"it has {', '.join(sorted(_installed(_program()))) or 'none'}.",
        hint="Install it, on Debian and Ubuntu with: apt-get install "
        + " ".join(f"tesseract-ocr-{pack}" for pack in packs),
    )


def _run(program: str, arguments: Sequence[str], picture: bytes = b"", *, may_fail: bool = False) -> str:
    """What the program prints. Raises :class:`UnreadableFileError` when it fails, unless it may."""
    try:
        done = subprocess.run(
            [program, *arguments],
            input=picture,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
            env={**os.environ, _ONE_THREAD: "1"},
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableFileError(
            "picture", f"Tesseract did not finish it in {_TIMEOUT:.0f} seconds and was stopped"
        ) from error
    if done.returncode and not may_fail:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise UnreadableFileError(
            "picture",
            f"Tesseract failed (exit code {done.returncode}): {said[-1] if said else 'it said nothing'}",
        )
    return done.stdout.decode("utf-8", "replace")


def _bitmap(image: Image) -> tuple[bytes, float]:
    """A picture in grey, as large as Tesseract likes it, as the bytes of a BMP; and how much larger it became."""
    from PIL import Image as PILImage

    grey = image.convert("L")
    longest = max(grey.size)
    scale = _LONGEST / longest if longest > _LONGEST else min(_MOST_ENLARGED, max(1.0, _WANTED / longest))
    if scale != 1.0:
        width, height = (max(1, round(side * scale)) for side in grey.size)
        grey = grey.resize((width, height), PILImage.Resampling.LANCZOS)
    stream = io.BytesIO()
    grey.save(stream, "BMP", dpi=(300, 300))
    return stream.getvalue(), scale


def _lines(image: Image, packs: Sequence[str], layout: str) -> list[OcrLine]:
    """``layout`` is Tesseract's page segmentation mode: 3 for an upright page, 1 for one that may be turned."""
    picture, scale = _bitmap(image)
    arguments = ["stdin", "stdout", "-l", "+".join(packs), "--psm", layout, "tsv"]
    table = _run(_program(), arguments, picture)
    return list(_parsed(table, scale, image.size))


def _mixed(image: Image, packs: Sequence[str], layout: str) -> list[OcrLine]:
    """Like :func:`_lines`; where a pack knows no Latin letters, doubtful lines are read again with one that does."""
    lines = _lines(image, packs, layout)
    if not (_WITHOUT_LATIN.issuperset(packs) and _PACKS["en"] in _installed(_program())):
        return lines
    if all(line.confidence >= _DOUBTFUL for line in lines):
        return lines
    again = _lines(image, [*packs, _PACKS["en"]], layout)
    if len(again) != len(lines):  # the same layout as a rule, since only the packs differ
        return max(lines, again, key=evidence)
    return [
        second if first.confidence < _DOUBTFUL and second.confidence > first.confidence + _SURER else first
        for first, second in zip(lines, again, strict=True)
    ]


def _parsed(table: str, scale: float, size: tuple[int, int]) -> Iterator[OcrLine]:
    words = []
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        row["text"] = (row["text"] or "").translate(_MARKS).strip()
        if row["level"] == "5" and row["text"]:
            words.append(row)
    for _, group in groupby(words, key=lambda row: (row["block_num"], row["par_num"], row["line_num"])):
        line = list(group)
        letters = [len(word["text"]) for word in line]
        sure = (
            sum(float(word["conf"]) * n for word, n in zip(line, letters, strict=True)) / sum(letters) / 100
        )
        left, top = ([int(word[side]) for word in line] for side in ("left", "top"))
        right = [int(word["left"]) + int(word["width"]) for word in line]
        bottom = [int(word["top"]) + int(word["height"]) for word in line]
        box = (min(left) / scale, min(top) / scale, max(right) / scale, max(bottom) / scale)
        x0, y0 = (max(0, int(value)) for value in box[:2])
        x1, y1 = (min(limit, -int(-value // 1)) for limit, value in zip(size, box[2:], strict=True))
        if x1 > x0 and y1 > y0:
            yield OcrLine(
                _joined([word["text"] for word in line]), (x0, y0, x1, y1), min(1.0, max(0.0, sure))
            )


def _joined(words: Sequence[str]) -> str:
    """Words with spaces between, except between two letters of a script that has none."""
    text = words[0]
    for word in words[1:]:
        tight = script_of(text[-1]) in _NO_SPACES and script_of(word[0]) in _NO_SPACES
        text += word if tight else f" {word}"
    return text
