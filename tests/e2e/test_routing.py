"""Routing from the command line, with two models of the catalogue published in miniature under their own names.

Their weights are random, so neither tower knows anything. A gain is planted in the pictures: their stored vectors are
put where one of the towers puts their captions.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx", reason="exporting a test model needs onnx: pip install 'babelens[torch]'")
pytest.importorskip("torch", reason="the checkpoints need torch: pip install 'babelens[torch]'")
pytest.importorskip("transformers", reason="the checkpoints need it: pip install 'babelens[torch]'")

from PIL import Image

from babelens.models.catalog import read_catalog
from tests.checkpoints.onnx_folders import write_transformersjs
from tests.hub import Hub, running_hub

N = 60
WORDS = ("red", "blue", "green", "dog", "cat", "house")
PICTURES, TEXTS = "Xenova/clip-vit-base-patch32", "sentence-transformers/clip-ViT-B-32-multilingual-v1"

# Puts each picture where a model's text tower puts its caption.
PLANT = """
import sys
from babelens.models.registry import load_encoder
from babelens.storage import Catalog

with Catalog.open(sys.argv[1]) as catalog:
    bodies = {item: texts[0].body for item, texts in catalog.texts_of([item.id for item in catalog.items()]).items()}
    vectors = load_encoder(sys.argv[2]).encode_texts(list(bodies.values()))
    catalog.put_vectors(1, "image", list(bodies), vectors, dtype="float32")
"""
# A collection that was opened before the route was set.
WATCH = """
import json, sys
from babelens import Collection

with Collection.open(sys.argv[1], create=False, read_only=True) as collection:
    for line in sys.stdin:
        result = collection.search(line.strip(), language="en", mode="vector", k=3)
        print(json.dumps([[hit.item.id, hit.score] for hit in result.hits]), flush=True)
"""
# What the model itself says of a text, and what stands in the catalog.
SCORES = """
import json, sys
from babelens.models.registry import load_encoder
from babelens.storage import Catalog

query = load_encoder(sys.argv[2]).encode_texts([sys.argv[3]])[0]
with Catalog.open(sys.argv[1], read_only=True) as catalog:
    vectors = catalog.vectors_of(1, [item.id for item in catalog.items()])
    print(json.dumps({item: float(query @ vector) for item, vector in vectors.items()}))
"""


@dataclass
class Place:
    """A machine with a cache of its own, and a hub."""

    home: Path
    hub: Hub
    collection: Path

    @property
    def environment(self) -> dict[str, str]:
        keep = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        folders = {
            "HOME": str(self.home),
            "HF_HOME": str(self.home / "hf"),
            "BABELENS_CACHE": str(self.home / "cache"),
        }
        return {**keep, **folders, "HF_ENDPOINT": self.hub.url, "LANG": "C.UTF-8"}

    def python(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self.said = done.stderr
        return done.stdout

    def babelens(self, *arguments: str) -> str:
        return self.python("-m", "babelens", *arguments, "-c", str(self.collection))

    def search(self, text: str, *arguments: str) -> list[dict[str, Any]]:
        out = self.babelens("search", text, "--mode", "vector", "--json", *arguments)
        return [json.loads(line) for line in out.splitlines()]

    def plant(self, model: str) -> None:
        self.python("-c", PLANT, str(self.collection), model)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, onnx_text_tower: Path) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("published") / "clip"
    write_transformersjs(folder, "clip")
    source = read_catalog()["clip-multilingual"].sources[0]
    with running_hub() as hub:
        hub.repositories = {PICTURES: folder, TEXTS: onnx_text_tower}
        hub.commits = {part.repo: part.revision for part in source.repositories}
        yield hub


@pytest.fixture
def place(tmp_path: Path, published: Hub) -> Place:
    place = Place(tmp_path / "home", published, tmp_path / "collection")
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(N):
        Image.new("RGB", (40, 40), (4 * number, 90, 255 - 4 * number)).save(folder / f"{number:02}.png")
        words = f"{WORDS[number % len(WORDS)]} {number * 37} at {number}"
        (folder / f"{number:02}.en.txt").write_text(words)
    place.babelens("index", str(folder), "--model", "clip-multilingual")
    return place


Watched = Callable[[str], list[list[Any]]]


@pytest.fixture
def watched(place: Place) -> Iterator[Watched]:
    """Searches in a process that has had the collection open since before the test."""
    command = [sys.executable, "-W", "ignore", "-c", WATCH, str(place.collection)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=place.environment, **pipes) as watcher:

        def ask(text: str) -> list[list[Any]]:
            watcher.stdin.write(f"{text}\n")
            watcher.stdin.flush()
            rows: list[list[Any]] = json.loads(watcher.stdout.readline())
            return rows

        yield ask


def test_from_a_measured_gain_to_routed_searches_and_back(place: Place, watched: Watched) -> None:
    place.plant("clip-b32")
    text = "green 74 at 2"
    own = json.loads(place.python("-c", SCORES, str(place.collection), "clip-multilingual", text))
    theirs = json.loads(place.python("-c", SCORES, str(place.collection), "clip-b32", text))
    unrouted = watched(text)
    assert all(score == pytest.approx(own[item], abs=1e-5) for item, score in unrouted)

    report = json.loads(place.babelens("tune", "routing", "--json"))
    (trial,) = report["trials"]
    assert (trial["language"], trial["model"], trial["trial"]["earned"]) == ("en", "clip-b32", True)
    assert trial["trial"]["after"]["hit_rate@1"]["value"] > 0.9
    assert trial["trial"]["before"]["hit_rate@1"]["value"] < 0.3
    assert [route["model"] for route in report["routes"]] == ["clip-b32"]
    assert "en through clip-b32" in place.babelens("info")

    routed = watched(text)
    assert routed[0][0] == max(theirs, key=theirs.__getitem__)
    assert all(score == pytest.approx(theirs[item], abs=1e-5) for item, score in routed)
    hits = place.search(text, "--lang", "en", "-k", "3")
    assert "clip-b32" in place.said
    assert [[hit["id"], hit["score"]] for hit in hits] == [
        [item, pytest.approx(score)] for item, score in routed
    ]
    assert [hit["id"] for hit in place.search(text, "-k", "3")] == [item for item, _ in unrouted]

    (weights,) = (place.home / "hf").glob("**/snapshots/*/onnx/text_model.onnx")
    weights.unlink()
    place.hub.requests.clear()
    hits = place.search(text, "--lang", "en", "-k", "3")
    assert "Fallback" in place.said
    assert "babelens models pull clip-b32" in place.said
    assert [hit["id"] for hit in hits] == [item for item, _ in unrouted]
    assert place.hub.requests == [], "a search fetches nothing"

    assert "clip-b32" in place.babelens("tune", "routing", "--off")
    assert [item for item, _ in watched(text)] == [item for item, _ in unrouted]
    place.search(text, "--lang", "en")
    assert "Fallback" not in place.said


def test_where_the_own_tower_is_better_nothing_is_set(place: Place) -> None:
    place.plant("clip-multilingual")
    out = place.babelens("tune", "routing")
    assert "not better" in out
    assert f"{N} captions of {N} pictures" in out
    assert "routing" not in place.babelens("info")
