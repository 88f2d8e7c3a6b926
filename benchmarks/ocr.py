"""How well and how fast text in pictures is read: character error rates by language, resolution and engine.

Pages are rendered here, of the sentences below or, with ``--texts FOLDER``, of a folder of NTREX-128
(``newstest2019-*.txt``); ``--scans FOLDER`` adds real scans whose text is known. Errors are edits (insert, delete,
replace) over letters of the truth, after NFKC and with white space as one space, none in Japanese. Intervals come from
drawing lines with replacement.
"""

from __future__ import annotations

import argparse
import io
import re
import resource
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from babelens.errors import WeightsUnavailableError
from babelens.metrics.statistics import Bootstrap
from babelens.models.ocr import MINIMUM_CONFIDENCE, load_ocr
from babelens.models.protocols import OcrEngine, OcrLine

POINTS = 10  # the size of print in manuals
WIDTH, MARGIN = 6.0, 0.6  # inches of text, and of paper around it
LINES = 24  # on a page
DPI = (100, 150, 300)
SKEW = 1.0  # degrees, of poor pages

NOTO = "/usr/share/fonts/{}/noto/{}"
FONTS = {
    "ar": NOTO.format("truetype", "NotoNaskhArabic-Regular.ttf"),
    "hi": NOTO.format("truetype", "NotoSansDevanagari-Regular.ttf"),
    "ja": NOTO.format("opentype", "NotoSansCJK-Regular.ttc"),
}
LATIN = NOTO.format("truetype", "NotoSans-Regular.ttf")
FILES = {
    **{"en": "src.eng", "es": "ref.spa", "fr": "ref.fra", "hi": "ref.hin"},
    **{"de": "ref.deu", "it": "ref.ita", "ja": "ref.jpn", "ar": "ref.arb"},
}
SCANS = {
    "linn.pdf": ["en"],
    "phototest.tif": ["en"],
    "eurotext.tif": ["en", "de", "fr", "it", "es"],
    "devatest.png": ["hi"],
}
# What devatest.png shows: four times the name of a font, and in it Article 1 of the Declaration of Human Rights.
DEVATEST = " ".join(
    f"{name} सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है । "
    "उन्हें बुद्धि और अन्तरात्मा की देन प्राप्त है और परस्पर उन्हें भाईचारे के भाव से बर्ताव करना चाहिए ।"
    for name in ("CDAC-GISTYogesh", "Gargi", "JanaHindi", "Kalimati")
)
SENTENCES: dict[str, list[str]] = {
    "en": [
        "Switch the device off and pull the plug before you open the cover.",
        "Fuse F4 (10 A) protects the pump, the heater and both fans.",
        "If the red lamp blinks three times, the tank is empty.",
        "Tighten the four screws crosswise to 2.5 Nm; do not use oil.",
    ],
    "es": [
        "Apague el aparato y desenchúfelo antes de abrir la tapa.",
        "El fusible F4 (10 A) protege la bomba, el calentador y ambos ventiladores.",
        "Si la luz roja parpadea tres veces, el depósito está vacío.",
        "Apriete los cuatro tornillos en cruz a 2,5 Nm; no use aceite, señor técnico.",
    ],
    "fr": [
        "Éteignez l'appareil et débranchez-le avant d'ouvrir le couvercle.",
        "Le fusible F4 (10 A) protège la pompe, le chauffage et les deux ventilateurs.",
        "Si le voyant rouge clignote trois fois, le réservoir est vide.",
        "Serrez les quatre vis en croix à 2,5 Nm ; n'utilisez pas d'huile là où ça coulerait.",
    ],
    "hi": [
        "ढक्कन खोलने से पहले उपकरण बंद करें और प्लग निकाल दें।",
        "फ़्यूज़ 4 (10 एम्पियर) पंप, हीटर और दोनों पंखों की रक्षा करता है।",
        "यदि लाल बत्ती तीन बार झपकती है, तो टंकी खाली है।",
        "चारों पेंचों को तिरछे क्रम में 2.5 न्यूटन मीटर तक कसें; तेल का प्रयोग न करें।",
    ],
    "de": [
        "Schalten Sie das Gerät aus und ziehen Sie den Stecker, bevor Sie den Deckel öffnen.",
        "Die Sicherung F4 (10 A) schützt die Pumpe, die Heizung und beide Lüfter.",
        "Wenn die rote Lampe dreimal blinkt, ist der Behälter leer.",
        "Ziehen Sie die vier Schrauben über Kreuz mit 2,5 Nm fest; benutzen Sie kein Öl.",
    ],
    "it": [
        "Spegnere l'apparecchio e staccare la spina prima di aprire il coperchio.",
        "Il fusibile F4 (10 A) protegge la pompa, il riscaldatore e le due ventole.",
        "Se la spia rossa lampeggia tre volte, il serbatoio è vuoto.",
        "Stringere le quattro viti a croce a 2,5 Nm; non usare olio, perché scivolerebbe già.",
    ],
    "ja": [
        "ふたを開ける前に、装置の電源を切り、プラグを抜いてください。",
        "ヒューズF4（10 A）は、ポンプ、ヒーター、両方のファンを保護します。",
        "赤いランプが三回点滅したら、タンクは空です。",
        "四本のねじを対角線の順に2.5 Nmで締めてください。油は使わないでください。",
    ],
    "ar": [
        "أطفئ الجهاز وافصل القابس قبل فتح الغطاء.",
        "يحمي المصهر 4 (10 أمبير) المضخة والسخان وكلتا المروحتين.",
        "إذا ومض المصباح الأحمر ثلاث مرات فالخزان فارغ.",
        "شد البراغي الأربعة بالتناوب حتى 2.5 نيوتن متر ولا تستعمل الزيت.",
    ],
}


@dataclass(frozen=True)
class Page:
    """A rendered page: its picture, and each line's text with the heights in pixels that it stands between."""

    image: Image.Image
    lines: tuple[tuple[str, float, float], ...]


@cache
def font(language: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONTS.get(language, LATIN), size, layout_engine=ImageFont.Layout.RAQM)


def wrapped(text: str, language: str, dpi: int) -> Iterator[str]:
    """Lines of print; Japanese is broken anywhere, all else at spaces."""
    face = font(language, round(POINTS * dpi / 72))
    parts, glue = (list(text), "") if language == "ja" else (text.split(), " ")
    line = ""
    for part in parts:
        longer = f"{line}{glue}{part}" if line else part
        if line and face.getlength(longer, language=language) > WIDTH * dpi:
            yield line
            longer = part
        line = longer
    yield line


def rendered(lines: Sequence[str], language: str, dpi: int) -> Page:
    """Black on white, Arabic from the right."""
    size, margin, width = round(POINTS * dpi / 72), round(MARGIN * dpi), round(WIDTH * dpi)
    pitch = round(size * 1.7)
    image = Image.new("L", (width + 2 * margin, pitch * len(lines) + 2 * margin), 255)
    draw = ImageDraw.Draw(image)
    kept = []
    for number, line in enumerate(lines):
        y = margin + number * pitch
        right = language == "ar"
        place, anchor = ((margin + width, y), "ra") if right else ((margin, y), "la")
        draw.text(
            place, line, font=font(language, size), fill=0, anchor=anchor, language=language,
            direction="rtl" if right else "ltr",
        )  # fmt: skip
        kept.append((line, float(y), float(y + pitch)))
    return Page(image, tuple(kept))


def degraded(page: Page) -> Page:
    """As a poor scan: askew, out of focus, grey, saved as JPEG of quality 60."""
    image = page.image.rotate(SKEW, Image.Resampling.BICUBIC, fillcolor=255)
    image = image.filter(ImageFilter.GaussianBlur(0.7))
    image = image.point([int(30 + value * 200 / 255) for value in range(256)])
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=60)
    stream.seek(0)
    return Page(Image.open(stream).convert("L"), page.lines)


def distance(a: str, b: str) -> int:
    """Levenshtein (1966), a row at a time."""
    letters = np.array([ord(c) for c in b], dtype=np.int64)
    steps = np.arange(len(b) + 1)
    row = steps.copy()
    for number, letter in enumerate(a, 1):
        changed = np.minimum(row[1:] + 1, row[:-1] + (letters != ord(letter)))
        row = np.minimum.accumulate(np.concatenate([[number], changed]) - steps) + steps
    return int(row[-1])


def plain(text: str, language: str) -> str:
    text = unicodedata.normalize("NFKC", text)
    text = "".join(c for c in text if unicodedata.category(c) != "Cf")  # marks of direction
    return ("" if language == "ja" else " ").join(text.split())


def errors(page: Page, found: Sequence[OcrLine], language: str, *, skew: float) -> list[tuple[int, int]]:
    """Edits and letters of each line. A line that was found belongs to the one whose height its middle lies in."""
    read: list[list[OcrLine]] = [[] for _ in page.lines]
    for line in found:
        read[_nearest(page, line, skew)].append(line)
    result = []
    for (truth, _, _), lines in zip(page.lines, read, strict=True):
        truth = plain(truth, language)
        text = plain(" ".join(line.text for line in lines), language)
        result.append((distance(text, truth), len(truth)))
    return result


def _nearest(page: Page, line: OcrLine, skew: float) -> int:
    x, y = (line.box[0] + line.box[2]) / 2, (line.box[1] + line.box[3]) / 2
    y += np.tan(np.radians(skew)) * (x - page.image.width / 2)
    return min(range(len(page.lines)), key=lambda i: abs(sum(page.lines[i][1:]) / 2 - y))


def rate(pairs: Sequence[tuple[int, int]]) -> str:
    """``"1.2 % (0.9–1.6)"``: edits over letters, and its 95 % interval."""
    edits, letters = (np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True))
    bootstrap = Bootstrap(np.arange(len(pairs)))
    draws = bootstrap.each(lambda weights: (weights @ edits) / (weights @ letters))
    low, high = np.percentile(draws, [2.5, 97.5])
    return f"{100 * edits.sum() / letters.sum():5.1f} ({100 * low:.1f}–{100 * high:.1f})"


def texts(language: str, folder: Path | None, count: int) -> list[str]:
    if folder is None:
        return SENTENCES[language]
    file = next(folder.rglob(f"newstest2019-{FILES[language]}.txt"))
    lines = file.read_text(encoding="utf-8").splitlines()
    if language in ("ar", "hi"):  # their fonts have no Latin letters
        lines = [line for line in lines if not re.search("[A-Za-z]", line)]
    return lines[:count]


def pages(language: str, sentences: Sequence[str], dpi: int) -> Iterator[Page]:
    lines = [line for text in sentences for line in wrapped(text, language, dpi)]
    for start in range(0, len(lines), LINES):
        yield rendered(lines[start : start + LINES], language, dpi)


def run(
    quick: bool = False,
    sources: Path | None = None,
    scans: Path | None = None,
    engines: Sequence[str] = ("rapidocr", "tesseract"),
    languages: Sequence[str] = tuple(FILES),
) -> None:
    """Prints the tables."""
    made = {name: load_ocr(name) for name in engines}
    believed: list[tuple[str, float, float]] = []
    print(f"Character error rate in % (95 % interval), {POINTS} pt print; n is lines")
    print(
        f"\n{'engine':<11}{'lang':<6}{'page':<7}{'n':>4}"
        + "".join(f"{f'{dpi} dpi':>19}" for dpi in DPI)
        + "  s/page"
    )
    for name, engine in made.items():
        for language in languages:
            sentences = texts(language, sources, 10 if quick else 40)
            for kind in ("clean", "poor"):
                try:
                    cells, n, seconds = _row(name, engine, language, sentences, kind, believed)
                except WeightsUnavailableError as error:
                    print(f"{name:<11}{language:<6}{error.message}")
                    continue
                row = "".join(f"{cell:>19}" for cell in cells)
                print(f"{name:<11}{language:<6}{kind:<7}{n:>4}{row}{seconds:>8.1f}", flush=True)
    _print_confidence(believed)
    if scans is not None:
        _print_scans(made, scans)
    print(f"\npeak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


def _row(
    name: str,
    engine: OcrEngine,
    language: str,
    sentences: Sequence[str],
    kind: str,
    believed: list[tuple[str, float, float]],
) -> tuple[list[str], int, float]:
    """Error rates at each resolution, how many lines at the last, and seconds a page; adds to ``believed``."""
    cells, spent = [], []
    pairs: list[tuple[int, int]] = []
    skew = SKEW if kind == "poor" else 0.0
    for dpi in DPI:
        pairs = []
        for page in pages(language, sentences, dpi):
            shown = degraded(page) if kind == "poor" else page
            start = time.perf_counter()
            found = engine.read(shown.image, [language])
            spent.append(time.perf_counter() - start)
            pairs += errors(page, found, language, skew=skew)
            believed += [
                (name, line.confidence, wrong) for line, wrong in _judged(page, found, language, skew)
            ]
        cells.append(rate(pairs))
    return cells, len(pairs), float(np.mean(spent))


def _judged(
    page: Page, found: Sequence[OcrLine], language: str, skew: float
) -> Iterator[tuple[OcrLine, float]]:
    """Lines that were found, with their own error rates against the line of the truth that they lie on."""
    for line in found:
        text = plain(line.text, language)
        truth = plain(page.lines[_nearest(page, line, skew)][0], language)
        yield line, min(1.0, distance(text, truth) / max(1, len(truth)))


def _print_scans(made: dict[str, OcrEngine], folder: Path) -> None:
    """Real scans against their text, as words in order: print of unknown size has no lines to go by."""
    import pypdfium2

    print("\nScans: character error rate in %, and the share of the truth's words that were read")
    print(f"\n{'engine':<11}{'scan':<16}{'letters':>8}{'errors':>9}{'words':>8}{'lines':>7}{'s':>7}")
    for name, engine in made.items():
        for file, languages in SCANS.items():
            path = folder / file
            if path.suffix == ".pdf":
                image = pypdfium2.PdfDocument(path)[0].render(scale=150 / 72).to_pil()
            else:
                image = Image.open(path)
            known = path.with_suffix(".txt")
            truth = plain(known.read_text(encoding="utf-8") if known.is_file() else DEVATEST, "")
            start = time.perf_counter()
            found = engine.read(image, languages)
            seconds = time.perf_counter() - start
            text = plain(" ".join(line.text for line in found), "")
            wanted, got = Counter(truth.split()), Counter(text.split())
            words = 100 * sum((wanted & got).values()) / sum(wanted.values())
            wrong = 100 * distance(text, truth) / len(truth)
            print(
                f"{name:<11}{file:<16}{len(truth):>8}{wrong:>8.1f}%{words:>7.1f}%{len(found):>7}{seconds:>7.1f}",
                flush=True,
            )


def _print_confidence(believed: Sequence[tuple[str, float, float]]) -> None:
    """How many lines a minimum of confidence keeps and drops, by whether they were read well."""
    print("\nA line is good when its error rate is at most 20 %, bad when it is above 50 %")
    print(f"{'engine':<11}{'minimum':>8}{'good kept':>12}{'n':>6}{'bad dropped':>13}{'n':>6}")
    for name in dict.fromkeys(row[0] for row in believed):
        sure = np.array([row[1] for row in believed if row[0] == name])
        wrong = np.array([row[2] for row in believed if row[0] == name])
        good, bad = sure[wrong <= 0.2], sure[wrong > 0.5]
        for minimum in (0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
            kept = 100 * (good >= minimum).mean() if len(good) else float("nan")
            dropped = 100 * (bad < minimum).mean() if len(bad) else float("nan")
            mark = " *" if minimum == MINIMUM_CONFIDENCE else ""
            print(f"{name:<11}{minimum:>8}{kept:>11.1f}%{len(good):>6}{dropped:>12.1f}%{len(bad):>6}{mark}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ocr", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--texts", type=Path, metavar="FOLDER", help="where newstest2019-*.txt lie")
    parser.add_argument("--scans", type=Path, metavar="FOLDER", help="linn.pdf and linn.txt, eurotext.tif, …")
    parser.add_argument("--engines", nargs="+", default=["rapidocr", "tesseract"])
    parser.add_argument("--languages", nargs="+", default=list(FILES), choices=list(FILES))
    chosen = parser.parse_args()
    run(chosen.quick, chosen.texts, chosen.scans, chosen.engines, chosen.languages)


if __name__ == "__main__":
    main()
