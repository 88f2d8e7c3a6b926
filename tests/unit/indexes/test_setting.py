from __future__ import annotations

import json
import math
from dataclasses import asdict

import pytest

from babelens.indexes.setting import Grid, Setting, Tuned, choose_setting, queries_needed
from babelens.metrics.statistics import Estimate

N = 1000


def row(
    text: float | None,
    image: float | None = 1.0,
    *,
    kind: str = "hnsw",
    m: int = 16,
    ef: int = 64,
    p50: float = 0.2,
    size: int = 100,
    margin: float = 0.002,
    n: int = N,
) -> Setting:
    def estimate(value: float | None) -> Estimate | None:
        return None if value is None else Estimate(n, value, value - margin, min(1.0, value + margin), 0.0)

    return Setting(kind, m, 200, ef, estimate(text), estimate(image), p50, 3 * p50, 1.0, 5.0, size)  # type: ignore[arg-type]


def chosen(*rows: Setting, target: float = 0.99) -> Setting | None:
    return choose_setting(rows, target).setting


EXACT = Setting("exact", 0, 0, 0, Estimate(N, 1, 1, 1), Estimate(N, 1, 1, 1), 1.0, 2.0, 1.0, 0.0, 50)


def test_the_least_memory_wins_then_the_fastest() -> None:
    large, small, slow = row(0.999, size=200, p50=0.1), row(0.995, p50=0.3), row(0.996, p50=0.5, ef=128)
    assert chosen(EXACT, large, slow, small) == small
    assert chosen(EXACT, large) == large


def test_the_worse_kind_of_query_decides() -> None:
    assert chosen(EXACT, row(0.97, 1.0)) is None
    assert chosen(EXACT, row(1.0, 0.97)) is None
    assert chosen(EXACT, row(None, 0.995)) is not None
    assert chosen(EXACT, row(None, None)) is None


def test_the_lower_end_of_the_interval_has_to_reach_the_target() -> None:
    assert chosen(EXACT, row(0.991, margin=0.002)) is None
    assert chosen(EXACT, row(0.9925, margin=0.002)) is not None


def test_the_mean_decides_where_no_interval_could() -> None:
    few = queries_needed(0.99) - 1
    assert chosen(EXACT, row(0.991, n=few, margin=0.02)) is not None
    assert chosen(EXACT, row(0.989, n=few, margin=0.02)) is None
    assert chosen(EXACT, row(0.991, n=few + 1, margin=0.02)) is None


@pytest.mark.parametrize("target", [0.9, 0.99, 0.999])
def test_queries_needed_is_where_an_interval_of_ones_reaches_the_target(target: float) -> None:
    n = queries_needed(target)
    assert 0.025 ** (1 / n) >= target > 0.025 ** (1 / (n - 1))
    assert queries_needed(1.0) == 1


def test_exact_search_wins_when_no_setting_is_faster() -> None:
    verdict = choose_setting([EXACT, row(1.0, p50=1.2), row(0.9, p50=0.1)], 0.99)
    assert verdict.setting is None
    assert "1.2 times" in verdict.why


def test_none_is_chosen_when_none_reaches_the_target() -> None:
    verdict = choose_setting([EXACT, row(0.95), row(0.97, 0.96)], 0.99)
    assert verdict.setting is None
    assert "0.9600" in verdict.why
    assert choose_setting([EXACT], 0.99).setting is None


def test_a_setting_comes_back_from_json_as_it_was() -> None:
    tuned = Tuned(row(0.995, None), 0.99, 100_000, "2026-01-02T03:04:05+00:00")
    assert Tuned.of(json.loads(json.dumps(tuned.facts()))) == tuned
    assert Setting.of(json.loads(json.dumps(asdict(EXACT)))) == EXACT
    assert tuned.parameters.ef_search == 64
    assert tuned.kind == "hnsw"


def test_ratio_to_exact_search() -> None:
    assert row(1.0, p50=0.25).times_exact == 0.25
    assert math.isnan(Setting("exact", 0, 0, 0, None, None, 0.0, 0.0, 0.0, 0.0, 0).times_exact)


def test_a_grid_builds_each_graph_once() -> None:
    grid = Grid(kinds=("hnsw",), m=(8, 16, 8), ef_construction=(100, 200), ef_search=(64, 32, 64))
    assert [(g.m, g.ef_construction) for g in grid.graphs()] == [(8, 100), (8, 200), (16, 100), (16, 200)]
    assert grid.beams == [32, 64]


@pytest.mark.parametrize(
    "wrong", [{"kinds": ("ivf",)}, {"m": (1,)}, {"m": ()}, {"ef_search": (0,)}, {"ef_construction": (0,)}]
)
def test_a_grid_that_makes_no_graph_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"kinds are|at least"):
        Grid(**wrong)  # type: ignore[arg-type]
