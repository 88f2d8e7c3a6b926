"""``babelens tune index`` as it is typed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from babelens.cli.app import run
from babelens.collection import Collection
from babelens.indexes.setting import Setting, Tuned
from babelens.metrics.statistics import Estimate
from babelens.search.tuned import forget_tuned, write_tuned
from babelens.storage import Catalog
from babelens.vectors import normalize

GRID = ("--kinds", "hnsw", "--m", "4,8", "--ef-construction", "40", "--ef-search", "24,64")


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tune") / "c"
    vectors = normalize(np.random.default_rng(0).normal(size=(600, 256)))
    with Collection.open(path, model="mini") as opened:
        opened.import_vectors(vectors, [f"/p/{row}.png" for row in range(600)], encoder="mini")
    return str(path)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert run(["tune", "index", *arguments]) == code
    return capsys.readouterr().out


def test_json_and_files(collection: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="needs pip install 'babelens[eval]'")
    asked = tmp_path / "asked.txt"
    asked.write_text("a dog\nएक कुत्ता\n犬\n\nكلب\n", encoding="utf-8")
    out = tmp_path / "out"
    arguments = (
        "-c",
        collection,
        "--dry-run",
        "--query-file",
        str(asked),
        "--out",
        str(out),
        *GRID,
        "--json",
    )
    facts = json.loads(answer(capsys, *arguments))
    assert facts["queries"] == {"text": 4, "image": 60}
    assert [(row["kind"], row["ef_search"]) for row in facts["rows"]] == [("exact", 0)] + [
        ("hnsw", 24),
        ("hnsw", 64),
    ] * 2
    assert facts["chosen"] is None
    names = {"index-study.json", "index-study.md", "latency-recall.png", "latency-recall.svg"}
    assert {Path(path).name for path in facts["files"]} == names == {path.name for path in out.iterdir()}
    assert json.loads((out / "index-study.json").read_text(encoding="utf-8"))["rows"] == facts["rows"]


def test_a_table_and_the_verdict(collection: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = answer(capsys, "-c", collection, *GRID).splitlines()
    assert len(lines) == 1 + 5 + 1
    assert "efSearch" in lines[0]
    assert "Exact search wins" in lines[-1]


def test_without_matplotlib_the_rest_is_written(
    collection: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    assert run(["tune", "index", "-c", collection, "--out", str(tmp_path / "out"), *GRID]) == 0
    assert "babelens[eval]" in capsys.readouterr().err
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".json", ".md"}


def test_reset(collection: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(answer(capsys, "-c", collection, "--reset", "--json"))["reset"] is False
    answer(capsys, "-c", collection, "--reset", "--dry-run", code=2)


@pytest.mark.parametrize(
    "wrong",
    [
        ("--kinds", "ivf"),
        ("--m", "8,x"),
        ("--m", "1"),
        ("--ef-search", "0"),
        ("--target", "0"),
        ("--target", "1.5"),
        ("--queries", "0"),
        ("--query-file", "not-there.txt"),
        ("--modality", "sound"),
    ],
)
def test_wrong_arguments_are_usage_errors(
    collection: str, capsys: pytest.CaptureFixture[str], wrong: tuple[str, str]
) -> None:
    answer(capsys, "-c", collection, *wrong, code=2)


def test_query_files_that_are_of_no_use(
    collection: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty, latin = tmp_path / "empty.txt", tmp_path / "latin.txt"
    empty.write_text("\n \n")
    latin.write_bytes("café\n".encode("latin-1"))
    answer(capsys, "-c", collection, "--query-file", str(empty), code=2)
    answer(capsys, "-c", collection, "--query-file", str(latin), code=1)


def test_collections_with_nothing_to_tune(
    collection: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Collection.open(tmp_path / "empty", model="mini").close()
    answer(capsys, "-c", str(tmp_path / "empty"), code=1)
    answer(capsys, "-c", collection, "--modality", "text", code=1)
    answer(capsys, "-c", str(tmp_path / "none"), code=1)


def test_info_shows_what_was_measured(collection: str, capsys: pytest.CaptureFixture[str]) -> None:
    recall = Estimate(500, 0.9951, 0.9932, 0.9968, 0.02)
    setting = Setting("hnsw", 16, 200, 64, recall, None, 0.21, 0.48, 4.2, 60.0, 1000)
    with Catalog.open(collection) as catalog:
        (encoder,) = catalog.encoders()
        write_tuned(catalog, encoder, "image", Tuned(setting, 0.99, 100_000, "2026-01-02T03:04:05+00:00"))
        try:
            assert run(["info", "-c", collection]) == 0
            shown = capsys.readouterr().out
            assert run(["info", "-c", collection, "--json"]) == 0
            facts = json.loads(capsys.readouterr().out)["indexes"]["image"]["tuned"]
        finally:
            forget_tuned(catalog, encoder, "image")
    for figure in (
        "2026-01-02",
        "100,000 vectors",
        "efSearch=64",
        "0.9951 [0.9932, 0.9968] (n=500)",
        "0.05 ×",
    ):
        assert figure in shown
    assert Tuned.of(facts).setting == setting
