from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from babelens.cli import app
from tests.rendering import page


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str, str]:
    page(["Fuse F4 protects the pump."]).save(tmp_path / "page.png")
    Image.new("RGB", (300, 200), "white").save(tmp_path / "blank.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    return (str(tmp_path / "page.png"), str(tmp_path / "blank.png"), str(tmp_path / "broken.png"))


def test_lines_are_printed(files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["ocr", files[0], "--engine", "rapidocr"]) == app.OK
    captured = capsys.readouterr()
    assert captured.out == "Fuse F4 protects the pump.\n"
    assert captured.err == ""


def test_a_bad_file_is_skipped_and_the_others_are_read(
    files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["ocr", files[2], *files[:2], "--languages", "en,de"]) == app.INCOMPLETE
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [files[0], "Fuse F4 protects the pump.", files[1]]
    assert "broken.png: " in captured.err
    assert "blank.png: no text found" in captured.err


def test_json_has_one_object_per_picture(
    files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["ocr", "--json", *files]) == app.INCOMPLETE
    read, blank, broken = map(json.loads, capsys.readouterr().out.splitlines())
    (line,) = read["lines"]
    assert line["text"] == "Fuse F4 protects the pump."
    assert line["usable"] is True
    x0, y0, x1, y1 = line["box"]
    assert 0 <= x0 < x1 <= 1000
    assert 0 <= y0 < y1 <= 200
    assert (blank["lines"], blank["reason"]) == ([], None)
    assert broken["lines"] == []
    assert broken["reason"]


def test_an_unknown_engine_is_a_usage_error(files: tuple[str, str, str]) -> None:
    assert app.run(["ocr", files[0], "--engine", "eyes"]) == app.USAGE
