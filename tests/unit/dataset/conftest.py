"""Data sets as they are published, in miniature."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Draw = Callable[..., list[str]]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Draws plain pictures, each of its own colour, into a folder of ``tmp_path``."""
    made = iter(range(1, 256))

    def pictures(folder: str, *names: str) -> list[str]:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            shade = next(made)
            Image.new("RGB", (8, 8), (shade, 255 - shade, shade)).save(tmp_path / folder / name)
        return [f"{folder}/{name}" for name in names]

    return pictures


def lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
