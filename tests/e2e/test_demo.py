"""The demo from start to end, through the real collection: part of the gallery with a fake, all of it with `mini`."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from babelens.demo import run
from babelens.demo.bundled import Gallery, load_gallery
from babelens.errors import BabelensError
from babelens.languages import LANGUAGES

PART = 30


@pytest.fixture
def part(tmp_path: Path) -> Gallery:
    """Some pictures of the bundled gallery, and two absent things."""
    whole = load_gallery()
    chosen = [p for p in whole.pictures if len(p.things) == 2][:20]
    things = {thing for picture in chosen for thing in picture.things}
    chosen += [p for p in whole.pictures if len(p.things) == 1 and p.things <= things][: PART - len(chosen)]
    folder = tmp_path / "part"
    (folder / "pictures").mkdir(parents=True)
    lines = []
    for picture in chosen:
        shutil.copy(picture.path, folder / "pictures")
        for language, caption in picture.captions.items():
            row = {"image": f"pictures/{picture.path.name}", "captions": [caption], "language": language}
            lines.append(json.dumps(row))
    (folder / "captions.jsonl").write_text("\n".join(lines), "utf-8")
    about = {
        "pictures": {f"pictures/{p.path.name}": sorted(p.things) for p in chosen},
        "things": {thing: whole.things[thing] for thing in things},
        "absent": {name: whole.absent[name] for name in list(whole.absent)[:2]},
    }
    (folder / "gallery.json").write_text(json.dumps(about), "utf-8")
    assert len(chosen) == PART
    return load_gallery(folder)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, a home and a place for temporary files that start empty."""
    for name in ("work", "home", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path


def test_json_ends_with_the_summary(
    part: Gallery, encoder: Any, capsys: pytest.CaptureFixture[str], elsewhere: Path
) -> None:
    run(json=True, model=encoder, gallery=part)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    summary = lines[-1]["summary"]
    for task in ("text_to_image", "image_to_text"):
        assert list(summary[task]) == list(LANGUAGES)
        for row in summary[task].values():
            assert row["n"] == PART
            assert 0 <= row["hit_rate@1"] <= row["hit_rate@5"] <= 1
            assert row["chance@5"] > row["chance@1"] > 0
    assert summary["image_to_image"]["n"] == PART
    by_things = summary["text_to_image_by_things"]
    assert {size: row["n"] for size, row in by_things.items()} == {
        "1": (PART - 20) * len(LANGUAGES),
        "2": 20 * len(LANGUAGES),
    }
    assert summary["no_match"]["n"] == 2 * len(LANGUAGES)
    assert summary["seconds"] > 0
    assert Path(summary["contact_sheet"]).is_file()
    tasks = {line["task"] for line in lines[:-1]}
    assert tasks == {
        "text_to_image", "image_to_text", "image_to_image", "combined_plus", "combined_minus", "no_match",
    }  # fmt: skip


def test_nothing_stays_but_the_sheet(part: Gallery, encoder: Any, elsewhere: Path) -> None:
    report = run(model=encoder, gallery=part, console=Console(file=io.StringIO()))
    assert report.collection is None
    assert report.contact_sheet == elsewhere / "work" / "babelens-demo" / "contact-sheet.html"
    assert [path.name for path in report.contact_sheet.parent.iterdir()] == ["contact-sheet.html"]
    assert not list((elsewhere / "home").iterdir())
    assert not list((elsewhere / "temporary").iterdir())


def test_captions_are_not_read_for_the_rates(part: Gallery, encoder: Any, elsewhere: Path) -> None:
    """The fake knows colours only, so it must find hardly more than chance, the second time too."""
    out = elsewhere / "out"
    first = run(model=encoder, gallery=part, out=out, console=Console(file=io.StringIO()))
    second = run(model=encoder, gallery=part, out=out, console=Console(file=io.StringIO()))
    assert first.collection
    assert (first.collection / "catalog.db").is_file()
    for language in LANGUAGES:
        assert first.text_to_image[language][1].value < 0.3
        assert second.text_to_image[language] == first.text_to_image[language]


def test_the_tables_name_all_languages_and_the_sheet(part: Gallery, encoder: Any) -> None:
    screen = io.StringIO()
    report = run(model=encoder, gallery=part, console=Console(file=screen, width=150))
    shown = screen.getvalue()
    assert str(report.contact_sheet) in shown.replace("\n", "")
    for language in LANGUAGES:
        assert shown.count(f" {language} ") >= 4
    assert "chance" in shown


def test_a_collection_with_other_pictures_is_left_alone(
    part: Gallery, encoder: Any, pictures: Path, elsewhere: Path
) -> None:
    from babelens.collection import Collection

    with Collection.open(elsewhere / "out" / "collection", model=encoder) as collection:
        collection.add([pictures])
        before = len(collection)
    with pytest.raises(BabelensError, match="other pictures"):
        run(model=encoder, gallery=part, out=elsewhere / "out")
    with Collection.open(elsewhere / "out" / "collection", model=encoder) as collection:
        assert len(collection) == before


def test_a_place_that_cannot_be_written(part: Gallery, encoder: Any, elsewhere: Path) -> None:
    (elsewhere / "file").write_text("")
    with pytest.raises(BabelensError, match="--out"):
        run(model=encoder, gallery=part, out=elsewhere / "file" / "out")


def test_mini_finds_the_right_pictures_in_every_language(elsewhere: Path) -> None:
    """The command itself, on everything. Floors are well below what is measured and far above chance."""
    done = subprocess.run(
        [sys.executable, "-m", "babelens", "demo", "--json"],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])["summary"]
    assert summary["encoder"] == "mini"
    assert summary["seconds"] < 120
    for task in ("text_to_image", "image_to_text"):
        for language, row in summary[task].items():
            assert row["n"] == 360
            assert row["chance@5"] < 0.03
            assert row["hit_rate@1"] > 0.15, (task, language, row)
            assert row["hit_rate@5"] > 0.3, (task, language, row)
    assert summary["no_match"]["separation"] > 0.6
    assert not list((elsewhere / "home").iterdir())
