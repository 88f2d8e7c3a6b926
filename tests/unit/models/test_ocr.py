"""Reading rendered text with the real engines: RapidOCR always, Tesseract where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from babelens.errors import (
    UnknownLanguageError,
    UnknownModelError,
    UnreadableFileError,
    WeightsUnavailableError,
)
from babelens.models.ocr import MINIMUM_CONFIDENCE, AutoEngine, load_ocr, usable
from babelens.models.ocr_rapid import Examined, RapidEngine
from babelens.models.ocr_tesseract import TesseractEngine
from babelens.models.protocols import OcrEngine, OcrLine
from tests.rendering import error_rate, font, page

# Pillow's own font has no letters with marks.
PRINT = {
    "en": ["Switch the device off before you open it.", "Fuse F4 protects the pump and both fans.", "Do not use oil."],
    "es": ["El fusible F4 protege la bomba.", "Si la luz roja parpadea tres veces,", "el tanque no tiene agua."],
    "fr": ["Ne jamais ouvrir le couvercle ici.", "Le fusible F4 garde la pompe.", "Serrez les quatre vis en croix."],
    "de": ["Die Sicherung F4 ist hinten links.", "Ziehen Sie den Stecker heraus.", "Vier Schrauben halten den Deckel."],
    "it": ["Staccare la spina prima di aprire.", "Il fusibile F4 protegge la pompa.", "Stringere le quattro viti."],
    "ja": ["ふたを開ける前に電源を切ってください。", "赤いランプが三回点滅します。", "四本のねじを締めてください。"],
    "hi": ["ढक्कन खोलने से पहले उपकरण बंद करें।", "यदि लाल बत्ती तीन बार झपकती है,", "तो टंकी खाली है।"],
    "ar": ["أطفئ الجهاز قبل فتح الغطاء.", "يحمي المصهر المضخة والسخان.", "لا تستعمل الزيت أبدا هنا."],
}  # fmt: skip


@pytest.fixture(scope="module")
def rapid() -> RapidEngine:
    return RapidEngine()


@pytest.fixture(scope="module")
def auto(rapid: RapidEngine) -> AutoEngine:
    return AutoEngine(rapid)


def need_tesseract(*languages: str) -> None:
    for language in languages:
        if not TesseractEngine().reads(language):
            pytest.skip(f"Tesseract, or its pack for {language!r}, is not installed")


def text(lines: Sequence[OcrLine]) -> str:
    return " ".join(line.text for line in lines)


@pytest.mark.parametrize("language", ["en", "es", "fr", "de", "it", "ja"])
def test_rapidocr_reads_latin_letters_and_japanese(rapid: RapidEngine, language: str) -> None:
    lines = rapid.read(page(PRINT[language], language))
    assert error_rate(text(lines), "".join(PRINT[language])) < 0.03
    assert len(lines) == 3
    assert all(0.85 < line.confidence <= 1 for line in lines)


@pytest.mark.parametrize("language", list(PRINT))
def test_tesseract_reads_all_languages(language: str) -> None:
    need_tesseract(language)
    lines = TesseractEngine().read(page(PRINT[language], language), [language])
    assert error_rate(text(lines), "".join(PRINT[language])) < 0.1
    assert len(lines) == 3
    assert all(0.5 < line.confidence <= 1 for line in lines)


@pytest.mark.parametrize("language", list(PRINT))
@pytest.mark.parametrize("told", [True, False])
def test_auto_finds_the_engine_for_a_script(auto: AutoEngine, language: str, told: bool) -> None:
    if language in ("ar", "hi"):
        need_tesseract(language)
    lines = auto.read(page(PRINT[language] * 2, language), [language] if told else [])
    assert error_rate(text(lines), "".join(PRINT[language] * 2)) < 0.1


def test_all_are_engines() -> None:
    for name in ("auto", "rapidocr", "tesseract"):
        engine = load_ocr(name)
        assert isinstance(engine, OcrEngine)
        assert engine.name == name
    with pytest.raises(UnknownModelError, match="rapidocr"):
        load_ocr("rapid")


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_pages_are_read_and_their_boxes_lie_where_they_are(rapid: RapidEngine, turn: int) -> None:
    upright = page(PRINT["en"])
    image = upright.rotate(turn, expand=True)
    lines = rapid.read(image)
    assert [error_rate(line.text, truth) < 0.05 for line, truth in zip(lines, PRINT["en"], strict=True)] == [
        True
    ] * 3
    for line in lines:
        assert_over_ink(image, line)


def test_tesseract_reads_a_turned_page() -> None:
    need_tesseract("en")
    image = page(PRINT["en"] * 3).rotate(90, expand=True)
    lines = TesseractEngine().read(image, ["en"])
    assert error_rate(text(lines), "".join(PRINT["en"] * 3)) < 0.05
    for line in lines:
        assert_over_ink(image, line)


def test_a_skewed_page_is_read_in_order(rapid: RapidEngine) -> None:
    image = page(PRINT["en"] * 3, width=1400).rotate(
        3, Image.Resampling.BICUBIC, expand=True, fillcolor="white"
    )
    assert error_rate(text(rapid.read(image)), "".join(PRINT["en"] * 3)) < 0.03


def test_columns_are_read_one_after_the_other(auto: AutoEngine) -> None:
    left = [f"Left column, line number {word}" for word in ("one", "two", "three", "four")]
    right = [line.replace("Left", "Right") for line in left]
    image = Image.new("RGB", (1100, 400), "white")
    draw, face = ImageDraw.Draw(image), font("en", 28)
    for row in range(4):
        draw.text((40, 40 + 60 * row), left[row], "black", face)
        draw.text((580, 60 + 60 * row), right[row], "black", face)
    lines = auto.read(image)
    assert [error_rate(line.text, truth) for line, truth in zip(lines, left + right, strict=True)] == [
        0.0
    ] * 8


def test_a_narrow_letter_on_its_own_is_not_taken_for_text_on_its_side(rapid: RapidEngine) -> None:
    image = page(["Close the valve.", "1", "Open the valve."], size=40)
    assert [line.text for line in rapid.read(image)] == ["Close the valve.", "1", "Open the valve."]


def test_a_line_without_margins_is_read(rapid: RapidEngine) -> None:
    truth, face = "Fuse F4 protects the pump and both fans of the heater.", font("en", 24)
    left, top, right, bottom = face.getbbox(truth)
    image = Image.new("RGB", (int(right - left) + 4, int(bottom - top) + 4), "white")
    ImageDraw.Draw(image).text((2 - left, 2 - top), truth, "black", face)
    (line,) = rapid.read(image)
    assert error_rate(line.text, truth) < 0.05
    assert line.box[0] >= 0
    assert line.box[2] <= image.width
    assert line.box[3] <= image.height
    assert line.box[2] - line.box[0] > 0.9 * image.width


@pytest.mark.parametrize("size", [(400, 300), (5000, 3500), (3, 3), (1, 900)])
@pytest.mark.parametrize("mode", ["RGB", "L", "1", "RGBA"])
def test_a_blank_picture_has_no_lines_and_loads_no_model(size: tuple[int, int], mode: str) -> None:
    engine = RapidEngine()
    assert engine.read(Image.new(mode, size, "white")) == []
    assert engine._models is None


@pytest.mark.parametrize("scale", [0.45, 4.0])
def test_boxes_are_in_the_pixels_of_a_small_or_large_picture(rapid: RapidEngine, scale: float) -> None:
    upright = page(PRINT["en"])
    size = round(upright.width * scale), round(upright.height * scale)
    image = upright.resize(size, Image.Resampling.LANCZOS)
    lines = rapid.read(image)
    assert error_rate(text(lines), "".join(PRINT["en"])) < 0.05
    for line in lines:
        assert_over_ink(image, line)


def test_threads_get_the_same_as_one_thread(rapid: RapidEngine) -> None:
    images = [page(PRINT[language]) for language in ("en", "de", "it")] * 2
    alone = [rapid.read(image) for image in images]
    found: dict[int, list[OcrLine]] = {}
    threads = [
        threading.Thread(target=lambda row=row, image=image: found.__setitem__(row, rapid.read(image)))
        for row, image in enumerate(images)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[row] for row in range(len(images))] == alone


def test_lines_of_little_confidence_are_parted_from_the_others() -> None:
    sure, edge, low = (OcrLine("x", (0, 0, 1, 1), MINIMUM_CONFIDENCE + more) for more in (0.3, 0.0, -0.01))
    assert usable([low, sure, edge]) == ([sure, edge], [low])
    assert usable([]) == ([], [])


def test_reading_writes_nothing_fetches_nothing_and_leaves_no_device_id(tmp_path: Path) -> None:
    image = tmp_path / "page.png"
    page(PRINT["en"]).save(image)
    script = (
        "import socket, sys\n"
        "def refuse(*_): raise AssertionError('the network was asked')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from PIL import Image\n"
        "from babelens.models.ocr import load_ocr\n"
        "assert 'rapidocr' not in sys.modules and 'onnxruntime' not in sys.modules\n"
        f"lines = load_ocr('rapidocr').read(Image.open({str(image)!r}))\n"
        "assert len(lines) == 3, lines\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(home.rglob("*")) == []


def test_importing_babelens_does_not_load_an_engine() -> None:
    script = (
        "import sys, babelens, babelens.cli.ocr; sys.exit('rapidocr' in sys.modules or 'cv2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


# A program that stands in for Tesseract: it answers as Tesseract does, so these tests need none.
PROGRAM = """#!/bin/sh
case "$*" in
  *list-langs*) printf 'List of available languages (3):\\neng\\nara\\nosd\\n' ;;
  *"--psm 0"*) {detection} ;;
  *) cat > "{folder}/seen.bmp"; echo "$OMP_THREAD_LIMIT" > "{folder}/threads"; {reading} ;;
esac
"""
TABLE = "\\n".join(
    [
        "level\\tpage_num\\tblock_num\\tpar_num\\tline_num\\tword_num\\tleft\\ttop\\twidth\\theight\\tconf\\ttext",
        "1\\t1\\t0\\t0\\t0\\t0\\t0\\t0\\t2500\\t500\\t-1\\t",
        '5\\t1\\t1\\t1\\t1\\t1\\t100\\t50\\t200\\t40\\t90.0\\t"Fuse',
        "5\\t1\\t1\\t1\\t1\\t2\\t320\\t48\\t80\\t44\\t70.0\\tF4",
        "5\\t1\\t1\\t1\\t2\\t1\\t100\\t110\\t200\\t40\\t-1\\t ",
        "5\\t1\\t2\\t1\\t1\\t1\\t100\\t200\\t90\\t40\\t96.0\\t油は",
        "5\\t1\\t2\\t1\\t1\\t2\\t190\\t200\\t90\\t40\\t96.0\\t使わない",
    ]
)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a stand-in for Tesseract with the packs eng, ara and osd, which reads two lines in any picture."""
    write_program(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return tmp_path


def write_program(folder: Path, *, reading: str = f"printf '{TABLE}\\n'", detection: str = "exit 1") -> None:
    file = folder / "tesseract"
    file.write_text(PROGRAM.format(folder=folder, reading=reading, detection=detection), encoding="utf-8")
    file.chmod(0o755)


def striped(size: tuple[int, int] = (1250, 250)) -> Image.Image:
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle((50, 20, 200, 60), "black")
    return image


def test_words_of_tesseract_become_lines(program: Path) -> None:
    first, second = TesseractEngine().read(striped(), ["en"])  # enlarged twice, to 2500 pixels
    assert first.text == '"Fuse F4'
    assert first.box == (50, 24, 200, 46)
    assert first.confidence == pytest.approx((5 * 0.9 + 2 * 0.7) / 7)
    assert second.text == "油は使わない"
    with Image.open(program / "seen.bmp") as seen:
        assert (seen.size, seen.mode) == ((2500, 500), "L")


def test_only_tesseract_s_own_threads_are_held_back(program: Path) -> None:
    TesseractEngine().read(striped(), ["en"])
    assert (program / "threads").read_text() == "1\n"
    assert "OMP_THREAD_LIMIT" not in os.environ


def test_latin_words_in_arabic_are_read_with_both_packs_where_one_is_in_doubt(program: Path) -> None:
    doubtful = TABLE.replace("F4", "٤آ")
    sure = TABLE.replace("70.0", "95.0").replace("油は", "X").replace("96.0", "97.0")
    write_program(
        program, reading=f"case \"$*\" in *ara+eng*) printf '{sure}\\n' ;; *) printf '{doubtful}\\n' ;; esac"
    )
    first, second = TesseractEngine().read(striped(), ["ar"])
    assert first.text.endswith("F4")
    assert second.text == "油は使わない"  # hardly surer the second time


def test_marks_of_direction_are_dropped(program: Path) -> None:
    write_program(program, reading=f"printf '{TABLE}\\n'".replace("F4", "F4\u200f"))
    assert TesseractEngine().read(striped(), ["en"])[0].text == '"Fuse F4'


def test_a_missing_pack_is_named(program: Path) -> None:
    with pytest.raises(WeightsUnavailableError, match=r"apt-get install tesseract-ocr-hin$"):
        TesseractEngine().read(striped(), ["en", "hi"])
    with pytest.raises(UnknownLanguageError):
        TesseractEngine().read(striped(), ["xx"])


@pytest.mark.parametrize("name", ["auto", "tesseract"])
def test_a_missing_program_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WeightsUnavailableError, match=r"apt-get install tesseract-ocr .*tesseract-ocr-ara"):
        load_ocr(name).read(striped(), ["ar"])


def test_a_program_that_fails_says_so(program: Path) -> None:
    write_program(program, reading="echo 'Error in pixReadMem' >&2; exit 1")
    with pytest.raises(UnreadableFileError, match=r"exit code 1\): Error in pixReadMem"):
        TesseractEngine().read(striped(), ["en"])


def test_a_missing_model_of_rapidocr_is_an_error_and_not_a_download(tmp_path: Path) -> None:
    from babelens.models.ocr_rapid import model_file

    with pytest.raises(WeightsUnavailableError, match="lacks its model 'det'"):
        model_file(tmp_path, "det")


class FakeRapid(RapidEngine):
    """Has read so much of a picture."""

    def __init__(self, lines: Sequence[OcrLine], read: float) -> None:
        super().__init__()
        self._answer = Examined(tuple(lines), read)

    def examine(self, image: Image.Image) -> Examined:
        return self._answer


ENGLISH = OcrLine("Close the valve", (0, 0, 100, 10), 0.99)


def test_auto_does_not_start_tesseract_for_what_rapidocr_reads(program: Path) -> None:
    auto = AutoEngine(FakeRapid([ENGLISH], 0.9))
    assert auto.read(striped()) == [ENGLISH]
    assert auto.read(striped(), ["ja", "ar"]) == [ENGLISH]
    assert AutoEngine(FakeRapid([ENGLISH], 0.1)).read(striped(), ["de"]) == [ENGLISH]
    assert not (program / "seen.bmp").exists()


def test_auto_keeps_the_first_reading_without_tesseract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert AutoEngine(FakeRapid([ENGLISH], 0.1)).read(striped()) == [ENGLISH]


def test_auto_tries_arabic_where_scripts_cannot_be_told_apart(program: Path) -> None:
    arabic = (
        f"printf '{TABLE}\\n'".replace('"Fuse', "المضخة").replace("F4", "الغطاء").replace("油は使わない", "x")
    )
    write_program(program, reading=arabic)
    for detection in ("exit 1", "printf 'Script: Arabic\\n'"):
        write_program(program, reading=arabic, detection=detection)
        assert AutoEngine(FakeRapid([], 0.0)).read(striped())[0].text == "المضخة الغطاء"
    write_program(program, reading=arabic, detection="printf 'Script: Latin\\n'")
    assert AutoEngine(FakeRapid([ENGLISH], 0.1)).read(striped()) == [ENGLISH]


def test_auto_does_not_believe_a_second_reading_in_another_script(program: Path) -> None:
    assert (
        AutoEngine(FakeRapid([], 0.0)).read(striped()) == []
    )  # the stand-in reads Latin letters, asked for Arabic
    assert (program / "seen.bmp").exists()


def test_real_scans(auto: AutoEngine, sample_data: Path) -> None:
    scans = sample_data / "scans"
    truth = (scans / "eurotext.txt").read_text(encoding="utf-8")
    with Image.open(scans / "eurotext.tif") as image:
        assert error_rate(text(auto.read(image)), truth) < 0.02
    with Image.open(scans / "phototest.tif") as image:
        assert (
            error_rate(text(auto.read(image)), (scans / "phototest.txt").read_text(encoding="utf-8")) < 0.02
        )


def assert_over_ink(image: Image.Image, line: OcrLine) -> None:
    """The box holds ink, and little paper around it."""
    from PIL import ImageOps

    x0, y0, x1, y1 = line.box
    assert 0 <= x0 < x1 <= image.width
    assert 0 <= y0 < y1 <= image.height
    ink = ImageOps.invert(image.convert("L").crop(line.box)).point(
        [0 if v < 128 else 255 for v in range(256)]
    )
    inner = ink.getbbox()
    assert inner is not None
    across, along = sorted((x1 - x0, y1 - y0))
    inked = sorted((inner[2] - inner[0], inner[3] - inner[1]))
    assert inked[1] > 0.85 * along
    assert inked[0] > 0.4 * across
