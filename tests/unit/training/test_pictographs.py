from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from babelens.errors import DatasetError
from babelens.training import pictographs
from babelens.training.pictographs import MissingPictographsError, build, concept_id, read_concepts


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, babelens.training, babelens.training.recipe; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("file", "expected"),
    [("1F44B-FE0F.svg", "1f44b"), ("1f468-200d-2764-fe0f-200d-1f468.svg", "1f468-200d-2764-200d-1f468")],
)
def test_ids_are_the_same_for_every_style(file: str, expected: str) -> None:
    assert concept_id(file) == expected


def test_missing_packages_are_named_with_their_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("resvg_py")
    monkeypatch.setattr(pictographs, "FONT_FOLDERS", (tmp_path,))
    monkeypatch.setattr(pictographs, "CLDR_FOLDERS", (tmp_path,))
    with pytest.raises(MissingPictographsError) as caught:
        build(tmp_path / "out", npm=tmp_path)
    message = str(caught.value)
    assert "apt-get install fonts-noto-color-emoji" in message
    assert "npm install @twemoji/svg@15.0.0 openmoji@17.0.0" in message
    assert "apt-get install unicode-cldr-core" in message
    assert not (tmp_path / "out").exists()


def test_data_set_that_was_never_built(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="babelens dataset pictographs --out"):
        read_concepts(tmp_path)


def svg(colour: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 36 36"><circle cx="18" cy="18" r="16" '
        f'fill="{colour}"/></svg>'
    )


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """node_modules with two concepts: one drawn in every style, one that OpenMoji lacks, and a skin tone."""
    modules = tmp_path / "node_modules"
    twemoji, openmoji = modules / "@twemoji" / "svg", modules / "openmoji"
    for folder in (twemoji, openmoji / "color" / "svg", openmoji / "black" / "svg", openmoji / "data"):
        folder.mkdir(parents=True)
    for folder in (twemoji, openmoji):
        (folder / "package.json").write_text('{"version": "0"}')
    for name in ("1f436", "1f431", "1f44b-1f3fb"):
        (twemoji / f"{name}.svg").write_text(svg("red"))
    for kind in ("color", "black"):
        for name in ("1F436", "1F44B-1F3FB"):
            (openmoji / kind / "svg" / f"{name}.svg").write_text(svg("black"))
    entries = [{"hexcode": "1F436", "group": "animals-nature", "subgroups": "animal-mammal"}]
    (openmoji / "data" / "openmoji.json").write_text(json.dumps(entries))
    fluent = modules / "@iconify-json" / "fluent-emoji-flat"
    fluent.mkdir(parents=True)
    (fluent / "package.json").write_text('{"version": "0"}')
    icon = {"body": '<circle cx="16" cy="16" r="14" fill="green"/>'}
    (fluent / "icons.json").write_text(json.dumps({"icons": {"dog-face": icon}, "width": 32, "height": 32}))
    (fluent / "chars.json").write_text(json.dumps({"1f436": "dog-face", "1f431": "no-such-icon"}))
    for package, part in (
        ("cldr-annotations-full", "annotations"),
        ("cldr-annotations-derived-full", "annotationsDerived"),
    ):
        for tag in ("en", "es", "fr", "hi", "de", "it", "ja", "ar"):
            folder = modules / package / part / tag
            folder.mkdir(parents=True)
            (modules / package / "package.json").write_text('{"version": "48"}')
            named = {
                c: {"tts": [f"{c} {tag}"], "default": ["pet", f"{c} {tag}"]}
                for c in ("🐶", "🐱", "👋🏻")
                if part == "annotations"
            }
            (folder / "annotations.json").write_text(json.dumps({part: {"annotations": named}}))
    return tmp_path


def test_build_writes_pictures_and_names(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("resvg_py")
    if pictographs._find_font() is None:
        pytest.skip("fonts-noto-color-emoji is not installed")
    monkeypatch.setattr(pictographs, "CLDR_FOLDERS", ())
    seen: list[tuple[int, int]] = []
    made = build(tmp_path / "out", npm=packages, size=40, progress=lambda *done: seen.append(done))
    assert (made.concepts, made.images, seen) == (1, 5, [(1, 1)])
    assert made.styles == (*pictographs.STYLES, pictographs.UNSEEN)
    (concept,) = read_concepts(tmp_path / "out")
    assert concept.id == "1f436"
    assert concept.group == "animals-nature/animal-mammal"
    assert concept.characters == "🐶"
    assert concept.names["ja"] == ["🐶 ja"]
    assert concept.keywords["ja"] == ["pet"]
    from PIL import Image

    for style in made.styles:
        with Image.open(tmp_path / "out" / "images" / style / "1f436.png") as picture:
            assert (picture.size, picture.mode) == ((40, 40), "RGBA")
            assert picture.getpixel((0, 0))[3] == 0  # type: ignore[index]
            assert picture.getpixel((20, 20))[3] == 255  # type: ignore[index]
    for style in made.styles:
        (row,) = [json.loads(line) for line in (tmp_path / "out" / f"{style}.jsonl").read_text().splitlines()]
        assert row["image"] == f"images/{style}/1f436.png"
        assert len(row["captions"]) == 8
        assert row["captions"]["en"] == ["🐶 en"]
