"""``score`` on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.test_cli import Home

pytest.importorskip("sacrebleu", reason="needs pip install 'babelens[eval]'")

PEOPLE = ("家の前に赤い車があります。", "二匹の犬が浜辺を走る。", "女の人が木の下で本を読む。")
MINE = ("家の前に青い車があります。", "犬が浜辺を走る。", "a woman reads a book under a tree")
ENGLISH = ("There is a red car in front of the house.", "Two dogs run.", "a woman reads a book under a tree")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.environment |= {"BABELENS_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    for name, lines in (("people", PEOPLE), ("mine", MINE), ("english", ENGLISH)):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return home


def test_score_files(home: Home) -> None:
    (found,) = home.lines("score", "files", "mine", "people", "--language", "ja", "--source", "english")
    assert set(found) == {
        *("language", "counts", "unreferenced", "n", "bleu", "chrf", "tokenizer", "bert", "notes"),
    }
    assert (found["counts"], found["n"], found["tokenizer"]) == ({"ok": 2, "fallback": 1}, 2, "ja-mecab")
    for figure in (found["bleu"], found["chrf"]):
        assert set(figure) == {"value", "low", "high", "signature"}
        assert 0 < figure["low"] <= figure["value"] <= figure["high"] < 100
    assert found["bert"] is None

    table = home.run("score", "files", "people", "people", "mine", "--language", "ja")
    header, row = table.stdout.splitlines()
    assert header.split() == ["status", "n", "BLEU", "over", "chrF"]
    assert "3 ok" in row
    assert row.count("100.0 (100.0–100.0)") == 2
    assert "nrefs:2" in table.stderr
    assert "tok:ja-mecab" in table.stderr

    nothing = home.run("score", "files", "english", "people", "--language", "ja")
    assert nothing.stdout.splitlines()[1].split() == ["3", "wrong-script", "0", "–", "–", "–"]
    one_line(home)
    (one,) = home.lines("score", "files", "one", "one", "--language", "en")
    assert (one["n"], one["bleu"]["low"], one["bleu"]["value"]) == (1, None, 100)


def one_line(home: Home) -> None:
    (home.folder / "one").write_text("two dogs run on the beach\n")


def test_score_files_that_do_not_fit(home: Home) -> None:
    one_line(home)
    assert "1 lines" in home.run("score", "files", "mine", "one", "--language", "ja", code=1).stderr
    assert "--language" in home.run("score", "files", "mine", "people", code=2).stderr
    assert "Klingon" in home.run("score", "files", "mine", "people", "--language", "Klingon", code=2).stderr
    absent = home.run("score", "files", "mine", "people", "--language", "ja", "--bert", "nowhere", code=1)
    assert "no encoder for BERTScore" in absent.stderr


def test_score_translations(home: Home, writers: Callable[..., Path]) -> None:
    photos = home.folder / "photos"
    photos.mkdir()
    for place in range(3):
        pixels = np.random.default_rng(place).integers(0, 255, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photos / f"{place}.png")
        (photos / f"{place}.en.txt").write_text(ENGLISH[place])
    home.run("index", "photos", "--model", "mini")
    assert "no translations" in home.run("score", "translations").stderr
    assert home.lines("score", "translations") == []

    translator = str(writers("m2m100"))
    home.run("translate", "--to", "es", "--model", translator)
    for place in range(2):
        (photos / f"{place}.es.txt").write_text("dos perros corren por la playa")
    home.run("index", "photos")
    (found,) = home.lines("score", "translations", "--back", translator)
    assert (found["model"], found["from"], found["to"]) == ("m2m100", "en", "es")
    assert sum(found["counts"].values()) == 3
    # What random weights write may or may not pass for Spanish.
    assert found["n"] + found["unreferenced"] == found["counts"].get("ok", 0)
    assert (found["bleu"] is None) == (found["n"] == 0)
    assert (found["back"] is None) == (found["unreferenced"] == 0)
    table = home.run("score", "translations")
    assert table.stdout.splitlines()[0].split()[:3] == ["model", "from", "to"]
