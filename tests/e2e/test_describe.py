"""``caption`` and ``translate`` on the command line, with tiny models in local folders."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.test_cli import Home

Writers = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.environment |= {"BABELENS_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    photos = tmp_path / "photos"
    photos.mkdir()
    for place in range(5):
        pixels = np.random.default_rng(place).integers(0, 255, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photos / f"{place}.png")
    (photos / "0.en.txt").write_text("two dogs run on the beach")
    home.run("index", "photos", "--model", "mini")
    return home


def test_caption_and_translate(home: Home, writers: Writers) -> None:
    captioner, translator = str(writers("blip")), str(writers("m2m100"))
    (written,) = home.lines("caption", "--model", captioner)
    assert set(written) == {"written", "unchanged", "skipped", "notes", "seconds"}
    assert sum(written["written"]["en"].values()) == 5
    (again,) = home.lines("caption", "--model", captioner, "--languages", "en")
    assert (again["written"], again["unchanged"]) == ({}, 5)

    (translated,) = home.lines("translate", "--to", "Spanish,ja", "--model", translator)
    good = written["written"]["en"].get("ok", 0)
    assert set(translated["written"]) == {"es", "ja"}
    for counts in translated["written"].values():
        assert sum(counts.values()) in (good, good + 1)  # of picture 0 a person's caption is taken
    (info,) = home.lines("info")
    assert info["text_status"]["ok"] == sum(info["texts"].values())
    assert home.lines("verify")[0]["ok"]
    # What random weights write is no translation, and is said to be none.
    table = home.run("translate", "--to", "es,hi", "--model", translator)
    assert re.match(r"lang +\S+", table.stdout)
    assert "written" in table.stderr
    assert "were there" in table.stderr
    home.run("index", "photos")
    (kept,) = home.lines("info")
    assert kept["text_status"].keys() >= info["text_status"].keys()
    assert kept["texts"]["en"] == info["texts"]["en"]


def test_a_skipped_picture_is_reported(home: Home, writers: Writers) -> None:
    (home.folder / "photos" / "3.png").unlink()
    (report,) = home.lines("caption", "--model", str(writers("git")), code=3)
    assert [Path(skip["path"]).name for skip in report["skipped"]] == ["3.png"]


def test_what_cannot_be_done_is_said(home: Home, writers: Writers) -> None:
    marian = str(writers("marian"))
    done = home.run("translate", "--to", "fr", "--model", marian, code=2)
    assert "from English to French" in done.stderr
    done = home.run("translate", "--to", "en,klingon", code=2)
    assert "klingon" in done.stderr
    done = home.run("translate", "--to", ",", code=2)
    assert "one language" in done.stderr
    done = home.run("caption", "--model", marian, code=1)
    assert "family 'marian'" in done.stderr
    assert "git, blip" in done.stderr
    done = home.run("caption", "--model", "git-base-cocoa", code=1)
    assert "git-base-coco" in done.stderr
    done = home.run("caption", "-c", "nowhere", code=1)
    assert "no collection" in done.stderr
    done = home.run("caption", "--model", str(home.folder / "photos"), code=1)
    assert "config.json" in done.stderr


def test_ctrl_c_says_what_is_kept(home: Home, writers: Writers) -> None:
    photos = home.folder / "photos"
    for place in range(200):
        Image.new("RGB", (40 + place, 40), (place, 90, 200 - place)).save(photos / f"more{place}.png")
    home.run("index", "photos")
    process = home.start("caption", "--model", str(writers("git")))
    deadline = time.monotonic() + 60
    while "caption-model" not in home.lines("info")[0]["origins"] and time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"it ended by itself: {process.communicate()}")
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("this machine was too fast to be interrupted")
    assert process.returncode == 130, errors
    assert "kept" in errors
    assert home.lines("verify")[0]["ok"]
