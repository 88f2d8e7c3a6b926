"""How fast pictures go in, against the encoder alone on ready pixels; memory; re-scans; one more picture.

The encoder has the cost of ViT-B/32 at 224 px (8.8 GFLOP a picture) and random weights, made here with the onnx
package. It and the whole way in take turns, so that a busy moment hits both. Beside the ratio of wall clocks stands
that of processor time, which other work on the machine does not disturb: where all cores are busy, it is the bound.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from babelens.ingest import ingest
from babelens.sources.images import load_image
from babelens.storage.catalog import Catalog
from babelens.storage.rows import FileState
from babelens.types import EncoderFingerprint, Item, Source
from babelens.vectors import Floats, normalize

LIMIT = 0.85  # what the project promises
SIZE, WIDTH, LAYERS, DIM, PATCH = 224, 768, 12, 512, 32


def run(quick: bool, cache: Path, largest: int) -> dict[str, float]:
    """Prints tables; returns the share of the encoder's own throughput that is left end to end, by kind of picture."""
    ratios = _throughput(cache, 64 if quick else 256, rounds=2 if quick else 3)
    _memory(cache, (500, 2_000) if quick else (1_000, min(100_000, largest)))
    _one_more(cache, 10_000 if quick else largest)
    return ratios


# -- throughput ----------------------------------------------------------------------------------------------


def _throughput(cache: Path, count: int, *, rounds: int) -> dict[str, float]:
    try:
        encoder: Any = _vit_b_32(cache)
    except ImportError:
        print("onnx is not installed: throughput is skipped (pip install onnx)")
        return {}
    print(f"{'pictures':<24}{'encoder/s':>11}{'end to end/s':>14}{'ratio':>8}{'by CPU time':>13}")
    ratios = {}
    for name, side, quality in (("12-megapixel JPEG", (4000, 3000), 88), ("500-pixel JPEG", (500, 375), 90)):
        files = _photographs(cache / f"photos-{side[0]}-{count}", side, count, quality)
        pixels = [encoder.prepare(load_image(path, encoder.image_size)) for path in files[:64]]
        encoder.encode_prepared(pixels[:8])
        alone, whole = [], []
        for turn in range(rounds):
            alone.append(_timed(lambda: [encoder.encode_prepared(pixels) for _ in range(count // 64)]))  # noqa: B023
            with Catalog.create(cache / f"c-{name[:2]}-{os.getpid()}-{turn}", {}) as catalog:
                folder = files[0].parent
                whole.append(_timed(lambda: ingest(catalog, encoder, [folder])))  # noqa: B023
                assert catalog.count_items() == count
        wall, cpu = ([min(times[part] for times in side) for side in (alone, whole)] for part in (0, 1))
        ratios[name] = wall[0] / wall[1]
        line = f"{name:<24}{count / wall[0]:>11.1f}{count / wall[1]:>14.1f}{ratios[name]:>8.2f}"
        print(f"{line}{cpu[0] / cpu[1]:>13.2f}", flush=True)
    for name, ratio in ratios.items():
        print(f"{name}: {'at least' if ratio >= LIMIT else 'UNDER'} {LIMIT}")
    return ratios


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of wall clock and of processor time, all threads together."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _photographs(folder: Path, size: tuple[int, int], count: int, quality: int) -> list[Path]:
    """JPEGs with the detail of photographs; equal pictures differ in a few bytes after their end."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        rng = np.random.default_rng(0)
        for kind in range(4):
            coarse = rng.integers(0, 256, (size[1] // 100, size[0] // 100, 3), dtype=np.uint8)
            smooth = np.asarray(
                Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC), dtype=np.int16
            )
            grain = rng.normal(0, 5, smooth.shape[:2]).astype(np.int16)[..., None]
            stream = io.BytesIO()
            image = Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))
            image.save(stream, "JPEG", quality=quality)
            for number in range(kind, count, 4):
                (folder / f"{number:05}.jpg").write_bytes(stream.getvalue() + number.to_bytes(8, "big"))
    return sorted(folder.iterdir())


def _vit_b_32(cache: Path) -> Any:
    """The real encoder on ONNX Runtime around a vision transformer with random weights."""
    from babelens.models.registry import load_encoder

    folder = cache / "vit-b-32"
    if not (folder / "encoder.json").is_file():
        import onnx

        folder.mkdir(parents=True, exist_ok=True)
        onnx.save(_graph(), folder / "image.onnx")
        (folder / "text.onnx").touch()  # never opened: no captions here
        image = {"file": "image.onnx", "size": SIZE, "resize": "pad", "mean": [0.5] * 3, "std": [0.25] * 3}
        text = {"file": "text.onnx", "tokenizer": {"type": "ngrams"}}
        config = {"format": 1, "name": "vit-b-32-random", "revision": "1", "dim": DIM, "languages": ["en"]}
        (folder / "encoder.json").write_text(
            json.dumps({**config, "image": image, "text": text, "photographs": True})
        )
    return load_encoder(folder)


def _graph() -> Any:
    """12 pre-norm blocks of width 768 over 49 patches and a class token, projected to 512."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    nodes: list[Any] = []
    weights: list[Any] = []

    def weight(name: str, *shape: int) -> str:
        values = rng.standard_normal(shape, dtype=np.float32) / np.float32(np.sqrt(shape[0]))
        weights.append(numpy_helper.from_array(values, name))
        return name

    def ints(name: str, values: Sequence[int]) -> str:
        weights.append(numpy_helper.from_array(np.array(values, dtype=np.int64), name))
        return name

    def node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def dense(x: str, name: str, wide: int, out: int) -> str:
        return node(
            "Add",
            [node("MatMul", [x, weight(f"{name}.w", wide, out)], f"{name}.m"), weight(f"{name}.b", out)],
            name,
        )

    def norm(x: str, name: str) -> str:
        return node(
            "LayerNormalization", [x, weight(f"{name}.g", WIDTH), weight(f"{name}.o", WIDTH)], name, axis=-1
        )

    heads = ints("heads", [0, 50, 12, 64])
    merged = ints("merged", [0, 50, WIDTH])
    x = node(
        "Conv", ["pixel_values", weight("patch", WIDTH, 3, PATCH, PATCH)], "patches", strides=[PATCH, PATCH]
    )
    x = node(
        "Transpose",
        [node("Reshape", [x, ints("flat", [0, WIDTH, 49])], "flattened")],
        "tokens",
        perm=[0, 2, 1],
    )
    first = node("Slice", [x, ints("from", [0]), ints("to", [1]), ints("axis", [1])], "first")
    x = node("Add", [node("Concat", [first, x], "with_class", axis=1), weight("places", 50, WIDTH)], "x")
    for layer in range(LAYERS):
        name = f"l{layer}"
        y = norm(x, f"{name}.n1")
        parts = []
        for part in "qkv":
            z = node("Reshape", [dense(y, f"{name}.{part}", WIDTH, WIDTH), heads], f"{name}.{part}r")
            parts.append(
                node("Transpose", [z], f"{name}.{part}t", perm=[0, 2, 3, 1] if part == "k" else [0, 2, 1, 3])
            )
        scores = node("MatMul", parts[:2], f"{name}.s")
        scaled = node("Mul", [scores, weight(f"{name}.scale", 1)], f"{name}.ss")
        mixed = node("MatMul", [node("Softmax", [scaled], f"{name}.p", axis=-1), parts[2]], f"{name}.mix")
        mixed = node(
            "Reshape", [node("Transpose", [mixed], f"{name}.mt", perm=[0, 2, 1, 3]), merged], f"{name}.mr"
        )
        x = node("Add", [x, dense(mixed, f"{name}.out", WIDTH, WIDTH)], f"{name}.a")
        y = dense(norm(x, f"{name}.n2"), f"{name}.up", WIDTH, 4 * WIDTH)
        y = node("Mul", [y, node("Sigmoid", [y], f"{name}.sig")], f"{name}.act")
        x = node("Add", [x, dense(y, f"{name}.down", 4 * WIDTH, WIDTH)], f"{name}.x")
    pooled = node("Squeeze", [node("Slice", [x, "from", "to", "axis"], "class"), "axis"], "pooled")
    node("MatMul", [norm(pooled, "last"), weight("projection", WIDTH, DIM)], "image_embeds")
    shapes = {"pixel_values": ["n", 3, SIZE, SIZE], "image_embeds": ["n", DIM]}
    given, made = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()
    )
    graph = helper.make_graph(nodes, "vit-b-32", [given], [made], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


# -- memory and re-scans -------------------------------------------------------------------------------------


class Cheap:
    """An encoder that costs next to nothing, so that everything else shows."""

    fingerprint = EncoderFingerprint("cheap", "1", "8", 192)
    image_size = 8
    photographs = True
    languages = ("en",)
    max_tokens = 1000

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        return np.asarray(image.resize((8, 8)))

    def encode_prepared(self, pixels: Sequence[NDArray[np.uint8]]) -> Floats:
        return normalize(np.stack(pixels).reshape(len(pixels), 192).astype(np.float32) + 1)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        return normalize(np.ones((len(texts), 192), dtype=np.float32))


def _memory(cache: Path, sizes: Sequence[int]) -> None:
    """Each size twice, in processes of their own: all new, then unchanged."""
    print(
        f"\n{'small PNGs':>12}{'first run s':>13}{'pictures/s':>12}{'own MiB':>10}{'re-scan s':>11}{'own MiB':>10}"
    )
    peaks = []
    for count in sizes:
        folder = _tiny(cache / f"tiny-{count}", count)
        collection = cache / f"tiny-{count}-{os.getpid()}"
        Catalog.create(collection, {}).close()
        first, again = (_in_own_process(collection, folder) for _ in range(2))
        peaks.append(first["mib"])
        print(f"{count:>12,}{first['s']:>13.1f}{count / first['s']:>12.0f}{first['mib']:>10.0f}", end="")
        print(f"{again['s']:>11.2f}{again['mib']:>10.0f}", flush=True)
    print(f"memory: {peaks[-1] / peaks[0]:.2f} × from {sizes[0]:,} to {sizes[-1]:,} pictures")
    empty = cache / f"empty-{sizes[-1]}"
    if not empty.is_dir():
        empty.mkdir()
        for number in range(sizes[-1]):
            (empty / f"{number:06}.png").touch()
    collection = cache / f"empty-{os.getpid()}"
    Catalog.create(collection, {}).close()
    _in_own_process(collection, empty)
    print(
        f"re-scan of {sizes[-1]:,} empty files: {_in_own_process(collection, empty)['s']:.2f} s", flush=True
    )


def _tiny(folder: Path, count: int) -> Path:
    if not folder.is_dir():
        rng = np.random.default_rng(0)
        for number in range(count):
            part = folder / f"{number // 1000:03}"
            part.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(part / f"{number:06}.png", compress_level=1)
    return folder


def _in_own_process(collection: Path, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.ingest", str(collection), str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _measure(collection: str, folder: str) -> None:
    peak = 0.0

    def sample(done: int, total: int | None = None, *_: object) -> None:
        nonlocal peak
        if done % 1000 == 0 or done == total:
            peak = max(peak, _own_memory())

    start = time.perf_counter()
    with Catalog.open(collection) as catalog:
        ingest(catalog, Cheap(), [folder], progress=sample)
        seconds = time.perf_counter() - start
        peak = max(peak, _own_memory())
    print(json.dumps({"s": seconds, "mib": peak}))


def _own_memory() -> float:
    """MiB without the mapped pages of the catalog, which the system takes back when it needs them."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


# -- one more ------------------------------------------------------------------------------------------------


def _one_more(cache: Path, count: int) -> None:
    """One picture into a collection of ``count``: the folder it lies in holds nothing else."""
    folder = cache / f"one-{os.getpid()}"
    folder.mkdir()
    Image.effect_noise((64, 64), 50).save(folder / "one.png")
    with Catalog.create(cache / f"full-{os.getpid()}", {}) as catalog:
        _fill(catalog, count)
        seconds, _ = _timed(lambda: ingest(catalog, Cheap(), [folder / "one.png"]))
        assert catalog.count_items() == count + 1
    print(f"\none picture added to {count:,}: {seconds * 1000:.0f} ms", flush=True)


def _fill(catalog: Catalog, count: int) -> None:
    encoder = catalog.encoder_id(Cheap.fingerprint)
    rng = np.random.default_rng(0)
    numbers: Iterator[int] = iter(range(count))
    while part := list(islice(numbers, 10_000)):
        with catalog.transaction():
            names = [f"{number:08}" for number in part]
            catalog.put_items(Item(name, "image", Source(f"/photos/{name}.jpg", name), {}) for name in names)
            for name in names:
                catalog.put_file(FileState(f"/photos/{name}.jpg", 1, 1, name, "ok", None, name))
            vectors = rng.standard_normal((len(part), Cheap.fingerprint.dim), dtype=np.float32)
            catalog.put_vectors(encoder, "image", names, normalize(vectors))


if __name__ == "__main__":
    _measure(*sys.argv[1:])
