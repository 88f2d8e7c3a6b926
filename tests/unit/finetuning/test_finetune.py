"""From data to a verdict: what is better is published and can be loaded, what is not leaves nothing behind."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs pip install 'babelens[torch]'")
pytest.importorskip("onnxscript")
pytest.importorskip("transformers")

from babelens.errors import ExportError, TrainingError  # noqa: E402
from babelens.finetuning.finetune import FineTuning, finetune  # noqa: E402
from babelens.finetuning.measure import Outcome, measure, outcome  # noqa: E402
from babelens.finetuning.publish import publish  # noqa: E402
from babelens.finetuning.tunable import take_apart  # noqa: E402
from babelens.models.encoder import TwoTowerEncoder  # noqa: E402
from babelens.models.registry import load_encoder  # noqa: E402
from tests import tuning  # noqa: E402
from tests.unit.finetuning import families  # noqa: E402


@pytest.fixture(scope="module")
def tuned(shapes: Path, own_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> FineTuning:
    """An encoder that knew nothing has learnt what the drawings show."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BABELENS_CACHE", str(tmp_path_factory.mktemp("cache")))
        return finetune(
            shapes,
            model=own_folder,
            out=tmp_path_factory.mktemp("runs") / "drawings",
            settings=tuning.settings(learning_rate=1e-2),
            keep=[],
        )


def served(encoder: TwoTowerEncoder, folder: Path) -> Outcome:
    """What a published folder finds on the test split when it serves."""
    domain = tuning.read(folder, take_apart(encoder)).test
    images = encoder.encode_prepared(list(domain.pixels))
    return outcome(
        images, {tag: encoder.encode_texts(bodies) for tag, bodies in domain.bodies.items()}, domain
    )


def test_a_real_gain_is_published(tuned: FineTuning, shapes: Path, own_folder: Path) -> None:
    assert tuned.verdict.better, tuned.verdict.why
    assert tuned.verdict.gain.low > 0
    assert tuned.encoder == tuned.out / "encoder"
    assert tuned.parity.moved == 0
    assert tuned.blended.mean() > tuned.base.mean() + 0.1
    assert tuned.steps == 100
    assert 0 < tuned.best_step <= 100
    assert tuned.chosen in tuned.points
    assert tuned.settings.learning_rate == 1e-2
    described = json.loads((tuned.encoder / "encoder.json").read_text(encoding="utf-8"))
    assert described["name"] == "drawings"
    came_from = described["finetuned"]
    assert came_from["base"] == str(load_encoder(own_folder).fingerprint)
    assert came_from["share"] == tuned.chosen.alpha > 0
    assert came_from["gain"] == pytest.approx(
        [tuned.verdict.gain.value, tuned.verdict.gain.low, tuned.verdict.gain.high], abs=1e-4
    )
    encoder = load_encoder(tuned.encoder)
    assert encoder.fingerprint != load_encoder(own_folder).fingerprint
    found = served(encoder, shapes)
    for direction, by_language in tuned.blended.found.items():
        for tag in by_language:
            for k in (1, 10):
                expected = tuned.blended.recall(direction, tag, k)
                assert found.recall(direction, tag, k) == expected, (direction, tag, k)


def test_a_published_encoder_can_be_tuned_again(tuned: FineTuning) -> None:
    assert tuned.encoder is not None
    again = take_apart(tuned.encoder)
    assert again.own
    texts = ["red disc", "blau"]
    np.testing.assert_allclose(again.encode_texts(texts), again.base.encode_texts(texts), atol=1e-5)


def test_captions_that_belong_to_nothing_keep_the_base(
    shapes: Path, own_folder: Path, tmp_path: Path
) -> None:
    """Each picture has words of its own: they can be learnt by heart, and nothing else."""
    rng = random.Random(0)
    for name in ("train", "val", "test"):
        rows = tuning.rows_of(shapes / f"{name}.jsonl")
        for row in rows:
            row["image"] = str(shapes / str(row["image"]))
            row["captions"] = {"en": ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=12)) for _ in "12"]}
        tuning.write_lines(tmp_path / f"{name}.jsonl", rows)
    out = tmp_path / "run"
    found = finetune(
        tmp_path, model=own_folder, out=out, settings=tuning.settings(learning_rate=1e-2), keep=[]
    )
    assert not found.verdict.better
    assert found.verdict.why.startswith("Keep the base")
    assert found.encoder is None
    assert not (out / "encoder").exists()
    assert sorted(path.name for path in out.iterdir()) == ["checkpoint.pt", "log.jsonl"]


def test_a_folder_that_holds_a_run_is_not_overwritten(
    tuned: FineTuning, shapes: Path, own_folder: Path
) -> None:
    before = (tuned.out / "checkpoint.pt").read_bytes()
    with pytest.raises(TrainingError, match="holds a checkpoint already") as caught:
        finetune(shapes, model=own_folder, out=tuned.out, keep=[])
    assert "--resume" in str(caught.value.hint)
    assert (tuned.out / "checkpoint.pt").read_bytes() == before


def test_a_language_that_is_learnt_from_parallel_texts_alone(
    shapes: Path, own_folder: Path, tmp_path: Path
) -> None:
    """No picture is seen: Hindi is put where the model has the same in English."""
    things = [
        {
            tag: [f"{words[colour]} {words[shape]}, {words[ground]}"]
            for tag, words in tuning.WORDS.items()
            if tag in ("en", "hi")
        }
        for colour in tuning.COLOURS
        for shape in tuning.SHAPES
        for ground in tuning.GROUNDS
    ]
    rows = [{"image": f"row {number}", "captions": captions} for number, captions in enumerate(things)]
    parallel = tuning.write_lines(tmp_path / "parallel.jsonl", rows)
    found = finetune(
        None,
        model=own_folder,
        out=tmp_path / "run",
        settings=tuning.settings(parallel="distil", parts="text", languages=("en", "hi"), learning_rate=1e-2),
        validation=shapes / "val.jsonl",
        test=shapes / "test.jsonl",
        parallel=parallel,
        keep=[],
    )
    entries = [json.loads(line) for line in (found.out / "log.jsonl").read_text("utf-8").splitlines()]
    assert set(entries[1]["train"]) == {"loss", "distil", "lr"}
    assert entries[-1]["train"]["distil"] < 0.5 * entries[1]["train"]["distil"]


# -- publishing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", families.FAMILIES)
def test_every_family_is_published(family: str, shapes: Path, tmp_path: Path) -> None:
    tunable = take_apart(families.written(tmp_path / family, family))
    domain = tuning.read(shapes, tunable).validation
    base = tunable.encode_pictures(domain.pixels)
    tunable.set_weights({name: 1.1 * value for name, value in tunable.weights().items() if value.ndim > 1})
    before = measure(tunable, domain)
    pixels, texts = tunable.encode_pictures(domain.pixels), tunable.encode_texts(domain.bodies["de"])
    assert np.abs(pixels - base).max() > 1e-2
    about: dict[str, Any] = {"base": family}
    folder = publish(tunable, domain, tmp_path, name="mine", photographs=True, about=about)
    encoder = load_encoder(folder)
    assert encoder.runtime.startswith("ONNX")
    assert encoder.fingerprint.name == "mine"
    np.testing.assert_allclose(encoder.encode_prepared(list(domain.pixels)), pixels, atol=1e-4)
    np.testing.assert_allclose(encoder.encode_texts(domain.bodies["de"]), texts, atol=1e-4)
    rows = {tag: encoder.encode_texts(bodies) for tag, bodies in domain.bodies.items()}
    assert outcome(encoder.encode_prepared(list(domain.pixels)), rows, domain).mean() == before.mean()
    assert json.loads((folder / "encoder.json").read_text(encoding="utf-8"))["finetuned"] == about


def test_an_older_encoder_is_replaced_and_nothing_else_is(
    shapes: Path, own_folder: Path, tmp_path: Path
) -> None:
    tunable = take_apart(own_folder)
    domain = tuning.read(shapes, tunable).validation
    target = tmp_path / "encoder"
    target.mkdir()
    (target / "thesis.txt").write_text("the only copy")
    with pytest.raises(ExportError, match="is no encoder"):
        publish(tunable, domain, tmp_path, name="new", photographs=True, about={})
    assert (target / "thesis.txt").read_text() == "the only copy"
    (target / "encoder.json").write_text("{}")
    publish(tunable, domain, tmp_path, name="new", photographs=True, about={})
    assert load_encoder(target).fingerprint.name == "new"
    assert not (target / "thesis.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["encoder"]
