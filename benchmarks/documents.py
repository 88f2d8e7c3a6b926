"""How fast documents are read, how much memory that takes, and what is found in a folder of them.

    python -m benchmarks documents             speed and memory, on the bundled manuals
    python -m benchmarks documents FOLDER ...  a table of what is in each document of the folders, read with RapidOCR

Speed is that of `read_document` alone: nothing is encoded or written. Seconds of CPU are those of all cores together.
Scanned pages are pages of the bundled manuals as grey pictures at 150 dpi. Memory is the most that was resident at any
time, of the process that asks and of the worker that parses, over a PDF made of the bundled manuals' pages again and
again. It is read from /proc, so on Linux only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np

from babelens.demo.manuals import load_manuals
from babelens.errors import BabelensError
from babelens.metrics.statistics import Bootstrap
from babelens.models.ocr import load_ocr
from babelens.sources.documents import (
    Document,
    PageRenderer,
    is_document_name,
    page_files,
    read_document,
)
from babelens.sources.images import EXTENSIONS

ROUNDS = 3
# Not ru_maxrss for the process itself: that begins with what the process before it had.
_MEMORY = """
import json, re, resource, sys
from pathlib import Path
from babelens.sources.documents import read_document
found = read_document(sys.argv[1])
own = int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
peak = [own / 1e3, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3]
text = sum(len(p.body.encode()) for p in found.passages) / 1e6
print(json.dumps([len(found.pages), len(found.passages), text, *peak]))
"""


def run(quick: bool = False, folders: Sequence[Path] = (), cache: Path = Path()) -> None:
    """Prints the tables."""
    if folders:
        for folder in folders:
            _print_found(folder)
        return
    _print_speed(cache, 1 if quick else ROUNDS, scans=6 if quick else 24)
    _print_memory(cache, (50, 200) if quick else (200, 1_000, 2_000))


# -- speed -------------------------------------------------------------------------------------------------------


def _print_speed(cache: Path, rounds: int, *, scans: int) -> None:
    print(f"{'':<38}{'files':>6}{'pages':>7}{'pages/s (95 % interval)':>25}{'per second of CPU':>25}")
    manuals = [manual.path for manual in load_manuals()]
    _print_rate("born-digital, files of 8 or 9 pages", manuals * rounds, read_document)
    _print_rate("born-digital, files of 200 pages", [made_pdf(cache, 200)] * rounds, read_document)
    engine = load_ocr("rapidocr")
    latin = [manual.path for manual in load_manuals() if manual.language in ("en", "de", "fr", "es", "it")]
    folders = _scanned(cache, latin, scans)
    _print_rate("pictures of pages, RapidOCR", folders, lambda path: read_document(path, ocr=engine))


def _print_rate(name: str, paths: Sequence[Path], read: Callable[[Path], Document]) -> None:
    read(paths[0])
    pages, seconds, processor = [], [], []
    for path in paths:
        start, busy = time.perf_counter(), _processor_time()
        pages.append(len(read(path).pages))
        seconds.append(time.perf_counter() - start)
        processor.append(_processor_time() - busy)
    rates = f"{rate(pages, seconds):>25}{rate(pages, processor):>25}"
    print(f"{name:<38}{len(paths):>6}{sum(pages):>7}{rates}", flush=True)


def _processor_time() -> float:
    """Of this process and its workers that have ended. Other work on the machine does not make it longer."""
    return sum(os.times()[:4])


def rate(counts: Sequence[int], seconds: Sequence[float]) -> str:
    """How many a second, with its 95 % interval from drawing files with replacement."""
    top, bottom = np.array(counts, dtype=np.float64), np.array(seconds)
    draws = Bootstrap(np.arange(len(top))).each(lambda weights: (weights @ top) / (weights @ bottom))
    low, high = np.percentile(draws, [2.5, 97.5])
    return f"{top.sum() / bottom.sum():.1f} ({low:.1f}-{high:.1f})"


def made_pdf(folder: Path, pages: int) -> Path:
    """A PDF of so many pages, those of the bundled manuals again and again."""
    import pypdfium2

    path = folder / f"pages-{pages}.pdf"
    if path.is_file():
        return path
    sources = [pypdfium2.PdfDocument(manual.path) for manual in load_manuals()]
    made = pypdfium2.PdfDocument.new()
    for source in cycle(sources):
        if len(made) >= pages:
            break
        made.import_pages(source, list(range(min(len(source), pages - len(made)))))
    made.save(path)
    return path


def _scanned(folder: Path, manuals: Sequence[Path], pages: int) -> list[Path]:
    """Folders of grey pictures of pages, covers left out, a folder for each manual."""
    folders = []
    for number, manual in enumerate(manuals):
        target = folder / f"scan-{number}"
        target.mkdir(exist_ok=True)
        with PageRenderer(manual) as renderer:
            for page in range(2, 2 + max(1, pages // len(manuals))):
                renderer.page(page).convert("L").save(target / f"{page:02}.png")
        folders.append(target)
    return folders


# -- memory ------------------------------------------------------------------------------------------------------


def _print_memory(cache: Path, sizes: Sequence[int]) -> None:
    print(
        f"\n{'pages':>6}{'passages':>10}{'text MB':>9}{'peak MB, asking':>17}{'peak MB, worker':>17}{'s':>7}"
    )
    rows = []
    for size in sizes:
        path = made_pdf(cache, size)
        start = time.perf_counter()
        found = subprocess.run(
            [sys.executable, "-c", _MEMORY, str(path)], capture_output=True, text=True, check=True
        )
        pages, passages, text, own, worker = json.loads(found.stdout)
        seconds = time.perf_counter() - start
        print(f"{pages:>6}{passages:>10}{text:>9.2f}{own:>17.1f}{worker:>17.1f}{seconds:>7.1f}", flush=True)
        rows.append((pages, text, own, worker))
    (pages, text, own, worker), (many, more, later, last) = rows[0], rows[-1]
    thousands = (many - pages) / 1_000
    print(
        f"for 1,000 pages more: {(later - own) / thousands:.1f} MB asking, {(last - worker) / thousands:.1f} MB in the "
        f"worker, of text {(more - text) / thousands:.2f} MB"
    )


# -- what is found -----------------------------------------------------------------------------------------------


def _print_found(folder: Path) -> None:
    engine = load_ocr("rapidocr")
    print(
        f"\n{folder.name}: pages by how they were read; figures (with a number, with a caption); depth of headings\n"
    )
    print(
        f"{'document':<34}{'pages':>6}{'text':>6}{'OCR':>5}{'empty':>6}{'passages':>9}{'figures':>14}{'tables':>7}"
        f"{'depth':>6}{'skips':>6}{'s':>7}"
    )
    for path in documents_in(folder):
        start = time.perf_counter()
        try:
            document = read_document(path, ocr=engine)
        except BabelensError as error:
            print(f"{path.name:<34}{error.message}")
            continue
        print(row(path.name, document, time.perf_counter() - start), flush=True)
        for skip in document.skips:
            print(f"    skipped: {skip.reason}")
        for note in document.notes:
            print(f"    {note}")


def documents_in(folder: Path) -> list[Path]:
    """Documents and pictures of pages in a folder, in the order of their names; and the folders in it that hold scans.

    A text file beside a document of the same name is what is true of it, and no document.
    """
    found = []
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            try:
                page_files(os.fspath(path))
            except BabelensError:
                continue
            found.append(path)
        elif path.suffix.lower() == ".txt" and any(
            other.stem == path.stem and other != path for other in folder.iterdir()
        ):
            continue
        elif is_document_name(path.name) or path.suffix.lower().removeprefix(".") in EXTENSIONS:
            found.append(path)
    return found


def row(name: str, document: Document, seconds: float) -> str:
    read = [sum(page.source == source for page in document.pages) for source in ("text", "ocr", "empty")]
    figures = document.figures
    labelled = sum(figure.label is not None for figure in figures)
    captioned = sum(figure.caption is not None for figure in figures)
    tables = sum(passage.table for passage in document.passages)
    depth = max((len(passage.headings) for passage in document.passages), default=0)
    return (
        f"{name:<34}{len(document.pages):>6}{read[0]:>6}{read[1]:>5}{read[2]:>6}{len(document.passages):>9}"
        f"{f'{len(figures)} ({labelled}, {captioned})':>14}{tables:>7}{depth:>6}{len(document.skips):>6}{seconds:>7.1f}"
    )
