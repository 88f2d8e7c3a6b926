"""A small checkpoint of every family of encoders that can be fine-tuned."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from babelens.models.encoder import TwoTowerEncoder
from babelens.models.registry import load_encoder
from tests import tuning
from tests.checkpoints import openclip, text_towers, transformers

FAMILIES: Final = ("clip", "siglip", "openclip", "openclip-xlmr", "sentence-transformers", "m-clip")


def written(folder: Path, family: str) -> TwoTowerEncoder:
    if family == "openclip":
        openclip.write_openclip(folder, openclip.model_cfg())
    elif family == "openclip-xlmr":
        openclip.write_openclip(folder, openclip.model_cfg(text_cfg=openclip.XLMR))
    elif family == "siglip":
        transformers.siglip(folder)
    else:
        transformers.clip(folder)
    encoder = load_encoder(folder, runtime="torch")
    tower = {"sentence-transformers": text_towers.sentence_tower, "m-clip": text_towers.mclip}.get(family)
    return tuning.add_text_tower(encoder, tower(folder / "texts")) if tower else encoder
