"""Looking after a collection: ``info``, ``verify``, ``remove``, ``compact``, ``duplicates``, ``export``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import collection_option, command, json_option

if TYPE_CHECKING:
    from ..collection import CollectionInfo
    from ..indexes.setting import Tuned


@command("info")
@collection_option
@json_option
def info(collection: str, as_json: bool) -> None:
    """Show what a collection holds.

    Also which encoder made its vectors, and how its index was chosen.
    """
    from ..collection import Collection
    from .render import print_json

    with Collection.open(collection, create=False, read_only=True) as opened:
        facts = opened.info()
    if as_json:
        print_json(dataclasses.asdict(facts))
        return
    for name, value in _facts(facts):
        click.echo(f"{name:<14}{value}")


@command("verify")
@collection_option
@json_option
def verify(collection: str, as_json: bool) -> int:
    """Check a collection from end to end.

    Database, vectors, full text and indexes. Exit code 0 when it is sound, 3 when problems were found (they
    are listed on stdout).
    """
    from ..collection import Collection
    from .app import INCOMPLETE, OK
    from .progress import waiting
    from .render import message, print_json, printable

    with Collection.open(collection, create=False, read_only=True) as opened, waiting("Verifying"):
        report = opened.verify()
    if as_json:
        print_json(dataclasses.asdict(report))
    else:
        for problem in report.problems:
            click.echo(printable(problem))
    if report.ok:
        message("Sound: no problems found.")
        return OK
    message(
        f"{len(report.problems):,} found. Index the same folders again, or restore the folder from a backup."
    )
    return INCOMPLETE


@command("remove")
@click.argument("items", metavar="ID_OR_PATH...", nargs=-1, required=True)
@collection_option
@json_option
def remove(items: tuple[str, ...], collection: str, as_json: bool) -> None:
    """Take items out; no file is deleted.

    By id or by path; a folder means all below it. An item whose file is still there comes back when its
    folder is indexed again; --exclude keeps it out.
    """
    from .opening import opened_to_write
    from .render import count, print_json

    with opened_to_write(collection, create=False) as opened:
        removed = opened.remove(items)
        left = len(opened)
    if as_json:
        print_json({"removed": removed, "items": left})
    else:
        click.echo(f"{count(removed, 'item')} removed, {left:,} left")


@command("compact")
@collection_option
@json_option
def compact(collection: str, as_json: bool) -> None:
    """Give unused space back to the disk."""
    from .opening import opened_to_write
    from .progress import reporting
    from .render import print_json, size

    with opened_to_write(collection, create=False) as opened:
        before = _bytes_below(opened.path)
        with reporting("Compacting", "vectors") as reporter:
            opened.compact(progress=reporter.update)
        after = _bytes_below(opened.path)
    if as_json:
        print_json({"bytes_before": before, "bytes_after": after})
    else:
        click.echo(f"{size(before)} before, {size(after)} now")


@command("duplicates")
@collection_option
@json_option
def duplicates(collection: str, as_json: bool) -> None:
    """List files that hold the same bytes."""
    from ..collection import Collection
    from .render import message, print_json, shown_path

    with Collection.open(collection, create=False, read_only=True) as opened:
        groups = opened.duplicates()
    for group in groups:
        if as_json:
            print_json(
                {
                    "sha256": group[0].source.sha256,
                    "items": [{"id": item.id, "path": item.source.path} for item in group],
                }
            )
        else:
            click.echo("\n".join(shown_path(item.source.path) for item in group) + "\n")
    extra = sum(len(group) - 1 for group in groups)
    message(f"{len(groups):,} groups, {extra:,} files more than needed" if groups else "No duplicates.")


@command("export")
@click.argument("folder", required=False, type=click.Path(file_okay=False))
@collection_option
@click.option("--zip", "as_zip", is_flag=True, help="Also pack everything into one zip file.")
@json_option
def export(folder: str | None, collection: str, as_zip: bool, as_json: bool) -> None:
    """Write captions, vectors and an index out.

    captions.csv (a column per language), image_embeddings.npy, ids.txt (a row each), image_index.faiss and
    manifest.json. FOLDER is where to; NAME-export in the working directory by default.
    """
    from ..collection import Collection
    from .progress import waiting
    from .render import print_json, shown_path

    with Collection.open(collection, create=False, read_only=True) as opened:
        target = Path(folder) if folder else Path(f"{opened.path.name}-export")
        with waiting("Exporting"):
            report = opened.export(target, zip=as_zip)
    if as_json:
        print_json(dataclasses.asdict(report))
        return
    for name in report.files:
        click.echo(shown_path(str(Path(report.folder) / name)))
    if report.zip:
        click.echo(shown_path(report.zip))


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _facts(info: CollectionInfo) -> Iterator[tuple[str, str]]:
    from .render import printable, size
    from .tune_hubness import interval

    yield "path", printable(info.path)
    yield "items", f"{info.items:,}" + (f" ({_counts(info.kinds)})" if info.kinds else "")
    yield "files", _counts(info.files)
    yield "texts", _counts(info.texts)
    if info.origins:
        yield "written by", _counts(info.origins)
    if set(info.text_status) - {"ok"}:
        yield "text status", _counts(info.text_status)
    if info.encoder is None:
        yield "encoder", f"{printable(info.model)} (nothing encoded yet)"
    else:
        encoder = info.encoder
        yield (
            "encoder",
            f"{printable(encoder.name)}, revision {printable(encoder.revision)}, {encoder.dim} numbers",
        )
    if info.runtime is not None:
        yield "runs on", printable(info.runtime)
        if info.runtime_why:
            yield "", printable(info.runtime_why)
    if info.reindex is not None:
        begun = info.reindex
        share = f"{begun.encoded:,} of {begun.total:,} vectors"
        yield "reindex", f"to {printable(begun.model)}: {share}, not switched yet"
    if info.passages is not None:
        found = info.passages
        share = f"{found.encoded:,} of {found.total:,} by meaning"
        coming = f" (changing to {printable(found.coming)})" if found.coming else ""
        yield "passages", f"{printable(found.model)}, {found.encoder.dim} numbers: {share}{coming}"
    for modality, index in info.indexes.items():
        line = f"{printable(index.name)}, {index.vectors:,} vectors"
        if index.recall_at_10 is not None:
            line += f", recall@10 {index.recall_at_10:.3f}"
        if index.ms_per_query is not None:
            line += f", {index.ms_per_query:.2f} ms a query"
        yield f"{modality} index", line
        if index.why:
            yield "", printable(index.why)
        if index.tuned is not None:
            yield "", _measured(index.tuned)
    for route in info.routes:
        gain, name = route.gains["hit_rate@1"], printable(route.model)
        yield (
            "routing",
            (
                f"{route.language} through {name}: hit_rate@1 {gain.before:.1%} before, {gain.after:.1%} "
                f"after (95 % interval of the gain {100 * gain.low:+.1f} to {100 * gain.high:+.1f} points; "
                f"{route.captions:,} captions of {route.pictures:,} pictures, {route.measured[:10]})"
            ),
        )
    if info.hubness is not None:
        correction = info.hubness
        yield "hubness", f"{correction.method}, learnt from {correction.bank:,} captions, on for queries in:"
        for helped in (gain for gain in correction.gains if gain.on):
            language = "no stated language" if helped.language == "und" else helped.language
            measured = f"{interval(helped.gain_1)} points of hit_rate@1 on {helped.n:,} captions"
            yield "", f"{language}: {measured}"
    yield "metric", info.metric
    yield "size", f"{size(info.catalog_bytes)} catalog, {size(info.index_bytes)} indexes"
    yield "created", info.created or "unknown"


def _measured(tuned: Tuned) -> str:
    """What ``tune index`` measured on the setting that the index is built with."""
    setting = tuned.setting
    recalls = [
        f"{kind} {found.value:.4f} [{found.low:.4f}, {found.high:.4f}] (n={found.n:,})"
        for kind, found in (("text", setting.recall_text), ("image", setting.recall_image))
        if found is not None
    ]
    return (
        f"set by tune index ({tuned.when[:10]}, {tuned.vectors:,} vectors): {setting.name}, recall@10 "
        f"{', '.join(recalls)}, p50 {setting.p50_ms:.2f} ms, p99 {setting.p99_ms:.2f} ms, "
        f"{setting.times_exact:.2f} × exact search"
    )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.items()) or "none"
