"""Fetching from a hub that a local server plays."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from babelens.errors import WeightsUnavailableError
from babelens.models import hub as client
from tests.hub import COMMIT, Hub, running_hub

FILES = ["config.json", "onnx/model.onnx"]
REPO = "someone/towers"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    folder = tmp_path / "published"
    (folder / "onnx").mkdir(parents=True)
    (folder / "config.json").write_text('{"a": 1}')
    (folder / "onnx" / "model.onnx").write_bytes(os.urandom(3_000_000))
    with running_hub() as server:
        server.repositories[REPO] = folder
        yield server


def fetch(hub: Hub, tmp_path: Path, files: list[str] = FILES, **more: object) -> Path:
    return client.fetch(REPO, files=files, endpoint=hub.url, cache_dir=tmp_path / "cache", **more)  # type: ignore[arg-type]


def test_files_arrive_once_and_are_found_without_asking(hub: Hub, tmp_path: Path) -> None:
    assert client.cached(REPO, files=FILES, cache_dir=tmp_path / "cache") is None
    heard: list[tuple[int, int | None]] = []
    folder = fetch(hub, tmp_path, progress=lambda done, total=None, note="": heard.append((done, total)))
    for name in FILES:
        assert (folder / name).read_bytes() == (hub.repositories[REPO] / name).read_bytes()
    assert heard[-1] == (3_000_008, 3_000_008)
    asked = len(hub.requests)
    assert fetch(hub, tmp_path) == folder
    assert client.cached(REPO, files=FILES, cache_dir=tmp_path / "cache") == folder
    assert len(hub.requests) == asked


def test_a_pinned_revision_is_the_one_that_is_asked_for(hub: Hub, tmp_path: Path) -> None:
    fetch(hub, tmp_path, revision=COMMIT)
    assert all(f"/resolve/{COMMIT}/" in line for line in hub.requests)
    with pytest.raises(WeightsUnavailableError, match="no revision"):
        fetch(hub, tmp_path, revision="f" * 40)


def test_files_that_only_some_repositories_have(hub: Hub, tmp_path: Path) -> None:
    folder = fetch(hub, tmp_path, ["config.json", "vocab.txt?"])
    assert (folder / "config.json").is_file()
    with pytest.raises(WeightsUnavailableError, match=r"lacks a file.*vocab\.txt"):
        fetch(hub, tmp_path, ["config.json", "vocab.txt"])


def test_a_file_that_may_be_missing_is_missed_once(hub: Hub, tmp_path: Path) -> None:
    folder = fetch(hub, tmp_path, ["config.json", "vocab.txt?"])
    asked = len(hub.requests)
    assert fetch(hub, tmp_path, ["config.json", "vocab.txt?"]) == folder
    assert len(hub.requests) == asked


def test_the_first_of_several_names_that_there_is(hub: Hub, tmp_path: Path) -> None:
    wanted = ["model.safetensors|pytorch_model.bin|weights.bin"]
    published = hub.repositories[REPO]
    (published / "pytorch_model.bin").write_bytes(b"p" * 50)
    (published / "weights.bin").write_bytes(b"w" * 50)
    folder = fetch(hub, tmp_path, wanted)
    assert [path.name for path in folder.iterdir()] == ["pytorch_model.bin"]
    (published / "model.safetensors").write_bytes(b"m" * 50)  # too late: what is here will do
    asked = len(hub.requests)
    assert fetch(hub, tmp_path, wanted) == folder
    assert len(hub.requests) == asked
    with pytest.raises(WeightsUnavailableError, match=r"lacks a file.*b\.txt"):
        fetch(hub, tmp_path, ["a.txt|b.txt"])


def test_a_token_is_shown_to_the_hub_alone(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.elsewhere = True
    folder = fetch(hub, tmp_path)
    assert (folder / "onnx" / "model.onnx").stat().st_size == 3_000_000
    assert any("/elsewhere/" in line for line in hub.requests)


def test_what_arrived_of_a_file_is_of_no_use_when_it_is_too_long(hub: Hub, tmp_path: Path) -> None:
    config = hub.repositories[REPO] / "config.json"
    store = tmp_path / "cache" / "models--someone--towers" / "blobs"
    store.mkdir(parents=True)
    (store / f"{hashlib.sha256(config.read_bytes()).hexdigest()}.partial").write_bytes(b"x" * 100)
    assert (fetch(hub, tmp_path) / "config.json").read_bytes() == config.read_bytes()


def test_an_interrupted_download_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    large = hub.repositories[REPO] / "onnx" / "model.onnx"
    large.write_bytes(os.urandom(30_000_000))  # the library keeps what arrived in pieces of ten megabytes
    hub.stop_after = 25_000_000
    with pytest.raises(WeightsUnavailableError, match="could not be fetched"):
        fetch(hub, tmp_path)
    hub.stop_after, hub.broken = None, False
    hub.ranges.clear()
    folder = fetch(hub, tmp_path)
    assert (folder / "onnx" / "model.onnx").read_bytes() == large.read_bytes()
    assert int(hub.ranges[0].removeprefix("bytes=").split("-")[0]) >= 10_000_000


def test_a_file_with_another_hash_is_refused_and_removed(hub: Hub, tmp_path: Path) -> None:
    hub.wrong_hash.add("model.onnx")
    with pytest.raises(WeightsUnavailableError, match=r"model\.onnx of someone/towers arrived damaged"):
        fetch(hub, tmp_path)
    assert client.cached(REPO, files=FILES, cache_dir=tmp_path / "cache") is None
    hub.wrong_hash.clear()
    fetch(hub, tmp_path)


def test_a_repository_that_is_not_there(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailableError, match="There is no repository nobody/nothing"):
        client.fetch("nobody/nothing", files=FILES, endpoint=hub.url, cache_dir=tmp_path / "cache")


def test_a_gated_repository_says_how_to_get_in(hub: Hub, tmp_path: Path) -> None:
    hub.gated.add(REPO)
    with pytest.raises(WeightsUnavailableError, match="accepted its terms") as caught:
        fetch(hub, tmp_path)
    assert "HF_TOKEN" in (caught.value.hint or "")


def test_no_hub_at_all_says_what_works(tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound, never listening: connections are refused at once
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(WeightsUnavailableError, match="could not be fetched") as caught:
            client.fetch(REPO, files=FILES, endpoint=endpoint, cache_dir=tmp_path / "cache")
    assert "--model mini" in (caught.value.hint or "")
    assert "another machine" in (caught.value.hint or "")


def test_the_list_of_files(hub: Hub) -> None:
    assert client.list_files(REPO, endpoint=hub.url) == FILES
