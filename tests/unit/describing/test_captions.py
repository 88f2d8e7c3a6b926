from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from babelens import Collection
from babelens.errors import FilterError, UnknownModelError
from babelens.types import Text
from tests.conftest import COLOURS, FakeEncoder
from tests.unit.describing.conftest import FakeCaptioner, FakeTranslator, named


def test_every_picture_gets_a_caption_with_its_origin(collection: Collection) -> None:
    report = collection.caption(model=FakeCaptioner())
    assert (report.written, report.unchanged, report.skipped) == ({"en": {"ok": len(COLOURS)}}, 0, ())
    red = named(collection, "red")
    assert collection.texts(red) == [Text(red, "en", "a red square", "caption-model", model="colours")]
    assert collection.verify().ok


def test_captions_are_found_by_meaning_and_by_words(collection: Collection) -> None:
    collection.caption(model=FakeCaptioner())
    found = collection.search("red square", mode="text").hits[0]
    assert Path(found.item.source.path).stem == "red"
    captions = collection.captions(named(collection, "blue"), language="en", k=1)
    assert [caption.text.body for caption in captions] == ["a blue square"]


def test_a_second_run_does_nothing(collection: Collection, pictures: Path) -> None:
    collection.caption(model=FakeCaptioner())
    again = FakeCaptioner()
    report = collection.caption(model=again)
    assert (report.written, report.unchanged, again.batches) == ({}, len(COLOURS), [])
    Image.new("RGB", (16, 16), COLOURS["red"]).save(pictures / "new.png")
    collection.add(pictures)
    assert collection.caption(model=again).written == {"en": {"ok": 1}}


def test_human_captions_stay(collection: Collection, pictures: Path) -> None:
    (pictures / "red.txt").write_text("something red")
    collection.add(pictures, caption_language="en")
    collection.caption(model=FakeCaptioner())
    collection.caption(model=FakeCaptioner("other"))
    texts = [(text.body, text.origin, text.model) for text in collection.texts(named(collection, "red"))]
    assert texts == [
        ("something red", "human", None),
        ("a red square", "caption-model", "colours"),
        ("a red square", "caption-model", "other"),
    ]
    assert collection.caption(model=FakeCaptioner()).written == {}


def test_a_captioner_that_says_nothing(collection: Collection) -> None:
    captioner = FakeCaptioner(silent=["red", "blue"])
    report = collection.caption(model=captioner)
    assert report.written == {"en": {"ok": len(COLOURS) - 2, "empty": 2}}
    (text,) = collection.texts(named(collection, "red"))
    assert (text.status, text.reason) == ("empty", "the model said nothing")
    info = collection.info()
    assert info.texts == {"en": len(COLOURS) - 2}
    assert info.text_status == {"ok": len(COLOURS) - 2, "empty": 2}
    assert collection.caption(model=captioner).unchanged == len(COLOURS)  # it would say nothing again
    assert collection.verify().ok


def test_only_what_passes_the_filter(collection: Collection) -> None:
    report = collection.caption(model=FakeCaptioner(), where="name = 'red.png'")
    assert report.written == {"en": {"ok": 1}}
    with pytest.raises(FilterError):
        collection.caption(model=FakeCaptioner(), where="name =")


def test_a_picture_that_went_away_is_skipped(collection: Collection, pictures: Path) -> None:
    (pictures / "red.png").unlink()
    (pictures / "blue.png").write_bytes(b"no picture")
    report = collection.caption(model=FakeCaptioner())
    assert report.written == {"en": {"ok": len(COLOURS) - 2}}
    assert sorted(Path(skip.path).name for skip in report.skipped) == ["blue.png", "red.png"]


def many(folder: Path, number: int) -> None:
    for place in range(number):
        Image.new("RGB", (8 + place, 8), COLOURS["red"]).save(folder / f"many{place:02}.png")


def test_ctrl_c_keeps_what_is_written(collection: Collection, pictures: Path) -> None:
    many(pictures, 32)
    collection.add(pictures)
    with pytest.raises(KeyboardInterrupt):
        collection.caption(model=FakeCaptioner(limit=1))
    assert collection.info().texts == {"en": 16}
    rest = FakeCaptioner()
    report = collection.caption(model=rest)
    assert (report.unchanged, rest.batches) == (16, [16, 8])
    assert collection.info().texts == {"en": 32 + len(COLOURS)}


def test_a_kill_loses_at_most_a_batch(tmp_path: Path, pictures: Path) -> None:
    many(pictures, 40)
    code = """
import os, sys
from babelens import Collection
from tests.conftest import FakeEncoder
from tests.unit.describing.conftest import FakeCaptioner

class Killed(FakeCaptioner):
    def caption(self, images):
        if len(self.batches) == 2:
            os._exit(9)
        return super().caption(images)

with Collection.open(sys.argv[1], model=FakeEncoder()) as collection:
    collection.add(sys.argv[2])
    collection.caption(model=Killed())
"""
    root = Path(__file__).parents[3]
    folder = tmp_path / "killed"
    done = subprocess.run([sys.executable, "-c", code, str(folder), str(pictures)], cwd=root, check=False)
    assert done.returncode == 9
    with Collection.open(folder, model=FakeEncoder()) as collection:
        assert collection.verify().ok
        report = collection.caption(model=FakeCaptioner())
        assert (report.unchanged, report.written) == (32, {"en": {"ok": 40 + len(COLOURS) - 32}})
        assert collection.verify().ok


def test_indexing_again_keeps_captions_and_a_changed_picture_loses_them(
    collection: Collection, pictures: Path
) -> None:
    collection.caption(model=FakeCaptioner())
    collection.translate("es", model=FakeTranslator())
    before = collection.info().texts
    collection.add(pictures)
    assert collection.info().texts == before
    Image.new("RGB", (9, 9), COLOURS["green"]).save(pictures / "red.png")
    collection.add(pictures)
    assert collection.texts(named(collection, "red")) == []
    assert len(collection.texts(named(collection, "green"))) == 2
    assert collection.caption(model=FakeCaptioner()).written == {"en": {"ok": 1}}
    assert [text.body for text in collection.texts(named(collection, "red"))] == ["a green square"]
    assert collection.verify().ok


def test_an_unknown_model_is_an_error_only_when_it_is_needed(collection: Collection) -> None:
    with pytest.raises(UnknownModelError, match="no-such-model"):
        collection.caption(model="no-such-model")
