"""The command line as a new user meets it: real processes, an empty home, the bundled encoder."""

from __future__ import annotations

import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from babelens.cli.app import run

BABELENS = (sys.executable, "-m", "babelens")
CAPTIONS = {
    "circle.png": {
        "en": ["a red balloon in the sky"],
        "es": ["un globo rojo en el cielo"],
        "fr": ["un ballon rouge dans le ciel"],
        "hi": ["आसमान में लाल गुब्बारा"],
        "de": ["ein roter Ballon am Himmel"],
        "it": ["un palloncino rosso nel cielo"],
        "ja": ["空に浮かぶ赤い風船"],
        "ar": ["بالون أحمر في السماء"],
    },
    "square.png": {
        "en": ["a blue box on the floor"],
        "es": ["una caja azul en el suelo"],
        "fr": ["une boîte bleue par terre"],
        "hi": ["फर्श पर नीला डिब्बा"],
        "de": ["eine blaue Kiste auf dem Boden"],
        "it": ["una scatola blu sul pavimento"],
        "ja": ["床の上の青い箱"],
        "ar": ["صندوق أزرق على الأرض"],
    },
}
HIT_FIELDS = {
    *("rank", "score", "id", "kind", "path", "page", "box", "document", "headings", "label", "related"),
    *("matched", "text", "language", "origin", "excerpt", "why", "confident", "confidence"),
}


class Home:
    """An empty home directory, and a way to run commands in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        keep = {
            name: os.environ[name]
            for name in ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "BABELENS_MODEL")
            if name in os.environ
        }
        self.environment = {
            **keep,
            "HOME": str(folder),
            "XDG_DATA_HOME": str(folder / "data"),
            "LANG": "C.UTF-8",
            "COLUMNS": "120",
        }

    def run(
        self, *arguments: str, code: int = 0, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*BABELENS, *arguments],
            cwd=self.folder,
            env={**self.environment, **(env or {})},
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def lines(self, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
        """What a command prints with ``--json``: every line of stdout is an object."""
        return [json.loads(line) for line in self.run(*arguments, "--json", code=code).stdout.splitlines()]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*BABELENS, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Shells start background jobs with SIGINT ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def draw(path: Path, shape: str, colour: str) -> None:
    image = Image.new("RGB", (96, 96), "white")
    pen = ImageDraw.Draw(image)
    if shape == "circle":
        pen.ellipse((16, 16, 80, 80), fill=colour)
    else:
        pen.rectangle((16, 16, 80, 80), fill=colour)
    image.save(path)


def photos_in(folder: Path) -> Path:
    photos = folder / "photos"
    photos.mkdir(parents=True)
    draw(photos / "circle.png", "circle", "red")
    draw(photos / "square.png", "square", "blue")
    draw(photos / "plain.png", "square", "green")
    (photos / "same.png").write_bytes((photos / "plain.png").read_bytes())
    rows = [{"image": f"photos/{name}", "captions": captions} for name, captions in CAPTIONS.items()]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "captions.jsonl").write_text(text, encoding="utf-8")
    return photos


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose default collection holds four pictures. Tests that share it only read."""
    home = Home(tmp_path_factory.mktemp("home"))
    photos_in(home.folder)
    (report,) = home.lines("index", "photos", "--captions", "captions.jsonl")
    assert (report["added"], report["texts"], report["skipped"], report["items"]) == (4, 16, [], 4)
    return home


def test_the_first_two_commands(home: Home) -> None:
    photos_in(home.folder)
    done = home.run("index", "photos", "--captions", "captions.jsonl")
    assert done.stdout.startswith("4 added; 16 texts written")
    assert (home.folder / "data" / "babelens" / "collections" / "default" / "catalog.db").is_file()
    done = home.run("search", "red balloon", "--mode", "text")
    header, first, *_ = done.stdout.splitlines()
    assert header.split() == ["#", "matched", "text", "lang", "path"]
    assert first.split()[0] == "1"
    assert "a red balloon in the sky" in first
    assert first.endswith("photos/circle.png")


@pytest.mark.parametrize("language", CAPTIONS["circle.png"])
def test_search_in_each_language(indexed: Home, language: str) -> None:
    for name, captions in CAPTIONS.items():
        query = captions[language][0]
        first, *_ = hits = indexed.lines("search", query, "--lang", language)
        assert Path(first["path"]).name == name
        assert set(first) == HIT_FIELDS
        assert (first["rank"], first["kind"], first["text"], first["language"]) == (
            1,
            "image",
            query,
            language,
        )
        assert first["confident"] is True
        assert [hit["rank"] for hit in hits] == list(range(1, len(hits) + 1))


def test_a_search_without_an_answer_says_so(indexed: Home) -> None:
    assert indexed.lines("search", "xylophone", "--mode", "text") == []
    done = indexed.run("search", "xylophone", "--mode", "text")
    assert done.stdout == ""
    assert "None of these words occur here" in done.stderr
    assert indexed.lines("search", "balloon", "--where", "width > 5000") == []
    assert "passes the filter" in indexed.run("search", "balloon", "--where", "width > 5000").stderr


def test_pictures_as_queries(indexed: Home) -> None:
    first, *_ = indexed.lines("search", "--image", "photos/circle.png")
    assert Path(first["path"]).name == "circle.png"
    assert first["score"] == pytest.approx(1, abs=2e-3)
    similar = indexed.lines("similar", first["id"], "-k", "2")
    assert len(similar) == 2
    assert first["id"] not in [hit["id"] for hit in similar]
    assert indexed.lines(
        "search", "--image", "photos/circle.png", "--minus", "blue", "--plus", "sky", "-k", "1"
    )


def test_captions_in_a_language(indexed: Home) -> None:
    found = indexed.lines("captions", "photos/circle.png", "--lang", "Hindi")
    assert {row["language"] for row in found} == {"hi"}
    assert {row["text"] for row in found} == {CAPTIONS[name]["hi"][0] for name in CAPTIONS}
    assert set(found[0]) == {"rank", "score", "id", "text", "language", "origin", "model", "status"}
    assert found[0]["origin"] == "human"


def test_tables_line_up_in_arabic_hindi_and_japanese(indexed: Home) -> None:
    from rich.cells import cell_len

    for language in ("ar", "hi", "ja"):
        done = indexed.run(
            "search", CAPTIONS["circle.png"][language][0], "--lang", language, "--mode", "hybrid"
        )
        rows = [line for line in done.stdout.splitlines() if "photos/" in line]
        assert len({cell_len(row[: row.index("photos/")]) for row in rows}) == 1


def test_info_verify_duplicates(indexed: Home) -> None:
    (info,) = indexed.lines("info")
    assert info["items"] == 4
    assert "mini" in json.dumps(info)
    assert "mini" in indexed.run("info").stdout
    (report,) = indexed.lines("verify")
    assert report["ok"] is True
    assert "Sound" in indexed.run("verify").stderr
    (group,) = indexed.lines("duplicates")
    assert {Path(item["path"]).name for item in group["items"]} == {"plain.png", "same.png"}
    assert indexed.run("duplicates").stdout == "photos/plain.png\nphotos/same.png\n\n"


def test_models(indexed: Home) -> None:
    (mini,) = [row for row in indexed.lines("models") if row["name"] == "mini"]
    assert mini["here"] is True
    assert mini["bytes"] <= 25_000_000
    assert set(mini["languages"]) == {"en", "es", "fr", "hi", "de", "it", "ja", "ar"}
    assert mini["licence"] in indexed.run("models").stdout


def test_export_and_import(home: Home) -> None:
    photos_in(home.folder)
    home.run("index", "photos", "--captions", "captions.jsonl", "-c", "shop")
    home.lines("export", "-c", "shop", "--zip")
    folder = home.folder / "shop-export"
    names = {path.name for path in folder.iterdir()}
    assert names >= {"captions.csv", "image_embeddings.npy", "ids.txt", "image_index.faiss", "manifest.json"}
    assert any(folder.glob("*.zip")) or any(home.folder.glob("*.zip"))
    vectors = np.load(folder / "image_embeddings.npy")
    np.save(home.folder / "doubled.npy", 2 * vectors.astype(np.float32))
    done = home.run(
        "import",
        "--vectors",
        "doubled.npy",
        "--ids",
        "shop-export/ids.txt",
        "--encoder",
        "other",
        "-c",
        "elsewhere",
    )
    assert done.stdout.startswith(f"{len(vectors)} added")
    assert "unit length" in done.stderr
    (info,) = home.lines("info", "-c", "elsewhere")
    assert info["items"] == len(vectors)


def test_remove_and_compact(home: Home) -> None:
    photos = photos_in(home.folder)
    home.run("index", "photos")
    assert home.lines("remove", "photos/plain.png") == [{"removed": 1, "items": 3}]
    assert home.run("remove", "photos").stdout == "3 items removed, 0 left\n"
    assert len(list(photos.iterdir())) == 4
    (sizes,) = home.lines("compact")
    assert set(sizes) == {"bytes_before", "bytes_after"}
    assert "empty" in home.run("search", "anything", "--mode", "text").stderr


def test_bad_files_are_skipped_counted_and_named(home: Home) -> None:
    photos = photos_in(home.folder)
    (photos / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0" + b"\0" * 20)
    (photos / "empty.png").write_bytes(b"")
    done = home.run("index", "photos", code=3)
    assert "4 added, 2 skipped" in done.stdout
    assert "photos/torn.jpg: " in done.stderr
    (report,) = home.lines("index", "photos", code=3)
    assert report["unchanged"] == 4
    assert {Path(skip["path"]).name for skip in report["skipped"]} == {"torn.jpg", "empty.png"}


def test_names_that_are_not_utf8(home: Home) -> None:
    photos = photos_in(home.folder)
    path = photos / os.fsdecode(b"caf\xe9.png")
    draw(photos / "tmp.png", "circle", "yellow")
    (photos / "tmp.png").rename(path)
    home.run("index", "photos")
    hits = home.lines("search", "--image", "photos/circle.png")
    assert os.fsencode(path) in [os.fsencode(hit["path"]) for hit in hits]
    done = home.run("search", "--image", str(path), "-k", "1")
    assert "photos/caf\\xe9.png" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["search", "dog", "-c", "nowhere"], 1, "babelens index"),
        (["search"], 2, "nothing to look for"),
        (["search", "  "], 2, "empty"),
        (["search", "dog", "-k", "0"], 2, "-k"),
        (["search", "dog", "-k", "1000000"], 2, "10,000"),
        (["search", "dog", "--lang", "klingon"], 2, "not one of the languages"),
        (["search", "dog", "--mode", "psychic"], 2, "psychic"),
        (["search", "dog", "--where", "width >"], 2, "^"),
        (["search", "--image", "none.png"], 2, "none.png"),
        (["search", "--image", "captions.jsonl"], 1, "captions.jsonl"),
        (["similar", "no-such-id"], 1, "no-such-id"),
        (["captions", "photos/circle.png"], 2, "--lang"),
        (["remove", "no-such-id"], 1, "no-such-id"),
        (["index"], 2, "PATH"),
        (["index", "gone"], 2, "gone"),
        (["index", "photos", "--model", "mimi"], 1, "mini"),
        (["index", "photos", "--captions", "gone.csv"], 2, "gone.csv"),
        (["import", "--vectors", "captions.jsonl", "--ids", "captions.jsonl", "--encoder", "x"], 1, "npy"),
        (["dataset", "check", "gone.jsonl"], 2, "gone.jsonl"),
        (["dataset", "split", "captions.jsonl", "--out", "x", "--shares", "1/2"], 2, "70/15/15"),
        (["dataset", "split", "captions.jsonl", "--out", "x", "--shares", "98/1/1"], 1, "larger share"),
        (["dataset", "convert", "gone.jsonl", "--out", "x"], 2, "gone.jsonl"),
        (["dataset", "convert", "photos", "--out", "x"], 1, "no captions file"),
        (["dataset", "fetch", "pets"], 1, "hf:OWNER/NAME"),
    ],
)
def test_what_cannot_be_done_is_refused_with_advice(
    indexed: Home,
    arguments: list[str],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(indexed.folder)
    monkeypatch.setenv("XDG_DATA_HOME", indexed.environment["XDG_DATA_HOME"])
    monkeypatch.delenv("BABELENS_COLLECTION", raising=False)
    assert run(arguments) == code  # in this process: twenty starts of Python would say no more
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err


def test_a_damaged_catalog_is_refused_and_left_alone(home: Home) -> None:
    photos_in(home.folder)
    folder = home.folder / "collection"
    folder.mkdir()
    (folder / "catalog.db").write_bytes(b"this is no database" * 1000)
    for arguments in (["search", "dog"], ["index", "photos"], ["info"]):
        done = home.run(*arguments, "-c", "./collection", code=1)
        assert done.stderr.startswith("Error: ")
    assert (folder / "catalog.db").read_bytes().startswith(b"this is no database")


def test_the_collection_can_come_from_the_environment(home: Home) -> None:
    photos_in(home.folder)
    env = {"BABELENS_COLLECTION": "./mine"}
    home.run("index", "photos", env=env)
    assert (home.folder / "mine" / "catalog.db").is_file()
    assert home.run("search", "dog", "--mode", "text", env=env).returncode == 0


def test_a_reader_that_stops_reading_is_no_error(indexed: Home) -> None:
    command = " ".join(BABELENS) + " similar photos/circle.png --json | head -n 1 >&2"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=indexed.folder,
        env=indexed.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stderr)["rank"] == 1


def test_a_closed_pipe_is_silent(indexed: Home) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*BABELENS, "models"],
        cwd=indexed.folder,
        env=indexed.environment,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_locale_without_unicode_ends_no_command(indexed: Home) -> None:
    # Not ASCII: click takes that for a misconfigured terminal and prints UTF-8 all the same.
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "latin-1"}
    done = indexed.run("captions", "photos/circle.png", "--lang", "ja", env=env)
    assert done.stdout.isascii()
    done = indexed.run("captions", "photos/circle.png", "--lang", "ja", "--json", env=env)
    assert done.stdout.isascii()
    assert (
        "風船"
        in json.loads(done.stdout.splitlines()[0])["text"] + json.loads(done.stdout.splitlines()[1])["text"]
    )


def in_terminal(home: Home, arguments: Sequence[str], env: Mapping[str, str]) -> str:
    """What a terminal would get: stdout and stderr together."""
    read, write = pty.openpty()
    process = subprocess.Popen(
        [*BABELENS, *arguments],
        cwd=home.folder,
        env={**home.environment, "TERM": "xterm", **env},
        stdout=write,
        stderr=write,
        stdin=write,
    )
    os.close(write)
    shown = b""
    while True:
        try:
            part = os.read(read, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(read)
    assert process.wait() == 0
    return shown.decode()


def test_colour_on_terminals_only_and_never_with_no_color(indexed: Home) -> None:
    assert "\x1b[" in in_terminal(indexed, ["models"], {})
    assert "\x1b[" not in in_terminal(indexed, ["models"], {"NO_COLOR": "1"})
    assert "\x1b[" not in indexed.run("models").stdout


def many_pictures(folder: Path, n: int) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(n):
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((160, 160)).save(folder / f"{number:05}.png", compress_level=1)


@pytest.fixture
def indexing(home: Home) -> Iterator[subprocess.Popen[str]]:
    """A run that has begun and will not be over soon."""
    many_pictures(home.folder / "many", 3000)
    process = home.start("index", "many")
    catalog = home.folder / "data" / "babelens" / "collections" / "default" / "catalog.db"
    deadline = time.monotonic() + 60
    while not catalog.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)
    assert process.poll() is None, "the run was over before it could be disturbed"
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_ctrl_c_says_what_is_kept_and_a_second_writer_is_refused(
    home: Home, indexing: subprocess.Popen[str]
) -> None:
    second = home.run("index", "many", code=1)
    assert str(indexing.pid) in second.stderr
    assert home.run("info").returncode == 0  # readers are welcome
    indexing.send_signal(signal.SIGINT)
    _, err = indexing.communicate(timeout=60)
    assert indexing.returncode == 130
    assert "Traceback" not in err
    assert "Interrupted." in err
    assert "Run the same command again" in err
    (report,) = home.lines("verify")
    assert report["ok"] is True


def test_help_is_quick(indexed: Home) -> None:
    """Processor time, since the clock on the wall also measures what else the machine does."""
    spent = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        indexed.run("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < 0.2


def test_dataset_commands(indexed: Home, tmp_path: Path) -> None:
    *_, summary = indexed.lines("dataset", "check", "captions.jsonl")
    assert summary["ok"] is True
    assert summary["splits"][0]["languages"]["ja"]["captions"] == 2
    (report,) = indexed.lines(
        "dataset", "split", "captions.jsonl", "--out", str(tmp_path / "s"), "--shares", "1/1/0"
    )
    assert report["images"] == {"train": 1, "val": 1, "test": 0}
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"image": "gone.png", "captions": ["x"]}\n{\n')
    findings = indexed.lines("dataset", "check", str(bad), code=3)
    assert [finding.get("kind") for finding in findings] == ["malformed", "missing", None]
    assert "bad.jsonl:2: not JSON" in indexed.run("dataset", "check", str(bad), code=3).stdout
