"""``dataset``: builds, checks and splits captioned data sets."""

from __future__ import annotations

import dataclasses
from collections import Counter

import click

from .options import FILE, command, json_option

_SHOWN = 20


@click.group("dataset", context_settings={"help_option_names": ["-h", "--help"]})
def dataset() -> None:
    """Build, check and split captioned data sets."""


@command("pictographs")
@click.option(
    "--out", metavar="DIR", type=click.Path(file_okay=False), required=True, help="The folder to write."
)
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


@command("check")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=FILE)
@json_option
def check(files: tuple[str, ...], as_json: bool) -> int:
    """Check captioned JSONL files.

    Give all splits of a data set at once, to find leaks between them.

    \b
    babelens dataset check train.jsonl val.jsonl test.jsonl

    Errors: lines that do not parse, pictures that are missing or unreadable, pictures without captions, empty
    captions, the same picture (bytes) in two splits. Warnings: the same bytes under two names, a caption
    repeated for one picture, pictures beside the listed ones that no file names. Exit code 3 when there is an
    error.
    """
    from ..dataset import check as run_check
    from .app import INCOMPLETE, OK
    from .progress import reporting
    from .render import Column, count, isolate, message, print_json, print_table, printable, shown_path

    with reporting("Checking", "pictures") as reporter:
        report = run_check(files, progress=reporter.update)
    if as_json:
        for finding in report.findings:
            print_json(dataclasses.asdict(finding))
        print_json({"ok": report.ok, "splits": [dataclasses.asdict(split) for split in report.splits]})
        return OK if report.ok else INCOMPLETE
    print_table(
        [
            Column("file", crop="start"),
            Column("pictures", "right"),
            Column("captions", "right"),
            Column("languages"),
        ],
        [
            [
                split.path,
                f"{split.images:,}",
                f"{sum(split.captions.values()):,}",
                ", ".join(f"{language} {number:,}" for language, number in split.captions.items()),
            ]
            for split in report.splits
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
        for finding in found[:_SHOWN]:
            click.echo(f"  {shown_path(finding.where)}: {isolate(printable(finding.problem))}")
        if len(found) > _SHOWN:
            click.echo(f"  … and {len(found) - _SHOWN:,} more (--json lists all)")
    if not report.findings:
        message("Sound: no problems found.")
    return OK if report.ok else INCOMPLETE


@command("split")
@click.argument("file", type=FILE)
@click.option(
    "--out", metavar="DIR", type=click.Path(file_okay=False), required=True, help="The folder to write."
)
@click.option("--seed", type=int, default=0, show_default=True, help="The seed of the shuffle.")
@click.option(
    "--shares", metavar="A/B/C", default="70/15/15", show_default=True, help="Parts for train, val and test."
)
@click.option(
    "--karpathy", metavar="FILE", type=FILE,
    help="Take the published split of this file (dataset_flickr8k.json and the like) instead of a random one.",
)  # fmt: skip
@json_option
def split(file: str, out: str, seed: int, shares: str, karpathy: str | None, as_json: bool) -> None:
    """Split a captioned JSONL file by picture.

    Writes train.jsonl, val.jsonl and test.jsonl.     All captions of a picture stay together, and so do
    copies of a picture under several names. split.json records how the split was made. Pictures are not
    copied: the new files point at where they are.
    """
    from ..dataset import split as run_split
    from .render import count, print_json, shown_path

    try:
        parts = tuple(float(part) for part in shares.split("/"))
    except ValueError:
        parts = ()
    if len(parts) != 3 or min(parts) < 0 or not sum(parts) > 0:
        raise click.UsageError(f"--shares takes three numbers such as 70/15/15, not {shares!r}.")
    report = run_split(file, out, seed=seed, shares=parts, karpathy=karpathy)
    if as_json:
        print_json(dataclasses.asdict(report))
        return
    for name, number in report.images.items():
        click.echo(f"{shown_path(str(report.folder / f'{name}.jsonl'))}  {count(number, 'picture')}")
    if report.left_out:
        click.echo(f"{count(report.left_out, 'picture')} left out: not in the published split")


dataset.add_command(pictographs)
dataset.add_command(check)
dataset.add_command(split)
