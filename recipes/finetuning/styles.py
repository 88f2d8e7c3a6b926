"""A third drawing style for an encoder that knows two: how much is gained, how much is lost, with how few pictures.

    babelens dataset pictographs --out pictographs
    babelens train recipes/mini.toml --data pictographs --out runs/without-twemoji \\
        --set 'data.held_out=["twemoji", "fluent"]' --set run.steps=1400 --set widen.steps=0 --set polish.steps=0
    python recipes/finetuning/styles.py --data pictographs --model runs/without-twemoji/encoder --out runs/styles

Pictures are split by what they show: 300 things to test with, 200 to validate with, the others to learn from, in the
style that the encoder has not seen. The same 300 things in the two styles that it has seen must not get worse. Runs
that are done are not repeated.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babelens.finetuning.finetune import finetune
from babelens.finetuning.report import as_json
from babelens.finetuning.settings import Settings
from babelens.languages import LANGUAGES

STYLE, KNOWN = "twemoji", ("noto", "openmoji")
PER_HUNDRED = (1, 4, 16, 100)
PARTS = ("all", "lora", "projections")
SEEDS = (0, 1, 2)
TEST, VALIDATION = 300, 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="what `babelens dataset pictographs` wrote")
    parser.add_argument(
        "--model", type=Path, required=True, help="an encoder that was trained without the style"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for seed in options.seeds:
        for per_hundred in PER_HUNDRED:
            files = write_splits(
                options.data, options.out / f"data-{seed}", per_hundred=per_hundred, seed=seed
            )
            for parts in PARTS:
                result = options.out / f"{parts}-{per_hundred}-{seed}.json"
                if not result.exists():
                    run(files, options.model, result, parts=parts, seed=seed)
    for lines in (table(options.out), by_language(options.out)):
        print("\n".join(lines), end="\n\n")


def write_splits(data: Path, out: Path, *, per_hundred: int, seed: int) -> dict[str, Path]:
    """Captions files of one draw; what a smaller share trains on is part of what a larger one does."""
    captions = read(data / "captions.jsonl")
    shown = sorted(Path(image).name for image in captions if f"/{STYLE}/" in image)
    everywhere = [name for name in shown if all(f"images/{style}/{name}" in captions for style in KNOWN)]
    random.Random(seed).shuffle(everywhere)
    test, validation = everywhere[:TEST], everywhere[TEST : TEST + VALIDATION]
    rest = [name for name in shown if name not in {*test, *validation}]
    random.Random(seed).shuffle(rest)

    # Some flags are drawn alike to the last byte, under two names.
    def known(names: list[str]) -> set[bytes]:
        return {(data / "images" / STYLE / name).read_bytes() for name in names}

    tested = known(test)
    validation = [name for name in validation if not known([name]) & tested]
    held_out = tested | known(validation)
    rest = [name for name in rest if not known([name]) & held_out]
    train = rest[: max(1, round(len(rest) * per_hundred / 100))]
    out.mkdir(parents=True, exist_ok=True)
    files = {}
    parts = [("train", STYLE, train), ("val", STYLE, validation), ("test", STYLE, test)]
    for name, style, pictures in [*parts, *((style, style, test) for style in KNOWN)]:
        stem = f"{name}-{per_hundred}" if name == "train" else f"{style}-{name}"
        files[name] = out / f"{stem}.jsonl"
        rows = [{"image": str((data / "images" / style / p).absolute()), "captions": captions[f"images/{style}/{p}"]}
                for p in pictures]  # fmt: skip
        files[name].write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return files


def read(file: Path) -> dict[str, dict[str, list[str]]]:
    """Captions by picture and language."""
    found: dict[str, dict[str, list[str]]] = {}
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            found.setdefault(row["image"], {}).setdefault(row["language"], []).extend(row["captions"])
    return found


def run(files: dict[str, Path], model: Path, result: Path, *, parts: Any, seed: int) -> None:
    print(f"{result.stem} …", file=sys.stderr)
    found = finetune(
        files["train"],
        model=model,
        out=result.with_suffix(""),
        validation=files["val"],
        test=files["test"],
        keep=[files[style] for style in KNOWN],
        settings=Settings(parts=parts, seed=seed),
        resume=True,
    )
    result.write_text(json.dumps(as_json(found), indent=1, ensure_ascii=False) + "\n", "utf-8")


def table(out: Path) -> list[str]:
    """Means over seeds, with the lowest and the highest: the new style, and the worst that a known one lost."""
    lines = [
        "| trained | pictures | gain, fine-tuned | worst loss | share | gain, blended | worst loss | published |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for parts, rows in results(out):
        cells = [
            [100 * (row["tuned"]["mean"] - row["base"]["mean"]) for row in rows],
            [100 * max(_lost(row, 1.0).values()) for row in rows],
            [row["chosen"]["alpha"] for row in rows],
            [100 * (row["blended"]["mean"] - row["base"]["mean"]) for row in rows],
            [100 * max(_lost(row, row["chosen"]["alpha"]).values()) for row in rows],
        ]
        lines.append(
            f"| {parts} | {rows[0]['data']['train']['pictures']} | "
            + " | ".join(_range(cell) for cell in cells)
            + f" | {sum(row['encoder'] is not None for row in rows)} of {len(rows)} |"
        )
    return lines


def by_language(out: Path) -> list[str]:
    """Means over seeds, of the blend: what the new style gains at hit_rate@1, and in brackets what the known style that
    suffers most loses of its mean recall."""
    lines = [f"| trained | pictures | {' | '.join(LANGUAGES)} |", "|---|---:|" + "---:|" * len(LANGUAGES)]
    for parts, rows in results(out):
        cells = []
        for tag in LANGUAGES:
            gained = [way[tag]["value"] for row in rows for way in row["verdict"]["gains"]["1"].values()]
            lost = [_lost(row, row["chosen"]["alpha"])[tag] for row in rows]
            cells.append(f"{100 * statistics.mean(gained):+.1f} ({100 * statistics.mean(lost):.1f})")
        lines.append(f"| {parts} | {rows[0]['data']['train']['pictures']} | {' | '.join(cells)} |")
    return lines


def results(out: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The runs of each size and each part, one for each seed."""
    for per_hundred in PER_HUNDRED:
        for parts in PARTS:
            files = sorted(out.glob(f"{parts}-{per_hundred}-*.json"))
            if files:
                yield parts, [json.loads(file.read_text("utf-8")) for file in files]


def _lost(row: dict[str, Any], alpha: float) -> dict[str, float]:
    """By language, the larger loss of the known styles at a share of the fine-tuned weights."""
    points = {point["alpha"]: point["kept"] for point in row["points"]}
    return {
        tag: max(points[0.0][style][tag] - points[alpha][style][tag] for style in points[0.0])
        for tag in LANGUAGES
    }


def _range(values: list[float]) -> str:
    return f"{statistics.mean(values):.1f} ({min(values):.1f} to {max(values):.1f})"


if __name__ == "__main__":
    main()
