"""Measures an exported encoder folder on one drawing style, through the files that are shipped.

    python -m babelens.training.scorecard ENCODER DATA STYLE

prints one JSON object: recall per language with intervals, chance level, and how well the best score tells a query
with a match from one without.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from babelens.models.ngrams import NgramTokenizer

from .pictographs import read_concepts
from .validate import Matrix, recall, separation


def measure(encoder: Path | str, data: Path | str, style: str) -> dict[str, Any]:
    """Recall of `encoder` on all concepts of `style`, drawn on white, against the names of each language."""
    import onnxruntime

    folder, data = Path(encoder), Path(data)
    config = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
    concepts = read_concepts(data)
    image = config["image"]
    session = onnxruntime.InferenceSession(str(folder / image["file"]), providers=["CPUExecutionProvider"])
    files = [data / "images" / style / f"{concept.id}.png" for concept in concepts]
    images = np.concatenate(
        [session.run(None, {"pixel_values": batch})[0] for batch in _batches(files, image)]
    ).astype(np.float32)
    session = onnxruntime.InferenceSession(
        str(folder / config["text"]["file"]), providers=["CPUExecutionProvider"]
    )
    tokenizer = NgramTokenizer.from_config(config["text"]["tokenizer"])
    languages: dict[str, Any] = {}
    for language in config["languages"]:
        ids, mask = tokenizer([concept.names[language][0] for concept in concepts])
        texts: Matrix = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        languages[language] = {
            **recall(images, texts).to_dict(),
            "no_match": {k: round(v, 4) for k, v in asdict(separation(texts, images)).items()},
        }
    n = len(concepts)
    return {
        "encoder": config["name"],
        "revision": config["revision"],
        "style": style,
        "n": n,
        "chance_1": round(1 / n, 5),
        "chance_10": round(10 / n, 5),
        "languages": languages,
    }


def _batches(files: list[Path], image: dict[str, Any], size: int = 256) -> Iterator[npt.NDArray[np.float32]]:
    mean = np.array(image["mean"], dtype=np.float32)[:, None, None]
    std = np.array(image["std"], dtype=np.float32)[:, None, None]
    for start in range(0, len(files), size):
        rows = [
            (pad_to_square(Image.open(file), image["size"], image["background"]) - mean) / std
            for file in files[start : start + size]
        ]
        yield np.stack(rows).astype(np.float32)


def pad_to_square(picture: Image.Image, side: int, background: int) -> npt.NDArray[np.float32]:
    """RGB on a plain ground, longer side `side`, centred: (3, side, side) float32 in 0..1."""
    rgba = picture.convert("RGBA")
    ground = Image.new("RGBA", rgba.size, (background,) * 3 + (255,))
    rgb = Image.alpha_composite(ground, rgba).convert("RGB")
    scale = side / max(rgb.size)
    width, height = (max(1, round(length * scale)) for length in rgb.size)
    canvas = Image.new("RGB", (side, side), (background,) * 3)
    fitted = rgb.resize((width, height), Image.Resampling.BICUBIC)
    canvas.paste(fitted, ((side - width) // 2, (side - height) // 2))
    return np.asarray(canvas, dtype=np.float32).transpose(2, 0, 1) / 255


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m babelens.training.scorecard", description=__doc__)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("style")
    options = parser.parse_args(arguments)
    json.dump(measure(options.encoder, options.data, options.style), sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
