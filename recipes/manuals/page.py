"""A manual's Markdown as a page of HTML: chapters, alerts with their symbols, figures, and an id on every block."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as Tree

from drawing import Drawing
from markdown_it import MarkdownIt

FONTS = {
    "ar": "Noto Sans Arabic, Noto Sans",
    "hi": "Noto Sans, Noto Sans Devanagari",
    "ja": "Noto Sans CJK JP cut",
}
BLOCKS = frozenset({"p", "li", "tr", "figcaption", "h2", "h3"})
SYMBOLS = {
    "caution": '<svg viewBox="0 0 48 44" width="9mm" height="8.25mm"><path d="M24 3L46 41H2Z" fill="#ffcf00" '
    'stroke="#1f2328" stroke-width="3" stroke-linejoin="round"/><path d="M26 13L18 27H24L21 37L31 22H25L29 13Z" '
    'fill="#1f2328"/></svg>',
    "warning": '<svg viewBox="0 0 48 44" width="9mm" height="8.25mm"><path d="M24 3L46 41H2Z" fill="#ffcf00" '
    'stroke="#1f2328" stroke-width="3" stroke-linejoin="round"/><path d="M22 15H26L25 29H23Z" fill="#1f2328" '
    'stroke="#1f2328"/><circle cx="24" cy="34.5" r="2.3" fill="#1f2328"/></svg>',
    "note": '<svg viewBox="0 0 48 44" width="9mm" height="8.25mm"><circle cx="24" cy="22" r="18" fill="#2f6fb5"/>'
    '<circle cx="24" cy="13" r="2.8" fill="#fff"/><path d="M22 19H26V33H22Z" fill="#fff"/></svg>',
}
LOGO = (
    '<svg class="logo" viewBox="0 0 20 20" width="4mm" height="4mm"><circle cx="10" cy="10" r="8.500" fill="none" '
    'stroke="{tint}" stroke-width="2"/><circle cx="10" cy="10" r="3.2" fill="{tint}"/></svg>'
)


@dataclass(frozen=True, slots=True)
class Source:
    """One manual as it was written. ``about`` is its front matter, ``device`` the device's TOML file."""

    device_name: str
    language: str
    device: Mapping[str, object]
    about: Mapping[str, object]
    body: str


@dataclass(frozen=True, slots=True)
class Written:
    """``figures``: id of the drawing's element to (name, label, caption); the cover's has no label and no caption."""

    html: str
    figures: Mapping[str, tuple[str, str | None, str | None]]
    sections: Mapping[str, str]


def read_source(path: Path) -> Source:
    _, front, body = path.read_text("utf-8").split("+++\n", 2)
    device = tomllib.loads((path.parent / "device.toml").read_text("utf-8"))
    return Source(path.parent.name, path.stem, device, tomllib.loads(front), body)


def write_page(source: Source, drawings: ModuleType, style: str) -> Written:
    """Raises :class:`ValueError` when chapters or drawings and the device's file do not agree."""
    language = source.language
    root = Tree.fromstring(
        f"<main>{MarkdownIt('commonmark', {'xhtmlOut': True}).enable('table').render(_spaced(source))}</main>"
    )
    figures: dict[str, tuple[str, str | None, str | None]] = {"cover": ("parts", None, None)}

    def draw(name: str, *, scale: float = 1, callouts: bool = True) -> Tree.Element:
        paint, (width, height), millimetres = drawings.DRAWINGS[name]
        canvas = Drawing(
            width, height, font=FONTS.get(language, "Noto Sans"), tint=str(source.device["tint"]),
            labels=source.about["labels"], callouts=callouts,
        )  # fmt: skip
        paint(canvas)
        return Tree.fromstring(canvas.html(millimetres * scale))

    _figures(root, draw, figures)
    _alerts(root, source)
    sections = _chapters(root, source)
    for head in root.iter("table"):
        first = head.find("thead")
        if first is not None and not "".join(first.itertext()).strip():
            head.remove(first)
            head.set("class", "plain")
    cover = draw("parts", scale=1.12, callouts=False)
    cover.set("id", "cover")
    page = Tree.Element("body")
    page.append(_head(source))
    page.append(_cover(source, cover))
    page.append(_contents(source, sections))
    page.append(root)
    for number, element in enumerate(element for element in root.iter() if element.tag in BLOCKS):
        element.attrib.setdefault("id", f"block-{number}")
    if language == "hi":
        _words_apart(page)
    direction = "rtl" if language == "ar" else "ltr"
    html = (
        f'<!DOCTYPE html><html lang="{language}" dir="{direction}"><head><meta charset="utf-8"/>'
        f"<title>{source.about['title']}: {source.about['kind']}</title>"
        f'<meta name="author" content="Babelens"/>'
        f"<style>{style.replace('TINT', str(source.device['tint']))}</style></head>"
        f"{Tree.tostring(page, encoding='unicode', method='html')}</html>"
    )
    return Written(html, figures, sections)


def _spaced(source: Source) -> str:
    """No line ends between a number and its unit, within the name of a figure, or before French punctuation.

    But for Arabic: PDFium takes a no-break space for the end of the right-to-left run.
    """
    text = re.sub(r'(?<!")(図\d)', r'<span class="ref">\1</span>', source.body)
    if source.language != "ar":
        text = re.sub(r'(?<!")(Fig\.|Abb\.|Figure|Figura|चित्र) (?=\d)', "\\1\u00a0", text)
        text = re.sub(r"(?<=\d) (?=[°%²A-Za-zµ]{1,3}[0-9]?\b|[°%]|मिमी|सेमी|मी\b)", "\u00a0", text)
    if source.language == "fr":
        text = re.sub(r" (?=[;:?!])", "\u00a0", text)
    return text


def _figures(
    root: Tree.Element,
    draw: Callable[..., Tree.Element],
    figures: dict[str, tuple[str, str | None, str | None]],
) -> None:
    for index, paragraph in enumerate(root):
        image = paragraph.find("img")
        if paragraph.tag != "p" or image is None:
            continue
        name, label, caption = image.get("src", ""), image.get("title", ""), image.get("alt", "")
        figure = Tree.Element("figure")
        picture = draw(name)
        picture.set("id", f"figure-{name}")
        figure.append(picture)
        below = Tree.SubElement(figure, "figcaption")
        strong = Tree.SubElement(below, "b")
        strong.text = label
        strong.tail = f"  {caption}"
        figures[f"figure-{name}"] = (name, label, caption)
        root[index] = figure


def _alerts(root: Tree.Element, source: Source) -> None:
    titles = source.about["alerts"]
    assert isinstance(titles, dict)
    for index, quote in enumerate(root):
        if quote.tag != "blockquote":
            continue
        paragraph = quote[0]
        kind, words = re.fullmatch(r"\[!(\w+)\]\s+(.*)", paragraph.text or "", re.S).groups()  # type: ignore[union-attr]
        kind = kind.lower()
        alert = Tree.Element("div", {"class": f"alert {kind}"})
        alert.append(Tree.fromstring(SYMBOLS[kind]))
        paragraph.text = ""
        title = Tree.Element("b")
        title.text, title.tail = titles[kind], f" {words}"
        paragraph.insert(0, title)
        alert.append(paragraph)
        root[index] = alert


def _chapters(root: Tree.Element, source: Source) -> dict[str, str]:
    """Gathers the blocks under each heading into a section; the titles, with their numbers, by key."""
    keys, columns = source.device["sections"], source.device["columns"]
    assert isinstance(keys, list)
    assert isinstance(columns, list)
    blocks = list(root)
    for block in blocks:
        root.remove(block)
    titles: dict[str, str] = {}
    section = root
    for block in blocks:
        if block.tag == "h2":
            key = keys[len(titles)]
            section = Tree.SubElement(
                root, "section", {"class": key + (" columns" if key in columns else "")}
            )
            block.set("id", f"section-{key}")
            block.text = titles[key] = f"{len(titles) + 1}  {block.text}"
        section.append(block)
    if len(titles) != len(keys):
        raise ValueError(
            f"{source.device_name}.{source.language}: {len(titles)} chapters, {len(keys)} in device.toml"
        )
    return titles


def _head(source: Source) -> Tree.Element:
    head = Tree.Element("div", {"class": "head"})
    head.append(Tree.fromstring(LOGO.format(tint=source.device["tint"])))
    Tree.SubElement(head, "span").text = f"{source.about['title']}"
    Tree.SubElement(head, "span", {"class": "kind"}).text = str(source.about["kind"])
    return head


def _cover(source: Source, drawing: Tree.Element) -> Tree.Element:
    cover = Tree.Element("div", {"class": "cover"})
    Tree.SubElement(cover, "h1").text = str(source.about["title"])
    Tree.SubElement(cover, "p", {"class": "subtitle"}).text = str(source.about["subtitle"])
    cover.append(drawing)
    Tree.SubElement(cover, "p", {"class": "kind"}).text = str(source.about["kind"])
    Tree.SubElement(cover, "p", {"class": "imprint"}).text = str(source.about["imprint"])
    return cover


def _contents(source: Source, sections: Mapping[str, str]) -> Tree.Element:
    contents = Tree.Element("div", {"class": "contents"})
    Tree.SubElement(contents, "h4").text = str(source.about["contents"])
    for key, title in sections.items():
        line = Tree.SubElement(contents, "p")
        Tree.SubElement(line, "a", {"href": f"#section-{key}"}).text = title
    return contents


def _words_apart(element: Tree.Element) -> None:
    """Puts every Hindi word into a span of its own, which `textlayer` gives its text."""
    if element.tag == "svg":
        return
    for child in list(element):
        _words_apart(child)
    pieces: list[Tree.Element] = []
    for child in list(element):
        pieces.append(child)
        if child.tail and child.tail.strip():
            spans, lead = _spans(child.tail)
            child.tail = lead
            pieces.extend(spans)
    if element.text and element.text.strip():
        spans, lead = _spans(element.text)
        element.text = lead
        pieces = spans + pieces
    for child in list(element):
        element.remove(child)
    element.extend(pieces)


def _spans(text: str) -> tuple[list[Tree.Element], str]:
    """Words as spans, and the white space before the first."""
    lead = text[: len(text) - len(text.lstrip())]
    spans = []
    for word, space in re.findall(r"([^ \n]+)(\s*)", text[len(lead) :]):
        span = Tree.Element("span")
        span.text, span.tail = word, space
        spans.append(span)
    return spans, lead
