"""Captioners and translators from a hub: fetched once, found again when there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.test_cli import Home
from tests.hub import Hub, running_hub

Writers = Callable[..., Path]


@pytest.fixture
def hub(writers: Writers) -> Iterator[Hub]:
    with running_hub() as server:
        server.repositories["microsoft/git-base-coco"] = writers("git")
        server.repositories["Helsinki-NLP/opus-mt-en-de"] = writers("marian")
        yield server


@pytest.fixture
def home(tmp_path: Path, hub: Hub) -> Home:
    home = Home(tmp_path)
    home.environment |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")}
    home.environment |= {"BABELENS_CACHE": str(tmp_path / "cache")}
    photos = tmp_path / "photos"
    photos.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (40, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(photos / "a.png")
    (photos / "a.en.txt").write_text("two dogs run on the beach")
    home.run("index", "photos", "--model", "mini")
    return home


def test_the_default_models_are_fetched_once(home: Home, hub: Hub) -> None:
    (captioned,) = home.lines("caption", "--languages", "en,de")
    assert sum(captioned["written"]["en"].values()) == 1
    assert sum(captioned["written"]["de"].values()) == 1
    fetched = hub.fetched()
    assert fetched.count("model.safetensors") == 2
    assert {"source.spm", "target.spm", "preprocessor_config.json"} <= set(fetched)
    hub.requests.clear()
    Image.new("RGB", (40, 40), "red").save(home.folder / "photos" / "b.png")
    (home.folder / "photos" / "b.en.txt").write_text("three birds")
    home.run("index", "photos", env={"HF_HUB_OFFLINE": "1"})
    (again,) = home.lines("caption", "--languages", "en,de")
    assert again["unchanged"] == 2
    assert not hub.requests


def test_without_a_hub_the_message_says_so(home: Home, hub: Hub) -> None:
    hub.broken = True
    done = home.run("translate", "--to", "de", code=1)
    assert "Helsinki-NLP/opus-mt-en-de" in done.stderr
