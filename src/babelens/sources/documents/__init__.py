"""Documents to pages, passages and figures: PDF, plain text, Markdown, HTML, and folders of page scans."""

from .document import read_document
from .rendering import PageRenderer, render_box, render_page
from .types import DPI, Box, Document, Figure, LineReader, Page, Passage, RecognisedLine

__all__ = [
    "DPI",
    "Box",
    "Document",
    "Figure",
    "LineReader",
    "Page",
    "PageRenderer",
    "Passage",
    "RecognisedLine",
    "read_document",
    "render_box",
    "render_page",
]
