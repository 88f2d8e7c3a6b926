"""A collection of coloured pictures with captions in several languages, made with the fake encoder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from babelens import Collection
from tests.conftest import COLOURS, TRANSLATIONS, FakeEncoder


@pytest.fixture
def captions_file(pictures: Path) -> Path:
    """Every colour has a caption in English; red, green and blue have one in the other languages too."""
    rows = [{"image": f"{name}.png", "language": "en", "captions": [f"plain {name}"]} for name in COLOURS]
    rows += [
        {"image": f"{name}.png", "language": tag, "captions": [word]}
        for name, words in TRANSLATIONS.items()
        for tag, word in words.items()
    ]
    file = pictures / "captions.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return file


@pytest.fixture
def coloured(tmp_path: Path, captions_file: Path, encoder: FakeEncoder) -> Iterator[Collection]:
    with Collection.open(tmp_path / "coloured", model=encoder) as collection:
        collection.add(captions_file)
        yield collection
