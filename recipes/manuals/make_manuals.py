"""Makes the manuals of `babelens demo manuals`: PDFs with a text layer, and what is true of each of their pages.

    python recipes/manuals/make_manuals.py --out src/babelens/demo/manuals

The README beside this script names the packages and fonts it needs.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import cjk
import grinder
import humidifier
import light
import numpy as np
import pypdfium2
import textlayer
from page import BLOCKS, Written, read_source, write_page
from weasyprint import HTML
from weasyprint.formatting_structure.boxes import Box
from weasyprint.text.fonts import FontConfiguration

DRAWINGS = {"coffee-grinder": grinder, "bicycle-light": light, "humidifier": humidifier}
DPI, CSS_DPI = 150, 96
LARGEST = 150_000  # bytes of one manual that is bundled
HERE = Path(__file__).parent


def make(out: Path, look: Path | None = None) -> None:
    """``look`` is CSS that changes the usual style."""
    out.mkdir(parents=True, exist_ok=True)
    textlayer.install()
    style = (HERE / "style.css").read_text("utf-8") + (look.read_text("utf-8") if look else "")
    for path in sorted(HERE.glob("*/??.md")):
        source = read_source(path)
        name = f"{source.device_name}.{source.language}"
        pdf = out / f"{name}.pdf"
        with tempfile.TemporaryDirectory() as scratch:
            faces = cjk.font_faces(path.read_text("utf-8"), Path(scratch)) if source.language == "ja" else ""
            written = write_page(source, DRAWINGS[source.device_name], faces + style)
            fonts = FontConfiguration()
            document = HTML(string=written.html).render(font_config=fonts)
            document.write_pdf(pdf)
        if look is None and pdf.stat().st_size > LARGEST:
            raise ValueError(f"{pdf} has {pdf.stat().st_size} bytes, more than {LARGEST}")
        places = dict(_places(document.pages))
        title = f"{source.about['title']}: {source.about['subtitle']}"
        rows: list[dict[str, object]] = [
            {"type": "manual", "device": source.device_name, "language": source.language, "title": title,
             "pages": len(document.pages)}
        ]  # fmt: skip
        for key, heading in written.sections.items():
            rows.append(
                {"type": "section", "key": key, "title": heading, "page": places[f"section-{key}"][0]}
            )
        rows += _figures(written, places, pdf)
        questions = tomllib.loads((path.parent / "questions.toml").read_text("utf-8"))
        rows += _questions(questions, source.language, name, written, places)
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (out / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
        sys.stderr.write(f"{name}: {len(document.pages)} pages, {pdf.stat().st_size / 1000:.0f} kB\n")
    chosen = tomllib.loads((HERE / "demo.toml").read_text("utf-8"))["questions"]
    (out / "demo.json").write_text(json.dumps(chosen, indent=1) + "\n", "utf-8")
    (out / "ATTRIBUTION.md").write_text((HERE / "ATTRIBUTION.md").read_text("utf-8"), "utf-8")


def _places(pages: Iterable[object]) -> Iterable[tuple[str, tuple[int, tuple[float, ...], str]]]:
    """Id of every block and drawing: its page from 1, its box in CSS pixels, its text."""
    for number, page in enumerate(pages, start=1):
        for box in page._page_box.descendants():  # type: ignore[attr-defined]
            name = box.element.get("id") if box.element is not None and "::" not in box.element_tag else None
            if name and (box.element.get("class") == "drawing" or box.element_tag in BLOCKS):
                x, y, width, height = box.position_x, box.position_y, box.margin_width(), box.margin_height()
                yield name, (number, (x, y, x + width, y + height), _text(box))


def _text(box: Box) -> str:
    return " ".join("".join(box.element.itertext()).split())


def _figures(
    written: Written, places: Mapping[str, tuple[int, tuple[float, ...], str]], pdf: Path
) -> list[dict[str, object]]:
    """The box of a figure is that of its ink, in pixels at 150 dpi."""
    document = pypdfium2.PdfDocument(pdf)
    rows: list[dict[str, object]] = []
    for element, (name, label, caption) in written.figures.items():
        page, box, _ = places[element]
        x0, y0, x1, y1 = (round(value * DPI / CSS_DPI) for value in box)
        picture = np.asarray(document[page - 1].render(scale=DPI / 72).to_pil().convert("L"))[y0:y1, x0:x1]
        down, across = np.nonzero(picture < 245)
        tight = [x0 + across.min(), y0 + down.min(), x0 + across.max() + 1, y0 + down.max() + 1]
        rows.append({"type": "figure", "name": name, "label": label, "page": page,
                     "box": [int(value) for value in tight], "caption": caption})  # fmt: skip
    return sorted(rows, key=lambda row: (row["page"], row["box"][1]))  # type: ignore[index]


def _questions(
    questions: Mapping[str, list[dict[str, object]]],
    language: str,
    manual: str,
    written: Written,
    places: Mapping[str, tuple[int, tuple[float, ...], str]],
) -> list[dict[str, object]]:
    labels = {name: label for name, label, _ in written.figures.values() if label}
    rows: list[dict[str, object]] = []
    for question in questions["questions"]:
        answers = question["answer"]
        assert isinstance(answers, dict)
        words = answers[language]
        pages = {
            page
            for block, (page, _, text) in places.items()
            if block not in written.figures and all(_stands(word, text) for word in words)
        }
        if len(pages) != 1:
            raise ValueError(f"{manual}: {words} stands on pages {sorted(pages)}, not on one")
        (page,) = pages
        for asked_in in _languages(question):
            if asked_in == language or asked_in not in answers:
                rows.append({"type": "question", "key": question["key"], "language": asked_in,
                             "text": question[asked_in], "page": page,
                             "figure": labels.get(str(question.get("figure"))), "answer_words": words})  # fmt: skip
    for question in questions["unanswerable"]:
        rows.append({"type": "question", "key": question["key"], "language": language, "text": question[language],
                     "page": None, "figure": None, "answer_words": []})  # fmt: skip
    return rows


def _languages(question: Mapping[str, object]) -> list[str]:
    return [name for name in question if re.fullmatch(r"[a-z]{2}", name)]


def _stands(words: str, text: str) -> bool:
    """Whether the words stand in the text; "50 ml" does not stand in "350 ml"."""
    return re.search(rf"(?<![\d.,]){re.escape(_plain(words))}", _plain(text)) is not None


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the PDFs and what is true of them"
    )
    parser.add_argument(
        "--style", type=Path, metavar="CSS", help="another look, such as those in recipes/manuals/styles"
    )
    arguments = parser.parse_args()
    make(arguments.out, arguments.style)
