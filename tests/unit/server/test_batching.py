from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from babelens.models.protocols import Encoder, PassageEncoder
from babelens.server.batching import BatchedEncoder, BatchedPassageEncoder, Batcher
from babelens.vectors import Floats
from tests.conftest import FakeEncoder, FakePassageEncoder


class Recorder:
    """Gives each number as a row of its own, remembers what came together, and refuses negative ones."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.calls: list[list[int]] = []
        self._seconds = seconds

    def __call__(self, values: list[int]) -> Floats:
        self.calls.append(list(values))
        time.sleep(self._seconds)
        if min(values) < 0:
            raise ValueError(f"negative: {min(values)}")
        return np.array(values, dtype=np.float32)[:, None]


def at_once(batcher: Callable[[Sequence[int]], Floats], groups: list[list[int]]) -> list[list[float]]:
    """Calls from as many threads, which start together."""
    ready = threading.Barrier(len(groups))

    def call(values: list[int]) -> list[float]:
        ready.wait()
        return [float(row[0]) for row in batcher(values)]

    with ThreadPoolExecutor(len(groups)) as pool:
        return list(pool.map(call, groups))


def test_everyone_gets_their_own_rows() -> None:
    record = Recorder(0.002)
    batcher = Batcher(record, wait=0.01, limit=64)
    groups = [[number, number + 100] for number in range(24)]
    assert at_once(batcher, groups) == [[float(value) for value in group] for group in groups]
    assert sorted(value for call in record.calls for value in call) == sorted(v for g in groups for v in g)
    assert len(record.calls) < len(groups) / 2


def test_what_comes_while_one_batch_runs_is_joined() -> None:
    record = Recorder(0.05)
    at_once(Batcher(record, wait=0.0, limit=64), [[number] for number in range(16)])
    assert len(record.calls) <= 4


def test_alone_nobody_waits() -> None:
    batcher = Batcher(Recorder(), wait=5.0, limit=64, company=lambda: False)
    started = time.perf_counter()
    assert batcher([7]).tolist() == [[7.0]]
    assert time.perf_counter() - started < 1


def test_a_full_batch_does_not_wait() -> None:
    batcher = Batcher(Recorder(), wait=5.0, limit=4)
    started = time.perf_counter()
    at_once(batcher, [[number] for number in range(4)])
    assert time.perf_counter() - started < 2


def test_sizes_are_heard() -> None:
    heard: list[int] = []
    Batcher(Recorder(), wait=0.0, limit=4, heard=heard.append)([1, 2, 3])
    assert heard == [3]


def test_an_error_meets_only_those_who_caused_it() -> None:
    batcher = Batcher(Recorder(0.01), wait=0.05, limit=64)

    def call(value: int) -> float | str:
        try:
            return float(batcher([value])[0][0])
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(call, [1, 2, -3, 4, 5, 6, -7, 8]))
    assert results == [1.0, 2.0, "negative: -3", 4.0, 5.0, 6.0, "negative: -7", 8.0]
    assert batcher([9]).tolist() == [[9.0]]


def test_an_encoder_in_company_gives_what_it_gives_alone(encoder: FakeEncoder) -> None:
    heard: list[int] = []
    batched = BatchedEncoder(encoder, wait=0.02, limit=8, heard=heard.append)
    assert isinstance(batched, Encoder)
    texts = ["red", "blue", "green apple", "rojo"]
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda text: batched.encode_texts([text])[0], texts))
    np.testing.assert_allclose(rows, FakeEncoder().encode_texts(texts), atol=1e-6)
    assert sum(heard) == 4
    assert batched.fingerprint == encoder.fingerprint
    assert batched.count_tokens(["a b"]) == [2]


def test_more_values_than_the_limit_go_at_once(encoder: FakeEncoder) -> None:
    assert BatchedEncoder(encoder, wait=5.0, limit=8).encode_texts(["red"] * 200).shape == (200, 51)


def test_questions_to_an_encoder_of_passages_are_joined_too() -> None:
    heard: list[int] = []
    alone = FakePassageEncoder()
    batched = BatchedPassageEncoder(alone, wait=5.0, limit=4, heard=heard.append)
    assert isinstance(batched, PassageEncoder)
    questions = ["fuse", "Sicherung", "pump", "red apple"]
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda text: batched.encode_queries([text])[0], questions))
    np.testing.assert_allclose(rows, alone.encode_queries(questions), atol=1e-6)
    assert heard == [4]
    assert (batched.fingerprint, batched.max_tokens) == (alone.fingerprint, alone.max_tokens)
    assert batched.encode_passages(["The fuse is red."]).shape == (1, 32)
    assert heard == [4]
