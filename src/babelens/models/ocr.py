"""Reading the text in pictures: which engine reads which script, and which lines can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ..errors import UnknownModelError, WeightsUnavailableError
from ..languages import LANGUAGES, get_language, main_script
from .ocr_rapid import Examined, RapidEngine
from .ocr_tesseract import TesseractEngine, evidence, mean_confidence
from .protocols import OcrEngine, OcrLine

if TYPE_CHECKING:
    from PIL.Image import Image

# On rendered pages (docs/ocr.md) this keeps 100 % of the 2,926 lines that RapidOCR read well and 99.5 % of Tesseract's
# 3,664, and drops 91 % of 292 that RapidOCR made of scripts it does not know.
MINIMUM_CONFIDENCE: Final = 0.7
# Of the length of what looks like text, how much RapidOCR must have read with confidence to be believed; and from how
# much on a page in another script is taken to hold Latin letters, too.
_ENOUGH: Final = 0.75
_SOME: Final = 0.15
_ONLY_TESSERACT: Final = frozenset({"Arab", "Deva"})


def load_ocr(name: str = "auto") -> OcrEngine:
    """An engine by name: ``"rapidocr"``, ``"tesseract"``, or ``"auto"``, which chooses by script.

    Nothing is loaded before the first picture is read. Raises :class:`UnknownModelError`.
    """
    if name not in ENGINES:
        raise UnknownModelError(name, ENGINES)
    engine: OcrEngine = ENGINES[name]()
    return engine


def usable(lines: Sequence[OcrLine]) -> tuple[list[OcrLine], list[OcrLine]]:
    """Lines to keep, and those whose confidence is below :data:`MINIMUM_CONFIDENCE`, each in order."""
    kept = [line for line in lines if line.confidence >= MINIMUM_CONFIDENCE]
    return kept, [line for line in lines if line.confidence < MINIMUM_CONFIDENCE]


class AutoEngine:
    """RapidOCR for Latin letters and Japanese, Tesseract for Arabic and Devanagari.

    Which of them a picture is in, its languages say. Where they leave it open RapidOCR reads first; it is hardly ever
    sure of a script that it does not know, and then Tesseract is asked what it sees, if it is here.
    """

    name = "auto"

    def __init__(self, rapid: RapidEngine | None = None, tesseract: TesseractEngine | None = None) -> None:
        self._rapid, self._tesseract = rapid or RapidEngine(), tesseract or TesseractEngine()

    def read(self, image: Image, languages: Sequence[str] = ()) -> list[OcrLine]:
        """See :class:`~babelens.models.protocols.OcrEngine`."""
        tags = tuple(dict.fromkeys(get_language(tag).tag for tag in languages)) or tuple(LANGUAGES)
        foreign = [tag for tag in tags if LANGUAGES[tag].scripts[0] in _ONLY_TESSERACT]
        if len(foreign) == len(tags):
            return self._tesseract.read(image, tags)
        examined = self._rapid.examine(image)
        foreign = [tag for tag in foreign if self._tesseract.reads(tag)]
        if examined.read >= _ENOUGH or not foreign:
            return list(examined.lines)
        return self._second_reading(image, examined, foreign)

    def _second_reading(self, image: Image, first: Examined, foreign: Sequence[str]) -> list[OcrLine]:
        try:
            script = self._tesseract.script(image)
        except WeightsUnavailableError:  # only its pack for telling scripts apart is missing
            script = None
        seen = [tag for tag in foreign if script in LANGUAGES[tag].scripts]
        best = list(first.lines)
        # With too little text to tell, both are tried.
        for tag in seen or (foreign if script is None else ()):
            lines = self._tesseract.read(image, (tag,))
            text = "".join(line.text for line in lines)
            believable = mean_confidence(lines) >= MINIMUM_CONFIDENCE and (
                first.read >= _SOME or main_script(text) in LANGUAGES[tag].scripts
            )
            if believable and evidence(lines) > evidence(best):
                best = lines
        return best


ENGINES: Final = {"auto": AutoEngine, "rapidocr": RapidEngine, "tesseract": TesseractEngine}
