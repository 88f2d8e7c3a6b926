"""The service without HTTP: changes by others, idleness, the queue, caches."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PIL import Image

import babelens
from babelens.errors import BabelensError, CollectionNotFoundError
from babelens.server import Service, Settings
from babelens.server.caching import AnswerCache
from babelens.server.metrics import Metrics
from babelens.server.streaming import taken
from babelens.server.thumbnails import Thumbnails
from babelens.server.workers import OverloadedError, Workers
from babelens.types import Item, Source
from tests.serving import serving

T = TypeVar("T")


def with_service(path: Path, use: Callable[[Service], Awaitable[T]], **settings: Any) -> T:
    """Runs something with a service over one collection."""

    async def main() -> T:
        service = Service(Settings({"own": path}, thumbnails=path.parent / "small", **settings), Metrics())
        await service.start()
        try:
            return await use(service)
        finally:
            await service.close()

    return asyncio.run(main())


def test_collections_by_name(own: Path) -> None:
    async def use(service: Service) -> None:
        assert service.collections() == ["own"]
        assert service.open().name == service.open("own").name == "own"
        with pytest.raises(CollectionNotFoundError, match="other"):
            service.open("other")

    with_service(own, use)


def test_answers_are_remembered_until_the_collection_changes(own: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "fresh.png")

    async def use(service: Service) -> None:
        handle = service.open()
        first = await handle.search("dog", k=3)
        assert await handle.search("dog", k=3) is first
        assert await handle.search("dog", k=4) is not first
        before = await handle.version()
        with babelens.Collection.open(own) as writer:
            writer.add(tmp_path / "fresh.png")
        assert await handle.version() != before
        assert await handle.search("dog", k=3) is not first
        assert [
            hit.item.metadata["name"] for hit in (await handle.search("fresh", k=1, mode="text")).hits
        ] == ["fresh.png"]

    with_service(own, use)


def test_a_named_picture_is_remembered_and_another_is_not_taken_for_it(own: Path) -> None:
    async def use(service: Service) -> None:
        handle = service.open()
        red, blue = Image.new("RGB", (64, 64), "red"), Image.new("RGB", (64, 64), "blue")
        first = await handle.search(image=red, named="red", k=3)
        assert await handle.search(image=red, named="red", k=3) is first
        assert await handle.search(image=blue, named="blue", k=3) is not first
        assert await handle.search("dog", image=red, named="red", k=3) is not first
        assert await handle.search(image=red, k=3) is not first

    with_service(own, use)


def test_what_another_process_writes_is_seen(own: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    Image.new("RGB", (64, 64), "blue").save(tmp_path / "more" / "zeppelin.png")
    with serving({"own": own}) as running:
        ask = {"query": "zeppelin", "mode": "text"}
        tag = running.client.get("/map?method=pca").headers["etag"]
        assert running.client.post("/search", json=ask).json()["hits"] == []
        command = [sys.executable, "-m", "babelens", "index", str(tmp_path / "more"), "-c", str(own)]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "BABELENS_MODEL": "mini"})
        assert len(running.client.post("/search", json=ask).json()["hits"]) == 1
        assert running.client.get("/map?method=pca", headers={"If-None-Match": tag}).status_code == 200


def test_a_collection_put_in_the_place_of_another_is_seen(own: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "other.png")
    with babelens.Collection.open(tmp_path / "next", model="mini") as other:
        other.add(tmp_path / "other.png")

    async def use(service: Service) -> None:
        handle = service.open()
        many = (await handle.info()).items
        shutil.move(own, tmp_path / "before")
        with pytest.raises(BabelensError):
            await handle.search("red")
        shutil.move(tmp_path / "next", own)
        assert many > (await handle.info()).items == 1

    with_service(own, use)


def test_models_leave_when_idle_and_come_back(own: Path) -> None:
    async def use(service: Service) -> None:
        handle = service.open()
        first = await handle.search("dog", k=3)
        assert service.loaded == ["mini"]
        for _ in range(200):
            await asyncio.sleep(0.02)
            if not service.loaded:
                break
        assert service.loaded == []
        again = await handle.search("dog", k=3)
        assert [hit.item.id for hit in again.hits] == [hit.item.id for hit in first.hits]
        assert service.loaded == ["mini"]

    with_service(own, use, idle_seconds=0.3)


def test_monitors_keep_no_model_in_memory(own: Path) -> None:
    async def use(service: Service) -> None:
        handle = service.open()
        await handle.search("dog", k=3)
        for _ in range(200):
            await asyncio.sleep(0.02)
            await handle.check()
            if not service.loaded:
                break
        assert service.loaded == []

    with_service(own, use, idle_seconds=0.3)


def test_what_is_in_use_is_not_closed(own: Path) -> None:
    async def use(service: Service) -> None:
        handle = service.open()
        collection = handle.borrow()
        service.let_go()
        assert len(collection) > 0
        handle.give_back()
        with pytest.raises(BabelensError, match="closed"):
            len(collection)

    with_service(own, use)


def test_several_clients_meet_in_the_encoder(own: Path) -> None:
    async def use(service: Service) -> None:
        handle = service.open()
        await handle.search("warm", k=1)
        await asyncio.gather(*(handle.search(f"dog {number}", k=1) for number in range(16)))
        text = service.metrics.text().decode()
        (calls,) = [line for line in text.splitlines() if line.startswith("babelens_encoder_batch_count")]
        (values,) = [line for line in text.splitlines() if line.startswith("babelens_encoder_batch_sum")]
        assert float(values.split()[1]) == 17
        assert float(calls.split()[1]) < 12

    with_service(own, use, batch_ms=50.0)


def test_collections_share_an_encoder_of_passages(own: Path, tmp_path: Path) -> None:
    for package in ("torch", "transformers"):
        pytest.importorskip(package, reason="needs pip install 'babelens[torch]'")
    from tests.checkpoints import passages

    passage_folder = passages.e5(tmp_path / "multilingual-e5-small")
    with babelens.Collection.open(own) as collection:
        collection.encode_passages(passage_folder)
    shutil.copytree(own, tmp_path / "second")

    async def main() -> None:
        service = Service(Settings({"own": own, "second": tmp_path / "second"}, batch_ms=50.0), Metrics())
        try:
            found = await asyncio.gather(
                *(service.open(name).search("Which fuse feeds the pump?", k=5) for name in ("own", "second"))
            )
            for result in found:
                assert "passage" in {reason.ranking for hit in result.hits for reason in hit.why}
            assert service.loaded == ["mini", str(passage_folder)]
            shared = service.load_passages(str(passage_folder))
            assert shared is service.load_passages(str(passage_folder))
            service.let_go()
            assert service.loaded == []
        finally:
            await service.close()

    asyncio.run(main())


# -- the queue -----------------------------------------------------------------------------------------------


def test_a_full_queue_refuses() -> None:
    release = threading.Event()

    async def main() -> None:
        workers = Workers("test", threads=1, waiting=1)
        running = [workers.submit(release.wait) for _ in range(2)]
        with pytest.raises(OverloadedError) as refused:
            await workers.run(int)
        assert refused.value.retry_after >= 1
        release.set()
        for future in running:
            await asyncio.wrap_future(future)
        assert await workers.run(int) == 0
        assert workers.taken == 0
        workers.close()

    asyncio.run(main())


def test_a_call_that_was_given_up_counts_until_it_ends() -> None:
    release = threading.Event()

    async def main() -> None:
        workers = Workers("test", threads=1, waiting=0)
        task = asyncio.create_task(workers.run(release.wait))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert workers.taken == 1
        release.set()
        for _ in range(100):
            await asyncio.sleep(0.01)
            if not workers.taken:
                break
        assert workers.taken == 0
        workers.close()

    asyncio.run(main())


def test_overload_is_503_with_a_time(own: Path) -> None:
    release = threading.Event()
    with serving({"own": own}, threads=1, waiting=0) as running:
        blocking = running.service.workers.submit(release.wait)
        answer = running.client.post("/search", json={"query": "dog"})
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["type"] == "urn:babelens:problem:overloaded"
        assert running.client.get("/health").status_code == 200
        release.set()
        blocking.result()
        assert running.client.post("/search", json={"query": "dog"}).status_code == 200


def test_the_event_loop_answers_while_threads_work(own: Path) -> None:
    with serving({"own": own}) as running:
        blocking = running.service.workers.submit(time.sleep, 0.5)
        started = time.perf_counter()
        assert running.client.get("/health").status_code == 200
        assert time.perf_counter() - started < 0.4
        blocking.result()


# -- streams -------------------------------------------------------------------------------------------------


def test_pieces_come_as_they_are_made() -> None:
    async def main() -> list[str]:
        workers = Workers("test", threads=1, waiting=0)
        step = threading.Semaphore(0)

        def make(give: Callable[[str], None]) -> None:
            for piece in "abc":
                step.acquire()
                give(piece)

        got = []
        step.release()
        async for piece in taken(workers, make):
            got.append(piece)
            step.release()
        workers.close()
        return got

    assert asyncio.run(main()) == ["a", "b", "c"]


def test_errors_come_after_the_pieces_before_them() -> None:
    async def main() -> None:
        workers = Workers("test", threads=1, waiting=0)

        def make(give: Callable[[str], None]) -> None:
            give("a")
            raise ValueError("broken")

        stream = taken(workers, make)
        assert await anext(stream) == "a"
        with pytest.raises(ValueError, match="broken"):
            await anext(stream)
        workers.close()

    asyncio.run(main())


def test_nobody_listening_ends_the_work() -> None:
    ended = threading.Event()

    async def main() -> None:
        workers = Workers("test", threads=1, waiting=0)

        def make(give: Callable[[int], None]) -> None:
            try:
                for number in range(10_000):
                    give(number)
                    time.sleep(0.001)
            finally:
                ended.set()

        stream = taken(workers, make)
        assert await anext(stream) == 0
        await stream.aclose()
        assert await asyncio.to_thread(ended.wait, 2)
        workers.close()

    asyncio.run(main())


# -- what is kept --------------------------------------------------------------------------------------------


def test_cache_forgets_the_oldest_and_other_versions() -> None:
    cache = AnswerCache(answers=2, weight=100)
    for name in "abc":
        cache.put("1", (name,), [name])
    assert [cache.get("1", (name,)) for name in "abc"] == [None, ["b"], ["c"]]
    assert cache.get("2", ("c",)) is None
    cache.put("2", ("d",), ["d"])
    assert cache.get("1", ("c",)) is None


def test_cache_is_bounded_by_weight() -> None:
    cache = AnswerCache(answers=100, weight=20)
    cache.put("1", ("huge",), list(range(50)))
    assert cache.get("1", ("huge",)) is None
    for number in range(10):
        cache.put("1", (number,), [0] * 4)
    assert sum(cache.get("1", (number,)) is not None for number in range(10)) == 4


def test_thumbnails_change_with_the_bytes_and_are_pruned(tmp_path: Path) -> None:
    thumbnails = Thumbnails(tmp_path, limit=1)
    drawn: list[str] = []

    def small(sha: str) -> bytes:
        item = Item("1", "image", Source("/x", sha))

        def draw() -> Image.Image:
            drawn.append(sha)
            return Image.new("RGB", (8, 8), "red")

        return thumbnails.of(item, 64, draw)[0]

    assert small("a") == small("a")[:]
    small("b")
    assert thumbnails.prune() >= 1
    assert set(drawn) == {"a", "b"}
    assert not list(tmp_path.glob("*/*.webp"))


def test_a_cache_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    thumbnails = Thumbnails(tmp_path / "file", limit=1 << 20)
    data, tag = thumbnails.of(Item("1", "image", Source("/x", "a")), 64, lambda: Image.new("RGB", (8, 8)))
    assert data[:4] == b"RIFF"
    assert len(tag) == 32
