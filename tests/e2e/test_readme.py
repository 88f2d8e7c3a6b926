"""What the README shows must run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    photos = tmp_path / "photos"
    photos.mkdir()
    gallery = ROOT / "src" / "babelens" / "demo" / "gallery" / "pictures"
    for number, picture in enumerate(sorted(gallery.iterdir())[:12]):
        name = "dog.webp" if number == 0 else picture.name
        (photos / name).write_bytes(picture.read_bytes())
    (photos / "dog.hi.txt").write_text("कुत्ता", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=tmp_path,
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 7  # three hits, one caption, three more hits
    assert lines[3] == "कुत्ता"


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", README))))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
