"""``index`` and ``import``: everything that puts something in."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import click

from .options import FILE, LANGUAGE, LANGUAGE_LIST, collection_option, command, json_option, model_option

if TYPE_CHECKING:
    from ..collection import Collection
    from ..types import DescribeReport, IngestReport, Skip

_SKIPS_SHOWN = 10


@command("index")
@click.argument("paths", metavar="PATH...", nargs=-1, type=click.Path(exists=True))
@collection_option
@model_option
@click.option(
    "--scans", metavar="FOLDER", type=click.Path(exists=True, file_okay=False), multiple=True,
    help="A folder whose pictures are the pages of one document, in the order of their names. Repeatable.",
)  # fmt: skip
@click.option(
    "--captions", type=FILE, multiple=True, help="Captions: JSONL, CSV, Flickr8k or COCO. Repeatable."
)
@click.option(
    "--filename-captions",
    is_flag=True,
    help='Make captions from file names: house-wife_01.jpg is "house wife".',
)
@click.option(
    "--caption-language", type=LANGUAGE,
    help=f"The language of captions whose file does not name one ({LANGUAGE_LIST}).",
)  # fmt: skip
@click.option("--include", metavar="GLOB", multiple=True, help="Only files that match. Repeatable.")
@click.option("--exclude", metavar="GLOB", multiple=True, help="No files or folders that match. Repeatable.")
@click.option("--sample", metavar="N", type=click.IntRange(min=1), help="Only N files, drawn at random.")
@click.option("--seed", type=int, default=0, show_default=True, help="The seed of --sample.")
@click.option(
    "--ocr/--no-ocr", default=None,
    help="Also read the words printed in pictures and figures; or read none, not even of scanned pages.  "
    "[default: scanned pages only]",
)  # fmt: skip
@click.option(
    "--passage-model",
    metavar="NAME|DIR",
    help="The encoder of passages, which finds what documents say in any language: a name from `babelens models`, or "
    "a folder.  [default: the one they have, else multilingual-e5-small if it is on this machine]",
)
@click.option(
    "--metric",
    type=click.Choice(["ip", "l2"]),
    default="ip",
    show_default=True,
    help="How a new collection's index compares vectors. Both rank alike; scores are cosines either way.",
)
@json_option
def index(
    paths: tuple[str, ...],
    collection: str,
    model: str | None,
    scans: tuple[str, ...],
    captions: tuple[str, ...],
    filename_captions: bool,
    caption_language: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    sample: int | None,
    seed: int,
    ocr: bool | None,
    passage_model: str | None,
    metric: Literal["ip", "l2"],
    as_json: bool,
) -> int:
    """Put pictures and documents in, or update them.

    PATH is a folder, a picture, a document (PDF, text, Markdown or HTML), or a captions file whose pictures lie
    beside it. Run the same command again at any time: unchanged files cost next to nothing, changed ones are
    encoded again, moved ones keep their vectors, and deleted ones disappear. A file that cannot be read is
    skipped and reported.

    \b
    babelens index ~/photos
    babelens index shop/images --captions shop/captions.csv -c shop
    babelens index manual.pdf --scans ~/scans/old-manual -c manuals
    babelens index ~/photos --ocr
    """
    if not paths and not scans:
        raise click.UsageError("There is nothing to index: give a PATH, or --scans FOLDER.")
    from ..models.ocr import load_ocr
    from .app import Interrupted
    from .models import fetch_for, fetch_passage_encoder
    from .opening import opened_to_write
    from .progress import reporting

    fetch_for(collection, model)
    engine = load_ocr()
    read: DescribeReport | None = None
    if passage_model is not None:
        fetch_passage_encoder(passage_model)
    with opened_to_write(collection, model=model, metric=metric) as opened:
        before = len(opened)
        try:
            with reporting("Indexing", "files") as reporter:
                report = opened.add(
                    paths,
                    captions=captions,
                    filename_captions=filename_captions,
                    caption_language=caption_language,
                    include=include,
                    exclude=exclude,
                    page_scans=scans,
                    ocr=False if ocr is False else engine,
                    sample=sample,
                    seed=seed,
                    passage_model=passage_model,
                    progress=reporter.update,
                )
            if ocr:
                with reporting("Reading text in pictures", "pictures and figures") as reporter:
                    read = opened.read_texts(engine=engine, progress=reporter.update)
        except KeyboardInterrupt:
            raise Interrupted(_kept(opened, before)) from None
        if read is not None:
            report = replace(
                report, skipped=(*report.skipped, *read.skipped), notes=(*report.notes, *read.notes)
            )
        _print_report(report, opened, as_json=as_json, read=read)
    return _exit_code(report)


@command("import")
@click.option(
    "--vectors", "vectors_file", type=FILE, required=True, help="The vectors, one row each: an .npy file."
)
@click.option(
    "--ids", "ids_file", type=FILE, required=True,
    help="What each row stands for, one per line: usually the picture's path.",
)  # fmt: skip
@click.option(
    "--encoder", metavar="NAME", required=True, help="The encoder that made the vectors; recorded with them."
)
@collection_option
@json_option
def import_(vectors_file: str, ids_file: str, encoder: str, collection: str, as_json: bool) -> int:
    """Take in vectors that were made elsewhere.

    Such as clip-retrieval's. The rows are brought to unit length, and a line on stderr says so. Words can be
    searched by meaning only with the text tower of the same encoder.
    """
    import numpy as np

    from ..errors import UnreadableFileError
    from .app import Interrupted
    from .opening import opened_to_write
    from .progress import reporting

    try:
        vectors = np.load(vectors_file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise UnreadableFileError(
            vectors_file, "not an .npy file", hint="Save vectors with numpy.save."
        ) from error
    with open(ids_file, encoding="utf-8", errors="surrogateescape", newline=None) as lines:
        ids = [line.rstrip("\n") for line in lines]
    with opened_to_write(collection) as opened:
        before = len(opened)
        try:
            with reporting("Importing", "vectors") as reporter:
                report = opened.import_vectors(vectors, ids, encoder=encoder, progress=reporter.update)
        except KeyboardInterrupt:
            raise Interrupted(_kept(opened, before)) from None
        _print_report(report, opened, as_json=as_json)
    return _exit_code(report)


def _exit_code(report: IngestReport) -> int:
    from .app import INCOMPLETE, OK

    return INCOMPLETE if report.skipped else OK


def _kept(collection: Collection, before: int) -> str:
    from .render import count

    now = len(collection)
    if not now:
        return "Nothing had been committed yet. Run the same command again to start over."
    return (
        f"{count(now, 'item')} are in the collection ({max(now - before, 0):,} from this run) and stay there.\n"
        "Run the same command again to go on from here."
    )


def _print_report(
    report: IngestReport, collection: Collection, *, as_json: bool, read: DescribeReport | None = None
) -> None:
    from .render import message, print_json

    for note in report.notes:
        message(note)
    if as_json:
        fields = _report_fields(report, collection)
        print_json(fields if read is None else {**fields, "printed": _reading_fields(read)})
    else:
        click.echo(_summary(report))
        if read is not None:
            click.echo(_reading_summary(read))
    print_skipped(report.skipped)


def _report_fields(report: IngestReport, collection: Collection) -> dict[str, Any]:
    return {
        "collection": str(collection.path),
        "items": len(collection),
        "added": report.added,
        "updated": report.updated,
        "moved": report.moved,
        "removed": report.removed,
        "unchanged": report.unchanged,
        "texts": report.texts,
        "pages": report.pages,
        "passages": report.passages,
        "figures": report.figures,
        "skipped": [{"path": skip.path, "reason": skip.reason} for skip in report.skipped],
        "notes": list(report.notes),
        "seconds": round(report.seconds, 3),
    }


def _summary(report: IngestReport) -> str:
    from .render import count, duration

    parts = [
        f"{number:,} {word}"
        for number, word in (
            (report.added, "added"),
            (report.updated, "updated"),
            (report.moved, "moved"),
            (report.removed, "removed"),
            (report.unchanged, "unchanged"),
            (len(report.skipped), "skipped"),
        )
        if number
    ]
    line = ", ".join(parts) or "Nothing to do: no pictures or documents found"
    if report.pages or report.passages:
        found = (("page", report.pages), ("figure", report.figures), ("passage", report.passages))
        line += "; in documents " + ", ".join(count(number, word) for word, number in found)
    if report.texts:
        line += f"; {count(report.texts, 'text')} written"
    done = report.added + report.updated
    rate = f", {done / report.seconds:,.0f} files/s" if done >= 100 and report.seconds > 1 else ""
    return f"{line} ({duration(report.seconds)}{rate})"


def _reading_fields(read: DescribeReport) -> dict[str, Any]:
    return {
        "read": sum(counts.get("ok", 0) for counts in read.written.values()),
        "empty": sum(counts.get("empty", 0) for counts in read.written.values()),
        "unchanged": read.unchanged,
        "seconds": round(read.seconds, 3),
    }


def _reading_summary(read: DescribeReport) -> str:
    from .render import duration

    counts = _reading_fields(read)
    line = f"Pictures and figures: text read in {counts['read']:,}, none in {counts['empty']:,}"
    if read.unchanged:
        line += f", {read.unchanged:,} were read before"
    return f"{line} ({duration(read.seconds)})"


def print_skipped(skipped: tuple[Skip, ...]) -> None:
    from .render import message, printable, shown_path

    if not skipped:
        return
    reasons = Counter(skip.reason for skip in skipped)
    message("Skipped: " + "; ".join(f"{number:,} {printable(why)}" for why, number in reasons.most_common()))
    for skip in skipped[:_SKIPS_SHOWN]:
        message(f"  {shown_path(skip.path)}: {printable(skip.reason)}")
    if len(skipped) > _SKIPS_SHOWN:
        message(f"  … and {len(skipped) - _SKIPS_SHOWN:,} more (--json lists all)")
