"""What a correction of hubness costs a search and what it finds: on planted hubs, and with an encoder on pictographs.

    python -m benchmarks hubness              synthetic pictures, every query drawn to a few hubs
    python -m benchmarks.hubness DATA STYLE   the pictographs of DATA (docs/training.md) drawn in STYLE, with `mini`

Synthetic captions are their picture with noise and a direction that all captions share; the hubs lie in that direction.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from babelens.collection import Collection
from babelens.collection.imports import import_rows
from babelens.metrics.hubness import Hubness
from babelens.metrics.statistics import Difference
from babelens.models.protocols import Encoder
from babelens.models.registry import load_encoder
from babelens.retrieval.hubness import SETTINGS
from babelens.search import FreshIndex, HubnessReport, correction
from babelens.search.hubness import tune_hubness
from babelens.storage import Catalog
from babelens.types import EncoderFingerprint, Text
from babelens.vectors import Floats, normalize

DIM = 512
_CAPTIONED = 2_000
_HUBS = 150
_QUERIES = 200


def run(quick: bool, cache: Path, largest: int) -> None:
    """Prints a table for each size: hit_rate@1 and time of a search for words, by how many pictures are looked at."""
    for n in [n for n in (10_000, 100_000) if n <= (10_000 if quick else largest)]:
        folder, encoder, captions = _planted(cache, n)
        print(f"{n:,} pictures, {_HUBS} hubs, {_QUERIES} held-out captions")
        print(f"{'':<28}{'hit_rate@1':>12}{'p50 ms':>9}{'p99 ms':>9}")
        with Collection.open(folder, model=encoder) as collection:
            asked = captions[-_QUERIES:]
            print(_line("off", *_searches(collection, asked)))
            print(f"{'  of which the look-up':<28}{'':>12}{_lookup_ms(folder):>9.4f}", flush=True)
            report = collection.tune_hubness("en", bank=1000)
            print(f"{report.correction.method}, found in {report.seconds:.1f} s")
            for most in (100, 1_000, 10_000):
                kept, correction._CANDIDATES = correction._CANDIDATES, most
                print(_line(f"on, {most:,} pictures, first", *_searches(collection, asked)))
                print(_line(f"on, {most:,} pictures, again", *_searches(collection, asked)), flush=True)
                correction._CANDIDATES = kept


class _Planted:
    """Knows the vectors of captions by their number."""

    photographs = False
    image_size = 8
    max_tokens = 16
    languages = ("en",)
    calibration: dict[str, float] = {}  # noqa: RUF012 (a constant)
    vocabulary = np.empty((0, DIM), dtype=np.float32)
    fingerprint = EncoderFingerprint("planted", "imported", "unknown", DIM)

    def __init__(self, vectors: Floats) -> None:
        self._vectors = vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [1] * len(texts)

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        return self._vectors[[int(text) for text in texts]]


def _planted(cache: Path, n: int) -> tuple[Path, Encoder, list[int]]:
    """A collection of ``n`` pictures, of which 2,000 have a caption, and captions of others to search with."""
    random = np.random.default_rng(n)
    shared = normalize(random.normal(size=DIM))
    pictures = normalize(random.standard_normal((n, DIM), dtype=np.float32))
    pictures[:_HUBS] = normalize(shared + 0.02 * random.normal(size=(_HUBS, DIM)))
    chosen = _HUBS + random.permutation(n - _HUBS)[: _CAPTIONED + _QUERIES]
    noise = normalize(random.normal(size=(len(chosen), DIM)))
    # As uneven as real captions: some are drawn to the hubs more than to their picture.
    pull = random.uniform(0.2, 1.2, size=(len(chosen), 1))
    captions = np.empty((n, DIM), dtype=np.float32)
    captions[chosen] = normalize(pictures[chosen] * 0.6 + pull * shared + 2.2 * noise)
    encoder = _Planted(captions)
    folder = cache / f"hubness-{n}"
    if not (folder / "catalog.db").exists():
        names = [f"/pictures/{row:08d}.jpg" for row in range(n)]
        with Collection.open(folder) as collection:
            collection.import_vectors(pictures[:1], names[:1], encoder="planted")
        with Catalog.open(folder) as catalog, catalog.writing():
            (number,) = catalog.encoders()
            import_rows(catalog, number, pictures, names, progress=None)
            ids = {int(item.source.path[-12:-4]): item.id for item in catalog.items()}
            fit = chosen[:_CAPTIONED].tolist()
            rows = catalog.put_texts([Text(ids[row], "en", str(row), "human") for row in fit])
            catalog.put_vectors(number, "text", rows, captions[fit])
            FreshIndex(catalog, number, DIM, "image").maintain(captions[fit])
    return folder, encoder, chosen.tolist()  # type: ignore[return-value]


def _searches(collection: Collection, asked: list[int]) -> tuple[float, list[float]]:
    """hit_rate@1 of the picture ranking, and milliseconds of each search."""
    times, hits = [], 0
    for row in asked:
        start = time.perf_counter()
        result = collection.search(str(row), language="en", mode="vector")
        times.append(1000 * (time.perf_counter() - start))
        first = [hit for hit in result.hits for why in hit.why if (why.ranking, why.rank) == ("image", 1)]
        hits += any(int(hit.item.source.path[-12:-4]) == row for hit in first)
    return hits / len(asked), times


def _lookup_ms(folder: Path) -> float:
    with Catalog.open(folder, read_only=True) as catalog:
        start = time.perf_counter()
        for _ in range(1_000):
            catalog.correction_number(1)
        return time.perf_counter() - start


def _line(name: str, rate: float, times: list[float]) -> str:
    return f"{name:<28}{rate:>12.3f}{np.percentile(times, 50):>9.2f}{np.percentile(times, 99):>9.2f}"


# -- an encoder on pictographs -------------------------------------------------------------------------------


def table(data: Path, style: str, *, model: str, seed: int) -> None:
    """Prints Markdown: hubness, and text→image with each correction, chosen and measured as `tune hubness` does it."""
    from babelens.training.pictographs import read_concepts

    with tempfile.TemporaryDirectory() as temporary:
        folder, listed = data / "images" / style, Path(temporary) / "captions.jsonl"
        with listed.open("w", encoding="utf-8") as out:
            for concept in read_concepts(data):
                picture = folder / f"{concept.id}.png"
                if picture.exists():
                    names = {language: [own[0]] for language, own in concept.names.items()}
                    out.write(json.dumps({"image": str(picture.absolute()), "captions": names}) + "\n")
        with Collection.open(Path(temporary) / "c", model=load_encoder(model)) as collection:
            collection.add(folder, captions=[listed])
            with Catalog.open(collection.path) as catalog, catalog.writing():
                (number,) = catalog.encoders()
                dim = catalog.encoders()[number].dim
                images = FreshIndex(catalog, number, dim, "image")
                reports = {
                    method: tune_hubness(
                        catalog,
                        number,
                        images,
                        languages=None,
                        bank=1000,
                        seed=seed,
                        progress=_silent,
                        settings=[setting for setting in SETTINGS if setting.method == method],
                    ).report
                    for method in dict.fromkeys(setting.method for setting in SETTINGS)
                }
    _print(reports, model, style)


def _silent(done: int, total: int | None = None, note: str = "") -> None:
    pass


def _print(reports: dict[str, HubnessReport], model: str, style: str) -> None:
    one = next(iter(reports.values()))
    print(
        f"{model} on {style}: {one.held_out_pictures:,} held-out pictures' names among {one.searched:,} pictures, "
        f"bank of {one.correction.bank:,} other names, seed {one.correction.seed}\n"
    )
    print(
        "| correction | skewness of 10-occurrence | most frequent first result | alarm |\n|---|---|---|---|"
    )
    print(_hubness("none", one.before))
    for method, report in reports.items():
        parameters = ", ".join(f"{name} {value:g}" for name, value in report.correction.parameters.items())
        print(_hubness(f"{method} ({parameters})", report.after))
    print(f"\nBy chance the skewness reaches {one.before.shuffled_skewness:.2f}.\n")
    print(f"| language | n | hit_rate@1 | {' | '.join(f'{method}: gain@1' for method in reports)} |")
    print("|---|---|---|" + "---|" * len(reports))
    for row, gain in enumerate(one.correction.gains):
        gains = [report.correction.gains[row].gain_1 for report in reports.values()]
        cells = " | ".join(_interval(value) for value in gains)
        name = "all" if gain.language == correction.UNSTATED else gain.language
        print(f"| {name} | {gain.n:,} | {100 * gain.hit_rate_1:.1f} | {cells} |")


def _hubness(name: str, measured: Hubness) -> str:
    share = f"{100 * measured.top_item_share:.2f} % of {measured.queries:,}"
    return f"| {name} | {measured.skewness:.2f} | {share} | {measured.alarm or 'none'} |"


def _interval(gain: Difference) -> str:
    return f"{100 * gain.value:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hubness", description=table.__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("style")
    parser.add_argument("--model", default="mini")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    table(given.data, given.style, model=given.model, seed=given.seed)
