"""The HTTP service under load: latency and throughput at 1, 8 and 32 clients, with and without batching; then a soak.

A real server (``babelens serve``) on loopback over the bundled gallery, encoded by ViT-B/32 of full size with random
weights on ONNX Runtime in float32. No two queries are alike, so nothing comes from the cache. The clients run in this
process and take their share of the same cores. Queries have six tokens, as four words have with CLIP's own vocabulary.
Configurations take turns, so that other work on the machine meets all of them. What the encoder alone costs is measured
as well: the rest of a request costs the same with and without batching, which bounds what batching can save. Needs the
extra torch.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import signal
import statistics
import string
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import babelens
from babelens.demo.bundled import load_gallery
from babelens.models.export import write_towers
from babelens.models.registry import load_encoder
from benchmarks.encode import _checkpoint

CLIENTS = (1, 8, 32)
GAIN = 2.0  # what the project promises of batching at 32 clients
GROWTH = 0.05  # by how much memory may grow in a soak, beyond its first quarter
_PICTURES = 120
_WAYS = {"batched": (), "one by one": ("--batch-size", "1")}


@dataclass
class Measured:
    """Milliseconds of each request, requests a second of each turn, and seconds of processor time that the server took.

    Where other programs want the same cores, processor time says more of what batching saves than the clock does.
    """

    milliseconds: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    cpu: float = 0.0

    @property
    def cpu_each(self) -> float:
        """Milliseconds of processor time for a request."""
        return 1000 * self.cpu / max(1, len(self.milliseconds))

    def quantile(self, q: float) -> float:
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def run(quick: bool, cache: Path) -> dict[str, float]:
    """Prints two tables; returns the throughput at 32 clients with batching by that without, and the soak's growth."""
    try:
        import torch  # noqa: F401
    except ImportError:
        print("skipped: pip install 'babelens[torch]'")
        return {}
    encoder = _encoder(cache)
    collection = _collection(encoder, cache / "serve-collection")
    turns, seconds = (2, 3.0) if quick else (5, 8.0)
    measured = {(way, clients): Measured() for way in _WAYS for clients in CLIENTS}
    with _served(collection) as batched, _served(collection, *_WAYS["one by one"]) as alone:
        servers = dict(zip(_WAYS, (batched, alone), strict=True))
        for server in servers.values():
            asyncio.run(
                _load(server.port, 2, 2.0, Measured())
            )  # weights are read, caches of the machine filled
        for _ in range(turns):
            for (way, clients), into in measured.items():
                before = _cpu_seconds(servers[way].process.pid)
                asyncio.run(_load(servers[way].port, clients, seconds, into))
                into.cpu += _cpu_seconds(servers[way].process.pid) - before
        sizes = _mean_batch(batched.port)
    gain = _print_load(measured)
    _print_bound(measured, _encoding(encoder, (1, 8, 32)), sizes)
    growth = soak(collection, 20.0 if quick else 600.0)
    return {"gain": gain, "growth": growth}


def soak(collection: Path, seconds: float) -> float:
    """Prints the server's memory over time under load; returns its growth from the first quarter to the last."""
    with _served(collection, "--threads", "8") as server:
        asyncio.run(_load(server.port, 8, min(10.0, seconds / 4), Measured()))
        samples: list[float] = []

        async def watch() -> None:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                samples.append(_memory(server.process.pid))
                await asyncio.sleep(seconds / 120)

        async def both() -> None:
            await asyncio.gather(watch(), _load(server.port, 8, seconds, done))

        done = Measured()
        asyncio.run(both())
    quarter = max(1, len(samples) // 4)
    first, last = statistics.median(samples[:quarter]), statistics.median(samples[-quarter:])
    growth = last / first - 1
    print(
        f"\nsoak: {seconds:.0f} s, {len(done.milliseconds):,} requests of 8 clients; resident memory, median of the "
        f"first quarter {first:.0f} MB, of the last {last:.0f} MB: {growth:+.1%}, largest {max(samples):.0f} MB "
        f"({'flat' if growth <= GROWTH else 'GROWS'})"
    )
    return growth


def _print_load(measured: dict[tuple[str, int], Measured]) -> float:
    print(
        f"{'clients':>8}  {'queries are encoded':<20}{'n':>8}{'p50 ms':>9}{'p99 ms':>9}{'CPU ms each':>13}"
        f"{'requests/s':>12}"
    )
    for clients in CLIENTS:
        for way in _WAYS:
            one = measured[way, clients]
            rates = sorted(one.rates)
            print(
                f"{clients:>8}  {way:<20}{len(one.milliseconds):>8,}{one.quantile(0.5):>9.1f}{one.quantile(0.99):>9.1f}"
                f"{one.cpu_each:>13.1f}"
                f"{statistics.median(rates):>12.1f}  [{rates[0]:.1f}, {rates[-1]:.1f}]"
            )
    pairs = [
        together / apart
        for together, apart in zip(
            measured["batched", 32].rates, measured["one by one", 32].rates, strict=True
        )
    ]
    gain = statistics.median(pairs)
    saved = measured["one by one", 32].cpu_each / measured["batched", 32].cpu_each
    verdict = "kept" if gain >= GAIN else "MISSED"
    print(
        f"batching at 32 clients: {gain:.2f} × the throughput (median of {len(pairs)} turns, from {min(pairs):.2f} to "
        f"{max(pairs):.2f}; promised: {GAIN:g}: {verdict}); {saved:.2f} × less processor time for a request"
    )
    return gain


def _encoding(encoder: Path, sizes: tuple[int, ...]) -> dict[int, float]:
    """Milliseconds of processor time that the text tower alone takes for a text, by how many it gets at once."""
    tower = load_encoder(encoder)
    words = [_word() for _ in range(max(sizes))]
    tower.encode_texts(words)
    taken: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(7):
        for size, into in taken.items():
            start = time.process_time()
            for first in range(0, len(words), size):
                tower.encode_texts(words[first : first + size])
            into.append(1000 * (time.process_time() - start) / len(words))
    return {size: statistics.median(times) for size, times in taken.items()}


def _mean_batch(port: int) -> float:
    """How many texts a call of the encoder had, since the server started."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[0] != "#")
    return float(lines["babelens_encoder_batch_sum"]) / float(lines["babelens_encoder_batch_count"])


def _print_bound(
    measured: dict[tuple[str, int], Measured], encoding: dict[int, float], mean_batch: float
) -> None:
    costs = ", ".join(f"{milliseconds:.1f} in calls of {size}" for size, milliseconds in encoding.items())
    alone, together = encoding[1], min(encoding.values())
    rest = measured["one by one", 32].cpu_each - alone
    print(
        f"the text tower alone takes {costs} (ms of processor time for a text); mean call over all clients: "
        f"{mean_batch:.1f}\na request one by one takes {rest:.1f} ms besides: batching can make it cheaper by "
        f"{(alone + rest) / (together + rest):.2f} × at most"
    )


# -- what is served ------------------------------------------------------------------------------------------


def _encoder(cache: Path) -> Path:
    out = cache / "clip-vit-b-32-fp32"
    if not (out / "encoder.json").is_file():
        out.mkdir(parents=True, exist_ok=True)
        write_towers(load_encoder(_checkpoint(cache / "clip-vit-b-32"), runtime="torch"), out, "fp32")
    return out


def _collection(encoder: Path, folder: Path) -> Path:
    if (folder / "catalog.db").is_file():
        return folder
    gallery = load_gallery()
    pictures = folder.parent / "serve-pictures"
    pictures.mkdir(exist_ok=True)
    names = {Path(shutil.copy(one.path, pictures)).name for one in gallery.pictures[:_PICTURES]}
    lines = gallery.captions_file.read_text("utf-8").splitlines(keepends=True)
    captions = folder.parent / "serve-captions.jsonl"
    kept = [line for line in lines if Path(json.loads(line)["image"]).name in names]
    captions.write_text("".join(kept).replace("pictures/", "serve-pictures/"), "utf-8")
    with babelens.Collection.open(folder, model=encoder) as collection:
        collection.add(pictures, captions=[captions])
    return folder


@dataclass
class _Server:
    process: subprocess.Popen[str]
    port: int


@contextmanager
def _served(collection: Path, *options: str) -> Iterator[_Server]:
    command = [
        sys.executable,
        "-m",
        "babelens",
        "serve",
        "-c",
        str(collection),
        "--port",
        "0",
        "--rate",
        "0",
        *options,
    ]
    with (collection.parent / "serve.log").open("w") as log:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=log, text=True)
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            port = int(line.split("http://127.0.0.1:")[1].split()[0])
            drain = subprocess.Popen(
                ["cat"], stdin=process.stderr, stdout=log
            )  # a full pipe would stop the server
            yield _Server(process, port)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            drain.wait(5)


def _cpu_seconds(pid: int) -> float:
    """Processor time that a process has taken."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> float:
    """Resident megabytes of a process."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


# -- the clients ---------------------------------------------------------------------------------------------

_numbers = itertools.count()
_LETTERS = string.ascii_lowercase + string.digits


def _query() -> bytes:
    """A request that was never made before."""
    body = json.dumps({"query": _word(), "k": 10}).encode()
    head = "POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _word() -> str:
    """Four letters, which with their marks are six tokens of the checkpoint; never the same twice."""
    number = next(_numbers)
    return "".join(_LETTERS[number // len(_LETTERS) ** place % len(_LETTERS)] for place in range(4))


async def _load(port: int, clients: int, seconds: float, measured: Measured) -> None:
    """Each client sends its next request when the last one is answered."""
    end = time.perf_counter() + seconds
    started = time.perf_counter()
    before = len(measured.milliseconds)
    await asyncio.gather(*(_client(port, end, measured) for _ in range(clients)))
    measured.rates.append((len(measured.milliseconds) - before) / (time.perf_counter() - started))


async def _client(port: int, end: float, measured: Measured) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < end:
        start = time.perf_counter()
        writer.write(_query())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        measured.milliseconds.append(1000 * (time.perf_counter() - start))
    writer.close()
    await writer.wait_closed()
