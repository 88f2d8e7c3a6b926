"""Measures an exported encoder folder on one drawing style, through the files that are shipped.

    python -m babelens.training.scorecard ENCODER DATA STYLE

prints one JSON object: recall per language with intervals, chance level, and how well the best score tells a query
with a match from one without.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from babelens.models.registry import load_encoder
from babelens.sources.images import load_image

from .pictographs import read_concepts
from .validate import recall, separation


def measure(encoder: Path | str, data: Path | str, style: str) -> dict[str, Any]:
    """Recall of an encoder on all concepts that `style` draws, drawn on white, against the names of each language."""
    served = load_encoder(encoder)
    folder = Path(data) / "images" / style
    concepts = [concept for concept in read_concepts(data) if (folder / f"{concept.id}.png").exists()]
    files = [folder / f"{concept.id}.png" for concept in concepts]
    images = served.encode_prepared([served.prepare(load_image(file)) for file in files])
    languages: dict[str, Any] = {}
    for language in served.languages:
        texts = served.encode_texts([concept.names[language][0] for concept in concepts])
        languages[language] = {
            **recall(images, texts).to_dict(),
            "no_match": {k: round(v, 4) for k, v in asdict(separation(texts, images)).items()},
        }
    n = len(concepts)
    return {
        "encoder": served.fingerprint.name,
        "revision": served.fingerprint.revision,
        "style": style,
        "n": n,
        "chance_1": round(1 / n, 5),
        "chance_10": round(10 / n, 5),
        "languages": languages,
    }


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
