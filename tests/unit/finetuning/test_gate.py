"""Each step of the gate fires when it should, and only then."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs pip install 'babelens[torch]'")

from babelens.errors import TrainingError  # noqa: E402
from babelens.finetuning.alarms import Watch, check_finite, check_recall  # noqa: E402
from babelens.finetuning.data import Data, read_parallel  # noqa: E402
from babelens.finetuning.gate import judge, parity  # noqa: E402
from babelens.finetuning.interpolation import Point, blend, choose, sweep  # noqa: E402
from babelens.finetuning.measure import Outcome, measure, outcome  # noqa: E402
from babelens.finetuning.run import CHECKPOINT, Run  # noqa: E402
from babelens.finetuning.tunable import Tunable  # noqa: E402
from tests import tuning  # noqa: E402


@pytest.fixture(scope="module")
def tunable() -> Tunable:
    return tuning.own()


@pytest.fixture
def data(shapes: Path, tunable: Tunable) -> Data:
    return tuning.read(shapes, tunable)


# -- 1. parity ---------------------------------------------------------------------------------------------------


def test_parity_of_what_is_trained_and_what_is_served(data: Data, tunable: Tunable) -> None:
    found, start = parity(tunable, data.validation)
    assert start.mean() == measure(tunable, data.validation).mean()
    # Two captions in two languages one way, and in two languages the other way.
    assert found.queries == 24 * 2 * 2 + 24 * 2
    assert found.moved == 0
    assert found.apart < 1e-5


def test_pictures_prepared_in_another_way_are_noticed(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    tampered = tuning.own()
    encode = tampered.encode_pictures
    monkeypatch.setattr(tampered, "encode_pictures", lambda pixels: encode(pixels[..., ::-1].copy()))  # BGR
    with pytest.raises(TrainingError, match="Before the first step the training code finds") as caught:
        parity(tampered, data.validation)
    assert "Nothing was trained" in str(caught.value)


@pytest.mark.parametrize("name", ["image.project.weight", "text.table.weight"])
def test_weights_that_were_read_wrongly_are_noticed(name: str, data: Data) -> None:
    tampered = tuning.own()
    tampered.set_weights({name: tampered.weights()[name].flip(0)})
    with pytest.raises(TrainingError, match="numbers of vectors by up to") as caught:
        parity(tampered, data.validation)
    assert "weights were read wrongly" in str(caught.value.hint)


# -- 2. alarms ---------------------------------------------------------------------------------------------------


@pytest.fixture
def begin(shapes: Path, tmp_path: Path) -> Callable[..., Run]:
    return lambda **changes: tuning.begin(tuning.own(), shapes, tmp_path / "run", tuning.settings(**changes))


def test_a_learning_rate_that_is_absurd_ends_the_run(begin: Callable[..., Run]) -> None:
    run = begin(learning_rate=1e30, clip=1e30)
    with pytest.raises(TrainingError, match=r"is not a number|collapsed|no longer belong|the loss rises"):
        run.train()
    assert run.step < run.steps


def test_a_weight_that_is_not_a_number_ends_the_run_before_the_next_update(
    begin: Callable[..., Run],
) -> None:
    run = begin()
    run.train(stop_after=5)
    saved = (run.out / CHECKPOINT).read_bytes()
    with torch.no_grad():
        run.tunable.text.project.weight[0, 0] = torch.nan
    before = run.tunable.weights()
    with pytest.raises(TrainingError, match="The loss is not a number at step 5") as caught:
        run.train()
    assert "half precision" in str(caught.value)
    after = run.tunable.weights()
    assert all(
        torch.equal(after[name], value) for name, value in before.items() if "text.project" not in name
    )
    assert (run.out / CHECKPOINT).read_bytes() == saved


def test_a_loss_that_does_not_move_ends_the_run(begin: Callable[..., Run]) -> None:
    run = begin(learning_rate=1e-12, augment=False)
    with pytest.raises(TrainingError, match="far too low"):
        run.train()
    assert run.step == max(run.warmup, 10) + 20


def test_a_base_that_finds_most_is_near_the_floor_of_its_loss(data: Data, tmp_path: Path) -> None:
    settings = tuning.settings(learning_rate=1e-12, augment=False)
    run = Run(tuning.own(), data, settings, tmp_path, base=perfect(data))
    for _ in range(max(run.warmup, 10) + 25):
        run.train_step()


def test_parallel_texts_are_watched_whatever_the_base_finds(data: Data, tmp_path: Path) -> None:
    rows = [{"image": str(n), "captions": {"en": [f"thing {n}"], "de": [f"Ding {n}"]}} for n in range(40)]
    parallel = read_parallel(tuning.write_lines(tmp_path / "parallel.jsonl", rows), ("en", "de"))
    settings = tuning.settings(learning_rate=1e-12, augment=False)
    run = Run(tuning.own(), replace(data, parallel=parallel), settings, tmp_path, base=perfect(data))
    for _ in range(max(run.warmup, 10) + 19):
        run.train_step()
    with pytest.raises(TrainingError, match="far too low"):
        run.train_step()


def test_a_loss_that_rises_ends_the_run() -> None:
    watch = Watch(warmup=5)
    for step in range(29):
        watch.see(1.0 + step / 100)
    with pytest.raises(TrainingError, match="too high: the loss rises"):
        watch.see(1.3)


def test_a_loss_that_falls_does_not() -> None:
    watch = Watch(warmup=20)
    for step in range(200):
        watch.see(1.0 - step / 400)
    again = Watch(warmup=20, losses=watch.losses[:30])
    for loss in watch.losses[30:]:
        again.see(loss)


def test_a_gradient_that_is_not_finite() -> None:
    check_finite(1.0, step=3, gradient=2.0)
    with pytest.raises(TrainingError, match="The gradient is not a number at step 3"):
        check_finite(1.0, step=3, gradient=float("inf"))


def test_one_vector_for_all_pictures_ends_the_run(begin: Callable[..., Run]) -> None:
    """As after a collapse: all ties count against the model, and nothing is found."""
    run = begin()
    base = perfect(run.data)
    run.base = base
    with torch.no_grad():
        run.tunable.image.project.weight.zero_()
    run.step = run.warmup
    with pytest.raises(TrainingError, match="collapsed") as caught:
        run._validate({})
    assert "mean cosine of 1.00" in str(caught.value)
    entry = json.loads((run.out / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert entry["alike"] == 1


def test_recall_at_chance() -> None:
    base = {"base": 0.6, "step": 7}
    check_recall(0.11, chance=0.1, alike=0.99, **base)
    with pytest.raises(TrainingError, match="assigned to the wrong pictures"):
        check_recall(0.1, chance=0.1, alike=0.2, **base)
    check_recall(0.05, chance=0.1, alike=0.2, base=0.12, step=7)  # the base knew nothing either


# -- 3. interpolation --------------------------------------------------------------------------------------------


def point(alpha: float, validation: float, *harmed: str) -> Point:
    return Point(alpha, validation, {}, {}, harmed)


def test_the_best_that_harms_nothing_is_chosen() -> None:
    base = point(0.0, 0.5)
    assert choose([base, point(0.5, 0.7), point(1.0, 0.9, "gallery hi")]).alpha == 0.5
    assert choose([base, point(0.5, 0.7, "de"), point(1.0, 0.9, "gallery hi")]).alpha == 0
    assert choose([base, point(0.5, 0.5), point(1.0, 0.4)]).alpha == 0, "no gain is no reason"


def test_blends_lie_on_the_line_between_the_weights() -> None:
    base, tuned = ({"w": torch.tensor([value, 1.0])} for value in (0.0, 4.0))
    assert blend(base, tuned, 0.0) is base
    assert blend(base, tuned, 1.0) is tuned
    assert blend(base, tuned, 0.25)["w"].tolist() == [1.0, 1.0]


class Line:
    """Stands for a tunable with a single weight; ``found`` is the share of pictures found at it, by domain and
    language."""

    still: frozenset[str] = frozenset()

    def __init__(self, data: Data, found: Callable[[float, str, str], float]) -> None:
        self.weight, self.found = torch.zeros(()), found
        domains = (data.validation, *data.kept)
        self.asked = {
            id(bodies): (domain, tag) for domain in domains for tag, bodies in domain.bodies.items()
        }

    def set_weights(self, weights: dict[str, torch.Tensor]) -> None:
        self.weight = weights["w"]

    def encode_pictures(self, pixels: np.ndarray) -> np.ndarray:
        return np.eye(48, dtype=np.float32)[: len(pixels)]

    def encode_texts(self, bodies: list[str]) -> np.ndarray:
        domain, tag = self.asked[id(bodies)]
        owners = domain.owners[tag]
        right = owners < round(self.found(float(self.weight), domain.name, tag) * len(domain))
        rows: np.ndarray = np.eye(48, dtype=np.float32)[owners] * right[:, None]
        return rows


def test_a_point_that_harms_another_domain_or_a_language_is_not_chosen(data: Data) -> None:
    data = replace(data, kept=(replace(data.test, name="other"),))

    def found(weight: float, domain: str, language: str) -> float:
        if domain == "other":  # lost beyond 0.5
            return 0.75 - 0.5 * max(0.0, weight - 0.55)
        if language == "de":  # lost beyond 0.7
            return 0.5 - max(0.0, weight - 0.75)
        return 0.25 + 0.75 * weight

    ends = ({"w": torch.tensor(value)} for value in (0.0, 1.0))
    points = sweep(Line(data, found), data, *ends, tolerance=0.01)  # type: ignore[arg-type]
    assert [one.alpha for one in points] == [round(0.1 * step, 1) for step in range(11)]
    assert points[0].harmed == ()
    assert points[0].validation == pytest.approx((0.25 + 0.5) / 2)
    assert points[0].kept["other"] == {"en": 0.75, "de": 0.75}
    assert {one.alpha: one.harmed for one in points if one.harmed} == {
        0.6: ("other en", "other de"),
        0.7: ("other en", "other de"),
        0.8: ("de", "other en", "other de"),
        0.9: ("de", "other en", "other de"),
        1.0: ("de", "other en", "other de"),
    }
    assert max(points, key=lambda one: one.validation).alpha > 0.5, "the best of all does harm"
    assert choose(points).alpha == 0.5


def test_how_much_may_be_lost_is_the_user_s_to_say(data: Data) -> None:
    def found(weight: float, domain: str, language: str) -> float:
        return 0.5 + (0.5 if language == "en" else -0.25) * weight

    def chosen(tolerance: float) -> float:
        ends = ({"w": torch.tensor(value)} for value in (0.0, 1.0))
        tunable = Line(data, found)
        return choose(sweep(tunable, data, *ends, tolerance=tolerance, alphas=(0.0, 0.5, 1.0))).alpha  # type: ignore[arg-type]

    # A loss of exactly the tolerance is allowed.
    assert [chosen(value) for value in (0.0, 0.12, 0.125, 0.25)] == [0.0, 0.0, 0.5, 1.0]


# -- 4. the paired test ------------------------------------------------------------------------------------------


def vectors(data: Data, *, right: float, seed: int) -> Outcome:
    """What an encoder finds that has a share ``right`` of the pictures where their captions are."""
    domain, rng = data.test, np.random.default_rng(seed)
    images = np.eye(len(domain), dtype=np.float32)
    known = rng.random(len(domain)) < right
    texts = {}
    for tag, owners in domain.owners.items():
        places = np.where(known[owners], owners, rng.integers(len(domain), size=len(owners)))
        texts[tag] = images[places] + 0.01 * rng.random((len(owners), len(domain)), dtype=np.float32)
    return outcome(images, texts, domain)


def perfect(data: Data) -> Outcome:
    domain = data.validation
    images = np.eye(len(domain), dtype=np.float32)
    return outcome(images, {tag: images[owners] for tag, owners in domain.owners.items()}, domain)


TUNED = Point(0.7, 0.9, {}, {}, ())


def test_a_real_gain_passes(data: Data) -> None:
    verdict = judge(TUNED, vectors(data, right=0.2, seed=1), vectors(data, right=0.9, seed=2))
    assert verdict.better
    assert verdict.why.startswith("Better")
    assert 0.2 < verdict.gain.low < verdict.gain.value < verdict.gain.high
    assert verdict.gain.n == 48
    for k, by_direction in verdict.gains.items():
        assert k in (1, 10)
        for direction, row in by_direction.items():
            assert set(row) == {"en", "de"}
            assert all(one.n == (96 if direction == "text_to_image" else 48) for one in row.values())
            assert all(one.better for one in row.values())


def test_luck_is_not_a_gain(data: Data) -> None:
    """Of twenty pairs of encoders that know the same, about one may look better."""
    verdicts = [
        judge(TUNED, vectors(data, right=0.5, seed=seed), vectors(data, right=0.5, seed=100 + seed))
        for seed in range(10)
    ]
    assert sum(verdict.better for verdict in verdicts) <= 1
    kept = next(verdict for verdict in verdicts if not verdict.better)
    assert kept.why.startswith("Keep the base")


def test_the_same_vectors_are_not_better(data: Data) -> None:
    same = vectors(data, right=0.5, seed=1)
    verdict = judge(TUNED, same, same)
    assert not verdict.better
    assert (verdict.gain.value, verdict.gain.low, verdict.gain.high) == (0, 0, 0)
    assert "includes zero" in verdict.why


def test_the_base_itself_is_not_better(data: Data) -> None:
    before, after = vectors(data, right=0.2, seed=1), vectors(data, right=0.9, seed=2)
    verdict = judge(point(0.0, 0.5), before, after)
    assert not verdict.better
    assert verdict.why.startswith("Keep the base: no blend")


def test_a_gain_that_costs_a_language_is_not_better(data: Data) -> None:
    images, owners = np.eye(48, dtype=np.float32), data.test.owners
    few, many = (images[np.where(owners["en"] < count, owners["en"], 0)] for count in (5, 20))
    before = outcome(images, {"en": few, "de": many}, data.test)
    after = outcome(images, {"en": images[owners["en"]], "de": images[(owners["de"] + 1) % 48]}, data.test)
    verdict = judge(TUNED, before, after)
    assert verdict.gain.better
    assert not verdict.better
    assert "worse is" in verdict.why
    assert "text to image in de (hit_rate@1)" in verdict.why
