"""The way in: files to catalog. Scan, decode in threads, encode, commit in batches; then captions.

run.py       the run, from first to last
plan.py      which files need work
decode.py    the decoding threads
pictures.py  pixels to vectors to the catalog
documents.py pages, figures and passages of documents
texts.py     captions and their vectors
datasets.py  captions files
report.py    what to tell the user
reencode.py  new vectors for what is there, when the encoder changes
redraw.py    those of pages and figures
passages.py  vectors of passages, by an encoder of their own
"""

from __future__ import annotations

from .run import ingest

__all__ = ["ingest"]
