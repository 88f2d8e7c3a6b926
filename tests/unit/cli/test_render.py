from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from rich.cells import cell_len

from babelens.cli import render
from babelens.cli.render import Column

FSI, PDI = "\u2068", "\u2069"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\t here ", "two lines here"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf\\xe9.jpg"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("photo\u202egpj.exe", "photo\\u202egpj.exe"),
        ("हिन्दी 日本語 العَرَبِيَّة", "हिन्दी 日本語 العَرَبِيَّة"),
    ],
)
def test_printable_leaves_nothing_that_a_terminal_acts_on(raw: str, shown: str) -> None:
    assert render.printable(raw) == shown
    render.printable(raw).encode("utf-8")


def test_printable_can_keep_the_spaces_that_a_caret_needs() -> None:
    assert render.printable("    ^", spaces=True) == "    ^"


def test_right_to_left_text_is_isolated_and_other_text_is_not() -> None:
    assert render.isolate("كلب 12") == f"{FSI}كلب 12{PDI}"
    assert render.isolate("dog") == "dog"


def test_columns_line_up_in_every_script() -> None:
    words = ["dog", "कुत्ता", "イヌと猫", "كَلْب", "chien", os.fsdecode(b"\xff")]
    rows = [[str(n), word, "|"] for n, word in enumerate(words)]
    lines = list(render.table([Column("#", "right"), Column("text"), Column("end")], rows))
    ends = {cell_len(line[: line.index("|")]) for line in lines[1:]}
    assert len(lines) == 7
    assert len(ends) == 1


def test_right_aligned_numbers_end_in_one_place() -> None:
    lines = list(render.table([Column("n", "right"), Column("x")], [["9", "a"], ["10", "b"]]))
    assert lines == [" n  x", " 9  a", "10  b"]


def test_a_narrow_terminal_crops_only_what_may_be_cropped() -> None:
    columns = [Column("id"), Column("text", crop="end"), Column("path", crop="start")]
    rows = [["0123456789abcdef", "a long caption about a dog on a beach", "/very/long/path/to/photo.jpg"]]
    (_, line) = render.table(columns, rows, width=60)
    assert cell_len(line) <= 60
    assert line.startswith("0123456789abcdef  a long")
    assert line.endswith("photo.jpg")
    assert line.count("…") == 2


def test_cropping_splits_no_wide_character_and_orphans_no_mark() -> None:
    columns = [Column("a", crop="end"), Column("b", crop="start")]
    for width in range(26, 60):
        lines = list(
            render.table(columns, [["日本語の写真を探すための文", "कुत्ता कुत्ता कुत्ता कुत्ता"]], width=width)
        )
        assert cell_len(lines[1]) <= width
        assert "\u2026\u0941" not in lines[1]


def test_without_a_width_nothing_is_cropped() -> None:
    (_, line) = render.table([Column("text", crop="end")], [["x" * 500]])
    assert line == "x" * 500


def test_json_keeps_names_that_are_not_utf8(capfd: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode(b"/photos/caf\xe9 \xe6\x97\xa5.jpg")
    render.print_json({"path": name, "folder": Path("x"), "text": "日本"})
    line = capfd.readouterr().out
    assert json.loads(line) == {"path": name, "folder": "x", "text": "日本"}
    assert line.count("\n") == 1
    assert "日本" in line


def test_json_refuses_what_has_no_json_form() -> None:
    with pytest.raises(TypeError, match="set has no JSON form"):
        render.print_json({"x": {1}})


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0 B"), (999, "999 B"), (1234, "1.2 kB"), (25_400_000, "25 MB"), (3e12, "3.0 TB")],
)
def test_sizes(number: int, shown: str) -> None:
    assert render.size(number) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.04, "0.0 s"), (9.96, "10.0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert render.duration(seconds) == shown


def test_counts() -> None:
    assert [render.count(n, "picture") for n in (0, 1, 12000)] == [
        "0 pictures",
        "1 picture",
        "12,000 pictures",
    ]


def test_paths_below_the_working_directory_are_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert render.shown_path(str(tmp_path / "a" / "b.jpg")) == "a/b.jpg"
    assert render.shown_path("/elsewhere/b.jpg") == "/elsewhere/b.jpg"
