"""Builds the pictograph data set: the same 1,800-odd concepts in several drawing styles, named in eight languages.

Art comes from three packages (Noto Color Emoji, Twemoji, OpenMoji; OpenMoji also as black line drawings), names
and keywords from Unicode CLDR. The art is read from where the packages put it and is never part of Babelens.

What lands in the folder:

    dataset.json      format, size, styles, versions of the names, licences
    concepts.jsonl    {"id": "1f436", "group": ..., "names": {"en": [...], ...}, "keywords": {"en": [...], ...}}
    noto.jsonl, ...   {"image": "images/noto/1f436.png", "captions": {"en": ["dog face"], "es": [...], ...}}
    images/STYLE/ID.png   square RGBA with a transparent ground

A fifth style, Fluent Emoji (flat), is drawn as far as it goes when its package is there: to measure with, on a style
that was never trained on.

Non-goals: skin-tone variants (the same concept again) and concepts that some style to train on does not draw.
"""

from __future__ import annotations

import io
import json
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, features

from babelens.errors import DatasetError, MissingExtraError
from babelens.languages import LANGUAGES

STYLES: tuple[str, ...] = ("noto", "twemoji", "openmoji", "openmoji-black")
"""The renderings of each concept. The last two are one artist's style in two versions."""

UNSEEN = "fluent"
"""To measure with, never to train on. It draws no flags of countries."""
_UNSEEN_PACKAGE = ("@iconify-json/fluent-emoji-flat", "1.2.6")

LICENCES: Mapping[str, str] = {
    "noto": "Noto Color Emoji, Google, SIL Open Font License 1.1",
    "twemoji": "Twemoji graphics, Twitter and contributors, CC-BY 4.0",
    "openmoji": "OpenMoji, HfG Schwäbisch Gmünd and contributors, CC BY-SA 4.0",
    "openmoji-black": "OpenMoji, HfG Schwäbisch Gmünd and contributors, CC BY-SA 4.0",
    UNSEEN: "Fluent Emoji (flat), Microsoft, MIT",
    "names": "Unicode CLDR annotations, Unicode License",
}

NPM_VERSIONS: Mapping[str, str] = {"@twemoji/svg": "15.0.0", "openmoji": "17.0.0"}
NPM_NAME_VERSIONS: Mapping[str, str] = {
    "cldr-annotations-full": "48.2.0",
    "cldr-annotations-derived-full": "48.2.0",
}
NOTO_FONT = "NotoColorEmoji.ttf"
FONT_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path("~/.local/share/fonts"))
CLDR_FOLDERS = (Path("/usr/share/unicode/cldr/common"),)

_SKIN_TONES = frozenset({"1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"})
_NOTO_SIZE = 109  # The one size of this bitmap font; Pillow refuses every other.


class MissingPictographsError(DatasetError):
    """A package with art or names was not found; the message says what to install."""


@dataclass(frozen=True)
class Concept:
    """One thing that is drawn in every style and named in every language."""

    id: str
    """Code points in lower-case hex joined by "-", without U+FE0F ("1f1eb-1f1f7")."""
    group: str
    names: dict[str, list[str]]
    """Short names by language, the preferred one first (older and newer CLDR releases differ at times)."""
    keywords: dict[str, list[str]]

    @property
    def characters(self) -> str:
        return "".join(chr(int(point, 16)) for point in self.id.split("-"))


@dataclass(frozen=True)
class DatasetSummary:
    """What `build` made."""

    path: Path
    concepts: int
    images: int
    styles: tuple[str, ...]


@dataclass(frozen=True)
class _Annotation:
    name: str
    keywords: tuple[str, ...]


def concept_id(name: str) -> str:
    """The style-independent id for a file name such as ``1F44B-FE0F.svg``."""
    return "-".join(p for p in Path(name).stem.lower().split("-") if p != "fe0f")


def build(
    out_dir: Path | str,
    *,
    npm: Path | str | None = None,
    size: int = 96,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DatasetSummary:
    """Write the pictograph data set to `out_dir`.

    `npm` is a folder that holds the npm packages (a ``node_modules`` or its parent); without it the working
    directory and its parents are searched. `size` is the side of the pictures in pixels, `limit` takes only the
    first concepts, `progress(done, total)` is called after each concept.

    Raises MissingPictographsError when a package is missing and MissingExtraError without an SVG renderer.
    """
    try:
        import resvg_py  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("resvg_py", "torch") from error
    modules = _node_modules(npm)
    found = {name: _npm_package(name, modules) for name in NPM_VERSIONS}
    font_path = _find_font()
    annotations, name_sources = _read_names(modules)
    missing = [name for name, path in found.items() if path is None]
    problems = []
    if font_path is None:
        problems.append(f"Noto Color Emoji ({NOTO_FONT}): apt-get install fonts-noto-color-emoji")
    if not features.check("raqm"):
        problems.append("Pillow without libraqm cannot compose emoji sequences: pip install --upgrade pillow")
    if missing:
        wanted = " ".join(f"{name}@{NPM_VERSIONS[name]}" for name in missing)
        problems.append(f"{', '.join(missing)}: npm install {wanted}")
    if not annotations:
        wanted = " ".join(f"{name}@{version}" for name, version in NPM_NAME_VERSIONS.items())
        problems.append(f"CLDR annotations: apt-get install unicode-cldr-core, or npm install {wanted}")
    if problems:
        raise MissingPictographsError(
            "Cannot build the pictograph data set. Missing:\n  "
            + "\n  ".join(problems)
            + "\nnpm packages are looked for in node_modules here and above, or where --npm DIR points."
        )
    twemoji, openmoji = found["@twemoji/svg"], found["openmoji"]
    assert twemoji is not None
    assert openmoji is not None
    assert font_path is not None

    files = {
        "twemoji": _svg_files(twemoji),
        "openmoji": _svg_files(openmoji / "color" / "svg"),
        "openmoji-black": _svg_files(openmoji / "black" / "svg"),
    }
    font = ImageFont.truetype(str(font_path), _NOTO_SIZE, layout_engine=ImageFont.Layout.RAQM)
    concepts = _concepts(files, annotations, _groups(openmoji))
    if limit is not None:
        concepts = concepts[:limit]

    unseen = _unseen_drawings(modules)
    styles = (*STYLES, UNSEEN) if unseen else STYLES
    images = 0
    out = Path(out_dir)
    for style in styles:
        (out / "images" / style).mkdir(parents=True, exist_ok=True)
    kept: list[Concept] = []
    for done, concept in enumerate(concepts, start=1):
        noto = _render_noto(font, concept.id, size)
        if noto is not None:
            noto.save(out / "images" / "noto" / f"{concept.id}.png", compress_level=3)
            drawings = {
                style: paths[concept.id].read_text(encoding="utf-8") for style, paths in files.items()
            }
            if concept.id in unseen:
                drawings[UNSEEN] = unseen[concept.id]
            for style, svg in drawings.items():
                picture = _render_svg(svg, size)
                picture.save(out / "images" / style / f"{concept.id}.png", compress_level=3)
            images += 1 + len(drawings)
            kept.append(concept)
        if progress is not None:
            progress(done, len(concepts))
    _write_text(out, kept, styles=styles, size=size, name_sources=name_sources)
    return DatasetSummary(path=out, concepts=len(kept), images=images, styles=styles)


def read_concepts(path: Path | str) -> list[Concept]:
    """The concepts of a data set that `build` wrote, in their stored order."""
    file = Path(path) / "concepts.jsonl"
    if not file.is_file():
        raise MissingPictographsError(
            f"{file} does not exist. Build the data set first: babelens dataset pictographs --out {path}"
        )
    with file.open(encoding="utf-8") as lines:
        return [Concept(**json.loads(line)) for line in lines]


# -- finding the packages -----------------------------------------------------------------------------------


def _node_modules(npm: Path | str | None) -> list[Path]:
    if npm is not None:
        return [Path(npm), Path(npm) / "node_modules"]
    here = Path.cwd()
    folders = [folder / "node_modules" for folder in (here, *here.parents)]
    return folders + [Path(p) for p in os.environ.get("NODE_PATH", "").split(os.pathsep) if p]


def _npm_package(name: str, folders: Iterable[Path]) -> Path | None:
    return next((folder / name for folder in folders if (folder / name / "package.json").is_file()), None)


def _find_font() -> Path | None:
    for folder in FONT_FOLDERS:
        for path in sorted(folder.expanduser().rglob(NOTO_FONT)):
            return path
    return None


def _svg_files(folder: Path) -> dict[str, Path]:
    return {concept_id(path.name): path for path in sorted(folder.glob("*.svg"))}


def _unseen_drawings(modules: Sequence[Path]) -> dict[str, str]:
    """SVG documents of the style to measure with, by concept; none when its package is not there."""
    package = _npm_package(_UNSEEN_PACKAGE[0], modules)
    if package is None:
        return {}
    art = json.loads((package / "icons.json").read_text(encoding="utf-8"))
    names = json.loads((package / "chars.json").read_text(encoding="utf-8"))
    width, height = art.get("width", 16), art.get("height", 16)
    return {
        concept_id(characters): '<svg xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="0 0 {icon.get("width", width)} {icon.get("height", height)}">{icon["body"]}</svg>'
        for characters, name in names.items()
        if (icon := art["icons"].get(name)) is not None
    }


def _groups(openmoji: Path) -> dict[str, str]:
    entries = json.loads((openmoji / "data" / "openmoji.json").read_text(encoding="utf-8"))
    return {concept_id(e["hexcode"]): f"{e['group']}/{e['subgroups']}" for e in entries}


# -- names and keywords -------------------------------------------------------------------------------------


def _read_names(modules: Sequence[Path]) -> tuple[dict[str, list[dict[str, _Annotation]]], list[str]]:
    """Annotations by language, one dictionary per release found, and what was found."""
    annotations: dict[str, list[dict[str, _Annotation]]] = {}
    sources: list[str] = []
    for folder in CLDR_FOLDERS:
        if (folder / "annotationsDerived").is_dir():
            sources.append("unicode-cldr-core")
            for tag in LANGUAGES:
                annotations.setdefault(tag, []).append(_read_cldr_xml(folder, tag))
            break
    packages = [(name, _npm_package(name, modules)) for name in NPM_NAME_VERSIONS]
    if all(path is not None for _, path in packages):
        for name, path in packages:
            assert path is not None
            version = json.loads((path / "package.json").read_text(encoding="utf-8"))["version"]
            sources.append(f"{name}@{version}")
        for tag in LANGUAGES:
            merged: dict[str, _Annotation] = {}
            for _, path in packages:
                assert path is not None
                merged.update(_read_cldr_json(path, tag))
            annotations.setdefault(tag, []).append(merged)
    return annotations, sources


def _read_cldr_xml(folder: Path, tag: str) -> dict[str, _Annotation]:
    names: dict[str, str] = {}
    keywords: dict[str, tuple[str, ...]] = {}
    for part in ("annotations", "annotationsDerived"):
        for node in ElementTree.parse(folder / part / f"{tag}.xml").iter("annotation"):
            characters, text = node.get("cp", ""), (node.text or "").strip()
            if not text or text == "↑↑↑":  # "inherited from the parent locale"
                continue
            if node.get("type") == "tts":
                names[characters] = text
            else:
                keywords[characters] = tuple(word.strip() for word in text.split("|"))
    return {c: _Annotation(name, keywords.get(c, ())) for c, name in names.items()}


def _read_cldr_json(package: Path, tag: str) -> dict[str, _Annotation]:
    folder = next(f for f in ("annotations", "annotationsDerived") if (package / f).is_dir())
    text = (package / folder / tag / "annotations.json").read_text(encoding="utf-8")
    (body,) = json.loads(text).values()
    return {
        characters.replace("\ufe0f", ""): _Annotation(entry["tts"][0], tuple(entry.get("default", ())))
        for characters, entry in body["annotations"].items()
        if entry.get("tts")
    }


def _concepts(
    files: Mapping[str, Mapping[str, Path]],
    annotations: Mapping[str, Sequence[Mapping[str, _Annotation]]],
    groups: Mapping[str, str],
) -> list[Concept]:
    shared = set.intersection(*(set(paths) for paths in files.values()))
    concepts: list[Concept] = []
    for identifier in sorted(shared):
        if _SKIN_TONES & set(identifier.split("-")):
            continue
        characters = "".join(chr(int(point, 16)) for point in identifier.split("-"))
        names: dict[str, list[str]] = {}
        keywords: dict[str, list[str]] = {}
        for tag, releases in annotations.items():
            entries = [release[characters] for release in releases if characters in release]
            names[tag] = list(dict.fromkeys(entry.name for entry in entries))
            words = dict.fromkeys(word for entry in entries for word in entry.keywords)
            keywords[tag] = [word for word in words if word not in names[tag]]
        if all(names.values()):
            concepts.append(Concept(identifier, groups.get(identifier, ""), names, keywords))
    return concepts


# -- drawing ------------------------------------------------------------------------------------------------


def _render_noto(font: ImageFont.FreeTypeFont, identifier: str, size: int) -> Image.Image | None:
    """The glyph, or None when the font has no single glyph for the sequence."""
    points = identifier.split("-")
    # Text-style characters need U+FE0F before ZWJ or keycap for the ligature to form in some font versions.
    spellings = ["".join(chr(int(p, 16)) for p in points)]
    spellings.append("\ufe0f".join(chr(int(p, 16)) for p in points))
    for text in spellings:
        left, top, right, bottom = font.getbbox(text)
        width, height = int(right - left), int(bottom - top)
        if not 0 < width <= 1.5 * _NOTO_SIZE:  # wider: several glyphs side by side, no ligature
            continue
        side = max(width, height)
        canvas = Image.new("RGBA", (side, side), (0, 0, 0, 0))
        offset = ((side - width) / 2 - left, (side - height) / 2 - top)
        ImageDraw.Draw(canvas).text(offset, text, font=font, embedded_color=True)
        if canvas.getbbox() is not None:
            return canvas.resize((size, size), Image.Resampling.LANCZOS)
    return None


def _render_svg(svg: str, size: int) -> Image.Image:
    import resvg_py

    # Drawn at twice the size and reduced: smoother than the renderer's own anti-aliasing.
    data = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=2 * size, height=2 * size))
    with Image.open(io.BytesIO(data)) as picture:
        return picture.convert("RGBA").resize((size, size), Image.Resampling.LANCZOS)


# -- writing ------------------------------------------------------------------------------------------------


def _write_text(
    out: Path, concepts: Sequence[Concept], *, styles: Sequence[str], size: int, name_sources: Sequence[str]
) -> None:
    with (out / "concepts.jsonl").open("w", encoding="utf-8") as lines:
        for c in concepts:
            row = {"id": c.id, "group": c.group, "names": c.names, "keywords": c.keywords}
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    for style in styles:
        with (out / f"{style}.jsonl").open("w", encoding="utf-8") as lines:
            for c in concepts:
                if (out / "images" / style / f"{c.id}.png").exists():
                    captions = {tag: names[:1] for tag, names in c.names.items()}
                    row = {"image": f"images/{style}/{c.id}.png", "captions": captions}
                    lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    manifest = {
        "format": 1,
        "size": size,
        "styles": list(styles),
        "concepts": len(concepts),
        "names": list(name_sources),
        "licences": dict(LICENCES),
    }
    (out / "dataset.json").write_text(
        json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
