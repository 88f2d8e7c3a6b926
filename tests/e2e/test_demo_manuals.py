"""``babelens demo manuals``, on all nine manuals."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from babelens.collection import Collection
from babelens.demo import ask_manuals
from babelens.demo.manuals import Manual, bundled_folder, demo_questions, load_manuals
from babelens.errors import BabelensError
from babelens.languages import LANGUAGES


def _babelens(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    # Also where a model is configured, the demo asks none.
    env = {**os.environ, "PYTHONIOENCODING": "utf-8", "BABELENS_LLM_URL": "http://127.0.0.1:9/v1"}
    done = subprocess.run(
        [sys.executable, "-m", "babelens", *arguments],
        cwd=folder, env=env, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


def test_the_twelve_questions_are_answered(tmp_path: Path) -> None:
    lines = [
        json.loads(line) for line in _babelens(tmp_path, "demo", "manuals", "--json").stdout.splitlines()
    ]
    summary = lines.pop()["summary"]
    assert {line["language"] for line in lines} == set(LANGUAGES)
    assert [line["true_page"] for line in lines].count(None) == 2
    assert all(line["right"] for line in lines), [line for line in lines if not line["right"]]
    assert (summary["n"], summary["right"]) == (12, 12)
    assert summary["seconds"] < 60
    for line in lines:
        assert line["grounded"] == (line["true_page"] is not None)
        assert line["page"] == line["true_page"]
        if line["grounded"]:
            assert line["document"] == line["asked_of"]
    # The collection stays, and a second run finds it.
    table = _babelens(tmp_path, "demo", "manuals").stdout
    assert table.splitlines()[-1].startswith("12 of 12 right")
    assert table.count("✓") == 12
    assert os.listdir(tmp_path) == ["babelens-demo"]
    asked = _babelens(
        tmp_path, "ask", "-c", "babelens-demo/manuals", "--no-model", "How loud is the grinder?"
    )
    assert asked.stdout


@pytest.fixture
def one(tmp_path: Path) -> tuple[Manual, ...]:
    """One manual with all that demo.json asks of it and nothing more."""
    folder = tmp_path / "part"
    folder.mkdir()
    for suffix in (".pdf", ".jsonl"):
        shutil.copy(bundled_folder() / f"bicycle-light.es{suffix}", folder)
    return load_manuals(folder)


def test_a_wrong_answer_is_told_wrong(one: tuple[Manual, ...], tmp_path: Path) -> None:
    """The manual whose answer is asked for says something else than the truth that is expected of it."""
    rows = json.loads((bundled_folder() / "demo.json").read_text("utf-8"))
    (tmp_path / "part" / "demo.json").write_text(
        json.dumps([row for row in rows if (row["device"], row["language"]) == ("bicycle-light", "es")])
    )
    truth = tmp_path / "part" / "bicycle-light.es.jsonl"
    truth.write_text(truth.read_text("utf-8").replace('"1 h 30 min"', '"2 h 30 min"'), "utf-8")
    manuals = load_manuals(tmp_path / "part")
    questions = demo_questions(manuals, folder=tmp_path / "part")
    report = ask_manuals(tmp_path / "out", manuals=manuals, questions=questions)
    assert [trial.right for trial in report.trials] == [False, True]
    assert report.trials[0].right_page
    assert report.right == 1


def test_a_collection_of_something_else_is_left_alone(one: tuple[Manual, ...], tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text("# Note\n\nThe key lies under the mat.\n", "utf-8")
    with Collection.open(tmp_path / "out" / "manuals", model="mini") as collection:
        collection.add(tmp_path / "note.md", ocr=False)
        before = len(collection)
    with pytest.raises(BabelensError, match="something else"):
        ask_manuals(tmp_path / "out", manuals=one, questions=[])
    with Collection.open(tmp_path / "out" / "manuals") as collection:
        assert len(collection) == before


def test_a_place_that_cannot_be_written(one: tuple[Manual, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BabelensError, match="--out"):
        ask_manuals(tmp_path / "file" / "out", manuals=one, questions=[])


def test_options_of_the_gallery_before_the_name_of_the_manuals(tmp_path: Path) -> None:
    assert "babelens demo manuals" in _babelens(tmp_path, "demo", "--json", "manuals", code=2).stderr
