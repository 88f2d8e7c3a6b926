"""Printed words read into a collection: by an engine that knows colours, and by RapidOCR."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from babelens import Collection
from babelens.errors import FilterError, UnknownLanguageError, UnknownModelError
from babelens.types import Text
from tests.conftest import COLOURS, FakeEncoder, OtherEncoder
from tests.pdfs import Pdf
from tests.rendering import font
from tests.unit.describing.conftest import FakeCaptioner, FakeReader, FakeTranslator, named

SIGNS = {
    "red": ["Danger of death", "Do not open this door"],
    "green": ["非常口"],
    "blue": ["LX-200"],
}


def printed(collection: Collection, name: str) -> list[Text]:
    return [text for text in collection.texts(named(collection, name)) if text.origin == "ocr"]


def test_what_is_printed_becomes_a_text_with_its_origin(collection: Collection) -> None:
    report = collection.read_texts(engine=FakeReader(SIGNS))
    assert report.written == {
        "en": {"ok": 1},
        "ja": {"ok": 1},
        "und": {"ok": 1, "empty": len(COLOURS) - 3},
    }
    assert (report.unchanged, report.skipped, report.notes) == (0, (), ())
    red = named(collection, "red")
    assert printed(collection, "red") == [
        Text(red, "en", "Danger of death\nDo not open this door", "ocr", model="fake")
    ]
    (nothing,) = printed(collection, "black")
    assert (nothing.body, nothing.status, nothing.model) == ("", "empty", "fake")
    assert collection.verify().ok


def test_pictures_are_read_once_and_those_without_text_again_by_another_engine(
    collection: Collection,
) -> None:
    collection.read_texts(engine=FakeReader(SIGNS))
    again = FakeReader(SIGNS)
    report = collection.read_texts(engine=again)
    assert (report.written, report.unchanged, again.read_pictures) == ({}, len(COLOURS), 0)
    other = FakeReader({"black": ["مخرج الطوارئ"], "red": ["something else"]}, name="other")
    report = collection.read_texts(engine=other)
    assert (report.unchanged, other.read_pictures) == (3, len(COLOURS) - 3)
    assert [(text.body, text.language, text.model) for text in printed(collection, "black")] == [
        ("مخرج الطوارئ", "ar", "other")
    ]
    assert printed(collection, "red")[0].model == "fake"


def test_lines_of_little_confidence_are_left_out_and_counted(collection: Collection) -> None:
    engine = FakeReader(SIGNS, doubtful={"red": ["x!|", "]]"], "black": ["~~"]})
    report = collection.read_texts(engine=engine)
    assert report.notes == ("3 lines that OCR was not sure of were left out.",)
    assert printed(collection, "red")[0].body == "\n".join(SIGNS["red"])
    (black,) = printed(collection, "black")
    assert (black.status, black.reason) == ("empty", "OCR was not sure of any line")


def test_words_find_it_and_no_vectors_are_made(collection: Collection, encoder: FakeEncoder) -> None:
    before = encoder.texts_encoded
    collection.read_texts(engine=FakeReader(SIGNS))
    assert encoder.texts_encoded == before
    assert collection.info().indexes["text"].vectors == 0
    collection.reindex(OtherEncoder())
    assert collection.info().indexes["text"].vectors == 0
    for query, language, name in (
        ("death", None, "red"),
        ("open doors", "en", "red"),
        ("非常口", "ja", "green"),
        ("lx-200", "de", "blue"),  # in no language that is known
    ):
        hit = collection.search(query, mode="text", language=language).hits[0]
        assert Path(hit.item.source.path).stem == name
        assert [reason.text.origin for reason in hit.why if reason.text] == ["ocr"]
    assert collection.search("death", mode="text", language="de").hits == ()


def test_it_is_no_caption(collection: Collection, tmp_path: Path) -> None:
    collection.read_texts(engine=FakeReader(SIGNS))
    red = named(collection, "red")
    assert collection.captions(red, language="en") == []
    assert collection.translate("es", model=FakeTranslator()).written == {}
    assert collection.info().captions == {}
    assert collection.info().texts == {"en": 1, "ja": 1, "und": 1}
    collection.caption(model=FakeCaptioner(), where="name = 'red.png'")
    assert [caption.text.body for caption in collection.captions(red, language="en")] == ["a red square"]
    collection.export(tmp_path / "out")
    with (tmp_path / "out" / "captions.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0].keys() == {"id", "filename", "caption_en"}
    assert [row["caption_en"] for row in rows if row["caption_en"]] == ["a red square"]


def test_only_what_passes_the_filter_in_the_languages_asked_for(collection: Collection) -> None:
    engine = FakeReader(SIGNS)
    report = collection.read_texts(engine=engine, where="name = 'red.png'", languages=["German", "en"])
    assert report.written == {"en": {"ok": 1}}
    assert engine.languages == ("de", "en")
    with pytest.raises(FilterError):
        collection.read_texts(engine=engine, where="name =")
    with pytest.raises(UnknownLanguageError):
        collection.read_texts(engine=engine, languages=["klingon"])
    with pytest.raises(UnknownModelError):
        collection.read_texts(engine="crystal ball")


def test_a_picture_that_cannot_be_read_is_skipped_and_tried_again(
    collection: Collection, pictures: Path
) -> None:
    content = (pictures / "red.png").read_bytes()
    (pictures / "red.png").unlink()
    (pictures / "blue.png").write_bytes(b"no picture")
    report = collection.read_texts(engine=FakeReader(SIGNS))
    assert sorted(Path(skip.path).name for skip in report.skipped) == ["blue.png", "red.png"]
    assert printed(collection, "red") == []
    (pictures / "red.png").write_bytes(content)
    report = collection.read_texts(engine=FakeReader(SIGNS))
    assert (report.written, len(report.skipped)) == ({"en": {"ok": 1}}, 1)


def test_a_changed_picture_is_read_again_and_an_unchanged_one_is_not(
    collection: Collection, pictures: Path
) -> None:
    collection.read_texts(engine=FakeReader(SIGNS))
    Image.new("RGB", (9, 9), COLOURS["green"]).save(pictures / "red.png")
    collection.add(pictures)
    assert collection.texts(named(collection, "red")) == []
    assert len(printed(collection, "green")) == 1
    engine = FakeReader(SIGNS)
    collection.read_texts(engine=engine)
    assert engine.read_pictures == 1
    assert [text.body for text in printed(collection, "red")] == SIGNS["green"]


def many(folder: Path, number: int) -> None:
    for place in range(number):
        Image.new("RGB", (8 + place, 8), COLOURS["red"]).save(folder / f"many{place:02}.png")


def test_ctrl_c_keeps_what_is_written(collection: Collection, pictures: Path) -> None:
    many(pictures, 32)
    collection.add(pictures)
    with pytest.raises(KeyboardInterrupt):
        collection.read_texts(engine=FakeReader(SIGNS, limit=30))
    kept = sum(collection.info().text_status.values())
    assert 16 <= kept <= 30
    report = collection.read_texts(engine=FakeReader(SIGNS))
    assert report.unchanged == kept
    assert sum(collection.info().text_status.values()) == 32 + len(COLOURS)


def test_a_kill_loses_at_most_a_batch(tmp_path: Path, pictures: Path) -> None:
    many(pictures, 40)
    code = """
import os, sys
from babelens import Collection
from tests.conftest import FakeEncoder
from tests.unit.describing.conftest import FakeReader

class Killed(FakeReader):
    def read(self, image, languages=()):
        if self.read_pictures == 40:
            os._exit(9)
        return super().read(image, languages)

with Collection.open(sys.argv[1], model=FakeEncoder()) as collection:
    collection.add(sys.argv[2])
    collection.read_texts(engine=Killed({"red": ["Danger of death"]}))
"""
    root = Path(__file__).parents[3]
    folder = tmp_path / "killed"
    done = subprocess.run([sys.executable, "-c", code, str(folder), str(pictures)], cwd=root, check=False)
    assert done.returncode == 9
    with Collection.open(folder, model=FakeEncoder()) as collection:
        assert collection.verify().ok
        report = collection.read_texts(engine=FakeReader({"red": ["Danger of death"]}))
        assert 32 <= report.unchanged <= 40
        assert Counter(text.status for item in collection.items() for text in collection.texts(item.id)) == {
            "ok": 41,
            "empty": len(COLOURS) - 1,
        }
        assert collection.verify().ok


def make_manual(path: Path) -> Path:
    pdf = Pdf(title="Lamps")
    for number, name in enumerate(("red", "blue"), start=1):
        page = pdf.page().lines(72, 110, [f"The lamp of Figure {number} is for your house."] * 4)
        page.operators.append("q {} {} {} rg".format(*(value / 255 for value in COLOURS[name])))
        page.circle(300, 300 + 40 * number, 90)
        page.operators[-1] = page.operators[-1].removesuffix("S") + "f Q"
        page.text(200, 420 + 40 * number, f"Figure {number}: a lamp")
    return pdf.save(path)


def test_figures_are_read_where_they_stand_on_their_page(collection: Collection, tmp_path: Path) -> None:
    make_manual(tmp_path / "lamps.pdf")
    collection.add(tmp_path / "lamps.pdf")
    engine = FakeReader(SIGNS)
    collection.read_texts(engine=engine, where="kind = 'figure'")
    assert engine.read_pictures == 2
    for item, name in zip(collection.items(["figure"]), ("red", "blue"), strict=True):
        read = [text.body for text in collection.texts(item.id) if text.origin == "ocr"]
        assert read == ["\n".join(SIGNS[name])]
    assert collection.search("death", mode="text").hits[0].item.kind == "figure"


def test_figures_of_a_changed_document_are_skipped(collection: Collection, tmp_path: Path) -> None:
    manual = make_manual(tmp_path / "lamps.pdf")
    collection.add(manual)
    manual.write_bytes(manual.read_bytes() + b"\n% changed")
    report = collection.read_texts(engine=FakeReader(SIGNS), where="kind = 'figure'")
    assert [skip.reason for skip in report.skipped] == [
        "page 1: the file has changed since it was indexed",
        "page 2: the file has changed since it was indexed",
    ]


def test_an_apple_that_says_ipod(tmp_path: Path, encoder: FakeEncoder) -> None:
    """RapidOCR on a drawn picture: found by what is printed on it, though it shows something else."""
    image = Image.new("RGB", (500, 500), "white")
    pen = ImageDraw.Draw(image)
    pen.ellipse((60, 100, 440, 460), fill=(200, 30, 40))
    pen.rectangle((130, 250, 370, 330), fill="white")
    pen.text((250, 290), "iPod", "black", font("en", 60), anchor="mm")
    (tmp_path / "fruit").mkdir()
    image.save(tmp_path / "fruit" / "apple.png")
    Image.new("RGB", (300, 300), COLOURS["green"]).save(tmp_path / "fruit" / "pear.png")
    with Collection.open(tmp_path / "collection", model=encoder) as opened:
        opened.add(tmp_path / "fruit")
        report = opened.read_texts(engine="rapidocr")
        assert sum(counts.get("ok", 0) for counts in report.written.values()) == 1
        (hit,) = opened.search("ipod", mode="text").hits
        assert Path(hit.item.source.path).name == "apple.png"
        (reason,) = hit.why
        assert reason.text is not None
        assert (reason.ranking, reason.text.origin, reason.text.model) == ("words", "ocr", "rapidocr")
