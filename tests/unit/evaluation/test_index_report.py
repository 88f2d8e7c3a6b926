from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from babelens.collection import IndexStudy
from babelens.errors import MissingExtraError
from babelens.evaluation.index_plot import FILES, plot_study
from babelens.evaluation.index_report import table, write_report
from babelens.indexes.setting import Setting, choose_setting
from babelens.metrics.statistics import Estimate


def estimate(value: float) -> Estimate:
    return Estimate(500, value, max(0.0, value - 0.004), min(1.0, value + 0.004), 1e-4)


def a_study(*, ms: Sequence[int] = (8, 16), texts: bool = True, target: float = 0.98) -> IndexStudy:
    one = Estimate(500, 1.0, 1.0, 1.0, 1e-4)
    rows = [Setting("exact", 0, 0, 0, one if texts else None, one, 9.0, 12.0, 9.0, 0.0, 1 << 27)]
    for m in ms:
        for number, ef in enumerate((32, 64, 128, 256)):
            text = estimate(1 - 0.2 / (m * 2**number)) if texts else None
            image = estimate(1.0 if ef == 256 else 1 - 0.05 / (m * 2**number))
            rows.append(
                Setting("hnsw", m, 200, ef, text, image, 0.1 * 1.7**number, 0.4, 9.0, 30.0, (m + 64) << 20)
            )
    verdict = choose_setting(rows, target)
    return IndexStudy(
        path="/c", encoder="fake", modality="image", metric="ip", vectors=100_000, dim=51,
        queries={"text": 500, "image": 500} if texts else {"image": 500}, held_out=500, target=target, seed=0,
        planned=len(ms), built=len(ms), resumed=0, rows=tuple(rows), chosen=verdict.setting, why=verdict.why,
        applied=False, notes=("A note.",), seconds=1.0,
    )  # fmt: skip


def test_the_table_marks_the_chosen_row_and_states_intervals() -> None:
    study = a_study()
    titles, rows = table(study)
    assert all(len(row) == len(titles) for row in rows)
    assert [row for row in rows if row[-1] == "chosen"] == [rows[study.rows.index(study.chosen)]]  # type: ignore[arg-type]
    assert rows[1][4] == "0.9750 [0.9710, 0.9790]"
    assert rows[0][0] == "exact"


def test_json_and_markdown(tmp_path: Path) -> None:
    study = a_study()
    paths = write_report(study, tmp_path / "new" / "out", command=["babelens", "tune", "index"])
    facts = json.loads(paths[0].read_text(encoding="utf-8"))
    assert Setting.of(facts["chosen"]) == study.chosen
    assert [Setting.of(row) for row in facts["rows"]] == list(study.rows)
    assert facts["command"] == ["babelens", "tune", "index"]
    page = paths[1].read_text(encoding="utf-8")
    assert page.count("\n| ") == len(study.rows) + 1
    assert "A note." in page
    assert "Unfinished" not in page
    write_report(replace(study, built=1), tmp_path / "new" / "out", command=[])
    assert "Unfinished: 1 of 2" in paths[1].read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "study", [a_study(), a_study(texts=False), a_study(ms=range(4, 40, 3)), a_study(target=1)]
)
def test_the_plot_is_drawn(tmp_path: Path, study: IndexStudy) -> None:
    pytest.importorskip("matplotlib", reason="needs pip install 'babelens[eval]'")
    png, svg = plot_study(study, tmp_path / "out")
    with Image.open(png) as picture:
        assert picture.width > 800
        assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 50
    assert "</svg>" in svg.read_text(encoding="utf-8")
    assert {png.name, svg.name} == set(FILES)


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(MissingExtraError, match="eval"):
        plot_study(a_study(), tmp_path)
