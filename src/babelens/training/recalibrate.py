"""Fits the confidence of an exported encoder of pictographs anew, without training it again.

    python -m babelens.training.recalibrate ENCODER DATA

takes the vectors from the files that are shipped, and the style that ``encoder.json`` says it was fitted on. It writes
``vocabulary.npy`` and the calibration in ``encoder.json``; the weights, and with them the revision, stay as they are.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from babelens.errors import TrainingError
from babelens.models.layouts.native import CONFIG_FILE, write_vocabulary
from babelens.models.registry import load_encoder
from babelens.vectors import Floats, normalize

from .augment import WIDE
from .calibrate import SCENES, Drawn, calibrate_pictographs, common_words
from .data import CaptionWriter, Pictographs, draw_scenes
from .recipe import Data

_BATCH = 64


def recalibrate(encoder: Path | str, data: Path | str) -> dict[str, Any]:
    """Writes the vocabulary and the calibration of the encoder in a folder; returns the calibration.

    Raises :class:`TrainingError` where ``encoder.json`` does not say which style it was fitted on, and what loading the
    encoder or the data set does.
    """
    folder = Path(encoder)
    served = load_encoder(folder)
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    style = config["calibration"].get("style")
    if style is None:
        raise TrainingError(
            f"{folder / CONFIG_FILE} names no drawing style: it was not trained on pictographs.",
            hint="Only encoders that `babelens train` made of pictographs can be fitted again.",
        )
    look, read = served.image_tower.load(), served.text_tower.load()

    def see(pixels: Tensor) -> Floats:
        return normalize(np.concatenate([look(part.numpy()) for part in pixels.split(_BATCH)]))

    recipe = Data(languages=tuple(served.languages))
    pictographs = Pictographs(data, styles=(), held_out=(style,), size=served.image_size)
    concepts = pictographs.concepts
    writer = CaptionWriter(concepts, recipe, served.text_tower.tokenizer())  # type: ignore[arg-type]
    scenes, sets, captions = draw_scenes(pictographs, writer, recipe, style=style, count=SCENES, variety=WIDE)
    which = np.flatnonzero(pictographs.drawn[style])
    words = served.encode_texts(common_words(concepts, served.languages))
    table = calibrate_pictographs(
        Drawn(
            style=style,
            unseen=not config["calibration"]["style_seen_in_training"],
            concepts=concepts,
            which=which,
            plain=see(pictographs.plain(style)),
            changed=see(pictographs.redrawn(style, WIDE)),
            names={
                tag: served.encode_texts([concepts[place].names[tag][0] for place in which])
                for tag in served.languages
            },
            scenes=see(scenes),
            scene_captions=normalize(read(captions.ids.numpy(), captions.mask.numpy())),
            scene_sets=sets.numpy(),
            vocabulary=words.astype(np.float16).astype(np.float32),  # as it is stored
        )
    )
    config["calibration"] = table
    config["vocabulary"] = write_vocabulary(folder, words)
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    (folder / CONFIG_FILE).write_text(text, encoding="utf-8")
    return table


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m babelens.training.recalibrate", description=__doc__)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("data", type=Path)
    options = parser.parse_args(arguments)
    json.dump(recalibrate(options.encoder, options.data), sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
