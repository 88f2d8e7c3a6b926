"""Fetching data sets: from a hub that a local server plays, and from a stand-in for kagglehub."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from babelens.dataset import fetch
from babelens.errors import DatasetError, MissingExtraError
from tests.hub import COMMIT, Hub, running_hub

REPO = "someone/pets"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    folder = tmp_path / "published"
    (folder / "images").mkdir(parents=True)
    (folder / "captions.csv").write_text("image,caption_en\nimages/a.jpg,a dog\n")
    (folder / "README.md").write_text("# Pets\n")
    (folder / "images" / "a.jpg").write_bytes(os.urandom(1000))
    (folder / "images.zip").write_bytes(os.urandom(17_000_000))
    with running_hub() as server:
        server.repositories[REPO] = folder
        yield server


def get(hub: Hub, tmp_path: Path, source: str = f"hf:{REPO}", **more: object):  # type: ignore[no-untyped-def]
    return fetch(source, endpoint=hub.url, cache_dir=tmp_path / "cache", **more)  # type: ignore[arg-type]


def test_a_repository_is_fetched_whole_once(hub: Hub, tmp_path: Path) -> None:
    heard: list[tuple[int, int | None]] = []
    report = get(hub, tmp_path, progress=lambda done, total=None, note="": heard.append((done, total)))
    published = hub.repositories[REPO]
    names = {str(path.relative_to(published)) for path in published.rglob("*") if path.is_file()}
    for name in names:
        assert (report.folder / name).read_bytes() == (published / name).read_bytes()
    assert report.files == len(names) == 4
    assert [path.name for path in report.captions] == ["captions.csv"]
    assert [path.name for path in report.packed] == ["images.zip"]
    assert (17_000_000, 17_000_000) in heard
    asked = len(hub.requests)
    assert get(hub, tmp_path).folder == report.folder
    assert len(hub.requests) == asked


def test_a_large_file_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    (hub.repositories[REPO] / "images.zip").write_bytes(os.urandom(30_000_000))
    hub.stop_after = 25_000_000
    with pytest.raises(DatasetError, match="could not be fetched") as caught:
        get(hub, tmp_path)
    assert "model" not in str(caught.value)
    hub.stop_after, hub.broken = None, False
    report = get(hub, tmp_path)
    assert hub.ranges
    assert int(hub.ranges[-1].removeprefix("bytes=").split("-")[0]) >= 10_000_000
    digest = hashlib.sha256((report.folder / "images.zip").read_bytes()).hexdigest()
    assert digest == hashlib.sha256((hub.repositories[REPO] / "images.zip").read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["captions.csv", "images.zip"])
def test_content_that_is_not_what_the_hub_says_is_refused(hub: Hub, tmp_path: Path, name: str) -> None:
    hub.wrong_hash.add(name)
    with pytest.raises(DatasetError, match=f"{name}.*damaged"):
        get(hub, tmp_path)
    hub.wrong_hash.clear()
    assert get(hub, tmp_path).files == 4


def test_a_revision_and_what_is_not_there(hub: Hub, tmp_path: Path) -> None:
    assert get(hub, tmp_path, f"hf:{REPO}@{COMMIT}").files == 4
    with pytest.raises(DatasetError, match="no repository someone/else"):
        get(hub, tmp_path, "hf:someone/else")
    hub.gated.add(REPO)
    with pytest.raises(DatasetError, match="accepted its terms"):
        fetch(f"hf:{REPO}", endpoint=hub.url, cache_dir=tmp_path / "other")


def test_without_a_network_it_says_so_at_once(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(DatasetError, match="could not be fetched"):
            fetch(f"hf:{REPO}", endpoint=f"http://127.0.0.1:{port}", cache_dir=tmp_path)


@pytest.mark.parametrize(
    "source", ["hf:pets", "pets", "kaggle:a/b/c", "ftp:a/b", "hf:../x", "kaggle:a/b@new"]
)
def test_what_names_no_data_set(source: str) -> None:
    with pytest.raises(DatasetError):
        fetch(source)


KAGGLEHUB = """
import errno, os
print("Downloading Dataset ...")

class KaggleApiHTTPError(OSError):
    def __init__(self, status):
        super().__init__(f"{status} Client Error.\\n\\nlong text")
        self.response = type("Response", (), {"status_code": status})()

def dataset_download(handle):
    print("Downloading to", handle)
    if handle == "someone/private":
        raise KaggleApiHTTPError(403)
    if handle == "someone/none":
        raise KaggleApiHTTPError(404)
    if handle == "someone/far":
        raise ConnectionError("HTTPSConnectionPool(...): (Caused by X(\\"Failed to resolve 'api.kaggle.com' (...)\\"))")
    if handle == "someone/full":
        raise OSError(errno.ENOSPC, "No space left on device")
    folder = os.environ["PLAYED"]
    with open(os.path.join(folder, "captions.txt"), "w") as file:
        file.write("image,caption\\na.jpg,a dog\\n")
    with open(os.path.join(folder, "handle"), "w") as file:
        file.write(handle)
    return folder
"""


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "kagglehub.py").write_text(KAGGLEHUB)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "kagglehub", raising=False)
    folder = tmp_path / "played"
    folder.mkdir()
    monkeypatch.setenv("PLAYED", str(folder))
    yield folder
    sys.modules.pop("kagglehub", None)


def test_kaggle(kaggle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = fetch("kaggle:someone/pets")
    assert (report.folder, [path.name for path in report.captions]) == (kaggle, ["captions.txt"])
    assert (kaggle / "handle").read_text() == "someone/pets"
    assert capsys.readouterr().out == ""
    fetch("kaggle:someone/pets@3")
    assert (kaggle / "handle").read_text() == "someone/pets/versions/3"


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("private", "KAGGLE_API_TOKEN"),
        ("none", "no data set someone/none"),
        ("far", r"Failed to resolve 'api\.kaggle\.com'\."),
    ],
)
def test_kaggle_says_why_not(kaggle: Path, name: str, match: str) -> None:
    with pytest.raises(DatasetError, match=match):
        fetch(f"kaggle:someone/{name}")


def test_a_full_disk_stays_what_it_is(kaggle: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        fetch("kaggle:someone/full")


def test_without_kagglehub_the_extra_is_named(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['kagglehub'] = None\n"
        "from babelens.dataset import fetch\n"
        "fetch('kaggle:someone/pets')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert MissingExtraError.__name__ in done.stderr
    assert "pip install 'babelens[fetch]'" in done.stderr
