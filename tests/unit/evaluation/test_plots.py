from __future__ import annotations

import json
import struct
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from babelens.errors import MalformedDataError, UnreadableFileError
from babelens.evaluation.training_log import read_training_log
from babelens.languages import LANGUAGES
from babelens.metrics.statistics import Bootstrap, Estimate, auc, roc

pytest.importorskip("matplotlib", reason="needs pip install 'babelens[eval]'")

from babelens.evaluation import plots
from babelens.evaluation.figures import in_order, series

LOGS = Path(__file__).parents[3] / "docs" / "training-mini"


def estimate(value: float, n: int = 50, chance: float | None = 0.1) -> Estimate:
    return Estimate(n, value, value - 0.1, value + 0.05, chance)


def words(figure: object) -> str:
    """All that is written on a figure."""
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text))  # type: ignore[attr-defined]


def test_recall_by_language_shows_values_intervals_chance_and_n() -> None:
    values = {
        "text_to_image": {"ar": estimate(0.4, 70), "en": estimate(0.5, 60)},
        "image_to_text": {"en": estimate(0.6, 60)},
    }
    figure = plots.recall_by_language(values, k=5)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["en\nn = 60", "ar\nn = 70"]
    dots = {box.get_label(): box.lines[0].get_ydata().tolist() for box in axes.containers}
    assert dots == {"text to image": [0.5, 0.4], "image to text": [0.6]}
    bars = axes.containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose([bar[:, 1] for bar in bars], [[0.4, 0.55], [0.3, 0.45]])
    chance = next(lines for lines in axes.collections if lines.get_label() == "chance")
    np.testing.assert_allclose([line[:, 1] for line in chance.get_segments()], np.full((3, 2), 0.1))
    assert axes.get_ylim()[0] == 0


def test_an_interval_that_does_not_hold_the_value_is_drawn_as_far_as_it_reaches() -> None:
    figure = plots.recall_by_language({"text_to_image": {"en": Estimate(9, 0.2, 0.3, 0.5)}}, k=1)
    (bar,) = figure.axes[0].containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose(bar[:, 1], [0.2, 0.5])


def test_recall_curves_keep_a_language_s_colour_in_any_company() -> None:
    curve = [estimate(0.2 + 0.01 * k, chance=k / 100) for k in range(1, 31)]
    alone = plots.recall_curves({"ja": curve}).axes[0].lines
    among = plots.recall_curves({"ar": curve, "ja": curve, "en": curve}).axes[0].lines
    assert [line.get_label() for line in among] == ["en, n = 50", "ja, n = 50", "ar, n = 50", "chance"]
    assert alone[0].get_color() == among[1].get_color() == series("ja")[0]
    assert alone[0].get_marker() == among[1].get_marker()
    np.testing.assert_allclose(among[1].get_ydata(), [point.value for point in curve])
    np.testing.assert_allclose(among[-1].get_ydata(), [k / 100 for k in range(1, 31)])


def test_every_language_differs_by_colour_and_by_marker() -> None:
    looks = [series(tag) for tag in (*LANGUAGES, "und")]
    for part in range(3):
        assert len({look[part] for look in looks}) == 9
    assert in_order(["mini", "ar", "en", "mini"]) == ["en", "ar", "mini"]


def test_confusion_is_annotated_in_the_order_of_the_languages() -> None:
    matrix = np.array([[0.7, 0.3], [0.1, np.nan]])
    figure = plots.language_confusion(matrix, ["ar", "en"], n=12)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["en", "ar"]
    placed = {text.get_position(): text.get_text() for text in axes.texts}
    assert placed == {(1, 1): "0.70", (0, 1): "0.30", (1, 0): "0.10"}
    assert "n = 12" in axes.get_xlabel()
    with pytest.raises(ValueError, match="shape"):
        plots.language_confusion(matrix, ["en"])
    with pytest.raises(ValueError, match="shape"):
        plots.language_confusion(np.empty((0, 0)), [])


def test_score_distributions_print_n_and_auc() -> None:
    random = np.random.default_rng(0)
    matched, mismatched = random.normal(1, 1, 200), random.normal(0, 1, 300)
    figure = plots.score_distributions(
        {"matched": matched, "mismatched": mismatched, "no match": np.array([])}
    )
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[0] == "matched, n = 200"
    assert labels[1].startswith(f"mismatched, n = 300\nAUC of matched: {auc(matched, mismatched):.3f} [")
    assert labels[2] == "no match, n = 0"
    stairs = [patch for patch in figure.axes[0].patches if patch.get_label() == labels[0]]
    values, edges, _ = stairs[0].get_data()
    assert (values * np.diff(edges)).sum() == pytest.approx(1)
    given = plots.score_distributions({"a": matched, "b": mismatched}, aucs={"b": Estimate(9, 0.5, 0.4, 0.6)})
    assert "AUC of a: 0.500 [0.400, 0.600]" in words(given)


def test_the_interval_of_an_auc_is_about_that_of_a_bootstrap() -> None:
    random = np.random.default_rng(1)
    higher, lower = random.normal(1, 1, 300), random.normal(0, 1, 300)
    text = words(plots.score_distributions({"a": higher, "b": lower}))
    low, high = (float(part) for part in text.split("[")[1].split("]")[0].split(", "))
    expected = Bootstrap(np.arange(300)).auc(higher, lower)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.01)


def test_roc_curve() -> None:
    higher, lower = np.array([0.5, 0.6, 0.9]), np.array([0.1, 0.2, 0.55])
    figure = plots.roc_curve({"hi": roc(higher, lower)}, {"hi": Estimate(3, 0.889, 0.5, 1.0)})
    line = figure.axes[0].lines[1]
    assert line.get_label() == "hi  0.889 [0.500, 1.000], n = 3"
    assert (line.get_xdata()[0], line.get_ydata()[-1]) == (0, 1)


def test_learning_curve_is_by_number_of_examples() -> None:
    points = {"en": {0: estimate(0.1), 1000: estimate(0.4), 100: estimate(0.2)}}
    axes = plots.learning_curve(points).axes[0]
    dots = axes.containers[0].lines[0]
    assert dots.get_xdata().tolist() == [100, 1000]
    assert dots.get_ydata().tolist() == [0.2, 0.4]
    assert axes.get_xscale() == "log"


def test_training_curves_show_loss_and_recall_of_every_language() -> None:
    log = read_training_log(LOGS / "mini.jsonl")
    figure = plots.training_curves(log)
    loss, rate, forwards, backwards = figure.axes
    total = next(line for line in loss.lines if line.get_label() == "sum")
    assert total.get_ydata()[-1] == log[-1]["train"]["loss"]
    assert rate.lines[0].get_ydata()[0] == log[1]["train"]["lr"]
    for axes, measure in ((forwards, "text_to_image_1"), (backwards, "image_to_text_1")):
        lines = {line.get_label(): line for line in axes.lines}
        for tag in LANGUAGES:
            assert lines[tag].get_ydata()[-1] == log[-1]["recall"][tag][measure]
    assert "n = 1,556" in words(figure)


def test_training_curves_of_a_weak_model_are_not_a_line_on_the_floor() -> None:
    row = {"n": 50} | {
        f"{way}_1{end}": value
        for way in ("text_to_image", "image_to_text")
        for end, value in (("", 0.04), ("_low", 0.03), ("_high", 0.06))
    }
    log = [{"step": step, "train": {}, "recall": {"en": row}} for step in (0, 10)]
    for axes in plots.training_curves(log).axes[2:]:
        assert axes.get_ylim() == (0.0, 0.1)


def test_an_unfinished_or_repeated_log_is_read(tmp_path: Path) -> None:
    whole = (LOGS / "mini.jsonl").read_text("utf-8").splitlines()
    log = tmp_path / "log.jsonl"
    changed = json.loads(whole[1]) | {"seconds": 7.0}
    log.write_text("\n".join([*whole[:3], json.dumps(changed), whole[3][:50]]), "utf-8")
    entries = read_training_log(log)
    assert [entry["step"] for entry in entries] == [json.loads(line)["step"] for line in whole[:3]]
    assert entries[1]["seconds"] == 7.0
    assert plots.training_curves(entries[:1]).axes


@pytest.mark.parametrize(
    "line", ["no json", "[]", '{"step": 1}', '{"step": 1, "train": {}, "recall": {"en": {"n": 3}}}']
)
def test_what_is_no_training_log_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(f"\n{line}\n", "utf-8")
    with pytest.raises(MalformedDataError) as caught:
        read_training_log(log)
    assert caught.value.line == 2
    log.write_text("", "utf-8")
    with pytest.raises(UnreadableFileError):
        read_training_log(log)


def test_nothing_to_draw_is_an_empty_plot_and_no_error(tmp_path: Path) -> None:
    for number, figure in enumerate(
        (
            plots.recall_by_language({}, k=1),
            plots.recall_curves({}),
            plots.score_distributions({}),
            plots.learning_curve({"en": {}}),
            plots.roc_curve({}, {}),
        )
    ):
        png, _ = plots.save(figure, tmp_path / str(number))
        assert png.stat().st_size


def test_files_are_valid_the_same_every_time_and_leave_settings_alone(tmp_path: Path) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    saved = []
    for name in ("one.a", "two.b"):
        figure = plots.recall_by_language({"text_to_image": {"en": estimate(0.5)}}, k=1)
        png, svg = plots.save(figure, tmp_path / "deep" / name)
        assert (png.name, svg.name) == (f"{name}.png", f"{name}.svg")
        assert struct.unpack(">II", png.read_bytes()[16:24]) == (1600, 900)
        assert ElementTree.fromstring(svg.read_text("utf-8")).tag == "{http://www.w3.org/2000/svg}svg"
        saved.append((png.read_bytes(), svg.read_bytes()))
    assert saved[0] == saved[1]
    assert dict(matplotlib.rcParams) == before
