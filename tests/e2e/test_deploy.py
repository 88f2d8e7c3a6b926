"""Deployment: the image's steps run as they would in a container; compose.yaml and docs/deploy.md say what is so."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import httpx
import pytest

from babelens.cli import app
from babelens.demo.bundled import load_gallery
from tests.container import REPOSITORY, Image, stages

PICTURES = 60
KEY = "a key for the tests of deployment"
PAGE = REPOSITORY / "docs" / "deploy.md"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """What the Dockerfile makes, with pictures of the gallery and a manual in the place of somebody's."""
    constraint = re.search(r"^click==.*$", (REPOSITORY / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    assert constraint
    root = tmp_path_factory.mktemp("image")
    probe = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(root)]
    reached = subprocess.run([*probe, constraint[0]], capture_output=True, text=True)
    if reached.returncode:
        pytest.skip(f"no package registry can be reached: {reached.stderr.strip().splitlines()[-1]}")
    made = Image(root)
    made.install()
    manual = REPOSITORY / "src/babelens/demo/manuals/coffee-grinder.en.pdf"
    for path in (manual, *(picture.path for picture in load_gallery().pictures[:PICTURES])):
        shutil.copy(path, root / "pictures")
    made.close()
    yield made
    made.reopen()
    shutil.rmtree(root)  # half a gigabyte


# The installation writes half a gigabyte, which takes minutes on a busy machine.
SLOW = pytest.mark.timeout(900)


@contextmanager
def serving(image: Image) -> Iterator[tuple[subprocess.Popen[str], int, list[str]]]:
    """The image's own command on a free port, and its health check for that port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    inside = image.only("EXPOSE")
    command = [argument.replace(inside, str(port)) for argument in image.command()]
    health = [argument.replace(inside, str(port)) for argument in image.health]
    assert str(port) in command
    assert any(str(port) in argument for argument in health)
    process = subprocess.Popen(
        **image.process(command, {"BABELENS_API_KEY": KEY}), stderr=subprocess.PIPE, text=True
    )
    try:
        yield process, port, health
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def filled(image: Image) -> Image:
    """The image after compose's ``index`` has run in it."""
    before = image.state()
    index = compose()["services"]["index"]["command"]
    indexing = image.process(image.command(*index), {"BABELENS_MODEL": "mini"})
    done = subprocess.run(**indexing, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert image.state() == before
    return image


@SLOW
def test_the_image_serves_and_stops_and_writes_nowhere_else(filled: Image) -> None:
    image, before = filled, filled.state()
    picture = load_gallery().pictures[0]
    with serving(image) as (process, port, health):
        deadline = time.monotonic() + 60
        while subprocess.run(**image.process(health), capture_output=True, timeout=20).returncode:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "the service did not become well"
            time.sleep(0.2)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
            assert client.post("/search", json={"query": "door"}).status_code == 401
            client.headers["Authorization"] = f"Bearer {KEY}"
            asked = {"query": picture.captions["de"], "k": 5, "kinds": ["image"]}
            hits = client.post("/search", json=asked).raise_for_status().json()["hits"]
            assert picture.path.name in {hit["item"]["document"] for hit in hits}
            client.get(hits[0]["item"]["thumbnail"]).raise_for_status()
            assert client.get("/ready").json()["status"] == "ready"
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=20)
    assert process.returncode == 0
    assert log.rstrip().endswith("Stopped.")
    assert '"level": "error"' not in log
    assert image.state() == before
    assert list((image.root / "tmp").iterdir()) == []
    assert list((image.root / "data").rglob("catalog.db"))
    assert list((image.root / "cache").rglob("*.webp"))


@SLOW
def test_the_image_does_not_serve_strangers(filled: Image) -> None:
    serve = filled.process(filled.command())
    done = subprocess.run(**serve, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert "BABELENS_API_KEY" in done.stderr


def test_the_image_is_not_run_by_root_and_keeps_its_volumes() -> None:
    *_, final = stages()
    said = dict(final)
    user, group = (int(part) for part in said["USER"].split(":"))
    assert user > 0 < group
    made = " ".join(rest for instruction, rest in final if instruction == "RUN")
    assert f"--uid {user}" in made
    volumes = re.findall(r'"(/\w+)"', said["VOLUME"])
    assert len(volumes) == 2
    assert re.search(rf"install .*--owner={user} .*{' '.join(volumes)}", made)
    assert {rest.split()[0] for stage in stages() for name, rest in stage if name == "FROM"} == {
        said["FROM"].split()[0]  # the environment that is copied has the same interpreter to run on
    }


def test_what_is_copied_into_the_image_is_sent_to_it() -> None:
    rules = (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines()
    sent = {rule[1:] for rule in rules if rule.startswith("!")}
    build, *_ = stages()
    copied = {name for instruction, rest in build if instruction == "COPY" for name in rest.split()[:-1]}
    assert rules.index("*") < min(rules.index(f"!{name}") for name in sent)
    assert copied == sent
    assert all((REPOSITORY / name).exists() for name in copied)


# -- compose.yaml --------------------------------------------------------------------------------------------


def compose() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    found: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text("utf-8"))
    return found


@pytest.mark.parametrize("name", ["serve", "index"])
def test_services_may_do_little(name: str) -> None:
    service = compose()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert any(mount.startswith("/tmp:") for mount in service["tmpfs"])
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert "privileged" not in service
    assert "user" not in service  # the image's own
    written = {mount.split(":")[1] for mount in service["volumes"] if isinstance(mount, str)}
    assert written == set(re.findall(r'"(/\w+)"', dict(stages()[-1])["VOLUME"]))
    bound = [mount for mount in service["volumes"] if not isinstance(mount, str)]
    assert all(mount["read_only"] for mount in bound)
    # What was indexed at a path is read from there when it is shown.
    assert [mount["target"] for mount in bound] == [compose()["services"]["index"]["command"][-1]]


def test_only_this_machine_reaches_the_published_port() -> None:
    services = compose()["services"]
    (port,) = services["serve"]["ports"]
    assert port.startswith("127.0.0.1:")
    assert port.endswith(f":{dict(stages()[-1])['EXPOSE']}")
    assert "ports" not in services["index"]
    assert services["index"]["profiles"]  # not started by `up`
    assert services["serve"]["restart"] == "unless-stopped"
    assert "BABELENS_API_KEY" in services["serve"]["environment"]


def test_running_requests_have_time_to_end_before_the_container_is_killed() -> None:
    from babelens.server import Settings

    seconds = int(compose()["services"]["serve"]["stop_grace_period"].removesuffix("s"))
    assert seconds > Settings({}).shutdown_seconds


# -- docs/deploy.md ------------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, ...]]:
    """What the page runs: the words after ``babelens``, or after the service of compose that stands for it."""
    text = re.sub(r"\\\n\s*", " ", PAGE.read_text("utf-8"))
    lines = "".join(re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)).splitlines()
    calls = re.compile(r"(?:(?:^|[\s=/])babelens|compose run [^<>|]*?index) (.*)$")
    for line in [*lines, *re.findall(r"`([^`\n]+)`", text)]:
        called = calls.search(line.partition("  #")[0])
        if called and (words := shlex.split(called[1])) and words[0] in app.COMMANDS:
            yield tuple(words)


def command_of(words: tuple[str, ...]) -> click.Command:
    command = app.cli.get_command(click.Context(app.cli), words[0])
    assert command is not None
    if isinstance(command, click.Group) and len(words) > 1 and words[1] in command.commands:
        return command.commands[words[1]]
    return command


@pytest.mark.parametrize("words", sorted(set(commands())), ids=" ".join)
def test_commands_of_the_page_have_the_options_that_it_gives_them(words: tuple[str, ...]) -> None:
    options = {option for parameter in command_of(words).params for option in parameter.opts}
    given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert given <= options


def test_options_that_the_page_speaks_of_exist() -> None:
    known = set()
    for name in ("serve", "index", "reindex", "compact", "verify", "export"):
        known |= {option for parameter in command_of((name,)).params for option in parameter.opts}
    text = re.sub(r"```.*?```", "", PAGE.read_text("utf-8"), flags=re.DOTALL)
    spoken_of = set(re.findall(r"`(--[\w-]+)", text))
    assert len(spoken_of) > 5
    assert spoken_of <= known


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml", "docs/deploy.md"])
def test_variables_that_are_named_exist(name: str) -> None:
    source = "".join(path.read_text("utf-8") for path in (REPOSITORY / "src").rglob("*.py"))
    named = set(re.findall(r"BABELENS_[A-Z_]+", (REPOSITORY / name).read_text("utf-8")))
    assert named
    assert {variable for variable in named if variable not in source} == set()


def test_links_of_the_page_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", PAGE.read_text("utf-8"))
    for target, anchor in links:
        path = PAGE.parent / target if target else PAGE
        assert path.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_a_copy_is_made_as_the_page_says(tmp_path: Path) -> None:
    """While somebody writes: the copy holds what was committed."""
    import babelens

    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    pictures = load_gallery().pictures_folder
    with babelens.Collection.open(tmp_path / "photos", model="mini") as collection:
        collection.add([pictures / "001.webp", pictures / "002.webp"])
        script = tmp_path / "backup.py"
        script.write_text(block, encoding="utf-8")
        copy = tmp_path / "copy" / "photos"
        copy.mkdir(parents=True)
        arguments = [str(tmp_path / "photos" / "catalog.db"), str(copy / "catalog.db")]
        subprocess.run([sys.executable, str(script), *arguments], check=True, env={**os.environ})
        collection.add(pictures / "003.webp")
    with babelens.Collection.open(copy, create=False) as restored:
        assert len(restored) == 2
        assert restored.verify().ok
