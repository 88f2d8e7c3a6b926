"""``babelens tune hubness`` as a user meets it: real processes, on collections with and without planted hubs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.test_cli import Home, photos_in
from tests.hubs import PICTURES, plant


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_hub_is_found_corrected_and_given_back(home: Home) -> None:
    plant(home.folder / "c")
    done = home.run("tune", "hubness", "-c", "./c")
    assert "most frequent first result before: /pictures/hub" in done.stdout
    rows = {
        line.split()[0]: line
        for line in done.stdout.splitlines()
        if line.endswith(("turned on", "not better"))
    }
    assert rows.keys() == {"en", "de", "not"}
    assert rows["en"].endswith("turned on")
    assert rows["de"].endswith("not better")
    info = home.run("info", "-c", "./c").stdout
    assert "on for queries in:" in info
    assert "en: +" in info
    assert "de:" not in info
    (facts,) = home.lines("info", "-c", "./c")
    (report,) = home.lines("tune", "hubness", "-c", "./c")
    assert report["on"] is True
    assert report["correction"]["languages"] == ["en", "und"]
    assert facts["hubness"]["gains"] == report["correction"]["gains"]
    assert report["before"]["alarm"] is not None
    gain = report["correction"]["gains"][1]
    assert (gain["language"], gain["n"]) == ("en", PICTURES // 2)
    assert gain["gain_1"]["low"] > 0.5
    assert home.lines("tune", "hubness", "-c", "./c", "--off") == [
        {"collection": report["collection"], "was_on": True}
    ]
    assert home.run("tune", "hubness", "-c", "./c", "--off").stdout == "It was not on.\n"
    assert home.lines("info", "-c", "./c")[0]["hubness"] is None
    assert home.lines("verify", "-c", "./c")[0]["ok"] is True


def test_where_there_is_none_everything_stays_as_it_is(home: Home) -> None:
    plant(home.folder / "c", hubs=0)
    (report,) = home.lines(
        "tune", "hubness", "-c", "./c", "--languages", "German,en", "--seed", "7", "--bank", "60"
    )
    assert report["on"] is False
    assert (report["correction"]["seed"], report["correction"]["bank"]) == (7, 60)
    assert [gain["language"] for gain in report["correction"]["gains"]] == ["de", "en"]
    assert report["before"]["alarm"] is None
    assert "turned on" not in home.run("tune", "hubness", "-c", "./c").stdout
    assert "hubness" not in home.run("info", "-c", "./c").stdout


def test_what_cannot_be_measured_is_said_in_a_sentence(home: Home) -> None:
    photos_in(home.folder)
    home.run("index", "photos", "--captions", "captions.jsonl")
    done = home.run("tune", "hubness", code=1)
    assert "at least 50 in a language" in done.stderr
    assert "2 in en" in done.stderr
    assert done.stdout == ""
    assert "--bank" in home.run("tune", "hubness", "--bank", "3", code=2).stderr
    assert "klingon" in home.run("tune", "hubness", "--languages", "klingon", code=2).stderr


def test_a_pictures_captions_read_from_a_file_are_enough(home: Home) -> None:
    """With the bundled encoder, from files to a verdict. Plain colours: whatever it is, it is said with an interval."""
    from PIL import Image

    folder = home.folder / "many"
    folder.mkdir()
    lines = []
    for number in range(60):
        colour = (number * 37 % 256, number * 91 % 256, number * 53 % 256)
        Image.new("RGB", (24, 24), colour).save(folder / f"{number}.png")
        lines.append(
            json.dumps({"image": f"many/{number}.png", "captions": [f"colour {number}"], "language": "en"})
        )
    (home.folder / "captions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    home.run("index", "many", "--captions", "captions.jsonl")
    (report,) = home.lines("tune", "hubness")
    (en, und) = report["correction"]["gains"]
    assert (en["n"], und["n"], report["searched"]) == (30, 30, 60)
    assert en["gain_1"]["low"] <= en["gain_1"]["value"] <= en["gain_1"]["high"]
