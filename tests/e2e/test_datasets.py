"""The ``dataset`` commands, from files as they are published to lines that other commands read."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.e2e.test_cli import CAPTIONS, Home, photos_in
from tests.hub import running_hub


@pytest.fixture
def home(tmp_path: Path) -> Home:
    photos_in(tmp_path)
    return Home(tmp_path)


def karpathy(folder: Path) -> None:
    parts = {"circle.png": "train", "square.png": "val", "plain.png": "test"}
    images = [
        {
            "filename": name,
            "filepath": "photos",
            "split": part,
            "sentences": [{"raw": f"a {name}"}, {"raw": " "}],
        }
        for name, part in parts.items()
    ]
    (folder / "dataset_mine.json").write_text(json.dumps({"images": images}))


def test_a_published_file_is_converted_checked_and_indexed(home: Home) -> None:
    karpathy(home.folder)
    convert = ["dataset", "convert", "dataset_mine.json", "--language", "en", "--license", "CC BY 4.0"]
    (report,) = home.lines(*convert, "--out", "clean")
    assert report["images"] == {"train": 1, "val": 1, "test": 1}
    assert (report["dropped"], report["reasons"]) == (3, {"empty-caption (en)": 3})
    card = (home.folder / "clean" / "README.md").read_text(encoding="utf-8")
    assert "CC BY 4.0" in card
    assert "babelens dataset convert dataset_mine.json --language en" in card
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=home.folder / "clean", capture_output=True)
    assert done.returncode == 0
    splits = [f"clean/{name}.jsonl" for name in ("train", "val", "test")]
    *findings, summary = home.lines("dataset", "check", *splits)
    assert {finding["kind"] for finding in findings} == {"unlisted"}  # the fourth photo is in no split
    assert summary["ok"] is True
    said = home.run(*convert, "--out", "again", "--split", "test")
    assert "test.jsonl  1 picture; captions: en 1" in said.stdout
    assert "1 × empty-caption (en)" in said.stderr
    home.run(*convert, "--out", "again", code=1)
    home.run("index", "photos", "--captions", "clean/train.jsonl", "--model", "mini")
    (hit, *_) = home.lines("search", "a circle.png", "--mode", "text")
    assert Path(hit["path"]).name == "circle.png"


def test_a_collection_is_a_data_set(home: Home) -> None:
    home.run("index", "photos", "--captions", "captions.jsonl", "--model", "mini", "-c", "shapes")
    (report,) = home.lines("dataset", "convert", "shapes", "--out", "out")
    languages = report["splits"]["shapes"]
    assert set(languages) == set(CAPTIONS["circle.png"])
    assert all(row["captions"] == row["pictures"] == 2 for row in languages.values())
    said = home.run("dataset", "check", "shapes", code=3).stdout  # two photos have no caption
    assert "uncaptioned 2" in said


def test_fetching_says_what_came(home: Home, tmp_path: Path) -> None:
    published = tmp_path / "published"
    published.mkdir()
    (published / "captions.csv").write_text("image,caption_en\na.jpg,a dog\n")
    with running_hub() as hub:
        hub.repositories["someone/pets"] = published
        home.environment |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")}
        done = home.run("dataset", "fetch", "hf:someone/pets")
        assert "captions.csv" in done.stdout
        assert "babelens dataset check" in done.stderr
        (report,) = home.lines("dataset", "fetch", "hf:someone/pets")
        assert report["files"] == 1
        assert "someone/none" in home.run("dataset", "fetch", "hf:someone/none", code=1).stderr
