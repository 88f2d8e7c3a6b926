"""``babelens evaluate`` as a user runs it: the gallery, a JSONL file, a collection, two models, and what goes wrong."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import COLOURS


def run(*arguments: str, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "babelens", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240)
    assert not check or done.returncode == 0, done.stderr
    return done


def figures(value: Any) -> list[dict[str, Any]]:
    """Every figure in a report: whatever has a value."""
    if isinstance(value, dict):
        own = [value] if "value" in value else []
        return own + [found for part in value.values() for found in figures(part)]
    return [found for part in value for found in figures(part)] if isinstance(value, list) else []


@pytest.fixture(scope="module")
def gallery_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    run("evaluate", "--languages", "en,ja,ar", "--out", "report", cwd=folder)
    return folder / "report"


def test_the_gallery(gallery_report: Path) -> None:
    report = json.loads((gallery_report / "report.json").read_text("utf-8"))
    for direction in ("text_to_image", "image_to_text"):
        for tag in ("en", "ja", "ar", "all"):
            scores = report["deployed"][direction][tag]
            best = scores["measures"]["hit_rate@10"]
            assert best["low"] > 10 * best["chance"], (direction, tag)
    assert report["no_match"]["en"]["auc"]["low"] > 0.8
    assert all(pair["overlap_above"]["low"] > 0.3 for pair in report["consistency"])
    assert report["about"]["command"].startswith("babelens evaluate --languages en,ja,ar")
    assert len(report["about"]["data"]["sha256"]) == 64


def test_the_figures_are_those_of_the_docs(gallery_report: Path) -> None:
    """A slice of docs/evaluation.md. int8 arithmetic differs between processors by a caption or two."""
    text = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text("utf-8")
    gallery = text[text.index("### The bundled gallery") :]
    report = json.loads((gallery_report / "report.json").read_text("utf-8"))
    for direction, table in zip(
        ("text_to_image", "image_to_text"), gallery.split("| language |")[1:], strict=False
    ):
        rows = {row[1].strip(): row for line in table.splitlines() if len(row := line.split("|")) > 5}
        for tag in ("en", "ja", "ar"):
            measures = report["deployed"][direction][tag]["measures"]
            for place, name in ((3, "hit_rate@1"), (4, "hit_rate@5"), (5, "hit_rate@10")):
                written = float(rows[tag][place].split("[")[0])
                assert 100 * measures[name]["value"] == pytest.approx(written, abs=1.5), (
                    direction,
                    tag,
                    name,
                )


def test_no_figure_stands_without_n_and_an_interval(gallery_report: Path) -> None:
    report = json.loads((gallery_report / "report.json").read_text("utf-8"))
    found = figures({key: value for key, value in report.items() if key != "about"})
    assert len(found) > 200
    for figure in found:
        assert figure["n"] > 0
        if figure["value"] is not None and math.isfinite(figure["value"]) and figure["low"] is not None:
            assert figure["low"] <= figure["high"]


def test_every_query_is_kept(gallery_report: Path) -> None:
    rows = [json.loads(line) for line in (gallery_report / "queries.jsonl").read_text("utf-8").splitlines()]
    report = json.loads((gallery_report / "report.json").read_text("utf-8"))
    arabic = [row for row in rows if (row["direction"], row["language"]) == ("text_to_image", "ar")]
    measured = report["exact"]["text_to_image"]["ar"]["measures"]["hit_rate@5"]
    assert len(arabic) == measured["n"]
    assert sum(row["rank_exact"] <= 5 for row in arabic) / len(arabic) == pytest.approx(measured["value"])


def test_the_pages_stand_alone(gallery_report: Path) -> None:
    page = (gallery_report / "report.html").read_text("utf-8")
    assert 'src="http' not in page
    assert 'href="http' not in page
    text = (gallery_report / "report.md").read_text("utf-8")
    assert text.count("\n## ") >= 7
    assert "| chance |" in text


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    rows = []
    for name, colour in COLOURS.items():
        Image.new("RGB", (40, 30), colour).save(folder / f"{name}.png")
        rows.append(
            {"image": f"{name}.png", "captions": {"en": [name, f"a {name} sheet"], "de": [f"{name}es Blatt"]}}
        )
    del rows[3]["captions"]["de"]
    rows.append({"image": "missing.png", "captions": {"en": ["nothing"]}})
    rows.append(rows[0])
    lines = [json.dumps(row) for row in rows] + ["{broken"]
    (folder / "data.jsonl").write_text("\n".join(lines), "utf-8")
    return folder


def test_a_users_file_with_faults(data: Path) -> None:
    done = run("evaluate", "data.jsonl", "--model", "mini", "--json", cwd=data)
    report = json.loads(done.stdout)
    assert report["about"]["data"]["captions"] == {"en": 16, "de": 7}
    notes = " ".join(report["notes"])
    assert "missing.png" in notes
    assert "not JSON" in notes
    assert "no caption in de" in notes
    assert (data / "babelens-report" / "report.html").exists()


def test_a_report_is_not_written_over_and_nothing_is_encoded_twice(data: Path) -> None:
    first = json.loads(run("evaluate", "data.jsonl", "--model", "mini", "--json", cwd=data).stdout)
    refused = run("evaluate", "data.jsonl", "--model", "mini", cwd=data, check=False)
    assert refused.returncode == 1
    assert "--overwrite" in refused.stderr
    catalogs = sorted((data / "babelens-report" / "work").glob("*/catalog.db"))
    again = run("evaluate", "data.jsonl", "--model", "mini", "--json", "--overwrite", cwd=data)
    assert sorted((data / "babelens-report" / "work").glob("*/catalog.db")) == catalogs
    assert json.loads(again.stdout)["exact"] == first["exact"]


def test_a_collection_is_measured_as_it_is(data: Path) -> None:
    arguments = ["--captions", "data.jsonl", "--model", "mini", "-c", str(data / "c")]
    assert run("index", str(data), *arguments, cwd=data, check=False).returncode == 3  # a broken line
    report = json.loads(run("evaluate", str(data / "c"), "--languages", "en", "--json", cwd=data).stdout)
    assert list(report["exact"]["text_to_image"]) == ["en"]
    assert not (data / "babelens-report" / "work").exists()


def test_captions_that_do_not_say_their_language(data: Path) -> None:
    (data / "token.txt").write_text("red.png#0\tred\nblue.png#0\tblue\ngreen.png#0\tgreen\n", "utf-8")
    refused = run("evaluate", "token.txt", "--model", "mini", cwd=data, check=False)
    assert "--caption-language" in refused.stderr
    done = run("evaluate", "token.txt", "--model", "mini", "--caption-language", "en", "--json", cwd=data)
    assert json.loads(done.stdout)["about"]["data"]["captions"] == {"en": 3}


def test_two_models(data: Path) -> None:
    from importlib import resources

    folder = str(resources.files("babelens.models") / "mini")
    done = run("evaluate", "data.jsonl", "--compare", "mini", folder, "--exact", "--json", cwd=data)
    report = json.loads(done.stdout)
    assert report["differences"]["text_to_image"]["all"]["hit_rate@1"]["value"] == 0
    assert report["before"]["no_match"] is None
    assert "against" in (data / "babelens-report" / "report.md").read_text("utf-8").splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.jsonl"], "neither a file"),
        (["data.jsonl", "--languages", "hi"], "nothing to measure"),
        (["data.jsonl", "--model", "mimi"], "mini"),
        (["data.jsonl", "--compare", "mini", "mini", "--model", "mini"], "--model"),
    ],
)
def test_plain_messages(data: Path, arguments: list[str], says: str) -> None:
    arguments = (
        arguments
        if "--model" in arguments or "nowhere.jsonl" in arguments
        else [*arguments, "--model", "mini"]
    )
    done = run("evaluate", *arguments, cwd=data, check=False)
    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_killed_while_it_encodes_it_goes_on_where_it_was(tmp_path: Path) -> None:
    """SIGKILL in the middle: the second run encodes what is left, and the report is that of an unbroken run."""
    command = [
        sys.executable,
        "-m",
        "babelens",
        "evaluate",
        "--languages",
        "en",
        "--exact",
        "--out",
        "report",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if list((tmp_path / "report" / "work").glob("*/catalog.db")):
            break
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "report" / "report.json").exists()
    run(*command[3:], cwd=tmp_path)
    broken = json.loads((tmp_path / "report" / "report.json").read_text("utf-8"))
    run(*command[3:-1], "whole", cwd=tmp_path)
    whole = json.loads((tmp_path / "whole" / "report.json").read_text("utf-8"))
    assert broken["exact"] == whole["exact"]
    assert broken["about"]["data"] == whole["about"]["data"]
