"""``babelens reindex`` as a user meets it: real processes, the bundled encoder, and one that sees otherwise."""

from __future__ import annotations

import json
import shutil
import signal
import time
from importlib import resources
from pathlib import Path

import pytest

from babelens.collection import Collection
from tests.e2e.test_cli import Home, many_pictures, photos_in


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with an encoder folder ``tinted``: mini, for which light counts otherwise."""
    home = Home(tmp_path)
    bundled = resources.files("babelens.models") / "mini"
    shutil.copytree(str(bundled), home.folder / "tinted")
    path = home.folder / "tinted" / "encoder.json"
    description = json.loads(path.read_text(encoding="utf-8"))
    description |= {"name": "tinted"}
    description["image"]["mean"] = [0.9, 0.1, 0.5]
    path.write_text(json.dumps(description), encoding="utf-8")
    return home


def stored(home: Home) -> Path:
    return home.folder / "data" / "babelens" / "collections" / "default"


def test_another_encoder_from_first_to_last(home: Home) -> None:
    photos_in(home.folder)
    home.run("index", "photos", "--model", "mini", "--captions", "captions.jsonl")
    with Collection.open(stored(home), read_only=True) as reader:
        before = reader.search("a red balloon in the sky").hits[0]
        assert reader.encoder.fingerprint.name == "mini"
        (report,) = home.lines("reindex", "--model", "tinted", "--no-switch")
        assert (report["pictures"], report["texts"], report["switched"]) == (4, 16, False)
        assert reader.search("a red balloon in the sky").hits[0] == before
        (info,) = home.lines("info")
        assert info["reindex"]["model"] == str(home.folder / "tinted")
        assert (info["reindex"]["encoded"], info["reindex"]["total"]) == (20, 20)
        assert "20 of 20 vectors, not switched yet" in home.run("info").stdout

        done = home.run("reindex", "--model", "tinted")
        assert done.stdout.startswith("0 pictures and 0 texts encoded")
        assert done.stdout.rstrip().endswith(f"searches use {home.folder / 'tinted'} now")
        assert "Results on 16 texts of the collection: overlap@10 with those before is 100.0%" in done.stderr
        # The reader never closed the collection.
        after = reader.search("a red balloon in the sky").hits[0]
        assert reader.encoder.fingerprint.name == "tinted"
        assert Path(after.item.source.path).name == "circle.png"
        assert after.score != before.score
    assert home.lines("verify")[0]["ok"] is True
    (info,) = home.lines("info")
    assert (info["encoder"]["name"], info["reindex"]) == ("tinted", None)

    done = home.run("reindex", "--model", "mini", "--queries", "5", "--json")
    fields = json.loads(done.stdout)
    assert (fields["switched"], fields["changes"]["asked"], fields["changes"]["queries"]) == (
        True,
        "texts",
        5,
    )
    assert fields["encoder"]["name"] == "mini"
    assert "already" in home.run("reindex", "--model", "mini").stdout


def test_pictures_that_are_gone_stop_it_unless_allowed(home: Home) -> None:
    photos = photos_in(home.folder)
    home.run("index", "photos", "--model", "mini")
    (photos / "circle.png").unlink()
    done = home.run("reindex", "--model", "tinted", code=1)
    assert done.stdout == ""
    assert "photos/circle.png: the file is gone" in done.stderr
    assert "1 of 4 pictures (25.0%) have no vector" in done.stderr
    assert "--allow-missing" in done.stderr
    assert home.lines("info")[0]["encoder"]["name"] == "mini"
    (report,) = home.lines("reindex", "--model", "tinted", "--allow-missing", code=3)
    assert (report["pictures"], report["lost"], report["searchable"]) == (0, 1, 4)
    assert [skip["reason"] for skip in report["skipped"]] == ["the file is gone"]
    assert home.lines("info")[0]["encoder"]["name"] == "tinted"


def test_what_cannot_be_done_is_said(home: Home) -> None:
    photos_in(home.folder)
    assert "no collection" in home.run("reindex", "--model", "tinted", code=1).stderr
    home.run("index", "photos", "--model", "mini")
    assert "mini" in home.run("reindex", "--model", "mimi", code=1).stderr
    assert "--model" in home.run("reindex", code=2).stderr
    assert home.lines("info")[0]["reindex"] is None


def test_ctrl_c_says_what_is_kept_and_the_next_run_goes_on(home: Home) -> None:
    many_pictures(home.folder / "many", 1000)
    home.run("index", "many", "--model", "mini")
    with Collection.open(stored(home), read_only=True) as reader:
        process = home.start("reindex", "--model", "tinted")
        while (begun := reader.info().reindex) is None or not begun.encoded:
            assert process.poll() is None, "the run was over before it could be disturbed"
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "Traceback" not in err
        assert "of 1,000 vectors of" in err
        assert "Run the same command again" in err
        begun = reader.info().reindex
        assert begun is not None
        (report,) = home.lines("reindex", "--model", "tinted")
        assert report["pictures"] == 1000 - begun.encoded < 1000
        assert report["changes"]["asked"] == "pictures"
        assert reader.verify().ok
