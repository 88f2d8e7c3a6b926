"""Data for giving an encoder a language that it was trained without, from names alone.

    python recipes/finetuning/language.py --data pictographs --language hi --out runs/hindi

writes ``names.jsonl`` (names of things in English and in the language, no pictures) and captions files of drawings:
``val.jsonl`` and ``test.jsonl`` of things whose names are in it, ``unlearned.jsonl`` of things whose names are not.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from styles import read

UNLEARNED, TEST, VALIDATION = 300, 300, 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="what `babelens dataset pictographs` wrote")
    parser.add_argument("--language", default="hi")
    parser.add_argument("--style", default="noto", help="the drawings to measure with")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    captions = {
        image: row
        for image, row in read(options.data / "captions.jsonl").items()
        if f"/{options.style}/" in image
    }
    things = sorted(captions)
    random.Random(options.seed).shuffle(things)
    unlearned, learned = things[:UNLEARNED], things[UNLEARNED:]
    options.out.mkdir(parents=True, exist_ok=True)
    parts = {
        "unlearned": unlearned,
        "test": learned[:TEST],
        "val": learned[TEST : TEST + VALIDATION],
    }
    for name, pictures in parts.items():
        rows = [
            {"image": str((options.data / image).absolute()), "captions": captions[image]}
            for image in pictures
        ]
        write(options.out / f"{name}.jsonl", rows)
    names = [
        {
            "image": Path(image).stem,
            "captions": {tag: captions[image][tag] for tag in ("en", options.language)},
        }
        for image in learned
    ]
    write(options.out / "names.jsonl", names)


def write(file: Path, rows: list[dict[str, object]]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main()
