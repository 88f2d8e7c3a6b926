"""SIGKILL at any moment, several processes at once."""

from __future__ import annotations

import multiprocessing
import random
import time
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from babelens.storage import Catalog
from tests.catalogs import ENCODER, new_catalog
from tests.faults import catalog_workers as workers

KILLS = 50


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    """Processes that start quickly, from a clean one."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.catalog_workers"])
    return context


def start(context: ForkServerContext, work: Any, *arguments: object) -> tuple[Any, Connection]:
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(*arguments, there), daemon=True)
    process.start()
    there.close()
    return process, here


def contents(catalog: Catalog) -> dict[str, object]:
    """Everything that matters, but for numbers that may differ between runs."""
    items = list(catalog.items())
    ids = [item.id for item in items]
    encoder = catalog.encoder_id(ENCODER)
    return {
        "items": items,
        "files": catalog.file_states(),
        "texts": catalog.texts_of(ids),
        "vectors": {key: row.tolist() for key, row in catalog.vectors_of(encoder, ids).items()},
        "words": [(hit.item_id, round(hit.score, 6)) for hit in catalog.search_words("zebra 7", k=1000)],
        "watermarks": (catalog.watermark(encoder, "image"), catalog.watermark(encoder, "text")),
    }


def test_killed_at_any_moment_nothing_is_lost_or_doubled(context: ForkServerContext, tmp_path: Path) -> None:
    random.seed(11)
    new_catalog(tmp_path / "killed").close()
    reached, took = 0, 0.02
    for kill in range(KILLS + 1):
        goal = reached + (50 if kill < KILLS else 1)  # the last run is left alone
        process, channel = start(context, workers.write_history, tmp_path / "killed", goal)
        told = channel.recv()
        assert told == reached
        after = random.randint(0, 2)  # whole batches, and then some part of the next
        try:
            while True:
                if kill < KILLS and told - reached >= after:
                    time.sleep(random.uniform(0, took))
                    process.kill()
                began = time.monotonic()
                told = channel.recv()
                took = min(time.monotonic() - began, 0.1)
        except EOFError:
            process.join()
        with Catalog.open(tmp_path / "killed") as catalog:
            assert catalog.verify() == []
            reached = int(catalog.get_setting("batches") or 0)
            # What was told is there; at most the batch that was about to be told as well.
            assert told <= reached <= told + 1
    assert process.exitcode == 0
    assert reached > 10
    with new_catalog(tmp_path / "undisturbed") as undisturbed, Catalog.open(tmp_path / "killed") as killed:
        for number in range(reached):
            workers.write_batch(undisturbed, number)
        assert contents(killed) == contents(undisturbed)


def test_killed_while_it_makes_a_collection(context: ForkServerContext, tmp_path: Path) -> None:
    for moment in range(8):
        folder = tmp_path / str(moment)
        process = context.Process(target=new_catalog, args=(folder,), daemon=True)
        process.start()
        time.sleep(moment * 0.004)
        process.kill()
        process.join()
        if not (folder / "catalog.db").exists():
            new_catalog(folder).close()
        with Catalog.open(folder) as catalog:
            assert catalog.get_setting("name") == "test"
            assert catalog.verify() == []


def test_a_second_writer_is_told_who_writes(context: ForkServerContext, tmp_path: Path) -> None:
    new_catalog(tmp_path).close()
    holder, holding = start(context, workers.hold_the_lock, tmp_path)
    assert holding.recv() == "locked"
    other, answer = start(context, workers.try_to_write, tmp_path)
    assert f"process {holder.pid} on" in answer.recv()
    other.join()
    holder.kill()
    holder.join()
    other, answer = start(context, workers.try_to_write, tmp_path)
    assert answer.recv() == ""
    other.join()


def test_readers_see_whole_batches_while_one_writes_and_compacts(
    context: ForkServerContext, tmp_path: Path
) -> None:
    new_catalog(tmp_path).close()
    readers = [start(context, workers.read_all_the_time, tmp_path, 30) for _ in range(3)]
    writer, done = start(context, workers.write_and_compact, tmp_path, 30)
    assert done.recv() == "done"
    writer.join()
    for process, channel in readers:
        looks = channel.recv()
        assert isinstance(looks, int), looks
        assert looks > 1
        process.join()
    with Catalog.open(tmp_path) as catalog:
        assert catalog.verify() == []
