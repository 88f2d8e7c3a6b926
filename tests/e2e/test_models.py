"""Models from a hub, as a user meets them: real processes, an empty home, a hub that a local server plays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from tests.e2e.test_cli import Home, photos_in
from tests.hub import COMMIT, Hub, running_hub

REPO = "someone/small-encoder"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """Publishes the bundled encoder under another name."""
    folder = tmp_path / "published"
    shutil.copytree(Path(str(resources.files("babelens.models"))) / "mini", folder)
    about = json.loads((folder / "encoder.json").read_text())
    (folder / "encoder.json").write_text(json.dumps({**about, "name": "small"}))
    with running_hub() as server:
        server.repositories[REPO] = folder
        yield server


@pytest.fixture
def home(tmp_path: Path, hub: Hub) -> Home:
    home = Home(tmp_path / "home")
    home.folder.mkdir()
    home.environment |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(home.folder / "hf")}
    return home


def test_a_repository_is_pulled_once_and_used_without_the_hub(home: Home, hub: Hub) -> None:
    (pulled,) = home.lines("models", "pull", REPO)
    assert Path(pulled["folders"][0], "image.onnx").is_file()
    assert sorted(hub.fetched()) == ["encoder.json", "image.onnx", "text.onnx", "vocabulary.npy"]
    hub.requests.clear()
    photos_in(home.folder)
    home.run("index", "photos", "--model", REPO)
    hits = home.lines("search", "red balloon")
    assert hits
    (info,) = home.lines("info")
    assert info["encoder"]["name"] == "small"
    assert hub.requests == []


def test_index_fetches_the_model_it_needs(home: Home, hub: Hub) -> None:
    photos_in(home.folder)
    home.run("index", "photos", "--model", REPO)
    assert hub.fetched()
    assert home.lines("search", "red balloon")


def test_a_repository_of_which_only_one_tower_is_here_is_fetched(
    home: Home, hub: Hub, tmp_path: Path
) -> None:
    published = tmp_path / "towers"
    (published / "onnx").mkdir(parents=True)
    pictures = {"size": 8, "crop_size": 8, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (published / "config.json").write_text(json.dumps({"model_type": "clip", "projection_dim": 4}))
    (published / "preprocessor_config.json").write_text(json.dumps(pictures))
    (published / "onnx" / "vision_model.onnx").write_bytes(b"pictures")
    repository = home.folder / "hf" / "hub" / "models--someone--towers"
    shutil.copytree(published, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    (published / "onnx" / "text_model.onnx").write_bytes(b"texts")
    hub.repositories["someone/towers"] = published
    home.run("models", "pull", "someone/towers")
    assert "text_model.onnx" in hub.fetched()


def test_without_the_hub_the_message_says_what_works(home: Home, hub: Hub) -> None:
    photos_in(home.folder)
    failed = home.run(
        "index", "photos", "--model", "clip-b32", code=1, env={"HF_ENDPOINT": "http://127.0.0.1:9"}
    )
    assert "not on this machine" in failed.stderr
    assert "--model mini" in failed.stderr
    offline = home.run("models", "pull", "clip-b32", code=1, env={"HF_HUB_OFFLINE": "1"})
    assert "offline mode is set" in offline.stderr


def test_an_unknown_name_suggests_a_near_one(home: Home) -> None:
    assert "clip-b32" in home.run("models", "pull", "clip-b23", code=1).stderr


def test_a_folder_that_is_not_there_is_not_looked_for_on_the_hub(home: Home, hub: Hub) -> None:
    assert "no model named './mine'" in home.run("models", "pull", "./mine", code=1).stderr
    assert hub.requests == []


def test_check_says_whether_a_model_is_sound(home: Home, hub: Hub) -> None:
    (mini,) = home.lines("models", "check", "mini")
    assert mini["ok"]
    assert mini["golden"]
    (small,) = home.lines("models", "check", REPO)
    assert small["ok"]
    assert not small["golden"]
    folder = hub.repositories[REPO]
    shutil.copy(folder / "image.onnx", folder / "text.onnx")
    broken = home.run("models", "check", str(folder), code=1)
    assert "text.onnx" in broken.stderr
