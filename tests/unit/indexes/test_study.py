from __future__ import annotations

import numpy as np
import pytest

from babelens.indexes.exact import ExactIndex
from babelens.indexes.faiss import FaissIndex, HnswParameters
from babelens.indexes.setting import Grid, Setting
from babelens.indexes.study import held_out, study
from babelens.indexes.tuning import Truth, memory_of
from babelens.types import Modality
from babelens.vectors import Floats, Ids, normalize

N, DIM = 3_000, 24
GRID = Grid(kinds=("hnsw",), m=(4, 8), ef_construction=(40,), ef_search=(24, 256))


def rows(n: int, seed: int, dim: int = DIM) -> Floats:
    return normalize(np.random.default_rng(seed).normal(size=(n, dim)))


VECTORS = rows(N, 0)
QUERIES: dict[Modality, Floats] = {"text": rows(40, 1), "image": rows(30, 2)}


def batches() -> list[tuple[Ids, Floats]]:
    return [(np.arange(start, start + 1000), VECTORS[start : start + 1000]) for start in range(0, N, 1000)]


def measured(grid: Grid = GRID, **options: object) -> list[Setting]:
    return [row for part in study(batches(), QUERIES, grid, **options) for row in part]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def result() -> list[Setting]:
    return measured()


def test_exact_search_first_then_every_beam_of_every_graph(result: list[Setting]) -> None:
    assert [(r.kind, r.m, r.ef_search) for r in result] == [
        ("exact", 0, 0),
        ("hnsw", 4, 24),
        ("hnsw", 4, 256),
        ("hnsw", 8, 24),
        ("hnsw", 8, 256),
    ]


def test_rows_carry_times_size_and_recalls_with_n_interval_and_chance(result: list[Setting]) -> None:
    for row in result:
        assert row.recall_text is not None
        assert row.recall_image is not None
        assert (row.recall_text.n, row.recall_image.n) == (40, 30)
        assert row.recall_text.low <= row.recall_text.value <= row.recall_text.high
        assert row.recall_text.chance == pytest.approx(10 / N)
        assert 0 < row.p50_ms <= row.p99_ms
        assert row.exact_p50_ms > 0
        assert row.bytes == memory_of(row.kind, N, DIM, m=row.m)
        assert (row.build_seconds > 0) == (row.kind != "exact")


def test_recall_is_that_of_brute_force() -> None:
    """The same graph, built once more in one thread's order, would differ: so the study's own rows are not compared,
    but what it computes recall with."""
    index = FaissIndex.build(batches(), DIM, parameters=HnswParameters(4, 40, 24))
    truth = Truth(QUERIES["text"])
    for ids, vectors in batches():
        truth.see(ids, vectors)
    scores, found = index.search(QUERIES["text"], 10)
    best = np.argsort(-(QUERIES["text"] @ VECTORS.T), axis=1)[:, :10]
    by_hand = [len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), best.tolist(), strict=True)]
    assert truth.recalls(scores, found).tolist() == pytest.approx(by_hand)
    assert truth.recall(scores, found) == pytest.approx(np.mean(by_hand))
    assert 0.2 < np.mean(by_hand) < 1.0


def test_a_narrow_beam_misses_what_a_wide_one_finds(result: list[Setting]) -> None:
    narrow, wide = result[1], result[2]
    assert narrow.recall_text is not None
    assert wide.recall_text is not None
    assert narrow.recall_text.high < wide.recall_text.low
    assert wide.recall_text.value > 0.95


def test_known_graphs_are_not_built_again(result: list[Setting]) -> None:
    heard: list[tuple[int, int | None, str]] = []
    known = [row for row in result if row.m == 4]
    again = measured(
        known=known, progress=lambda done, total=None, note="": heard.append((done, total, note))
    )
    assert [row for row in again if row.m == 4] == known
    assert {total for _, total, _ in heard} == {N}
    assert heard[-1][0] == N
    assert all("M=8" in note for *_, note in heard)


def test_a_graph_with_new_beams_is_built_again(result: list[Setting]) -> None:
    known = [row for row in result if row.m == 4]
    wider = Grid(kinds=("hnsw",), m=(4,), ef_construction=(40,), ef_search=(24, 64, 256))
    again = measured(wider, known=known)
    assert [row.ef_search for row in again[1:]] == [24, 64, 256]
    assert again[1] not in known


@pytest.mark.parametrize("kind", ["hnsw-fp16", "hnsw-sq8"])
def test_compressed_kinds_are_smaller_and_measured_the_same(kind: str, result: list[Setting]) -> None:
    grid = Grid(kinds=(kind,), m=(8,), ef_construction=(40,), ef_search=(256,))  # type: ignore[arg-type]
    *_, row = measured(grid, metric="l2")
    assert row.bytes < result[-1].bytes
    assert row.recall_image is not None
    assert row.recall_image.value > 0.9


def test_fewer_vectors_than_ten() -> None:
    few = [(np.arange(3), VECTORS[:3])]
    *_, row = [row for part in study(few, {"text": QUERIES["text"]}, GRID) for row in part]
    assert row.recall_text is not None
    assert row.recall_text.value == 1.0
    assert row.recall_text.chance == 1.0
    assert row.recall_image is None


def test_a_study_needs_queries() -> None:
    with pytest.raises(ValueError, match="queries"):
        list(study(batches(), {"text": np.empty((0, DIM), dtype=np.float32)}, GRID))


def test_queries_are_kept_out_of_the_index() -> None:
    exact = ExactIndex(DIM)
    out = np.array([5, 1005, 2999])
    for ids, vectors in held_out(batches(), out):
        exact.add(ids, vectors)
    assert len(exact) == N - 3
    assert not np.isin(exact.live()[0], out).any()
