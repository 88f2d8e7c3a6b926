"""``dataset``: builds, fetches, checks, converts and splits captioned data sets."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import FILE, LANGUAGE, command, json_option

if TYPE_CHECKING:
    from ..dataset import CheckReport, ConvertReport

_SHOWN = 5  # of each kind
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


class _SourceType(click.ParamType[str]):
    """A file, a folder, or a collection's name; it must be there."""

    name = "source"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from ..storage.paths import resolve_collection_path

        there = Path(value).expanduser().exists()
        if not there and not (resolve_collection_path(value) / "catalog.db").is_file():
            self.fail(f"There is no file, folder or collection {value!r}.", param, ctx)
        return value


_SOURCE = _SourceType()
_out_option = click.option(
    "--out", metavar="DIR", type=click.Path(file_okay=False), required=True, help="The folder to write."
)
_images_option = click.option(
    "--images", metavar="DIR", type=_FOLDER, help="Where the pictures are, if not in a usual place."
)
_language_option = click.option(
    "--language", metavar="TAG", type=LANGUAGE, help="The language of captions that do not say theirs."
)


@click.group("dataset", context_settings={"help_option_names": ["-h", "--help"]})
def dataset() -> None:
    """Build, fetch, check, convert and split captioned data sets."""


@command("pictographs")
@_out_option
@click.option(
    "--npm", metavar="DIR", type=click.Path(exists=True, file_okay=False),
    help="Where the npm packages are.  [default: node_modules here and above]",
)  # fmt: skip
@click.option("--size", type=click.IntRange(16, 512), default=96, show_default=True, help="Pixels per side.")
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Only the first N concepts.")
@json_option
def pictographs(out: str, npm: str | None, size: int, limit: int | None, as_json: bool) -> None:
    """Build the data set that mini is trained on.

    Pictographs in several drawing styles, named in eight languages. The art and the names come from Debian
    and npm packages; when one is missing, the message names it. Needs the extra: pip install
    'babelens[torch]'.
    """
    from ..training.pictographs import build
    from .progress import reporting
    from .render import print_json

    with reporting("Drawing", "concepts") as reporter:
        made = build(out, npm=npm, size=size, limit=limit, progress=reporter.update)
    if as_json:
        print_json(dataclasses.asdict(made))
    else:
        click.echo(
            f"{made.concepts:,} concepts in {len(made.styles)} styles, {made.images:,} pictures: {made.path}"
        )


@command("fetch")
@click.argument("source", metavar="SOURCE")
@json_option
def fetch(source: str, as_json: bool) -> None:
    """Fetch a data set from Hugging Face or Kaggle.

    \b
    babelens dataset fetch hf:OWNER/NAME
    babelens dataset fetch kaggle:adityajn105/flickr8k

    Kaggle needs the extra: pip install 'babelens[fetch]'. What is here already is not fetched again, and an
    interrupted download of a large file goes on where it stopped. Prints the folder and the captions files in it.
    """
    from ..dataset import fetch as run_fetch
    from .progress import reporting
    from .render import count, message, print_json, shown_path, size

    with reporting("Fetching", "bytes") as reporter:
        report = run_fetch(source, progress=reporter.update)
    if as_json:
        print_json(dataclasses.asdict(report))
        return
    click.echo(f"{report.folder}  ({count(report.files, 'file')}, {size(report.bytes)})")
    for path in report.captions:
        click.echo(f"  captions: {shown_path(str(path))}")
    if report.captions:
        message(f"Next: babelens dataset check {shlex.quote(str(report.captions[0]))}")
    elif report.packed:
        names = ", ".join(path.name for path in report.packed[:3])
        message(f"No captions file that Babelens reads is there as it is; unpack first: {names}")
    else:
        message("No captions file that Babelens reads is there.")


@command("check")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=_SOURCE)
@_images_option
@_language_option
@json_option
def check(sources: tuple[str, ...], images: Path | None, language: str | None, as_json: bool) -> int:
    """Check captioned data sets.

    SOURCE is a captions file of any known format, a folder that holds one, or a collection. Give all splits of
    a data set at once, to find leaks between them.

    \b
    babelens dataset check train.jsonl val.jsonl test.jsonl
    babelens dataset check dataset_flickr8k.json --images Flicker8k_Dataset --language en

    Errors: lines that do not parse, pictures that are missing or unreadable, pictures without captions, captions
    that are empty, damaged or in another script than their language's, splits without pictures, the same picture
    (bytes) in two splits. Warnings: the same bytes under two names, a caption repeated for one picture, a language
    that only some pictures lack, pictures beside the listed ones that no file names. Exit code 3 when there is an
    error.
    """
    from ..dataset import check as run_check
    from .app import INCOMPLETE, OK
    from .progress import reporting
    from .render import print_json

    with reporting("Checking", "pictures") as reporter:
        report = run_check(sources, images=images, language=language, progress=reporter.update)
    if as_json:
        for finding in report.findings:
            print_json(dataclasses.asdict(finding))
        print_json({"ok": report.ok, "splits": [dataclasses.asdict(split) for split in report.splits]})
    else:
        _print_check(report)
    return OK if report.ok else INCOMPLETE


def _print_check(report: CheckReport) -> None:
    from .render import Column, count, isolate, message, print_table, printable, shown_path

    print_table(
        [
            Column("split", crop="start"),
            Column("language"),
            *(Column(name, "right") for name in ("pictures", "captions", "words", "characters", "shared")),
        ],
        [
            [
                shown_path(part.path) + (f" ({part.split})" if part.split else ""),
                language,
                f"{row.pictures:,} of {part.images:,}",
                f"{row.captions:,}",
                "" if row.words is None else f"{row.words:g}",
                f"{row.characters:g}",
                f"{row.shared:,}",
            ]
            for part in report.splits
            for language, row in part.languages.items()
        ],
    )
    for severity in ("error", "warning"):
        found = [finding for finding in report.findings if finding.severity == severity]
        if not found:
            continue
        kinds = Counter(finding.kind for finding in found)
        click.echo(
            f"\n{count(len(found), severity)} ({', '.join(f'{kind} {n:,}' for kind, n in kinds.items())}):"
        )
        for kind, number in kinds.items():
            for finding in [finding for finding in found if finding.kind == kind][:_SHOWN]:
                click.echo(f"  {shown_path(finding.where)}: {isolate(printable(finding.problem))}")
            if number > _SHOWN:
                click.echo(f"  … and {number - _SHOWN:,} more of {kind} (--json lists all)")
    if not report.findings:
        message("Sound: no problems found.")


@command("convert")
@click.argument("source", metavar="SOURCE", type=_SOURCE)
@_out_option
@_images_option
@_language_option
@click.option(
    "--languages", metavar="TAGS",
    help="The languages to keep, with commas between them.  [default: the eight]",
)  # fmt: skip
@click.option(
    "--split", metavar="NAME", help="Keep one split of a source that names splits; else, which one it is."
)
@click.option("--name", metavar="NAME", help="The set's name, and its file's.  [default: the source's]")
@click.option("--license", "licence", metavar="TEXT", help="The licence, for the data card.")
@json_option
def convert(
    source: str,
    out: str,
    images: Path | None,
    language: str | None,
    languages: str | None,
    split: str | None,
    name: str | None,
    licence: str | None,
    as_json: bool,
) -> None:
    """Write a data set as clean JSON lines, with checksums and a data card.

    \b
    babelens dataset convert Flickr8k.token.txt --out flickr8k --language en
    babelens dataset convert dataset_coco.json --out coco --images ~/coco --language en --split test
    babelens dataset convert XTD10/ --out xtd10 --images ~/coco

    SOURCE is a captions file of any known format, a folder that holds one, or a collection. Writes NAME.jsonl
    (train.jsonl, val.jsonl … where the source names splits), SHA256SUMS, README.md, and dropped.jsonl with
    everything that was left out: pictures that are missing or unreadable, captions that are empty, damaged,
    repeated or in other languages.
    """
    from ..dataset import convert as run_convert
    from .progress import reporting
    from .render import print_json

    with reporting("Converting", "pictures") as reporter:
        report = run_convert(
            source,
            out,
            images=images,
            language=language,
            languages=[tag.strip() for tag in languages.split(",")] if languages else None,
            split=split,
            name=name,
            licence=licence,
            command=shlex.join(["babelens", *sys.argv[1:]]),
            progress=reporter.update,
        )
    if as_json:
        shown = dataclasses.asdict(report)
        print_json({**shown, "dropped": len(report.dropped), "reasons": report.reasons})
    else:
        _print_converted(report)


def _print_converted(report: ConvertReport) -> None:
    from .render import count, message, shown_path

    for part, path in report.files.items():
        languages = ", ".join(f"{tag} {row.captions:,}" for tag, row in report.splits[part].items())
        click.echo(f"{shown_path(str(path))}  {count(report.images[part], 'picture')}; captions: {languages}")
    if report.dropped:
        where = shown_path(str(report.folder / "dropped.jsonl"))
        message(f"Left out (listed in {where}):")
        for reason, times in report.reasons.items():
            message(f"  {times:,} × {reason}")


@command("split")
@click.argument("source", metavar="SOURCE", type=_SOURCE)
@_out_option
@click.option("--seed", type=int, default=0, show_default=True, help="The seed of the shuffle.")
@click.option(
    "--shares", metavar="A/B/C", default="70/15/15", show_default=True, help="Parts for train, val and test."
)
@click.option(
    "--karpathy", metavar="FILE", type=FILE,
    help="Take the published split of this file (dataset_flickr8k.json and the like) instead of a random one.",
)  # fmt: skip
@_images_option
@_language_option
@json_option
def split(
    source: str,
    out: str,
    seed: int,
    shares: str,
    karpathy: str | None,
    images: Path | None,
    language: str | None,
    as_json: bool,
) -> None:
    """Split a captioned data set by picture.

    Writes train.jsonl, val.jsonl and test.jsonl. All captions of a picture stay together, and so do copies of a
    picture under several names. split.json records how the split was made. Pictures are not copied: the new
    files point at where they are.
    """
    from ..dataset import split as run_split
    from .render import count, print_json, shown_path

    try:
        parts = tuple(float(part) for part in shares.split("/"))
    except ValueError:
        parts = ()
    if len(parts) != 3 or min(parts) < 0 or not sum(parts) > 0:
        raise click.UsageError(f"--shares takes three numbers such as 70/15/15, not {shares!r}.")
    report = run_split(
        source, out, seed=seed, shares=parts, karpathy=karpathy, images=images, language=language
    )
    if as_json:
        print_json(dataclasses.asdict(report))
        return
    for name, number in report.images.items():
        click.echo(f"{shown_path(str(report.folder / f'{name}.jsonl'))}  {count(number, 'picture')}")
    if report.left_out:
        click.echo(f"{count(report.left_out, 'picture')} left out: not in the published split")


for _command in (pictographs, fetch, check, convert, split):
    dataset.add_command(_command)
