"""Documents to pages, passages and figures: PDF, plain text, Markdown, HTML, and folders of page scans."""

from .document import document_digest, is_document_name, read_document
from .rendering import PageRenderer, render_box, render_page
from .scans import page_files
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
    "document_digest",
    "is_document_name",
    "page_files",
    "read_document",
    "render_box",
    "render_page",
]
