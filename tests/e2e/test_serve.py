"""``babelens serve`` as a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from PIL import Image

import babelens

COMMAND = (sys.executable, "-m", "babelens", "serve")


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    for name in ("red", "green", "blue"):
        Image.new("RGB", (64, 64), name).save(folder / f"{name}.png")
    with babelens.Collection.open(folder / "colours", model="mini") as opened:
        opened.add(folder)
    return folder / "colours"


@contextmanager
def started(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server and its address."""
    environment = {**os.environ, "BABELENS_MODEL": "mini", "BABELENS_API_KEY": ""}
    del environment["BABELENS_API_KEY"]
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *options], stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "http://" in line, line + process.stderr.read()
        yield process, "http://" + line.split("http://")[1].split()[0]
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_answers_and_stops_when_asked(collection: Path, stop: signal.Signals) -> None:
    with started("-c", str(collection)) as (process, url):
        answer = httpx.post(f"{url}/search", json={"query": "red", "k": 3}, trust_env=False)
        assert next(hit["item"]["document"] for hit in answer.json()["hits"]) == "red.png"
        process.send_signal(stop)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in said
    assert said.rstrip().endswith("Stopped.")


def test_a_running_request_is_answered_before_it_stops(collection: Path) -> None:
    with (
        started("-c", str(collection)) as (process, url),
        httpx.Client(base_url=url, trust_env=False) as client,
    ):
        client.get("/health")
        with client.stream("POST", "/ask", json={"question": "What is red?"}) as answer:
            process.send_signal(signal.SIGTERM)
            text = answer.read().decode()
        assert "event: answer" in text
        assert process.wait(20) == 0


def test_a_public_address_needs_a_key(collection: Path) -> None:
    command = [*COMMAND, "-c", str(collection), "--host", "0.0.0.0", "--port", "0"]
    environment = {name: value for name, value in os.environ.items() if name != "BABELENS_API_KEY"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 1
    assert "--api-key" in done.stderr
    with started("-c", str(collection), "--host", "0.0.0.0", "--api-key", "k" * 20) as (_, url):
        local = url.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{local}/collections", trust_env=False).status_code == 401
        headers = {"Authorization": f"Bearer {'k' * 20}"}
        assert httpx.get(f"{local}/collections", headers=headers, trust_env=False).status_code == 200


def test_the_key_may_come_from_a_file(collection: Path, tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text(f"{'s' * 20}\n", encoding="utf-8")
    with started("-c", str(collection), "--host", "0.0.0.0", "--api-key-file", str(secret)) as (_, url):
        local = url.replace("0.0.0.0", "127.0.0.1")
        for key, status in (("s" * 20, 200), ("t" * 20, 401)):
            headers = {"Authorization": f"Bearer {key}"}
            answer = httpx.get(f"{local}/collections", headers=headers, trust_env=False)
            assert answer.status_code == status


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe" * 20, b"short"])
def test_a_file_without_a_usable_key_is_explained(
    collection: Path, tmp_path: Path, content: bytes | None
) -> None:
    secret = tmp_path / "key"
    if content is not None:
        secret.write_bytes(content)
    command = [*COMMAND, "-c", str(collection), "--api-key-file", str(secret), "--port", "0"]
    environment = {name: value for name, value in os.environ.items() if name != "BABELENS_API_KEY"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 1
    assert "key" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_given_twice_is_refused(collection: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 20, encoding="utf-8")
    command = [*COMMAND, "-c", str(collection), "--api-key-file", str(tmp_path / "key")]
    environment = {**os.environ, "BABELENS_API_KEY": "k" * 20}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 2
    assert "twice" in done.stderr


def test_a_taken_port_is_explained(collection: Path) -> None:
    with started("-c", str(collection)) as (_, url):
        port = url.rsplit(":", 1)[1]
        command = [*COMMAND, "-c", str(collection), "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert port in done.stderr
    assert "Traceback" not in done.stderr


def test_a_collection_that_is_not_there_is_explained(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "-c", str(tmp_path / "none")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "babelens index" in done.stderr


def test_two_collections_of_one_name_are_refused(collection: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(collection, tmp_path / "colours"))
    command = [*COMMAND, "-c", str(collection), "-c", str(other)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "colours" in done.stderr
