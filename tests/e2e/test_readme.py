"""What the README shows must run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


EXAMPLES = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def run_example(example: str, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=folder,
        env={**os.environ, "XDG_DATA_HOME": str(folder / "data")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_example_with_pictures_runs(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    gallery = ROOT / "src" / "babelens" / "demo" / "gallery" / "pictures"
    for number, picture in enumerate(sorted(gallery.iterdir())[:12]):
        name = "dog.webp" if number == 0 else picture.name
        (photos / name).write_bytes(picture.read_bytes())
    (photos / "dog.hi.txt").write_text("कुत्ता", encoding="utf-8")
    lines = run_example(EXAMPLES[0], tmp_path)
    assert len(lines) == 7  # three hits, one caption, three more hits
    assert lines[3] == "कुत्ता"


def test_the_example_with_a_manual_runs(tmp_path: Path) -> None:
    manuals = ROOT / "src" / "babelens" / "demo" / "manuals"
    shutil.copy(manuals / "coffee-grinder.en.pdf", tmp_path / "manual.pdf")
    lines = run_example(EXAMPLES[1], tmp_path)
    assert any(line.startswith("manual.pdf 9 ") and "3 years" in line for line in lines)
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", README))))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
