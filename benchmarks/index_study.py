"""Which HNSW setting is the smallest that finds what exact search does: 100,000 pictures, words of eight languages.

The pictures are scenes of two or three pictographs, drawn as those that `mini` was trained with, so texts and pictures
stand to each other as they do in a real collection: apart. Half of the text queries are captions of scenes, half plain
names, in all languages alike; the picture queries are scenes that the study keeps out of its indexes. Times mean little
on a shared machine; of the ratios to exact search, measured in turns, the order of magnitude does.

Needs the torch extra, and `babelens dataset pictographs DIR` with DIR in BABELENS_PICTOGRAPHS.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from babelens.collection import Collection

STYLES = ("noto", "twemoji", "openmoji")
VECTORS = 100_000
QUERIES = 1_000
_CHUNK = 1_500  # scenes of one style, made and kept together
_GRID = (
    *("--kinds", "hnsw,hnsw-sq8", "--m", "8,16", "--ef-construction", "100,200"),
    *("--ef-search", "32,64,128,256,512"),
)


def run(quick: bool, cache: Path, largest: int) -> None:
    """Runs the study and prints its table; files of it stay in the cache."""
    data = Path(os.environ.get("BABELENS_PICTOGRAPHS", cache / "pictographs"))
    if importlib.util.find_spec("torch") is None or not (data / "dataset.json").is_file():
        print("needs torch and a data set of pictographs (BABELENS_PICTOGRAPHS=DIR): skipped")
        return
    wanted = min(3_000 if quick else VECTORS, largest)
    queries = wanted // 20 if quick else QUERIES
    total = wanted + queries  # the picture queries are held out
    folder = cache / f"scenes-{total}"
    folder.mkdir(parents=True, exist_ok=True)
    vectors = _scenes(data, folder, total)
    questions = _queries(data, folder, total, queries)
    path = folder / "collection"
    with Collection.open(path, model="mini") as collection:
        if len(collection) < total:  # a run that was stopped left some
            names = [f"/scenes/{row:07d}.png" for row in range(total)]
            collection.import_vectors(vectors, names, encoder="mini")
    grid = ("--kinds", "hnsw", "--m", "8", "--ef-construction", "40") if quick else _GRID
    out = folder / "study"
    command = [sys.executable, "-m", "babelens", "tune", "index", "-c", str(path), "--dry-run", *grid]
    command += ["--query-file", str(questions), "--queries", str(queries), "--out", str(out)]
    # Exact search on one thread, as a graph is: threads that wait for each other on a busy machine wait very long.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    print((out / "index-study.md").read_text(encoding="utf-8"))


def _scenes(data: Path, folder: Path, total: int) -> np.ndarray:
    """Vectors of scenes by `mini`, made a chunk at a time and kept. Shape: (total, dim) float16."""
    dataset: Any = None
    started, made = time.perf_counter(), 0
    parts = []
    for number in range(-(-total // _CHUNK)):
        path = folder / f"scenes-{number:04d}.npz"
        if not path.exists():
            if dataset is None:
                dataset, encoder = _tools(data)
            vectors, sets = _draw(dataset, encoder, number)
            partial = path.with_suffix(".partial.npz")
            np.savez(partial, vectors=vectors, sets=sets)
            partial.rename(path)
            made += len(vectors)
            left = (time.perf_counter() - started) / made * (total - (number + 1) * _CHUNK)
            print(
                f"scenes: {(number + 1) * _CHUNK:,} of {total:,}, {max(0, left):.0f} s left", file=sys.stderr
            )
        parts.append(np.load(path)["vectors"])
    return np.concatenate(parts)[:total]


def _tools(data: Path) -> tuple[Any, Any]:
    from babelens.models.registry import load_encoder
    from babelens.training.data import Pictographs

    encoder = load_encoder("mini")
    return Pictographs(data, styles=STYLES, size=encoder.image_size), encoder


def _draw(dataset: Any, encoder: Any, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and concepts of one chunk of scenes; ``number`` is their seed. Shape: (n, dim) float16, (n, 3) int64."""
    from babelens.training.augment import CALM
    from babelens.training.data import CaptionWriter, draw_scenes
    from babelens.training.recipe import Data

    class NoTokens:  # captions are written here from the concepts, in eight languages
        def ids(self, _: str) -> list[int]:
            return [0]

    recipe = Data()
    writer = CaptionWriter(dataset.concepts, recipe, NoTokens())  # type: ignore[arg-type]
    style = STYLES[number % len(STYLES)]
    pixels, sets, _ = draw_scenes(
        dataset, writer, recipe, style=style, count=_CHUNK, variety=CALM, seed=number
    )
    rgb = ((pixels.permute(0, 2, 3, 1) * 0.5 + 0.5) * 255).round().clamp(0, 255).byte().numpy()
    return encoder.encode_prepared(rgb).astype(np.float16), sets.numpy()


def _queries(data: Path, folder: Path, total: int, count: int) -> Path:
    """A file of ``count`` queries: captions of scenes and plain names by turns, the languages by turns."""
    from babelens.languages import LANGUAGES
    from babelens.training.phrases import joined
    from babelens.training.pictographs import read_concepts

    concepts, languages = read_concepts(data), tuple(LANGUAGES)
    rng = np.random.default_rng(0)
    chunks = [np.load(path)["sets"] for path in sorted(folder.glob("scenes-????.npz"))]
    scenes = np.concatenate(chunks)[:total]
    shown, named = rng.permutation(len(scenes)), rng.permutation(len(concepts))
    lines = []
    for row in range(count):
        language = languages[row // 2 % len(languages)]
        if row % 2:
            lines.append(concepts[named[row // 2 % len(named)]].names[language][0])
        else:
            names = [concepts[i].names[language][0] for i in scenes[shown[row // 2]] if i >= 0]
            lines.append(joined(names, language, rng))
    path = folder / "queries.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
