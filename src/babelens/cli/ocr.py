"""``ocr``: the text in pictures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from .describe import LANGUAGES
from .options import FILE, LANGUAGE_LIST, command, json_option

if TYPE_CHECKING:
    from ..models.protocols import OcrLine


@command("ocr")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=FILE)
@click.option(
    "--engine",
    type=click.Choice(["auto", "rapidocr", "tesseract"]),
    default="auto",
    show_default=True,
    help="auto takes Tesseract for Arabic and Hindi, RapidOCR for all else.",
)
@click.option(
    "--languages",
    metavar="TAG,…",
    type=LANGUAGES,
    default=(),
    help=f"Languages that the text may be in ({LANGUAGE_LIST}). Without it, that is found out.",
)
@json_option
def ocr(files: tuple[str, ...], engine: str, languages: tuple[str, ...], as_json: bool) -> int:
    """Read the text in pictures.

    Lines come in reading order; those that were hardly read are left out and counted.

    \b
    babelens ocr page.png
    babelens ocr --languages ar,en scans/*.jpg --json
    """
    from ..errors import UnreadableFileError
    from ..models.ocr import load_ocr
    from ..sources.images import load_image
    from .app import INCOMPLETE, OK
    from .progress import reporting

    reader = load_ocr(engine)
    skipped = 0
    with reporting("Reading", "pictures") as reporter:
        for number, path in enumerate(files):
            reporter.update(number, len(files))
            started = time.monotonic()
            lines: list[OcrLine] = []
            reason: str | None = None
            try:
                lines = reader.read(load_image(path), languages)
            except UnreadableFileError as error:
                reason = error.reason
                skipped += 1
            seconds = time.monotonic() - started
            if as_json:
                _print_json(path, lines, reason, seconds)
            else:
                _print_lines(path, lines, reason, heading=len(files) > 1)
    return INCOMPLETE if skipped else OK


def _print_json(path: str, lines: list[OcrLine], reason: str | None, seconds: float) -> None:
    from ..models.ocr import usable
    from .render import print_json

    low = {id(line) for line in usable(lines)[1]}
    rows = [
        {
            "text": line.text,
            "box": list(line.box),
            "confidence": round(line.confidence, 4),
            "usable": id(line) not in low,
        }
        for line in lines
    ]
    print_json({"path": path, "lines": rows, "reason": reason, "seconds": round(seconds, 3)})


def _print_lines(path: str, lines: list[OcrLine], reason: str | None, *, heading: bool) -> None:
    from ..models.ocr import usable
    from .render import count, isolate, message, printable, shown_path

    if reason is not None:
        message(f"Skipped {shown_path(path)}: {printable(reason)}")
        return
    kept, low = usable(lines)
    if heading:
        click.secho(shown_path(path), bold=True)
    for line in kept:
        click.echo(isolate(printable(line.text)))
    if low:
        message(f"{shown_path(path)}: {count(len(low), 'line')} left out, read with too little confidence")
    elif not kept:
        message(f"{shown_path(path)}: no text found")
