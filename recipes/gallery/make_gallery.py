"""Makes the gallery that `babelens demo` searches: pictures, captions in eight languages, and who drew them.

    python recipes/gallery/make_gallery.py --out src/babelens/demo/gallery --npm DIR

The README beside this script names the packages it needs. The same packages and seed give the same scenes.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tomllib
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import drawing
from naming import LANGUAGES, Concept, caption, read_concepts

ART = ("@iconify-json/fluent-emoji-flat", "1.2.6")
NAMES = ("cldr-annotations-full", "48.2.0")
PAIRS, TRIPLES = 140, 70
LARGEST = 4_000_000  # bytes, everything together

ATTRIBUTION = """\
# Who made what is in this folder

The pictures are scenes composed for Babelens by `recipes/gallery/make_gallery.py`; grounds, shadows and
arrangement are Babelens's own (Apache-2.0). What is shown in them comes from:

- **Fluent Emoji (flat)**, drawn by Microsoft, from the npm package `{art}` {art_version}
  (<https://github.com/microsoft/fluentui-emoji>), MIT licence, below. Scaled, turned by a few degrees and given a
  shadow.
- **Names** of things in eight languages: Unicode CLDR annotations, npm package `{names}` {names_version},
  Unicode License v3 (<https://www.unicode.org/license.txt>), © 1991-2025 Unicode, Inc. Some were replaced by a more
  usual word (`recipes/gallery/concepts.toml` lists them); captions join them.

Babelens's bundled encoder was never trained or tuned on this style of drawing or on these pictures.

## MIT licence of Fluent Emoji

    MIT License

    Copyright (c) Microsoft Corporation.

    Permission is hereby granted, free of charge, to any person obtaining a copy
    of this software and associated documentation files (the "Software"), to deal
    in the Software without restriction, including without limitation the rights
    to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
    copies of the Software, and to permit persons to whom the Software is
    furnished to do so, subject to the following conditions:

    The above copyright notice and this permission notice shall be included in all
    copies or substantial portions of the Software.

    THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
    IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
    FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
    AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
    LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
    OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
    SOFTWARE.
"""


def plan_scenes(concepts: Sequence[Concept], rng: random.Random) -> list[list[Concept]]:
    """What each picture shows: singles, pairs, triples. Everything is shown about equally often.

    No two pictures show the same things, and no two things meet twice, so that a caption of two or three things
    is true of one picture only.
    """
    shown = dict.fromkeys((concept.id for concept in concepts), 0)
    met: set[frozenset[str]] = set()
    scenes: list[list[Concept]] = []
    for size in [3] * TRIPLES + [2] * PAIRS:
        while True:
            fresh = sorted(concepts, key=lambda concept: (shown[concept.id], rng.random()))
            group = rng.sample(fresh[:40], size)
            pairs = {frozenset((a.id, b.id)) for a, b in combinations(group, 2)}
            if not pairs & met and len({concept.theme for concept in group}) == size:
                break
        met |= pairs
        scenes.append(group)
        for concept in group:
            shown[concept.id] += 1
    alone = sorted(concepts, key=lambda concept: (shown[concept.id], rng.random()))
    scenes += [[concept] for concept in alone[: 360 - len(scenes)]]
    rng.shuffle(scenes)
    return scenes


def icons(npm: Path) -> dict[str, str]:
    """SVG documents by icon name."""
    package = npm / ART[0]
    version = json.loads((package / "package.json").read_text("utf-8"))["version"]
    if version != ART[1]:
        raise SystemExit(f"{ART[0]} is {version}; the gallery is made from {ART[1]}")
    art = json.loads((package / "icons.json").read_text("utf-8"))
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}">{body}</svg>'
    return {
        name: head.format(
            w=icon.get("width", art.get("width", 16)),
            h=icon.get("height", art.get("height", 16)),
            body=icon["body"],
        )
        for name, icon in art["icons"].items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, required=True, help="folder to write; pictures in it are replaced"
    )
    parser.add_argument("--npm", type=Path, default=Path("node_modules"), help="folder of the npm packages")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--quality", type=int, default=82, help="of the WebP pictures, 0 to 100")
    arguments = parser.parse_args()

    table = tomllib.loads(Path(__file__).with_name("concepts.toml").read_text("utf-8"))
    concepts, absent = read_concepts(table, arguments.npm / NAMES[0])
    svgs = icons(arguments.npm)
    drawings = {concept.id: drawing.render(svgs[concept.icon], aloft=concept.aloft) for concept in concepts}
    scenes = plan_scenes(concepts, random.Random(arguments.seed))

    pictures = arguments.out / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    for old in pictures.glob("*.webp"):
        old.unlink()
    shows: dict[str, list[str]] = {}
    lines: list[str] = []
    for number, scene in enumerate(scenes, start=1):
        name = f"pictures/{number:03}.webp"  # the file name gives nothing away
        image = drawing.compose([drawings[c.id] for c in scene], random.Random(f"{arguments.seed}/{number}"))
        image.save(arguments.out / name, quality=arguments.quality, method=6)
        shows[name] = [concept.id for concept in scene]
        for language in LANGUAGES:
            text = caption([concept.names[language] for concept in scene], language)
            row = {"image": name, "captions": [text], "language": language}
            lines.append(json.dumps(row, ensure_ascii=False))
    (arguments.out / "captions.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    about = {
        "seed": arguments.seed,
        "art": " ".join(ART),
        "names": " ".join(NAMES),
        "pictures": shows,
        "things": {concept.id: dict(concept.names) for concept in concepts},
        "absent": {concept.id: dict(concept.names) for concept in absent},
    }
    (arguments.out / "gallery.json").write_text(
        json.dumps(about, ensure_ascii=False, indent=1) + "\n", "utf-8"
    )
    attribution = ATTRIBUTION.format(art=ART[0], art_version=ART[1], names=NAMES[0], names_version=NAMES[1])
    (arguments.out / "ATTRIBUTION.md").write_text(attribution, "utf-8")
    size = sum(path.stat().st_size for path in arguments.out.rglob("*") if path.is_file())
    sys.stderr.write(f"{len(scenes)} pictures of {len(concepts)} things, {size / 1e6:.2f} MB\n")
    if size > LARGEST:
        raise SystemExit("That is too large for the wheel: lower --quality.")


if __name__ == "__main__":
    main()
